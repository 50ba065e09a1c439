"""What datatrove's filters decide, under our names for its reasons. It imports nothing of ours: workers start fast."""

from __future__ import annotations

import functools
import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

REASONS: Final = {
    "gopher_repetition": {
        "empty": "empty_text",
        "dup_line_frac": "max_duplicate_lines",
        "dup_para_frac": "max_duplicate_paragraphs",
        "dup_line_char_frac": "max_duplicate_line_characters",
        "dup_para_char_frac": "max_duplicate_paragraph_characters",
        **{f"top_{n}_gram": f"max_top_{n}_gram" for n in (2, 3, 4)},
        **{f"duplicated_{n}_n_grams": f"max_duplicate_{n}_grams" for n in range(5, 11)},
    },
    "c4": {"lorem_ipsum": "lorem_ipsum", "curly_bracket": "curly_bracket", "too_few_sentences": "min_sentences"},
    "gopher_quality": {
        "gopher_short_doc": "min_words",
        "gopher_long_doc": "max_words",
        "gopher_below_avg_threshold": "min_mean_word_length",
        "gopher_above_avg_threshold": "max_mean_word_length",
        "gopher_too_many_hashes": "max_hash_ratio",
        "gopher_too_many_ellipsis": "max_ellipsis_ratio",
        "gopher_too_many_bullets": "max_bullet_lines",
        "gopher_too_many_end_ellipsis": "max_ellipsis_lines",
        "gopher_below_alpha_threshold": "min_alphabetic_words",
        "gopher_enough_stop_words": "min_stop_words",
    },
    "fineweb": {
        "empty": "empty_text",
        "line_punct_ratio": "min_terminal_punctuation_lines",
        "short_line_ratio": "max_short_lines",
        "char_dup_ratio": "max_duplicate_line_characters",
        "list_ratio": "max_newlines_per_word",
    },
}
"""datatrove's reasons and, for each, the key of our configuration within the filter's group."""

RAISES: Final = "datatrove raises "
FILTERS: Final = ("gopher_repetition", "c4", "c4 with terminal punctuation", "gopher_quality", "fineweb", "cascade")
"""Each filter alone; the cascade is the first, second, fourth and fifth, one after the other."""


@dataclass(frozen=True, slots=True)
class Decisions:
    """A document's reason in each of FILTERS, null where it is kept, and what C4 leaves of it, null where it is not."""

    reasons: dict[str, str | None]
    left: dict[str, str | None]


def our_name(group: str, reason: str) -> str:
    """Return our name for a reason of datatrove's; KeyError for one that the table lacks."""
    name = REASONS[group][reason]
    return name if name == "empty_text" else f"{group}.{name}"


@functools.cache
def _filters() -> dict[str, Any]:
    import datatrove.pipeline.filters as filters
    from datatrove.pipeline.filters import (
        c4_filters,
        fineweb_quality_filter,
        gopher_quality_filter,
        gopher_repetition_filter,
    )

    for module in (gopher_repetition_filter, gopher_quality_filter, fineweb_quality_filter):
        module.split_into_words = _once_a_document(module.split_into_words)
    c4_filters.split_into_sentences = _once_a_document(c4_filters.split_into_sentences)
    return {
        "gopher_repetition": filters.GopherRepetitionFilter(),
        "c4": filters.C4QualityFilter(filter_no_terminal_punct=False),
        "c4 with terminal punctuation": filters.C4QualityFilter(),
        "gopher_quality": filters.GopherQualityFilter(),
        "fineweb": filters.FineWebQualityFilter(),
    }


_split: dict[tuple[str, str], list[str]] = {}


def _once_a_document(split: Callable[[str, str], list[str]]) -> Callable[[str, str], list[str]]:
    """Spare most of the time, which is spaCy's: filters that see the same text share its words and sentences."""

    def cached(text: str, language: str) -> list[str]:
        key = (split.__name__, text)
        if key not in _split:
            _split[key] = split(text, language)
        return _split[key]

    return cached


def _ask(name: str, document: Any) -> str | None:
    try:
        found = _filters()[name].filter(document)
    except (ArithmeticError, LookupError, ValueError, AssertionError) as error:
        return f"{RAISES}{type(error).__name__}"
    return None if found is True else our_name(name.split()[0], found[1])


def decide(text: str) -> Decisions:
    """Return what datatrove decides on one text."""
    from datatrove.data import Document

    _split.clear()
    reasons: dict[str, str | None] = {}
    left: dict[str, str | None] = {}
    for name in FILTERS[:-1]:
        document = Document(text=text, id="")
        reasons[name] = _ask(name, document)
        if name.startswith("c4"):
            left[name] = document.text if reasons[name] is None else None
    reasons["cascade"] = reasons["gopher_repetition"] or reasons["c4"]
    if reasons["cascade"] is None:
        document = Document(text=left["c4"] or "", id="")
        reasons["cascade"] = _ask("gopher_quality", document) or _ask("fineweb", document)
    return Decisions(reasons, left)


def decide_all(texts: Sequence[str]) -> list[Decisions]:
    """Return what datatrove decides on each text; about 25 ms of processor time each, in two processes."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as workers:
        return list(workers.map(decide, texts, chunksize=50))
