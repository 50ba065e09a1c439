"""The closing words of a run."""

from __future__ import annotations

import pytest

from pipelines.summary import cost_words, dedup_words

FIGURES = {
    "candidates": 606,
    "capped": 0,
    "comparisons": 1282,
    "components": 288,
    "edges": 2583,
    "largest_component": 30,
}
SETTINGS = {"bands": 20, "rows": 6, "threshold": 0.7, "max_comparisons": 100}


def test_dedup_says_what_it_looks_at() -> None:
    said = dedup_words(FIGURES, SETTINGS)
    assert "20 bands of 6 rows" in said and "0.5: 0.270, 0.6: 0.615, 0.7: 0.918, 0.8: 0.998, 0.9: 1.000" in said
    assert "1,282 comparisons among 606 documents" in said
    assert "max_comparisons" not in said


def test_dedup_says_when_the_cap_left_comparisons_out() -> None:
    said = dedup_words(FIGURES | {"capped": 7}, SETTINGS)
    assert "7 documents were compared with 100 survivors" in said and "raise dedup.max_comparisons" in said


@pytest.mark.parametrize(
    ("usd", "replayed", "each", "said"),
    [
        (0, 0, None, "$0.00"),
        (0, 0, 0.0, "$0.00"),
        (1234.5, 0, None, "$1,234.50"),
        (1.5, 0.25, 0.00175, "$1.50 ($0.25 paid before for answers from the cache, $0.001750 a kept pair)"),
        (0, 3.5, 3.5, "$0.00 ($3.50 paid before for answers from the cache, $3.50 a kept pair)"),
    ],
)
def test_cost_says_what_was_paid_before_and_per_pair(
    usd: float, replayed: float, each: float | None, said: str
) -> None:
    assert cost_words({"usd": usd, "replayed_usd": replayed, "usd_per_kept_pair": each}) == said
