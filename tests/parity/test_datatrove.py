"""The filters beside datatrove's, and the tokenizer beside spaCy's; `make parity` has both, other environments skip.

Compared are the example corpus, documents at the edge of every rule and, when WEBSCALE_RL_PARITY_CORPUS names Parquet
files by a glob, the texts of those: 12,000 take three minutes on two cores.
"""

from __future__ import annotations

import functools
import glob
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow.parquet as pq
import pytest

from schemas.config_filters import C4Limits, FilterSettings, FineWebLimits, GopherQualityLimits, GopherRepetitionLimits
from tests.parity import edges, oracle
from transforms.heuristics import reject_reasons
from transforms.text.c4 import clean
from transforms.text.words import tokens

pytest.importorskip("datatrove", reason="datatrove is not installed here: make parity")
spacy = pytest.importorskip("spacy")

# Reading the corpus's decisions counts towards the first test that asks for them.
pytestmark = pytest.mark.timeout(1800)

CORPUS: Final = os.environ.get("WEBSCALE_RL_PARITY_CORPUS", "")
needs_corpus = pytest.mark.skipif(not CORPUS, reason="WEBSCALE_RL_PARITY_CORPUS names no Parquet files")

_OFF: Final[dict[str, Any]] = dict.fromkeys(("min_tokens", "gopher_repetition", "c4", "gopher_quality", "fineweb"))
_RULES: Final[dict[str, Any]] = {
    "gopher_repetition": GopherRepetitionLimits(),
    "c4": C4Limits(terminal_punctuation=False),
    "gopher_quality": GopherQualityLimits(),
    "fineweb": FineWebLimits(),
}
SETTINGS: Final = {
    **{name: FilterSettings(**{**_OFF, name: limits}) for name, limits in _RULES.items()},
    "c4 with terminal punctuation": FilterSettings(**{**_OFF, "c4": C4Limits()}),
    "cascade": FilterSettings(**{**_OFF, **_RULES}),
}
"""Ours, set as datatrove's filters are by default; the cascade as examples/fineweb.yaml is."""

REASONS: Final = 0.999
"""The least share of a corpus's documents on which both decide alike and for the same reason. All do on the corpus that
the README speaks of; another may hold a few pieces that are split otherwise."""
TOKENS: Final = 0.9999
"""The least share of a corpus's pieces that both split alike."""


@dataclass(frozen=True)
class Compared:
    """Some texts and what datatrove decides on them."""

    texts: list[str] = field(repr=False)
    theirs: list[oracle.Decisions] = field(repr=False)


def texts_of(paths: Iterable[str]) -> list[str]:
    """Return the texts of Parquet files, without the nulls."""
    columns = [pq.read_table(path, columns=["text"])["text"].to_pylist() for path in paths]
    return [text for column in columns for text in column if text is not None]


@pytest.fixture(scope="module")
def known() -> Compared:
    examples = texts_of(sorted(glob.glob("examples/corpus/*.parquet")))  # noqa: PTH207
    texts = [*examples, *edges.documents(examples)]
    return Compared(texts, oracle.decide_all(texts))


@pytest.fixture(scope="module")
def corpus() -> Compared:
    paths = sorted(glob.glob(CORPUS))  # noqa: PTH207, since Path.glob takes no absolute pattern
    assert paths, f"WEBSCALE_RL_PARITY_CORPUS={CORPUS} matches no file"
    texts = texts_of(paths)
    return Compared(texts, oracle.decide_all(texts))


def differences(name: str, compared: Compared) -> list[tuple[str | None, str | None, str]]:
    """Return datatrove's reason, ours and the text wherever the two are not the same.

    Texts without a word are left out: each of datatrove's filters has its own opinion of them.
    """
    ours = [reason and reason[0] for reason in reject_reasons(compared.texts, SETTINGS[name])]
    theirs = [decisions.reasons[name] for decisions in compared.theirs]
    return [row for row in zip(theirs, ours, compared.texts, strict=True) if row[0] != row[1] and row[2].split()]


def pieces_of(texts: Sequence[str]) -> Counter[str]:
    """Return how often each run of characters between whitespace occurs."""
    return Counter(piece for text in texts for piece in text.split())


