"""Where a run leaves the band that its operator expects."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.band import Band, outside


def stage(name: str, arrived: int, errors: int = 0, **reasons: int) -> dict[str, Any]:
    return {"stage": name, "in": arrived, "errors": errors, "reasons": reasons}


def manifest(pairs: int | None, *stages: dict[str, Any]) -> dict[str, Any]:
    rows = {"rejected": 0} if pairs is None else {"qa": pairs}
    return {"until": None if pairs is not None else "dedup", "rows": rows, "stages": list(stages)}


def test_nothing_expected_is_never_left() -> None:
    assert outside(Band(), manifest(0, stage("read", 10, errors=10))) == []


@pytest.mark.parametrize("pairs", [5, 7, 20])
def test_both_ends_belong_to_the_band(pairs: int) -> None:
    assert outside(Band(min_yield=0.05, max_yield=0.2), manifest(pairs, stage("read", 100))) == []


@pytest.mark.parametrize(("pairs", "said"), [(4, "0.04 of each, less than 0.05"), (21, "0.21 of each, more than 0.2")])
def test_a_yield_outside_is_named_with_both_figures(pairs: int, said: str) -> None:
    (problem,) = outside(Band(min_yield=0.05, max_yield=0.2), manifest(pairs, stage("read", 100)))
    assert problem.startswith(f"yield: {pairs} pairs of 100 new documents, {said}; ")


def test_what_is_known_from_an_earlier_night_is_no_new_document() -> None:
    run = manifest(5, stage("read", 1_000, unchanged=900, empty_text=1))
    assert outside(Band(min_yield=0.05), run) == []
    assert len(outside(Band(min_yield=0.051), run)) == 1


def test_a_night_without_a_new_document_is_in_every_band_of_yields() -> None:
    assert outside(Band(min_yield=1, max_yield=2), manifest(0, stage("read", 7, unchanged=7))) == []
    assert outside(Band(min_yield=1), manifest(0, stage("read", 0))) == []


def test_new_documents_that_all_went_wrong_are_no_yield() -> None:
    run = manifest(0, stage("read", 3), stage("screen", 3, errors=3))
    assert len(outside(Band(min_yield=0.01), run)) == 1


def test_what_could_not_be_read_is_no_new_document() -> None:
    assert outside(Band(min_yield=1), manifest(0, stage("read", 8, errors=1, unchanged=7))) == []
    assert outside(Band(min_yield=1), manifest(2, stage("read", 3, errors=1))) == []
    assert len(outside(Band(min_yield=1), manifest(1, stage("read", 3, errors=1)))) == 1


def test_a_run_that_stops_early_has_no_yield_to_judge() -> None:
    run = manifest(None, stage("read", 100))
    (problem,) = outside(Band(max_yield=1), run)
    assert "ends with dedup and makes no qa/" in problem
    assert outside(Band(max_error_share=0), run) == []


def test_the_share_of_errors_is_of_each_stage_and_may_be_met() -> None:
    run = manifest(1, stage("read", 1_000, errors=10), stage("screen", 0), stage("judge", 100, errors=2))
    assert outside(Band(max_error_share=0.02), run) == []
    (problem,) = outside(Band(max_error_share=0.0199), run)
    assert problem == "judge: 2 of 100 ended as errors, more than 1.990%; errors/ has their messages"


def test_every_figure_that_is_outside_is_named() -> None:
    run = manifest(0, stage("read", 10, errors=1), stage("screen", 9, errors=9))
    problems = outside(Band(min_yield=1, max_error_share=0), run)
    assert [problem.split(":")[0] for problem in problems] == ["yield", "read", "screen"]
