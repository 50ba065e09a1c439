"""Words without their endings: what inflection, derivation and the two spellings of English leave of them."""

from __future__ import annotations

import functools
import re
from typing import Final


@functools.lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """Return a word without the endings of English plurals and verbs. A number, a short word and a name in -us stay."""
    if len(word) < 4 or word[0].isdigit():
        return word
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
    ("sses", "ss"), ("ies", "y"), ("ied", "y"), ("ie", "y"), ("ss", "ss"), ("us", "us"), ("is", "is"), ("ches", "ch"),
    ("shes", "sh"), ("xes", "x"), ("s", ""), ("ing", ""), ("ation", "at"), ("ical", "ic"), ("ism", ""),
    ("eed", "eed"), ("ed", ""),
)  # fmt: skip
_ENDINGS: Final = {
    last: tuple((ending, rest) for ending, rest in _ENDINGS_IN_ORDER if ending[-1] == last)
    for last in {ending[-1] for ending, _ in _ENDINGS_IN_ORDER}
}


@functools.lru_cache(maxsize=65536)
def root(stemmed: str) -> str:
    """Return a stem without the ending that makes another part of speech: "lubricant", "epithelial", "Himalayan"."""
    match = _DERIVED.fullmatch(stemmed)
    return (match[1] or match[2]) if match else stemmed


_DERIVED: Final = re.compile(
    r"([a-z]{3,}a)n|([a-z]{5,}?)(?:(?:at|it)?or|(?:at|it)?ion|at|ant|ent|anc|enc|ment|ial|al|ar|ic|i?um|ly|er|y)"
)
"""A country's people by its name, and parts of speech that leave five letters: fewer would make kin of strangers."""
