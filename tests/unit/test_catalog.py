"""The catalogue of a root: what is due, what a change costs, and what a run adds to it."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipelines.due import Due, due_files, duplicates_of
from pipelines.redo import asked_anew, changes, cost_words
from schemas.catalog import Added, Asked, Catalog, Seen, Takedown
from schemas.records import Failed, Rejected, Source, to_table
from tests.caches import emulator, needs_emulator
from transforms.catalog import CatalogError, Part, change_catalog, enter, read_catalog, write_catalog
from transforms.files import write_parquet


def added(name: str, **changes: Any) -> Added:
    fields = {"id": name, "started": "then", "files": 1, "documents": 2, "rows": {"qa": 1}, "usd": 0.0, "asked": {}}
    return Added.model_validate({**fields, "settled": True, **changes})


def seen(run: str = "one", size: int = 1, updated: float = 1.0, errors: int = 0, lasting: int = 0) -> Seen:
    return Seen(size=size, updated=updated, run=run, errors=errors, lasting=lasting)


CATALOG = Catalog(
    generation=5,
    settings={"checks": {"max_answer_words": 9}},
    prompts={"screen": "s", "classify": "c", "generate": "g", "judge": "j"},
    runs=(added("one"),),
    files={
        "same": seen(errors=2, lasting=2),
        "grown": seen(),
        "touched": seen(),
        "heir": seen(),
        "failed": seen(errors=2, lasting=1),
    },
    heirs=("heir", "vanished"),
    forgotten=(Takedown(id="f", ids=1, swept=True),),
)
CORPUS = {
    "new": (1, 1.0),
    "same": (1, 1.0),
    "grown": (2, 1.0),
    "touched": (1, 1.5),
    "heir": (1, 1.0),
    "failed": (1, 1.0),
}


@pytest.mark.parametrize(
    ("errors", "full", "due"),
    [
        (True, False, Due(("new",), ("grown", "touched"), ("heir",), ("failed",))),
        (False, False, Due(("new",), ("grown", "touched"), ("heir",), ())),
        (True, True, Due(("new",), ("grown", "touched"), ("heir",), ("failed",), ("same",))),
    ],
)
def test_what_is_due(errors: bool, full: bool, due: Due) -> None:
    assert due_files(CATALOG, CORPUS, errors=errors, full=full) == due


def test_what_is_due_is_read_in_the_order_of_names_whatever_the_reason() -> None:
    assert due_files(CATALOG, CORPUS, errors=True, full=False).paths == ["failed", "grown", "heir", "new", "touched"]


def test_what_is_due_is_told_by_its_reason() -> None:
    due = due_files(CATALOG, CORPUS, errors=True, full=False)
    assert str(due) == "1 new, 2 changed, 1 with documents whose survivor went, 1 with errors"
    assert due_files(Catalog(), CORPUS, errors=True, full=False).new == tuple(CORPUS)


def test_a_run_is_added_with_what_it_has_read() -> None:
    files = {"heir": seen("two"), "new": seen("two")}
    grown = CATALOG.added(added("two"), files, {}, {}, full=False)
    assert (grown.generation, grown.run_ids, grown.heirs) == (6, ("one", "two"), ("vanished",))
    assert {path: entry.run for path, entry in grown.files.items()} == {
        "failed": "one", "grown": "one", "heir": "two", "new": "two", "same": "one", "touched": "one",
    }  # fmt: skip
    alone = CATALOG.added(added("two"), files, {}, {}, full=True)
    assert (alone.generation, alone.run_ids, alone.heirs) == (6, ("two",), ())
    assert alone.files == files and alone.forgotten == CATALOG.forgotten


def test_the_last_night_is_all_that_one_refresh_has_added() -> None:
    runs = (added("one"), added("two", night="two"), added("three", night="two"))
    assert Catalog(runs=runs).last_night == ("two", "three")
    assert Catalog(runs=runs[:2]).last_night == ("two",)
    assert Catalog(runs=(added("old"), added("older"))).last_night == ("older",), "who noted no night is one"
    assert Catalog().last_night == ()


def rejected(path: str, survivor: str, stage: str = "dedup") -> Rejected:
    return Rejected("d", None, stage, "near_duplicate", None, Source("d", path), duplicate_of=survivor)


def write_rejected(root: Path, run: str, rows: Iterable[Rejected]) -> None:
    write_parquet(f"{root}/runs/{run}/rejected/part-00000-of-00001.parquet", to_table(Rejected, list(rows)))


def test_of_a_duplicate_the_run_decides_that_read_its_file_last(tmp_path: Path) -> None:
    write_rejected(tmp_path, "one", [rejected("a", "x"), rejected("b", "x"), rejected("c", "y"), rejected("e", "x")])
    write_rejected(tmp_path, "two", [rejected("b", "y"), rejected("d", "x"), rejected("f", "x", "questions")])
    files = {"a": seen("one"), "b": seen("two"), "c": seen("one"), "d": seen("two"), "f": seen("two")}
    catalog = Catalog(runs=(added("one"), added("two")), files=files)
    gone = pa.array(["x"])
    assert duplicates_of(str(tmp_path), catalog, gone, ("one", "two")) == {"a", "d"}
    assert duplicates_of(str(tmp_path), catalog, gone, ("one",)) == {"a"}
    assert duplicates_of(str(tmp_path), catalog, pa.array([], pa.string()), ("one", "two")) == set()


@pytest.mark.parametrize(
    ("settings", "prompts", "found", "anew"),
    [
        ({"checks": {"max_answer_words": 9}}, {}, [], []),
        ({}, {}, ["checks"], []),
        ({"checks": {"max_answer_words": 9}}, {"screen": "new"}, ["prompts.screen"], ["screen"]),
        (
            {"checks": {"max_answer_words": 9}, "models": {"classify": {"model": "m"}}},
            {},
            ["models.classify"],
            ["classify", "generate", "judge", "round_trip", "decontaminate", "closed_book"],
        ),
        (
            {"checks": {"max_answer_words": 9}, "calls": "merged"},
            {"judge": "new"},
            ["prompts.judge", "calls"],
            ["screen", "classify", "generate", "judge", "round_trip", "decontaminate", "closed_book"],
        ),
    ],
)
def test_a_change_is_named_with_the_stages_that_ask_anew(
    settings: dict[str, Any], prompts: dict[str, str], found: list[str], anew: list[str]
) -> None:
    assert changes(CATALOG, settings, {**CATALOG.prompts, **prompts}) == found
    assert asked_anew(found) == anew
    assert changes(Catalog(), settings, prompts) == [], "the first run decides"


def test_what_a_change_costs_is_what_the_runs_have_cost() -> None:
    asked = {"generate": Asked(requests=1000, usd=1.5), "judge": Asked(requests=10, usd=0.25)}
    catalog = Catalog(runs=(added("one", asked=asked), added("two", asked={"judge": Asked(requests=5, usd=0.25)})))
    assert cost_words(catalog, ["prompts.judge"]) == (
        "about 15 requests of judge, which have cost $0.50 so far; the other answers are in the cache"
    )
    assert cost_words(catalog, ["calls"]) == ("about 1,015 requests of generate, judge, which have cost $2.00 so far")
    assert cost_words(catalog, ["models.round_trip"]) == (
        "round_trip has asked nothing so far; the other answers are in the cache"
    )
    assert cost_words(catalog, ["filters"]).startswith("answers stay in the cache")


MANIFEST: dict[str, Any] = {
    "started": "now",
    "stages": [{"stage": "read", "in": 7}],
    "rows": {"qa": 3, "rejected": 1, "errors": 3, "superseded": 1, "state/documents": 4},
    "cost": {"usd": 0.5},
    "usage": [
        {"stage": "judge", "requests": 3, "cost_usd": 0.25, "replayed_cost_usd": 0.5},
        {"stage": "judge", "requests": 1, "cost_usd": 0.25, "replayed_cost_usd": 0.0},
    ],
}


def part(root: Path | str, generation: int, run: str = "two") -> Part:
    return Part(
        root=str(root),
        run_id=run,
        night="one",
        generation=generation,
        runs=("one",),
        files={"a": (3, 4.5), "b": (5, 6.5)},
        known_errors=0,
        forgotten=(),
        settings={"calls": "merged"},
        prompts={"judge": "new"},
        full=False,
    )


def test_a_run_enters_once(tmp_path: Path) -> None:
    rows = [("b", "invalid_utf8"), ("b", "unreadable_rows"), ("b", "transient"), ("a", "unreadable_file")]
    failed = [Failed(None, None, "read", error, "m", 1, Source(None, path)) for path, error in rows]
    write_parquet(f"{tmp_path}/runs/two/errors/part-00000-of-00001.parquet", to_table(Failed, failed))
    write_catalog(str(tmp_path), CATALOG, read_catalog(str(tmp_path))[1])
    for _ in range(2):  # as a runner may try the last step again
        enter(part(tmp_path, CATALOG.generation), f"{tmp_path}/runs/two", MANIFEST)
    catalog, _ = read_catalog(str(tmp_path))
    assert catalog is not None and (catalog.generation, catalog.run_ids) == (6, ("one", "two"))
    assert catalog.files["a"] == Seen(size=3, updated=4.5, run="two", errors=1)
    assert catalog.files["b"] == Seen(size=5, updated=6.5, run="two", errors=3, lasting=2)
    assert (catalog.settings, catalog.prompts) == ({"calls": "merged"}, {"judge": "new"})
    assert catalog.runs[1] == Added(
        id="two",
        night="one",
        started="now",
        files=2,
        documents=7,
        rows={"qa": 3, "rejected": 1, "errors": 3, "superseded": 1},
        usd=0.5,
        asked={"judge": Asked(requests=4, usd=1.0)},
        settled=False,
    )


@pytest.mark.parametrize("generation", [4, 6])
def test_a_run_does_not_enter_another_catalogue_than_its_own(tmp_path: Path, generation: int) -> None:
    with pytest.raises(CatalogError, match=r"cannot add run two to the catalogue .* is not the one that the run was"):
        enter(part(tmp_path, generation), f"{tmp_path}/runs/two", MANIFEST)
    write_catalog(str(tmp_path), CATALOG, read_catalog(str(tmp_path))[1])
    with pytest.raises(CatalogError, match="is not the one that the run was planned from"):
        enter(part(tmp_path, generation), f"{tmp_path}/runs/two", MANIFEST)
    assert read_catalog(str(tmp_path))[0] == CATALOG


@pytest.fixture(params=["directory", pytest.param("bucket", marks=needs_emulator)])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "directory":
        yield str(tmp_path)
        return
    with emulator(tmp_path) as bucket:
        yield f"gs://{bucket}/root"


def test_of_32_runs_from_one_catalogue_one_enters_and_the_others_are_told(root: str) -> None:
    write_catalog(root, CATALOG, read_catalog(root)[1])
    start = threading.Barrier(32)

    def race(number: int) -> bool:
        start.wait()
        try:
            enter(part(root, CATALOG.generation, f"run {number}"), f"{root}/runs/{number}", MANIFEST)
        except CatalogError as error:
            assert "it is not the one that the run was planned from" in str(error)
            return False
        return True

    with ThreadPoolExecutor(32) as pool:
        (winner,) = (number for number, won in enumerate(pool.map(race, range(32))) if won)
    catalog, _ = read_catalog(root)
    assert catalog is not None and catalog.run_ids == ("one", f"run {winner}")


def test_a_change_by_somebody_without_the_lock_is_told(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match=r"catalog\.json is gone; restore it"):
        change_catalog(str(tmp_path), lambda catalog: catalog)
    write_catalog(str(tmp_path), CATALOG, read_catalog(str(tmp_path))[1])

    def meanwhile(catalog: Catalog) -> Catalog:
        write_catalog(str(tmp_path), catalog.next(heirs=()), read_catalog(str(tmp_path))[1])
        return catalog.next(heirs=("mine",))

    with pytest.raises(CatalogError, match="was changed by somebody else; give the same command again"):
        change_catalog(str(tmp_path), meanwhile)
    assert change_catalog(str(tmp_path), lambda catalog: catalog).heirs == ()
