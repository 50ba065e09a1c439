"""What the stages of a run will ask: the arithmetic, at its edges."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.estimate_words import payment, table
from transforms.llm.forecast import (
    ANSWER_TOKENS,
    NOTHING,
    SHARES,
    ZERO,
    Asking,
    Forecast,
    Seen,
    Span,
    assumed,
    forecast,
    relative_error,
    seen,
    share_error,
)
from transforms.llm.prices import FREE, Price
from transforms.llm.requests import Settings

PRICE = Price(input=1.0, output=10.0, cached_input=0.5, batch_input=0.4, batch_output=4.0)


def exactly(**shares: float) -> dict[str, Span]:
    return {stage: Span.of(shares.get(stage, 1.0)) for stage in SHARES}


def asking(calls: float = 1.0, answers: float = 1.0, **changes: Any) -> Asking:
    return Asking(Span.of(calls), Span.of(answers), Span.of(100.0), Span.of(10.0), **changes)


REFERENCE = ("screen", "classify", "generate", "check", "judge", "questions")
ALL = {stage: asking() for stage in ("screen", "classify", "generate", "judge")}


def test_spans_add_and_multiply_bound_by_bound() -> None:
    assert Span(1, 2) + Span(10, 20) == Span(11, 22)
    assert Span(1, 2) * Span(10, 20) == Span(10, 40)
    assert Span(1, 2) * ZERO == ZERO


def test_each_stage_asks_about_what_the_one_before_lets_go_on() -> None:
    shares = exactly(screen=0.5, classify=2.0, generate=0.9, check=0.5, judge=0.8, questions=0.5)
    lines = forecast(Span.of(100), REFERENCE, shares, ALL)
    assert [(line.stage, line.unit, round(line.units.low, 6)) for line in lines] == [
        ("screen", "document", 100),
        ("classify", "document", 50),
        ("generate", "pair", 100),
        ("judge", "pair", 45),
        ("kept", "pair", 18),
    ]
    assert all(line.calls == line.units for line in lines[:-1])
    assert lines[0].prompt_tokens == Span.of(10_000) and lines[0].completion_tokens == Span.of(1_000)
    assert lines[-1].calls == ZERO


def test_calls_that_bring_no_answer_take_no_tokens() -> None:
    lines = forecast(Span.of(100), ("screen",), exactly(), {"screen": asking(calls=1.5, answers=1.25)})
    assert (lines[0].calls, lines[0].prompt_tokens) == (Span.of(150), Span.of(12_500))


def test_a_run_that_stops_early_has_the_lines_of_its_stages_and_no_others() -> None:
    lines = forecast(
        Span.of(10), ("screen", "classify"), exactly(screen=0.5, classify=2), {"screen": NOTHING, "classify": NOTHING}
    )
    assert [(line.stage, line.unit, line.units.low) for line in lines] == [
        ("screen", "document", 10),
        ("classify", "document", 5),
        ("kept", "pair", 10),
    ]


def test_merged_calls_are_by_document_as_long_as_one_of_its_pairs_is_left() -> None:
    merged = asking(by_document=True)
    shares = {**exactly(classify=3.0), "check": Span(0.1, 1.0)}
    lines = forecast(Span.of(10), REFERENCE, shares, {"screen": asking(), "generate": merged, "judge": merged})
    assert [(line.stage, line.units, line.calls) for line in lines[1:3]] == [
        ("generate", Span.of(30), Span.of(10)),
        ("judge", Span(3, 30), Span(1, 10)),
    ]


def test_what_is_assumed_of_an_answer_never_exceeds_max_tokens() -> None:
    made = assumed("judge", "reference", Span(90, 140), 50)
    assert (made.prompt_tokens, made.completion_tokens, made.by_document) == (Span(90, 140), Span(15, 50), False)
    assert assumed("screen", "reference", Span(1, 1), 5).completion_tokens == Span(5, 5)
    merged = assumed("judge", "merged", Span(90, 140), None)
    assert (merged.completion_tokens, merged.by_document) == (ANSWER_TOKENS["merged"]["judge"], True)
    assert not assumed("screen", "merged", Span(1, 1), None).by_document


def test_samples_of_a_question_are_calls_of_their_own_even_where_calls_are_merged() -> None:
    for calls in ("reference", "merged"):
        made = assumed("closed_book", calls, Span(90, 140), None, requests=4)
        assert (made.calls, made.answers, made.by_document) == (Span(4, 4.4), Span(4, 4.4), False)


def manifest(**changes: Any) -> dict[str, Any]:
    usage = {
        "stage": "generate", "prompt_tokens": 300, "replayed_prompt_tokens": 700, "completion_tokens": 30,
        "replayed_completion_tokens": 70, "cached_tokens": 150, "answers": 10, "prompt_chars": 5_000,
        "failed_calls": {"timeout": 3, "throttled": 1, "invalid": 2},
    }  # fmt: skip
    line = {"stage": "generate", "in": 18, "kept": 6, "pending": 10}
    return {"stages": [line], "usage": [usage], **changes}


def test_figures_are_of_what_was_decided_whether_it_was_paid_now_or_before() -> None:
    figures = seen(manifest())["generate"]
    assert (figures.arrived, figures.share) == (8, 0.75)
    assert (figures.calls, figures.answers) == (14 / 8, 10 / 8)
    assert (figures.prompt_chars, figures.prompt_tokens, figures.completion_tokens) == (500, 100, 10)
    assert figures.cached == 0.5
    assert figures.asking(600).prompt_tokens == Span.of(120)


def test_classify_lets_pairs_go_on_and_a_stage_that_decided_nothing_says_nothing() -> None:
    lines = [
        {"stage": "classify", "in": 4, "kept": 4, "pending": 0, "fan_out": 7},
        {"stage": "generate", "in": 7, "kept": 0, "pending": 7},
    ]
    figures = seen(manifest(stages=lines, usage=[]))
    assert set(figures) == {"classify"}
    assert (figures["classify"].share, figures["classify"].answers) == (1.75, 0)


@pytest.mark.parametrize("broken", [{}, {"stages": [{"stage": "screen"}]}, {"stages": None}, {"stages": ["x"]}])
def test_what_is_no_manifest_raises_what_the_caller_expects(broken: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError)):
        seen(broken)


def test_cached_prompts_are_cheaper_online_and_not_in_a_batch() -> None:
    line = Forecast("screen", "document", Span.of(1), Span.of(1), Span(100, 200), Span(10, 20), cached=0.5)
    assert line.online_usd(PRICE) == Span(75 + 100, 150 + 200)
    assert line.batch_usd(PRICE) == Span(40 + 40, 80 + 80)


def test_the_error_of_a_sample_shrinks_as_it_nears_the_whole() -> None:
    sizes = [0.0, 100.0] * 50
    assert relative_error(sizes, 100) == relative_error([7.0] * 9, 1_000) == relative_error([0.0], 5) == 0
    assert relative_error(sizes, 10**9) == pytest.approx(2 * 50.25 / 10 / 50, rel=1e-3)
    assert relative_error(sizes, 200) == pytest.approx(relative_error(sizes, 10**9) / 2**0.5, rel=1e-6)
    assert relative_error([5.0], 100) == 0


def test_the_error_of_shares_adds_up_over_stages_and_shrinks_with_their_size() -> None:
    def shown(arrived: int, share: float) -> Seen:
        return Seen(arrived, share, 1, 1, 1, 1, 1)

    assert share_error({}) == share_error({"screen": shown(9, 1.0), "classify": shown(9, 3.0)}) == 0
    assert share_error({"judge": shown(100, 0.5), "dedup": shown(2, 0.5)}) == pytest.approx(0.2)
    assert share_error({"judge": shown(100, 0.5), "check": shown(100, 0.5)}) == pytest.approx(0.2 * 2**0.5)
    assert share_error({"classify": shown(100, 2.0)}) == pytest.approx(2 * 0.1 / 2)
    assert share_error({"screen": shown(5, 0.0)}) == 0


LINES = [
    Forecast("screen", "document", Span.of(1234567), Span.of(1234567), Span.of(2e6), Span(1e6, 3e6)),
    Forecast("judge", "pair", Span(1, 2), Span(1, 2), Span(10, 20), Span(1, 2)),
    Forecast("kept", "pair", Span(0, 2)),
]
CENTS = Price(1e-6, 1e-6, 1e-6, 5e-7, 5e-7)


def test_the_table_has_a_line_a_stage_their_sum_and_what_is_kept() -> None:
    rows = [line.split() for line in table(LINES, {"screen": CENTS, "judge": CENTS}).splitlines()]
    assert rows[1] == ["screen", "documents", *["1,234,567"] * 2, "2,000,000", "1,000,000-3,000,000", "$3.00-$5.00",
                       "$1.50-$2.50"]  # fmt: skip
    assert rows[3] == ["total", "1,234,568-1,234,569", "2,000,010-2,000,020", "1,000,001-3,000,002", "$3.00-$5.00",
                       "$1.50-$2.50"]  # fmt: skip
    assert rows[4] == ["kept", "pairs", "0-2"]


def test_a_price_that_nobody_knows_leaves_its_stage_and_the_sum_without_dollars() -> None:
    rows = [line.split() for line in table(LINES, {"screen": None, "judge": CENTS}).splitlines()]
    assert rows[1][-2:] == rows[3][-2:] == ["unknown", "unknown"]
    assert rows[2][-2:] == ["$0.00", "$0.00"]


def test_a_stage_that_shares_a_call_costs_nothing_at_any_price() -> None:
    lines = [Forecast("classify", "document", Span.of(3)), LINES[-1]]
    rows = [line.split() for line in table(lines, {"classify": None}).splitlines()]
    assert rows[1][-2:] == rows[2][-2:] == ["$0.00", "$0.00"]


def test_unknown_prices_name_the_key_to_set_and_embedded_models_are_free() -> None:
    served, embedded = Settings("openai/test", "http://x/v1"), Settings("embedded/extractive")
    assert payment({"screen": served, "judge": served}, {"screen": None, "judge": None}) == [
        "price unknown: set prices.openai/test in --config"
    ]
    assert payment({"screen": served, "judge": embedded}, {"screen": PRICE, "judge": FREE}) == [
        "no paid calls (judge): the embedded engine is part of this package"
    ]
    assert payment({"judge": embedded}, {"judge": FREE}) == [
        "no paid calls: the embedded engine is part of this package"
    ]
