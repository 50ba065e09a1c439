"""The ways to say a reference that its own words give: shorter, without a hedge, as one of two."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from rewards.names import REGION, name_of
from rewards.text import ARTICLES, FUNCTION_WORDS, fold

_COUNTRIES: Final = {
    name: names
    for names in (
        ("United Kingdom", "Great Britain", "Britain", "UK"),
        ("United States", "United States of America", "USA", "US", "America"),
    )
    for name in names
}
_BRACKETS: Final = re.compile(r"\s{0,4}[(\[][^()\[\]]*[)\]]")


def variants(reference: str) -> Iterator[str]:
    """Yield a reference, itself without what stands in brackets, without titles before a name."""
    yield reference
    short = _BRACKETS.sub("", reference).strip() if "(" in reference or "[" in reference else reference
    if short:
        yield short
    plain = short
    if any(map(str.isdigit, short)):
        plain = _HEDGE.sub("", _OPEN.sub(r"\1", short))
        yield plain
    if " or " in plain or "/" in plain:
        yield from (part for part in _ALTERNATIVES.split(plain) if len(part) > 2 and not any(map(str.isdigit, part)))
    if " of " in short:
        yield _KIND_OF.sub("", short)
    if "," in reference:
        place = REGION.sub("", reference).strip(" .")
        if place and place != reference:
            yield place
    described = _DESCRIBED.fullmatch(short) if " as " in short or " of " in short else None
    if described and (described[2] == " as " or name_of(described[1])):
        yield described[1]
    yield from _COUNTRIES.get(reference.removeprefix("The ").removeprefix("the "), ())
    parts = fold(short or reference).split()
    tail = len(parts)
    while tail and parts[tail - 1][0].isupper():
        tail -= 1
    before = [part.lower() for part in parts[:tail]]
    if 0 < tail < len(parts) and before[-1] not in _SMALL_WORDS and not _tells(before):
        yield " ".join(parts[tail:])


def _tells(before: Sequence[str]) -> bool:
    return any(part in _TELLING or part.startswith(_DIRECTIONS) or not part.isalpha() for part in before)


_DESCRIBED: Final = re.compile(r"([A-Z]\S*(?: \S+){0,4}?)( as | of )(?:the )?[A-Z].*")
"""A name with the part it plays or where it is from: "Tony Hightower as Frank", "Charles Carroll of Carrollton"."""

_HEDGE: Final = re.compile(
    r"^(?:about|around|approximately|approx\.?|roughly|nearly|almost|some|circa|ca?\.|over|up to|at least|at most"
    r"|more than|less than|fewer than|~|\u2248)\s?(?=\S)",
    re.IGNORECASE,
)
_OPEN: Final = re.compile(
    r"(\d)(?:\+| (?:years )?(?:or|and) (?:more|older|over|above|up|younger|less|fewer|under)\b)", re.IGNORECASE
)
"""What makes a number of a reference inexact: a response gives the number."""

_ALTERNATIVES: Final = re.compile(r" or | ?/ ?")
_KIND_OF: Final = re.compile(
    r"^(?:the )?(?:city|town|village|island|state|county|province|country|kingdom|republic|planet|month|year|river"
    r"|mount|summit|top|peak|shore|coast|book|gospel|port)s? of (?:the )?(?=[A-Z\d])",
    re.IGNORECASE,
)
"""What kind of thing a name is, or which part of it: "the city of Paris", "the summit of Cadillac Mountain"."""

_SMALL_WORDS: Final = FUNCTION_WORDS | ARTICLES
_DIRECTIONS: Final = ("north", "south", "east", "west", "non", "anti", "un")
_TELLING: Final = frozenset(
    "of central early late mid first last end beginning before after former not no against and or upper lower ancient "
    "modern medieval greater son daughter wife husband mother father brother sister".split()
)
"""What tells one thing from another before a name, where other words describe it: "the British band Argent"."""
