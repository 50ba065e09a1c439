"""The planted pairs of the bench: as many of each kind as asked for, alike each time, and bad in the way they claim."""

from __future__ import annotations

from collections import Counter

from bench.checks import rules
from bench.planting import KINDS, Planted, plant

DOCUMENT = (
    "The observatory of Arcetri was opened by Giorgio Abetti in 1872 on a hill south of Florence. "
    "In 1925, after a gift of 300 lire, a solar tower of 25 metres was added to the building by the city. "
    "Its largest telescope, built by the workshop of Amici, has a lens of 36 centimetres and is still at work."
)


def good() -> list[Planted]:
    opened, added, _ = (f"{sentence}." for sentence in DOCUMENT.rstrip(".").split(". "))
    return [
        Planted("In what year did the observatory of Arcetri open?", "1872", "date", (), opened, DOCUMENT),
        Planted("Who opened the observatory of Arcetri?", "Giorgio Abetti", "name", ("Abetti",), opened, DOCUMENT),
        Planted("How many metres has the solar tower of Arcetri?", "25", "number", (), added, DOCUMENT),
        Planted("What was added to Arcetri in 1925?", "solar tower", "phrase", (), added, DOCUMENT),
    ] * 20


def test_the_good_pairs_are_good() -> None:
    assert rules(good()) == [None] * len(good())


def test_every_kind_is_planted_alike_each_time() -> None:
    planted = list(plant(good(), 5))
    assert Counter(kind for kind, _ in planted) == dict.fromkeys(KINDS, 5)
    assert planted == list(plant(good(), 5))
    assert not {pair for _, pair in planted} & set(good())


def test_what_the_rules_can_see_they_catch() -> None:
    planted = list(plant(good(), 8))
    caught = Counter(
        kind for (kind, _), reason in zip(planted, rules([pair for _, pair in planted]), strict=True) if reason
    )
    for kind in ("vague", "long answer", "evidence not in source"):
        assert caught[kind] == 8, kind
