"""The lines of a document that C4 keeps.

Raffel et al. 2020 (arXiv 1910.10683), section 2.2, and the code published with it (the C4 builder of TensorFlow
Datasets), as datatrove applies them. `schemas.config_filters.C4Limits` names the switches.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from schemas.config_filters import C4Limits
from transforms.ledger import Reason

_POLICIES: Final = (
    "terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies",
)  # fmt: skip
_CITATION: Final = re.compile(r"\[\d*\]|\[edit\]|\[citation needed\]")
_TERMINAL: Final = (".", "?", "!", '"', "'")


@dataclass(frozen=True, slots=True)
class KeptLines:
    """What C4 leaves of a document: the numbers of the lines that stay, their text, and whether any lost a citation.

    A line of citations alone stays as the blanks between them.
    """

    numbers: list[int]
    lines: list[str]
    cited: bool

    @property
    def text(self) -> str:
        """The document that is left."""
        return "\n".join(self.lines).strip()


def lines_of(text: str) -> list[str]:
    """Return the lines of a text without the whitespace around them, and without the blank ones."""
    return [line for line in map(str.strip, text.splitlines()) if line]


def keep_lines(
    lines: Sequence[str], pieces: Sequence[int], longest: Sequence[int], limits: C4Limits
) -> KeptLines | Reason:
    """Return what stays of a document, or the rule that drops it whole.

    Args:
      lines: the lines, as `lines_of` gives them.
      pieces: runs of characters between whitespace in each.
      longest: characters of the longest of them.
      limits: the switches.
    """
    fewest = limits.min_line_words or 0
    most = limits.max_word_characters
    numbers = [
        number
        for number, (count, size) in enumerate(zip(pieces, longest, strict=True))
        if count >= fewest and (most is None or size <= most)
    ]
    left = [lines[number] for number in numbers]
    text = "\n".join(left)
    cited = limits.citations and "[" in text and _CITATION.search(text) is not None
    if cited:
        left = [_CITATION.sub("", line) for line in left]
        text = "\n".join(left)
    if limits.terminal_punctuation:
        ended = [line.endswith(_TERMINAL) and not line.endswith("...") for line in left]
        numbers = [number for number, keep in zip(numbers, ended, strict=True) if keep]
        left = [line for line, keep in zip(left, ended, strict=True) if keep]
    kept = KeptLines(numbers, left, cited)
    return _without_notices(kept, limits) if _suspicious(text.lower(), limits) else kept


def _suspicious(text: str, limits: C4Limits) -> bool:
    """Return whether any line may hold what the rules on content look for."""
    return (
        (limits.curly_bracket and "{" in text)
        or (limits.lorem_ipsum and "lorem ipsum" in text)
        or (limits.javascript_lines and "javascript" in text)
        or (limits.policy_lines and any(policy in text for policy in _POLICIES))
    )


def _without_notices(found: KeptLines, limits: C4Limits) -> KeptLines | Reason:
    numbers, lines = [], []
    for number, line in zip(found.numbers, found.lines, strict=True):
        lower = line.lower()
        if limits.lorem_ipsum and "lorem ipsum" in lower:
            return "c4.lorem_ipsum", "lorem ipsum"
        if limits.javascript_lines and "javascript" in lower:
            continue
        if limits.curly_bracket and "{" in line:
            return "c4.curly_bracket", "{"
        if limits.policy_lines and any(policy in lower for policy in _POLICIES):
            continue
        numbers.append(number)
        lines.append(line)
    return KeptLines(numbers, lines, found.cited)


def clean(text: str, limits: C4Limits) -> str:
    """Return what C4 leaves of a text that it keeps."""
    lines = lines_of(text)
    words = [line.split() for line in lines]
    longest = [max(map(len, line), default=0) for line in words]
    kept = keep_lines(lines, [len(line) for line in words], longest, limits)
    return kept.text if isinstance(kept, KeptLines) else text
