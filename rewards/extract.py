"""The final answer of a response: what it marks as such, otherwise what it says."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

MAX_CHARACTERS: Final = 32_768
"""Longer responses, reasoning in <think> left out, score nothing: an answer that needs a book can be hidden in one."""

READ_CHARACTERS: Final = 1_000
"""Of a response that marks no answer and is longer, the last lines count alone, and a marked answer that is longer
counts nothing: a page mentions too much. Of 4,800 right answers that people have judged none is longer."""

_SHORT: Final = 6  # words of a line that may be an answer by itself

_THOUGHT: Final = re.compile(r"</think(?:ing)?>", re.IGNORECASE)
_THINKING: Final = re.compile(r"\s*<think(?:ing)?>", re.IGNORECASE)
_OPENED: Final = re.compile(r"<answer>", re.IGNORECASE)
_CLOSED: Final = re.compile(r"</answer>", re.IGNORECASE)
_STRUCK: Final = re.compile(r"~~[^~]*~~")
_BRACE: Final = re.compile(r"[{}]")
_HASHES: Final = re.compile(r"(?:^[ \t]*####[ \t]*|####[ \t]*(?=[-+$]?\d[^\n#]*(?<!\s)\s*\Z))(\S[^\n]*)$", re.MULTILINE)
"""A line of its own, or the end of one with a number."""

_SET: Final = re.compile(r"\\(?:text|math)(?:bf|rm|it|sf)?\{([^{}]*)\}")
_LABEL: Final = re.compile(
    r"(?:^|(?<=[.!?;:,] )|(?<=[*_]))(?:(?:so|thus|hence|therefore|then|and),? )?"
    r"(?:the |my )?(?:(?:final|correct|short|right) )?answer(?:\*\*)?"
    r"(?:\s*[:=](?:\*\*)?|\s+is:?)\s+(?=\S)",
    re.MULTILINE | re.IGNORECASE,
)
_SENTENCE_END: Final = re.compile(
    r"(?<=[^\W\d_]{3})(?:\.(?:\s|$)|[!?](?:\s+(?=[^\sa-z])|\s*$))|(?<=\d)[.?](?:\s+(?=[A-Z])|$)"
)
"""A title may have its own sign ("Panic! at the Disco"), and behind a number one is a factorial."""


def extract(response: str) -> tuple[str, Sequence[str]]:
    """Return the final answer of a response, without what it strikes out (`~~...~~`).

    The first way of marking that the response uses counts: `\\boxed{...}`, `<answer>...</answer>`, `#### ...`,
    "Answer: ..." or "the answer is ...". Of several answers that are marked alike the last is the text. A response
    without any is its own answer; of a long one, the last line, with short ones before it.

    Returns:
      The answer, without emphasis around it, and what the same response marks as its answer elsewhere, in the same way.
    """
    text = without_thinking(response)
    if "~~" in text:
        text = _STRUCK.sub(" ", text)
    for sign, read in _MARKS:
        if sign not in text:
            continue
        marked = [answer for answer in map(bare, read(text)) if answer]
        if marked and sign == "</":
            marked = [*filter(None, map(bare, _labelled(_CLOSED.split(text)[-1].strip()))), *marked]
        if marked:
            return marked[-1], marked[:-1]
    text = text.strip()
    if len(text) > READ_CHARACTERS:
        text = _last_lines(text)
    return bare(text), ()


def _last_lines(text: str) -> str:
    """Return the last line, with the lines before it that are as short; nothing of a line that is too long itself."""
    lines = [line.strip() for line in text[-READ_CHARACTERS:].splitlines()[1:] if line.strip()]
    last = lines[-1:]
    for line in reversed(lines[:-1]):
        if len(line.split()) > _SHORT:
            break
        last.insert(0, line)
    return "\n".join(last)


def without_thinking(response: str) -> str:
    """Return what follows the reasoning of a model that marks it with <think>; nothing of one that never ends."""
    end = _THOUGHT.search(response) if "</" in response else None
    if end:
        return response[end.end() :]
    return "" if _THINKING.match(response) else response


def _boxed(text: str) -> list[str]:
    """Return the contents of each `\\boxed{...}`, braces balanced; one that never closes is none."""
    found = []
    start = text.find("\\boxed{")
    while start != -1:
        depth, end = 1, len(text)
        for brace in _BRACE.finditer(text, start + 7):
            depth += 1 if brace[0] == "{" else -1
            if not depth:
                end = brace.start()
                found.append(text[start + 7 : end])
                break
        start = text.find("\\boxed{", end)
    return found


def _tagged(text: str) -> list[str]:
    """Return what stands between `<answer>` and `</answer>`; of several openings the last before its end counts."""
    opened = [_OPENED.split(part) for part in _CLOSED.split(text)[:-1]]
    return [parts[-1] for parts in opened if len(parts) > 1]


def _labelled(text: str) -> list[str]:
    text = text[-2 * READ_CHARACTERS :]
    labels = list(_LABEL.finditer(text))
    ends = [label.start() for label in labels[1:]] + [len(text)] * bool(labels)
    lines = [text[label.end() : end].partition("\n")[0] for label, end in zip(labels, ends, strict=True)]
    return [_SENTENCE_END.split(line, maxsplit=1)[0] for line in lines]


_MARKS: Final[tuple[tuple[str, Callable[[str], list[str]]], ...]] = (
    ("\\boxed{", _boxed),
    ("</", _tagged),
    ("####", _HASHES.findall),
    ("nswer", _labelled),
    ("NSWER", _labelled),
)
"""What a text must have for a way of marking, and what reads it."""


_EMPHASIS: Final = frozenset('*_`"$\\')


def bare(text: str) -> str:
    """Return a text without the space and the emphasis around it."""
    text = text.strip()
    if text[:1] not in _EMPHASIS:
        return text
    if (letters := _SET.fullmatch(text)) is not None:
        return letters[1].strip()
    for mark in ("**", "__", "*", "`", '"', "$$", "$"):
        if len(text) > 2 * len(mark) and text.startswith(mark) and text.endswith(mark):
            inner = text[len(mark) : -len(mark)]
            text = inner.strip() if mark not in inner else text
    return text
