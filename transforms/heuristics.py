"""Free rules on a document's text: length, Gopher quality and repetition, C4 boilerplate.

The rules are those of Rae et al. 2021 (arXiv 2112.11446, appendix A1.1, table A1) and Raffel et al. 2020
(arXiv 1910.10683, section 2.2), after the floor of 50 tokens of Webscale-RL (arXiv 2510.06499). A word, and a token, is
a run of characters between whitespace; a line is what holds more than whitespace between line feeds; a paragraph is
what stands between blank lines. `schemas.config_filters.HeuristicLimits` names the bounds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas.config_filters import HeuristicLimits
from schemas.elements import Batch
from schemas.records import Rejected
from transforms.ledger import SIDE_DOORS, Doors, LedgerDoFn, doors

Reason = tuple[str, str]
"""The name of the rule and the value that broke it."""

STOP_WORDS: Final = ("the", "be", "to", "of", "and", "that", "have", "with")
BULLETS: Final = ("-", "*", "•", "‣", "◦", "●", "▪", "■", "–")  # noqa: RUF001
ELLIPSES: Final = ("...", "…")

_STOP_WORD: Final = re.compile(rf"\b(?:{'|'.join(STOP_WORDS)})\b", re.IGNORECASE)
_LINE: Final = re.compile(r"\S[^\n]*")
_BLANK_LINE: Final = re.compile(r"\n\s*\n")
_NOTICE_HINTS: Final = ("javascript", "cookie", "privacy policy", "terms of use")
_NOTICE: Final = re.compile(
    r"javascript.*\b(?:enabled?|disabled|activated?|required|supported|turned (?:on|off))\b"
    r"|\b(?:enabl(?:e|ing)|disabled?|activate|requires?|supports?|without|turn(?:ed)? on)\b.*javascript"
    r"|\bcookies? (?:policy|notice|settings|preferences|consent)\b"
    r"|\b(?:accept|use|uses|using|use of|with)\b.{0,20}\bcookies\b"
    r"|\bprivacy policy\b|\bterms of use\b"
)
# A notice is a short line. Longer ones are paragraphs, and a paragraph about cookies is an article, not boilerplate.
_NOTICE_CHARACTERS: Final = 300
_LONGEST_NGRAM: Final = 10


def reject_reason(text: str, limits: HeuristicLimits) -> Reason | None:
    """Return the first rule that a document breaks, or None when it keeps them all.

    The rules run from cheap to dear, and the time is linear in the text's length. A text without a single word breaks
    `empty_text`, which has no switch, because no ratio is defined on it.

    Args:
      text: the document; any string, however long, and of any script.
      limits: the bounds; a rule without one is skipped.

    Returns:
      The rule's name and the value that broke it, as text: a count, a share or ratio to six digits, or what was found.
    """
    most = limits.gopher_max_words
    # One word past the bound is enough to say no: a text of millions of words is never held as a list.
    words = text.split() if most is None else text.split(None, most)
    if not words:
        return "empty_text", "0"
    if most is not None and len(words) > most:
        return "gopher_word_count", f"more than {most}"
    return next(_broken_rules(words, text, limits), None)


def _broken_rules(words: list[str], text: str, limits: HeuristicLimits) -> Iterator[Reason]:
    # Lazy, so that a document pays only for the rules up to the first it breaks, and counts bound all that follows.
    yield from _lengths(words, limits)
    lines = [line.rstrip() for line in _LINE.findall(text)]
    yield from _symbols(words, lines, text, limits)
    yield from _vocabulary(words, text, limits)
    yield from _boilerplate(lines, text.lower(), limits)
    yield from _repeated_blocks(lines, text, limits)
    yield from _repeated_ngrams(words, limits)


def _outside(value: float, low: float | None, high: float | None) -> bool:
    return (low is not None and value < low) or (high is not None and value > high)


def _shown(value: float) -> str:
    return f"{value:.6g}"


def _lengths(words: list[str], limits: HeuristicLimits) -> Iterator[Reason]:
    count = len(words)
    if _outside(count, limits.min_tokens, None):
        yield "min_tokens", str(count)
    if _outside(count, limits.gopher_min_words, None):
        yield "gopher_word_count", str(count)
    mean = sum(map(len, words)) / count
    if _outside(mean, limits.gopher_min_mean_word_length, limits.gopher_max_mean_word_length):
        yield "gopher_mean_word_length", _shown(mean)


def _symbols(words: list[str], lines: list[str], text: str, limits: HeuristicLimits) -> Iterator[Reason]:
    hashes = text.count("#") / len(words)
    if _outside(hashes, None, limits.gopher_max_hash_ratio):
        yield "gopher_hash_ratio", _shown(hashes)
    ellipses = sum(map(text.count, ELLIPSES)) / len(words)
    if _outside(ellipses, None, limits.gopher_max_ellipsis_ratio):
        yield "gopher_ellipsis_ratio", _shown(ellipses)
    bullets = sum(line.startswith(BULLETS) for line in lines) / len(lines)
    if _outside(bullets, None, limits.gopher_max_bullet_lines):
        yield "gopher_bullet_lines", _shown(bullets)
    trailing = sum(line.endswith(ELLIPSES) for line in lines) / len(lines)
    if _outside(trailing, None, limits.gopher_max_ellipsis_lines):
        yield "gopher_ellipsis_lines", _shown(trailing)


def _vocabulary(words: list[str], text: str, limits: HeuristicLimits) -> Iterator[Reason]:
    if limits.gopher_min_alphabetic_words is not None:
        # Most words are letters alone, or with one mark of punctuation at the end: the first two tests settle those.
        lettered = sum(word.isalpha() or word[:-1].isalpha() or any(map(str.isalpha, word)) for word in words)
        if lettered / len(words) < limits.gopher_min_alphabetic_words:
            yield "gopher_alphabetic_words", _shown(lettered / len(words))
    if limits.gopher_min_stop_words:
        found: set[str] = set()
        for match in _STOP_WORD.finditer(text):
            found.add(match[0].lower())
            if len(found) == limits.gopher_min_stop_words:
                return
        yield "gopher_stop_words", str(len(found))


def _boilerplate(lines: list[str], lower: str, limits: HeuristicLimits) -> Iterator[Reason]:
    if limits.c4_lorem_ipsum and "lorem ipsum" in lower:
        yield "c4_lorem_ipsum", "lorem ipsum"
    if limits.c4_curly_bracket and "{" in lower:
        yield "c4_curly_bracket", "{"
    if limits.c4_max_boilerplate_lines is not None and any(hint in lower for hint in _NOTICE_HINTS):
        notices = sum(len(line) <= _NOTICE_CHARACTERS and bool(_NOTICE.search(line.lower())) for line in lines)
        if notices / len(lines) > limits.c4_max_boilerplate_lines:
            yield "c4_boilerplate_lines", _shown(notices / len(lines))


def _repeated_blocks(lines: list[str], text: str, limits: HeuristicLimits) -> Iterator[Reason]:
    share, characters = _repeats(lines)
    if _outside(share, None, limits.gopher_max_duplicate_lines):
        yield "gopher_duplicate_lines", _shown(share)
    if _outside(characters, None, limits.gopher_max_duplicate_line_characters):
        yield "gopher_duplicate_line_characters", _shown(characters)
    share, characters = _repeats([block for part in _BLANK_LINE.split(text) if (block := part.strip())])
    if _outside(share, None, limits.gopher_max_duplicate_paragraphs):
        yield "gopher_duplicate_paragraphs", _shown(share)
    if _outside(characters, None, limits.gopher_max_duplicate_paragraph_characters):
        yield "gopher_duplicate_paragraph_characters", _shown(characters)


def _repeats(blocks: list[str]) -> tuple[float, float]:
    """Return the share of blocks, and of their characters, that are repeats of an earlier block."""
    distinct = set(blocks)
    if len(distinct) == len(blocks):
        return 0.0, 0.0
    # One division each, so that 3 of 10 is the very number 0.3 and not above it.
    characters = sum(map(len, blocks))
    return (len(blocks) - len(distinct)) / len(blocks), (characters - sum(map(len, distinct))) / characters


def _repeated_ngrams(words: list[str], limits: HeuristicLimits) -> Iterator[Reason]:
    """Yield the n-gram rules that are broken. Shares are of the characters of words, whitespace not counted.

    The share of the top n-gram takes the most frequent n-gram that occurs at least twice, the longest of several; the
    share of duplicate n-grams takes every occurrence after the first. A character is counted once, however many
    occurrences cover it.
    """
    lengths = np.fromiter(map(len, words), np.int64, len(words))
    total = int(lengths.sum())
    index: dict[str, int] = {}
    ids = np.fromiter((index.setdefault(word, len(index)) for word in words), np.int64, len(words))
    grams = ids
    for size in range(2, min(_LONGEST_NGRAM, len(words)) + 1):
        # An n-gram is the pair of an (n-1)-gram's number and a word's: exact, where a hash could collide.
        first, grams, counts = _numbered(grams[:-1] * len(index) + ids[size - 1 :])
        if len(first) == len(grams):
            return  # no n-gram occurs twice, so no longer one does
        name = f"top_{size}_gram" if size <= 4 else f"duplicate_{size}_grams"
        limit: float | None = getattr(limits, f"gopher_max_{name}")
        if limit is None:
            continue
        if size <= 4:
            starts = grams == _top(first, counts, size, lengths)
        else:
            starts = np.ones(len(grams), bool)
            starts[first] = False
        share = _covered(starts, size, lengths) / total
        if share > limit:
            yield f"gopher_{name}", _shown(share)


def _numbered(
    keys: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return where each distinct key occurs first, the number of every key's class, and the size of each class."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    new = np.concatenate(([True], ordered[1:] != ordered[:-1]))
    numbers = np.empty(len(keys), np.int64)
    numbers[order] = np.cumsum(new) - 1
    return order[new], numbers, np.diff(np.append(np.flatnonzero(new), len(keys)))


def _top(
    first: npt.NDArray[np.intp], counts: npt.NDArray[np.int64], size: int, lengths: npt.NDArray[np.int64]
) -> np.intp:
    """Return the number of the most frequent n-gram, the one of most characters among equals."""
    ends = np.concatenate(([0], np.cumsum(lengths)))
    characters = ends[first + size] - ends[first]
    return np.argmax(np.where(counts == counts.max(), characters, 0))


def _covered(starts: npt.NDArray[np.bool_], size: int, lengths: npt.NDArray[np.int64]) -> int:
    """Return the characters of the words within the n-grams that start where `starts` is true."""
    depth = np.zeros(len(lengths) + 1, np.int64)
    depth[: len(starts)] += starts
    depth[size:] -= starts
    return int(lengths[np.cumsum(depth[:-1]) > 0].sum())


class FilterHeuristics(beam.PTransform):
    """`Batch`es -> `Doors` whose kept elements are `Batch`es without the documents that break a rule."""

    def __init__(self, limits: HeuristicLimits) -> None:
        super().__init__()
        self.limits = limits

    def expand(self, batches: Any) -> Doors:
        return doors(batches | "Filter" >> beam.ParDo(_Filter(self.limits)).with_outputs(*SIDE_DOORS, main="kept"))


class _Filter(LedgerDoFn):
    """Batch -> Batch."""

    stage = "filter"

    def __init__(self, limits: HeuristicLimits) -> None:
        self.limits = limits

    def process(self, batch: Batch) -> Iterator[Any]:
        self.ledger.count("in", batch.table.num_rows)
        reasons = [reject_reason(text, self.limits) for text in batch.table["text"].to_pylist()]
        broken = [(row, *reason) for row, reason in enumerate(reasons) if reason is not None]
        kept = [row for row, reason in enumerate(reasons) if reason is None]
        sources = batch.sources([row for row, _, _ in broken])
        self.ledger.reject(
            [
                Rejected(source.doc_id, None, self.stage, reason, value, source)
                for source, (_, reason, value) in zip(sources, broken, strict=True)
            ]
        )
        self.ledger.count("kept", len(kept))
        if kept:
            yield Batch(batch.group, batch.table.take(pa.array(kept)))
        yield from self.ledger.flush()
