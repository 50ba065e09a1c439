"""Words without their endings: what inflection, derivation and the two spellings of English leave of them."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Final


class _Stems(dict[str, str]):
    """Words without their endings, each found once: a look-up is quicker than a call."""

    def __missing__(self, word: str) -> str:
        if len(self) >= _KEPT:
            self.clear()
        short = len(word) < 4 or word[0].isdigit() or word[-1] not in _LAST
        stemmed = self[word] = word if short else _without_ending(word)
        return stemmed


_KEPT: Final = 65_536


def _without_ending(word: str) -> str:
    for ending, rest in _ENDINGS.get(word[-1], ()):
        if word.endswith(ending) and len(word) - len(ending) + len(rest) >= 3:
            word = word[: len(word) - len(ending)] + rest
            if not rest and len(word) > 3 and word[-1] == word[-2] and word[-1] not in "aeiouls":
                word = word[:-1]  # "stopped"
            break
    if word[-1] in "er":  # as all British spellings end
        word = _BRITISH.sub(lambda match: _AMERICAN[match[0]], word)
    return word[:-1] if len(word) > 3 and word[-1] == "e" else word


_AMERICAN: Final = {"our": "or", "tre": "ter", "yse": "yze", "ise": "ize", "ogue": "og"}
_BRITISH: Final = re.compile(r"(?<=[a-z]{3})(?:our|tre|yse|ise|ogue)$")


_ENDINGS_IN_ORDER: Final = (
    ("news", "news"), ("sses", "ss"), ("ies", "y"), ("ied", "y"), ("ie", "y"), ("ss", "ss"), ("us", "us"), ("is", "is"),
    ("ches", "ch"), ("shes", "sh"), ("xes", "x"), ("s", ""), ("ing", ""), ("ation", "at"), ("ical", "ic"),
    ("eed", "eed"), ("ed", ""),
)  # fmt: skip
_ENDINGS: Final = {
    last: tuple((ending, rest) for ending, rest in _ENDINGS_IN_ORDER if ending[-1] == last)
    for last in {ending[-1] for ending, _ in _ENDINGS_IN_ORDER}
}
_LAST: Final = frozenset(_ENDINGS) | {"e", "r"}

stem: Final[Callable[[str], str]] = _Stems().__getitem__
"""Return a word without the endings of English plurals and verbs. A number, a short word and a name in -us stay."""


@functools.lru_cache(maxsize=65536)
def root(stemmed: str) -> str:
    """Return a stem without the ending that makes another part of speech: "lubricant", "epithelial", "Himalayan"."""
    match = _DERIVED.fullmatch(stemmed) if stemmed[-1:] in _LAST_OF_DERIVED else None
    return (match[1] or match[2]) if match else stemmed


_DERIVED: Final = re.compile(
    r"([a-z]{3,}a)n|([a-z]{5,}?)(?:(?:at|it)?or|(?:at|it)?ion|at|ant|ent|anc|enc|ment|ial|al|ar|ic|i?um|ly|er|y)"
)
"""A country's people by its name, and parts of speech that leave five letters: fewer would make kin of strangers."""

_LAST_OF_DERIVED: Final = frozenset("nrtclmy")


def is_agent(stemmed: str) -> bool:
    """Return whether a stem names who or what does something: "employer", "inductor"; not what is done."""
    return stemmed.endswith(("er", "or")) and root(stemmed) != stemmed
