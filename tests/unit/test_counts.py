"""Counts add up, or the run says where they do not."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from schemas.counts import (
    DOORS,
    Counts,
    StageCounts,
    imbalances,
    key_of,
    merge,
    metric_name,
    stage_counts,
)


def line(stage: str, arrived: int, kept: int, **more: int) -> StageCounts:
    doors = {"rejected": 0, "errors": 0, "pending": 0} | more
    return StageCounts(stage, "document", arrived, kept, **doors, reasons={}, failures={})


def test_a_count_is_known_again_by_its_name_on_dashboards() -> None:
    for key in [("screen", "in"), ("classify", "fan_out"), *(("judge", door) for door in DOORS)]:
        assert key_of(metric_name(key) or "") == key
    assert key_of(metric_name(("judge", "usage", "openai/a", "calls")) or "") == ("judge", "usage", "", "calls")


def test_a_stage_line_holds_its_own_counts_only() -> None:
    counts: Counts = Counter(
        {
            ("classify", "in"): 5,
            ("classify", "kept"): 3,
            ("classify", "errors"): 2,
            ("classify", "failure", "timeout"): 2,
            ("classify", "fan_out"): 7,
            ("filter", "in"): 9,
            ("filter", "reason", "min_tokens"): 4,
        }
    )
    assert stage_counts(counts, "classify").as_json() == {
        "stage": "classify",
        "unit": "document",
        "in": 5,
        "kept": 3,
        "rejected": 0,
        "errors": 2,
        "pending": 0,
        "reasons": {},
        "failures": {"timeout": 2},
        "fan_out": 7,
    }
    assert stage_counts(counts, "judge").unit == "pair"


def test_reasons_are_sorted_by_number_then_name() -> None:
    counts: Counts = Counter({("filter", "reason", name): n for name, n in [("b", 2), ("a", 2), ("c", 9)]})
    assert list(stage_counts(counts, "filter").reasons) == ["c", "a", "b"]


def test_a_balanced_run_has_no_problem() -> None:
    assert imbalances([line("read", 10, 8, rejected=1, errors=1), line("filter", 8, 6, pending=2)], 10, 6) == []


def test_each_kind_of_loss_is_named() -> None:
    assert imbalances([line("read", 10, 8)], 10, 8) == [
        "read: 10 in, but 8 kept + 0 rejected + 0 errors + 0 pending",
    ]
    assert imbalances([line("read", 9, 9)], 10, 9) == ["read: 10 documents were due, 9 arrived"]
    assert imbalances([line("read", 9, 9), line("filter", 10, 10)], 9, 10) == [
        "filter: 9 documents were due, 10 arrived"
    ]
    assert imbalances([line("read", 9, 9)], 9, 8) == ["write: 9 rows were due, 8 were written"]


@given(st.lists(st.dictionaries(st.tuples(st.sampled_from("ab"), st.sampled_from("xy")), st.integers(0, 9))))
def test_merging_is_the_same_in_any_grouping(parts: list[dict[tuple[str, str], int]]) -> None:
    counters = [Counter(part) for part in parts]
    assert merge([merge(counters[:2]), merge(counters[2:])]) == merge(reversed(counters))