def split_otherwise(pieces: Iterable[str]) -> dict[str, tuple[list[str], list[str]]]:
    """Return spaCy's tokens and ours of the pieces that the two split differently."""
    both = {piece: ([token.text for token in _spacy()(piece)], list(tokens(piece))) for piece in pieces}
    return {piece: (theirs, ours) for piece, (theirs, ours) in both.items() if theirs != ours}


@functools.cache
def _spacy() -> Any:
    return spacy.blank("en").tokenizer


def test_every_rule_has_its_edges(known: Compared) -> None:
    reached = {name for decisions in known.theirs for name in decisions.reasons.values()}
    named = {oracle.our_name(group, reason) for group, reasons in oracle.REASONS.items() for reason in reasons}
    rules = {f"{group}.{key}" for group, limits in _RULES.items() for key in type(limits).model_fields}
    of_lines = {"citations", "javascript_lines", "max_word_characters", "min_line_words", "policy_lines"}
    bounds = {f"c4.{key}" for key in (*of_lines, "terminal_punctuation")} | {"fineweb.short_line_characters"}
    assert reached - {None} == named
    assert named - {"empty_text"} == rules - bounds


@pytest.mark.parametrize("name", oracle.FILTERS)
def test_same_reason_at_the_edges(name: str, known: Compared) -> None:
    found = [(theirs, ours, text[:100]) for theirs, ours, text in differences(name, known)]
    assert found == []


@pytest.mark.parametrize("name", ["c4", "c4 with terminal punctuation"])
def test_c4_leaves_the_same_text(name: str, known: Compared) -> None:
    limits = SETTINGS[name].c4
    assert limits is not None
    for text, decisions in zip(known.texts, known.theirs, strict=True):
        if decisions.left[name] is not None:
            assert clean(text, limits) == decisions.left[name]


@pytest.mark.parametrize("name", oracle.FILTERS)
def test_a_text_without_a_word_is_empty(name: str) -> None:
    reasons = reject_reasons(["", " ", "\n\n", "\u00a0\u3000"], SETTINGS[name])
    assert [reason and reason[0] for reason in reasons] == ["empty_text"] * 4


def test_same_tokens_at_the_edges(known: Compared) -> None:
    found = split_otherwise(pieces_of(known.texts))
    # What transforms.text.words leaves out on purpose: emoticons, and special cases within a piece.
    assert {piece: both for piece, both in found.items() if _spacy().rules.keys().isdisjoint(both[0])} == {}


@needs_corpus
@pytest.mark.parametrize("name", oracle.FILTERS)
def test_agreement_on_a_corpus(name: str, corpus: Compared, capsys: pytest.CaptureFixture[str]) -> None:
    found = differences(name, corpus)
    causes = Counter((theirs, ours) for theirs, ours, _ in found)
    opposed = sum(count for (theirs, ours), count in causes.items() if not (theirs and ours))
    decisions, reasons = (1 - count / len(corpus.texts) for count in (opposed, len(found)))
    with capsys.disabled():
        print(f"\n{name}: same decision {decisions:.2%}, same reason {reasons:.2%} of {len(corpus.texts):,} documents")
        for (theirs, ours), count in causes.most_common():
            print(f"  {count:5}  datatrove: {theirs or 'kept'}; ours: {ours or 'kept'}")
    assert reasons >= REASONS


@needs_corpus
def test_same_tokens_on_a_corpus(corpus: Compared, capsys: pytest.CaptureFixture[str]) -> None:
    pieces = pieces_of(corpus.texts)
    found = split_otherwise(pieces)
    share = 1 - sum(pieces[piece] for piece in found) / pieces.total()
    with capsys.disabled():
        print(f"\ntokens: {share:.3%} of {pieces.total():,} pieces split alike; {len(found):,} distinct ones are not:")
        for piece in sorted(found, key=lambda piece: -pieces[piece])[:20]:
            theirs, ours = found[piece]
            print(f"  {pieces[piece]:5}  {piece[:60]!r}: spaCy {' '.join(theirs)[:60]!r}; ours {' '.join(ours)[:60]!r}")
    assert share >= TOKENS
