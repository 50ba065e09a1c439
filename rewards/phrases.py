"""Whether a response says a reference: in its words, as a date or a name, or in content words that stand together."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Collection, Sequence
from fractions import Fraction
from typing import Any, Final, Generic, TypeVar

from rewards.dates import Date, dates, only_dates
from rewards.names import Name, name_of, spans_of, titled
from rewards.quantities import PLAIN, Quantity, counted, quantities, readable
from rewards.stems import is_agent, root, stem
from rewards.text import FUNCTION_WORDS, asked_in, content, fold, words, words_of
from rewards.variants import variants

_T = TypeVar("_T")


class once(Generic[_T]):
    """What `functools.cached_property` is from Python 3.12 on; until then its lock costs more than what is kept."""

    def __init__(self, compute: Callable[[Any], _T]) -> None:
        self.compute = compute
        self.name = compute.__name__

    def __get__(self, owner: Any, kind: type | None = None) -> _T:
        value: _T = self.compute(owner)
        setattr(owner, self.name, value)
        return value


class _Words:
    """A text in words, taken apart as far as a rule asks: most are decided by the first look."""

    def __init__(self, text: str, said: Sequence[str]) -> None:
        self.text = text
        self.words = said
        self.spoken = f" {' '.join(said)} "

    @once
    def stems(self) -> list[str]:
        """The words without endings."""
        return list(map(stem, self.words))

    @once
    def joined(self) -> str:
        """The stems in one string, with a space on both sides."""
        return f" {' '.join(self.stems)} "

    @once
    def content(self) -> frozenset[str]:
        return frozenset(content(self.stems)) if self.stems else frozenset()


class Reference(_Words):
    """A reference, or a variant of it, as it is looked for."""

    @once
    def name(self) -> Name | None:
        """The name of a person that it consists of."""
        return name_of(self.text)

    @once
    def dates(self) -> list[Date]:
        """The dates that it consists of."""
        return only_dates(self.words)

    @once
    def quantity(self) -> Quantity | None:
        """The quantity that it consists of, where that has a unit."""
        if not any(map(str.isdigit, self.text)):
            return None
        quantity = counted(self.text)
        return quantity if quantity is not None and (quantity.kind, quantity.size) != PLAIN else None

    @once
    def acronym(self) -> str:
        """The capitals that it consists of, where these are a common word in small letters: "IT", "US"."""
        return self.text if self.text.isupper() and self.text.lower() in _COMMON_WORDS else ""

    @once
    def formula(self) -> str:
        """The chemical formula that it consists of: "CO", "C6H12O6"."""
        return self.text if not self.text[2:].islower() and _FORMULA.fullmatch(self.text) else ""

    @once
    def proper(self) -> bool:
        """Whether it is a name, so that each of its words counts: it has a capital that begins no sentence."""
        _, _, rest = self.text.partition(" ")
        return (rest or self.text) != (rest or self.text).lower()

    @once
    def beginnings(self) -> list[str]:
        """What the `joined` stems of a text have one of, where that has one of its words or its kin."""
        return [f" {root(word)}" for word in self.content]

    @once
    def compound(self) -> str:
        """Its two words written as one, or its one; nothing where it is longer or short."""
        joined = "".join(self.stems)
        return joined if len(self.stems) <= 2 and len(joined) >= _COMPOUND and joined.isalpha() else ""


class References(tuple[Reference, ...]):
    """All references with their variants, and what of them tells at a look that a text says none."""

    @once
    def beginnings(self) -> list[str]:
        """What the `joined` stems of a text have one of that says a reference in words."""
        return list(dict.fromkeys(beginning for reference in self for beginning in reference.beginnings))

    @once
    def compounds(self) -> list[str]:
        return list(dict.fromkeys(reference.compound for reference in self if reference.compound))

    @once
    def dates(self) -> list[Date]:
        return [date for reference in self for date in reference.dates]

    @once
    def measures(self) -> bool:
        """Whether one is a date or a quantity, which other words and digits may say."""
        return bool(self.dates) or any(reference.quantity for reference in self)


_COMMON_WORDS: Final = FUNCTION_WORDS | frozenset(
    "i me my we us our you your him it am an as be can do go if may no not off or so up who will all any but did get "
    "got how new now one own see too use was way why yes aids act era".split()
)
_FORMULA: Final = re.compile(r"(?:[A-Z][a-z]?\d{0,3}){1,12}")
_COMPOUND: Final = 7  # letters
_SHORT_TEXT: Final = 40  # characters of a response whose words may have been asked for before


class Text(_Words):
    """A response."""

    def __init__(self, text: str) -> None:
        super().__init__(text, words_of(text) if len(text) <= _SHORT_TEXT else words(text))

    @once
    def known(self) -> frozenset[str]:
        return frozenset(self.stems)

    @once
    def roots(self) -> frozenset[str]:
        """The roots of its stems."""
        return frozenset(map(root, self.stems))

    @once
    def compounds(self) -> frozenset[str]:
        """Its words, and each two neighbours written as one: "minigame", "mini-game"."""
        return self.known.union(map("".join, zip(self.stems, self.stems[1:], strict=False)))

    @once
    def _dated(self) -> tuple[list[Date], list[int]]:
        return dates(self.words)

    @property
    def dates(self) -> list[Date]:
        return self._dated[0]

    @once
    def undated(self) -> frozenset[str]:
        """Its words but for those of dates: a number is no day of a month."""
        return frozenset(word for word, used in zip(self.words, self._dated[1], strict=True) if not used)

    @once
    def quantities(self) -> list[Quantity]:
        return [found.quantity for found in quantities(readable(self.text))]


@functools.lru_cache(maxsize=8)
def text_of(response: str) -> Text:
    """Return a response in words; the last ones are kept, as more than one rule looks at them."""
    return Text(response)


@functools.lru_cache(maxsize=16384)
def prepare(reference: str) -> tuple[Reference, ...]:
    """Return a reference and its variants; none when it has no word."""
    found = dict.fromkeys(variants(reference))
    return tuple(Reference(variant, said) for variant in found if (said := words_of(variant)))


@functools.lru_cache(maxsize=16384)
def prepare_all(references: tuple[str, ...]) -> References:
    """Return all references with their variants, as `prepare` makes them."""
    return References(prepared for reference in references for prepared in prepare(reference))


_LOOSE: Final = 12  # words that may stand between those of a reference: half a sentence
_LOOSE_NAME: Final = 0  # between those of a name: "Smith, John"
_SHORT: Final = 6  # words of a response that gives nothing but an answer


_SHARE: Final = 0.6  # of the telling words of a reference of three, in prose
_SHARE_OF_MANY: Final = 0.5  # of four and more
_CONTRASTS: Final = frozenset(
    stem(word)
    for word in (
        "left right upper lower inner outer top bottom front back high low higher highest lowest north south east west "
        "northern southern eastern western early late first last before after old new male female positive negative "
        "increase decrease more less most least primary secondary internal external maximum minimum hot cold "
        "long short "
        "large small major minor active passive public private direct indirect no not non anti above below "
        "inside outside "
        "anterior posterior"
    ).split()
)
"""Words that stand for their opposite's absence: no reference is said without them."""


