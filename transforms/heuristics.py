"""FilterHeuristics: the free rules on a document's text, in the order of `schemas.config_filters.FilterSettings`.

A reason is the key of the configuration that a document broke, under `filters`: `gopher_quality.max_hash_ratio`.

The rules decide as datatrove's filters do, because theirs are the counts that the published thresholds were tuned on: a
word is a token of spaCy's with more than punctuation in it (`text/words.py`), a line is what `str.splitlines` or a line
feed ends, as each rule has it, and C4's lines are dropped before the rules after it look.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, Protocol

import apache_beam as beam
import numpy as np
import pyarrow as pa

from schemas.config_filters import C4Limits, FilterSettings, FineWebLimits, GopherQualityLimits, GopherRepetitionLimits
from schemas.elements import Batch
from schemas.records import Rejected, text_sha256
from transforms.language import LanguageRule
from transforms.ledger import SIDE_DOORS, Doors, LedgerDoFn, Reason, doors
from transforms.quality import QualityRule
from transforms.text.c4 import KeptLines, clean, keep_lines, lines_of
from transforms.text.ngrams import broken_rules, could_break
from transforms.text.vocabulary import TERMINAL_MARKS, Integers, Vocabulary, sums

_BULLETS: Final = ("•", "-")
_ELLIPSES: Final = ("...", "…")
_HEURISTICS: Final = ("min_tokens", "gopher_repetition", "c4", "gopher_quality", "fineweb")
_SENTENCES: Final = 4  # their column in `LineWords.counts`
# Texts read together: the more there are, the fewer distinct words each of them has.
_CHARACTERS_AT_ONCE: Final = 1 << 20
_TEXTS_AT_ONCE: Final = 1 << 11


class DocumentRule(Protocol):
    """A rule on documents: `setup` once on each worker, then `reasons`, one for each text, null where it passes."""

    def setup(self) -> None: ...

    def reasons(self, texts: Sequence[str]) -> list[Reason | None]: ...


@dataclass(frozen=True, slots=True)
class Counts:
    """What the rules count in a document: tokens, and of them words, their characters, those with a letter; sentences;
    distinct stop words."""

    tokens: int
    words: int
    word_characters: int
    alphabetic: int
    sentences: int
    stop_words: int


def reject_reasons(
    texts: Sequence[str], settings: FilterSettings, vocabulary: Vocabulary | None = None
) -> list[Reason | None]:
    """Return, for each text, the first heuristic rule that it breaks, or null.

    A text without a word breaks `empty_text`, which has no switch, because no ratio is defined on it. The time is
    linear in the texts' length. `language` and `quality` are not asked here: they are rules of their own.

    Args:
      texts: documents of any script, however long; no lone surrogates.
      settings: the rules; those of a group that is null, and those without a bound, are skipped.
      vocabulary: remembers words from call to call.
    """
    vocabulary = vocabulary or Vocabulary()
    reasons: list[Reason | None] = []
    for chunk in _chunks(texts):
        reasons += _Chunk(chunk, vocabulary).reasons(settings)
    return reasons


def _chunks(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    begin = characters = 0
    for end, text in enumerate(texts):
        full = characters + len(text) > _CHARACTERS_AT_ONCE or end - begin == _TEXTS_AT_ONCE
        if end > begin and full:
            yield texts[begin:end]
            begin, characters = end, 0
        characters += len(text)
    if begin < len(texts):
        yield texts[begin:]


class _Chunk:
    """Some texts whose words are counted together; `found` holds the reasons so far."""

    def __init__(self, texts: Sequence[str], vocabulary: Vocabulary) -> None:
        self.texts = list(texts)
        self.vocabulary = vocabulary
        self.lines = [lines_of(text) for text in texts]
        self.first_line = _starts(self.lines)
        self.words = vocabulary.read(list(chain.from_iterable(self.lines)))
        self.found: list[Reason | None] = [None] * len(texts)

    def reasons(self, settings: FilterSettings) -> list[Reason | None]:
        """Return the first broken rule of each text."""
        self._length(settings.min_tokens)
        if settings.gopher_repetition is not None:
            self._repetition(settings.gopher_repetition)
        if settings.c4 or settings.gopher_quality or settings.fineweb:
            kept = {} if settings.c4 is None else self._keep_lines(settings.c4)
            for number, counts in self._counts(kept):
                text = kept[number].text if number in kept else self.texts[number]
                self.found[number] = next(_broken_rules(text, counts, settings), None)
        return self.found

    def _undecided(self) -> Iterator[int]:
        return (number for number, reason in enumerate(self.found) if reason is None)

    def _length(self, fewest: int | None) -> None:
        for number, count in enumerate(sums(self.words.pieces, self.first_line).tolist()):
            if count == 0:
                self.found[number] = "empty_text", "0"
            elif fewest is not None and count < fewest:
                self.found[number] = "min_tokens", str(count)

    def _repetition(self, limits: GopherRepetitionLimits) -> None:
        starts = self.words.starts[self.first_line]
        sizes = np.fromiter(map(len, self.texts), np.int64, len(self.texts))
        suspects = could_break(self.words.tokens, self.words.lengths, starts, sizes, limits)
        for number in self._undecided():
            text = self.texts[number]
            broken = repeated_blocks(text, limits)
            if suspects[number]:
                inside = slice(starts[number], starts[number + 1])
                ngrams = broken_rules(self.words.tokens[inside], self.words.lengths[inside], len(text), limits)
                broken = chain(broken, ngrams)
            self.found[number] = next((_reason("gopher_repetition", *rule) for rule in broken), None)

    def _keep_lines(self, limits: C4Limits) -> dict[int, KeptLines]:
        """Return what C4 leaves of each text that it does not drop for its content."""
        pieces, longest = self.words.pieces.tolist(), self.words.longest.tolist()
        kept = {}
        for number in self._undecided():
            inside = slice(self.first_line[number], self.first_line[number + 1])
            lines = keep_lines(self.lines[number], pieces[inside], longest[inside], limits)
            if isinstance(lines, KeptLines):
                kept[number] = lines
            else:
                self.found[number] = lines
        return kept

    def _counts(self, kept: dict[int, KeptLines]) -> Iterator[tuple[int, Counts]]:
        """Yield (number, counts) of each undecided text, as C4 left it."""
        stays = np.ones(len(self.words.pieces), bool)
        for number, lines in kept.items():
            stays[self.first_line[number] : self.first_line[number + 1]] = False
            stays[self.first_line[number] + np.array(lines.numbers, np.int64)] = True
        table = self.words.counts(self.first_line, stays)
        cited = [number for number, lines in kept.items() if lines.cited]
        if cited:  # the words of these are no longer those of the lines they came from
            left = [lines_of(kept[number].text) for number in cited]
            words = self.vocabulary.read(list(chain.from_iterable(left)))
            table[cited] = words.counts(_starts(left), np.ones(len(words.pieces), bool))
            # spaCy finds a sentence in the blanks that a line of citations leaves.
            table[cited, _SENTENCES] += [sum(map(str.isspace, kept[number].lines)) for number in cited]
        rows = table.tolist()
        for number in self._undecided():
            yield number, Counts(*rows[number])


def _starts(groups: Sequence[Sequence[Any]]) -> Integers:
    """Return where each group's members start when all stand in one row, and where the last ends."""
    return np.concatenate(([0], np.cumsum([len(group) for group in groups], dtype=np.int64))).astype(np.int64)


