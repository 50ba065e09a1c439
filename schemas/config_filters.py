"""Thresholds of the free rules: what a document and a pair must satisfy before anyone pays for them.

In every class here a rule whose threshold is null is switched off.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Ratio = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Limits(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class HeuristicLimits(_Limits):
    """Bounds on a document's text. A value equal to its bound is within it.

    Words (and tokens) are runs of characters between whitespace, so the counts mean little for scripts without spaces.

    Sources: `min_tokens`, Webscale-RL (arXiv 2510.06499), heuristic filter; `gopher_*`, Rae et al. 2021
    (arXiv 2112.11446), appendix A1.1 and table A1; `c4_*`, Raffel et al. 2020 (arXiv 1910.10683), section 2.2. C4 drops
    single lines with a notice; here the document goes when more than `c4_max_boilerplate_lines` of its lines hold one.
    `c4_curly_bracket` is off because code and LaTeX are full of them.
    """

    min_tokens: Count | None = 50
    gopher_min_words: Count | None = 50
    gopher_max_words: Count | None = 100_000
    gopher_min_mean_word_length: Ratio | None = 3
    gopher_max_mean_word_length: Ratio | None = 10
    gopher_max_hash_ratio: Ratio | None = 0.1
    gopher_max_ellipsis_ratio: Ratio | None = 0.1
    gopher_max_bullet_lines: Share | None = 0.9
    gopher_max_ellipsis_lines: Share | None = 0.3
    gopher_min_alphabetic_words: Share | None = 0.8
    gopher_min_stop_words: Annotated[int, Field(ge=0, le=8)] | None = 2
    gopher_max_duplicate_lines: Share | None = 0.30
    gopher_max_duplicate_paragraphs: Share | None = 0.30
    gopher_max_duplicate_line_characters: Share | None = 0.20
    gopher_max_duplicate_paragraph_characters: Share | None = 0.20
    gopher_max_top_2_gram: Share | None = 0.20
    gopher_max_top_3_gram: Share | None = 0.18
    gopher_max_top_4_gram: Share | None = 0.16
    gopher_max_duplicate_5_grams: Share | None = 0.15
    gopher_max_duplicate_6_grams: Share | None = 0.14
    gopher_max_duplicate_7_grams: Share | None = 0.13
    gopher_max_duplicate_8_grams: Share | None = 0.12
    gopher_max_duplicate_9_grams: Share | None = 0.11
    gopher_max_duplicate_10_grams: Share | None = 0.10
    c4_lorem_ipsum: bool = True
    c4_curly_bracket: bool = False
    c4_max_boilerplate_lines: Share | None = 0.5

    @model_validator(mode="after")
    def _ordered(self) -> HeuristicLimits:
        for what in ("words", "mean_word_length"):
            low, high = getattr(self, f"gopher_min_{what}"), getattr(self, f"gopher_max_{what}")
            if low is not None and high is not None and low > high:
                raise ValueError(
                    f"gopher_min_{what} = {low} is above gopher_max_{what} = {high}, which no document can satisfy:"
                    " lower the first, raise the second, or set one to null"
                )
        return self


class CheckLimits(_Limits):
    """Bounds on a generated pair: a short answer is a checkable one (Webscale-RL, section on generation)."""

    max_answer_words: Annotated[int, Field(ge=1)] | None = 12
    max_answer_characters: Annotated[int, Field(ge=1)] | None = 100
    min_question_words: Count | None = 5


class DedupSettings(_Limits):
    """MinHash-LSH: `bands` keys of `rows` minima each; documents are duplicates from a Jaccard index of `threshold`.

    With 20 bands of 6 rows two documents of Jaccard index 0.8 become candidates with probability 0.998, 0.5 with 0.27.
    """

    bands: Annotated[int, Field(ge=1, le=1000)] = 20
    rows: Annotated[int, Field(ge=1, le=1000)] = 6
    threshold: Share = 0.7