def find(references: References, text: Text, question: str = "") -> str | None:
    """Return the tier that finds one of the references in a text, or None when none is there.

    words: the words of a reference, one after the other.
    date: all its dates, at its precision; not where a finer reference contradicts the response.
    name: the family name and one that may be the given name, before it.
    content: the words that carry its content, near each other, but for those that the question has.
    number: a quantity with its unit, also where the reference says more ("20-year period").
    most: prose that has most of the telling words of a description together, with all numbers and contrasts.
    part: a short response that has only words of the reference: a family name, or the noun that it ends with.

    Args:
      references: the references and their variants.
      text: the response.
      question: the question.
    """
    spoken = text.spoken
    for reference in references:
        if reference.spoken in spoken and not _misread(reference, references, text):
            return "words"
    joined = text.joined
    if references.measures or any(map(joined.__contains__, references.beginnings)):
        for reference in references:
            if reference.joined in joined and not _misread(reference, references, text):
                return "words"
        for reference in references:
            if tier := _measured_tier(reference, references, text):
                return tier
        for reference in references:
            if not reference.dates and (tier := _content_tier(reference, text, question)):
                return tier
    run = "".join(text.stems)
    written = [compound for compound in references.compounds if compound in run]
    return "words" if written and not text.compounds.isdisjoint(written) else None


def _measured_tier(reference: Reference, references: References, text: Text) -> str | None:
    if reference.dates:
        said = _say_dates(reference, text.dates)
        return "date" if said and not _more_precisely_wrong(references, text) else None
    if reference.name is not None:
        return "name" if spans_of(reference.name, text.words) or titled(reference.name, text.words) else None
    if reference.quantity is not None and any(reference.quantity.is_(said) for said in text.quantities):
        return "number"
    return None


def _say_dates(reference: Reference, said: Sequence[Date]) -> bool:
    """Return whether dates include all of a reference's; those of a span ("1914-1918") in its order."""
    places = [[place for place, one in enumerate(said) if one.includes(date)] for date in reference.dates]
    if not all(places):
        return False
    return len(places) != 2 or not _SPAN.search(reference.text) or places[0][0] < places[1][-1]


_SPAN: Final = re.compile(r"\d\w{0,2}\s*(?:[-\u2013\u2014]|to|until|through)\s*\w")


def _misread(reference: Reference, references: References, text: Text) -> bool:
    """Return whether a text has the words of a reference only as a part of something else."""
    if reference.dates:
        return _more_precisely_wrong(references, text)
    if reference.acronym and not re.search(rf"\b{'[.]?'.join(reference.acronym)}\b", text.text):
        return len(text.words) > 1
    if reference.formula and _goes_on(reference.formula, fold(text.text)):
        return True
    if len(reference.words) > 1 or not reference.words[0].isdecimal():
        return False
    if "percent" in text.words:
        value = Fraction(reference.words[0])
        return not any((said.kind, said.size) == PLAIN and value in (said.low, said.high) for said in text.quantities)
    return reference.words[0] not in text.undated