def _reason(group: str, key: str, value: float) -> Reason:
    return f"{group}.{key}", str(value) if isinstance(value, int) else f"{value:.6g}"


def _broken_rules(text: str, counts: Counts, settings: FilterSettings) -> Iterator[Reason]:
    fewest = settings.c4.min_sentences if settings.c4 is not None else None
    if fewest is not None and counts.sentences < fewest:
        yield "c4.min_sentences", str(counts.sentences)
    if counts.tokens == 0:
        yield "empty_text", "0"
        return
    if settings.gopher_quality is not None:
        for key, value in gopher_quality(text, counts, settings.gopher_quality):
            yield _reason("gopher_quality", key, value)
    if settings.fineweb is not None:
        for key, value in fineweb(text, counts, settings.fineweb):
            yield _reason("fineweb", key, value)


def repeated_blocks(text: str, limits: GopherRepetitionLimits) -> Iterator[tuple[str, float]]:
    """Yield (key, share) of the rules of Rae et al. 2021 (arXiv 2112.11446), table A1, on blocks that a text breaks.

    Paragraphs stand between blank lines, and lines between line feeds. Shares of lines and paragraphs are of their
    number, shares of characters of the whole text; a repeat is every occurrence after the first.
    """
    shares = {}
    for name, blocks in (("paragraph", _paragraphs(text)), ("line", _lines(text))):
        repeats, characters = _repeats(blocks)
        if repeats:
            shares[f"max_duplicate_{name}s"] = repeats / len(blocks)
            shares[f"max_duplicate_{name}_characters"] = characters / len(text)
    for key, share in shares.items():
        limit: float | None = getattr(limits, key)
        if limit is not None and share > limit:
            yield key, share