def _goes_on(formula: str, text: str) -> bool:
    """Return whether a text has a formula only as the beginning of a longer one: "CO2" for "CO"."""
    plain = re.escape(formula)
    return re.search(rf"\b{plain}\d", text) is not None and re.search(rf"\b{plain}\b", text) is None


def _more_precisely_wrong(references: References, text: Text) -> bool:
    """Return whether a response to "April 2016" or "2016" says "5 May 2016": what it adds is contradicted."""
    fine = [date for date in references.dates if date.month and date.year]
    said = [date for date in text.dates if date.month and any(date.year == known.year for known in fine)]
    return bool(said) and not any(date.agrees(known) for date in said for known in fine)


def _content_tier(reference: Reference, text: Text, question: str) -> str | None:
    if len(reference.stems) == 1:
        return "content" if _one_word(reference, text) else None
    if reference.formula or not any(map(text.joined.__contains__, reference.beginnings)):
        return None
    telling = reference.content - asked_in(question)
    loose = _LOOSE if reference.name is None else _LOOSE_NAME
    shared = telling & text.known
    missing = telling - shared
    if not missing:
        said = _together(shared, text.stems, loose) and _in_order(reference, telling, text)
        return "content" if said else None
    if _akin(telling, text):
        said = _together(set(map(root, telling)), list(map(root, text.stems)), loose)
        return "content" if said and _in_order(reference, telling, text) else None
    if not shared:
        return None
    if len(text.words) <= _SHORT and text.content <= reference.content:
        return "part" if _names_it(reference, text) and _CONTRASTS.isdisjoint(missing) else None
    if (
        len(text.words) <= _SHORT
        or reference.proper
        or any(word[0].isdigit() or word in _CONTRASTS for word in missing)
    ):
        return None
    enough = len(telling) >= 3 and len(shared) >= (_SHARE if len(telling) == 3 else _SHARE_OF_MANY) * len(telling)
    return "most" if enough and _together(shared, text.stems, _LOOSE) else None


def _in_order(reference: Reference, telling: Collection[str], text: Text) -> bool:
    """Return whether a text says in its order what a reference says of a way: "left to right", "from hot to cold"."""
    if _OF_WAYS.isdisjoint(reference.words):
        return True
    wanted, roots = [root(one) for one in reference.stems if one in telling], list(map(root, text.stems))
    places = [roots.index(one) for one in dict.fromkeys(wanted)]
    return places == sorted(places)


_OF_WAYS: Final = frozenset(("to", "into", "from"))


def _one_word(reference: Reference, text: Text) -> bool:
    """Return whether a text has a word of the root of a reference of one word.

    Not of who does it for what is done ("employer", "employment"), nor as the beginning of a longer name ("Indian
    Ocean" for India).
    """
    stemmed = reference.stems[0]
    if not stemmed.isalpha() or reference.acronym or reference.formula or not _akin(reference.stems, text):
        return False
    kin = [one for one in text.stems if root(one) == root(stemmed)]
    if all(is_agent(one) != is_agent(stemmed) for one in kin):
        return False
    if not reference.proper:
        return True
    return re.search(rf"\b(?i:{re.escape(root(stemmed))})\w*\b(?!\s+[A-Z])", text.text) is not None


def _akin(wanted: Collection[str], text: Text) -> bool:
    """Return whether a text has all the wanted stems, or words of the same root."""
    roots = list(map(root, wanted))
    return all(f" {one}" in text.joined for one in roots) and text.roots.issuperset(roots)


def _names_it(reference: Reference, text: Text) -> bool:
    """Return whether a part of a reference is enough: the family name of a person, or the noun that it ends with."""
    if reference.name is not None:
        return text.words[-1] == reference.name.family
    return not reference.proper and text.stems[-1] == reference.stems[-1] and not reference.stems[-1][0].isdigit()


def _together(wanted: Collection[str], stems: Sequence[str], loose: int) -> bool:
    """Return whether some stretch of a text has all of the wanted words, and at most `loose` others."""
    places = [(place, word) for place, word in enumerate(stems) if word in wanted]
    for index, (start, _) in enumerate(places):
        seen: set[str] = set()
        for place, word in places[index:]:
            if place - start >= len(wanted) + loose:
                break
            seen.add(word)
        if len(seen) == len(wanted):
            return True
    return False


def may_hide(references: References, text: str) -> bool:
    """Return whether a text has half of the telling words of a reference, if inside of others; numbers always count."""
    lower = fold(text).lower()
    for reference in references:
        said = [word for word in reference.content if word in lower or word[0].isdigit()]
        if 2 * len(said) >= len(reference.content):
            return True
    return False