def _paragraphs(text: str) -> list[str]:
    if "\n\n" not in text:
        return [text]
    return [block.lstrip("\n") for block in text.strip().split("\n\n") if block and block != "\n"]


def _lines(text: str) -> list[str]:
    """Return what stands between runs of line feeds, those at the ends of the text included."""
    ends = [""] * (text.startswith("\n") + text.endswith("\n"))
    return [line for line in text.split("\n") if line] + ends


def _repeats(blocks: Sequence[str]) -> tuple[int, int]:
    """Return the number of repeats of an earlier block, and of their characters."""
    distinct = set(blocks)
    if len(distinct) == len(blocks):
        return 0, 0
    return len(blocks) - len(distinct), sum(map(len, blocks)) - sum(map(len, distinct))


def gopher_quality(text: str, counts: Counts, limits: GopherQualityLimits) -> Iterator[tuple[str, float]]:
    """Yield (key, value) of the rules of Rae et al. 2021 (arXiv 2112.11446), appendix A1.1, that a text breaks."""
    lines = [line.strip() for line in text.splitlines()]
    ellipses = sum(map(text.count, _ELLIPSES))
    values: dict[str, float] = {
        "words": counts.words,
        "mean_word_length": counts.word_characters / max(1, counts.words),
        "hash_ratio": text.count("#") / counts.tokens,
        "ellipsis_ratio": ellipses / counts.tokens,
        "bullet_lines": sum(line.startswith(_BULLETS) for line in lines) / len(lines),
        "ellipsis_lines": sum(line.endswith(_ELLIPSES) for line in lines) / len(lines) if ellipses else 0.0,
        "alphabetic_words": counts.alphabetic / counts.tokens,
        "stop_words": counts.stop_words,
    }
    yield from _outside(values, limits)


def fineweb(text: str, counts: Counts, limits: FineWebLimits) -> Iterator[tuple[str, float]]:
    """Yield (key, value) of the rules of Penedo et al. 2024 (arXiv 2406.17557), section 3.6, that a text breaks."""
    lines = [line for line in text.split("\n") if line and not line.isspace()]
    newlines = text.count("\n")
    values = {
        "terminal_punctuation_lines": sum(line[-1] in TERMINAL_MARKS for line in lines) / len(lines),
        "short_lines": sum(len(line) <= limits.short_line_characters for line in lines) / len(lines),
        "duplicate_line_characters": _repeats(lines)[1] / (len(text) - newlines),
        "newlines_per_word": newlines / counts.tokens,
    }
    yield from _outside(values, limits)


def _outside(values: dict[str, float], limits: GopherQualityLimits | FineWebLimits) -> Iterator[tuple[str, float]]:
    """Yield the values outside their bounds, under the names of the bounds."""
    bounds = limits.__dict__
    for name, value in values.items():
        low, high = bounds.get(f"min_{name}"), bounds.get(f"max_{name}")
        if low is not None and value < low:
            yield f"min_{name}", value
        if high is not None and value > high:
            yield f"max_{name}", value


class HeuristicRules:
    """`reject_reasons` as a rule on documents, with the words it has met so far."""

    def __init__(self, settings: FilterSettings) -> None:
        self.settings = settings

    def setup(self) -> None:
        """Start with no words."""
        self.vocabulary = Vocabulary()

    def reasons(self, texts: Sequence[str]) -> list[Reason | None]:
        """Return the first broken rule of each text."""
        return reject_reasons(texts, self.settings, self.vocabulary)


def rules_of(settings: FilterSettings) -> list[DocumentRule]:
    """Return the rules that are switched on, in the order in which they are asked."""
    rules: list[DocumentRule] = []
    if settings.language is not None:
        rules.append(LanguageRule(settings.language).pinned())
    if any(getattr(settings, name) is not None for name in _HEURISTICS):
        rules.append(HeuristicRules(settings))
    if settings.quality is not None:
        rules.append(QualityRule(settings.quality).pinned())
    return rules


class FilterHeuristics(beam.PTransform):
    """`Batch`es -> `Doors` whose kept elements are `Batch`es without the documents that break a rule.

    With `clean_lines` the documents that are kept hold what C4 has left of them, and their text's hash is of that.
    """

    def __init__(self, settings: FilterSettings) -> None:
        super().__init__()
        self.settings = settings

    def expand(self, batches: Any) -> Doors:
        return doors(batches | "Filter" >> beam.ParDo(_Filter(self.settings)).with_outputs(*SIDE_DOORS, main="kept"))


class _Filter(LedgerDoFn):
    """Batch -> Batch."""

    stage = "filter"

    def __init__(self, settings: FilterSettings) -> None:
        self.rules = rules_of(settings)
        self.cleaning = settings.cleaning

    def setup(self) -> None:
        for rule in self.rules:
            rule.setup()

    def process(self, batch: Batch) -> Iterator[Any]:
        self.ledger.count("in", batch.table.num_rows)
        texts = batch.table["text"].to_pylist()
        kept = list(range(len(texts)))
        broken: list[tuple[int, Reason]] = []
        for rule in self.rules:
            reasons = list(zip(kept, rule.reasons([texts[row] for row in kept]), strict=True))
            broken += [(row, reason) for row, reason in reasons if reason is not None]
            kept = [row for row, reason in reasons if reason is None]
            if self.cleaning is not None and isinstance(rule, HeuristicRules):
                for row in kept:
                    texts[row] = clean(texts[row], self.cleaning)
        broken.sort()
        sources = batch.sources([row for row, _ in broken])
        self.ledger.reject(
            [
                Rejected(source.doc_id, None, self.stage, *reason, source)
                for source, (_, reason) in zip(sources, broken, strict=True)
            ]
        )
        self.ledger.count("kept", len(kept))
        if kept:
            yield self._kept(batch, kept, texts)
        yield from self.ledger.flush()

    def _kept(self, batch: Batch, rows: list[int], texts: list[str]) -> Batch:
        table = batch.table if len(rows) == batch.table.num_rows else batch.table.take(pa.array(rows))
        if self.cleaning is not None:
            left = [texts[row] for row in rows]
            for name, values in (("text", left), ("text_sha256", map(text_sha256, left))):
                table = table.set_column(table.schema.get_field_index(name), name, pa.array(list(values), pa.string()))
        return Batch(batch.group, table)
