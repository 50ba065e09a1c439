"""What an index of evaluation sets holds and hides, how it is found damaged, and who is nearest to a question."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.benchmark_sets import FACTS, SETS, SUMS, found, index_of
from transforms.benchmarks import index as indexes
from transforms.benchmarks import nearest
from transforms.benchmarks.build import Benchmark, Built, build_index
from transforms.benchmarks.index import BenchmarkIndexError, open_index, open_indexes
from transforms.benchmarks.lists import Keys, Lists, spread
from transforms.benchmarks.nearest import open_neighbours


def test_what_is_counted(tmp_path: Path) -> None:
    twice = Benchmark("twice", ["Who is the tallest?", "who is the  TALLEST", "Who else?"], ["Ann", "Bo", None])
    assert build_index([SUMS, twice], str(tmp_path)) == [Built("sums", 5, 5, 5), Built("twice", 3, 2, 2)]
    index = open_index(str(tmp_path))
    assert (index.names, index.counts) == (("sums", "twice"), (5, 3))
    assert len(index) == 7
    assert index.benchmark.tolist() == [0, 0, 0, 0, 0, 1, 1]


def test_an_item_that_comes_twice_has_both_answers(tmp_path: Path) -> None:
    generic = "Which of the following is correct?"
    path = index_of(tmp_path, Benchmark("twice", [generic, generic.upper()], ["granite", "basalt"]))
    asked = f"Some rocks are older than others. {generic}"
    rules = [items[0].rule if items else None for items in found(path, [asked] * 3, ["Granite", "BASALT", "chalk"])]
    assert rules == ["contained_and_answer", "contained_and_answer", None]


def test_no_word_of_a_benchmark_is_in_an_index_of_hashes(tmp_path: Path) -> None:
    index_of(tmp_path)
    files = {path.name: path for path in tmp_path.iterdir()}
    assert set(files) == {"benchmarks.json", *(f"{part}.parquet" for part in ("items", "tails", "grams", "answers"))}
    words = {word for one in SETS for text in one.questions for word in text.split() if len(word) > 4}
    manifest = files.pop("benchmarks.json").read_text(encoding="utf-8")
    assert not any(word in manifest for word in words)
    for path in files.values():
        kinds = {str(field.type) for field in pq.read_schema(path)}
        assert kinds <= {"int32", "int64", "uint64", "bool"}, path


def test_the_same_items_make_the_same_files(tmp_path: Path) -> None:
    one, two = (Path(index_of(tmp_path / name)) for name in ("one", "two"))
    for path in one.iterdir():
        assert path.read_bytes() == (two / path.name).read_bytes(), path.name


def test_a_new_index_replaces_an_old_one(tmp_path: Path) -> None:
    index_of(tmp_path, FACTS, with_questions=True)
    build_index([SUMS], str(tmp_path))
    assert not (tmp_path / "questions.parquet").exists()
    assert json.loads((tmp_path / "benchmarks.json").read_text())["benchmarks"] == [
        {"name": "sums", "items": 5, "distinct": 5}
    ]


@pytest.mark.parametrize(("opened", "parts"), [(open_index, 4), (open_neighbours, 1)])
def test_an_index_is_opened_once_a_process_by_all_its_threads(
    tmp_path: Path, opened: Callable[[str], object], parts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def slow(path: str, manifest: Mapping[str, Any], part: str) -> pa.Table:
        read.append(part)
        started.wait(0.2)  # so that others may come while this one reads
        return read_part(path, manifest, part)

    started, read_part = threading.Event(), indexes.read_part
    for module in (indexes, nearest):
        monkeypatch.setattr(module, "read_part", slow)
    paths = [index_of(tmp_path / str(number), SUMS, with_questions=True) for number in range(10)]
    with ThreadPoolExecutor(8) as threads:
        assert len(set(map(id, threads.map(opened, paths[:1] * 8)))) == 1
    assert len(read) == parts
    started.set()
    first = [opened(path) for path in paths]
    assert all(opened(path) is one for path, one in zip(paths, first, strict=True))
    assert len(read) == parts * len(paths)


def test_an_index_that_is_built_again_is_opened_again(tmp_path: Path) -> None:
    path = index_of(tmp_path, FACTS, with_questions=True)
    before = indexes.digest(path)
    assert open_index(path).names == ("facts",) and open_neighbours(path).items.num_rows == len(FACTS.questions)
    index_of(tmp_path, SUMS, with_questions=True)
    assert open_index(path).names == ("sums",) and open_neighbours(path).items.num_rows == len(SUMS.questions)
    after = indexes.digest(path)
    assert after != before and len(after) == 64
    index_of(tmp_path, FACTS, with_questions=True)
    assert indexes.digest(path) == before


def test_no_index_has_no_digest(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkIndexError, match="is no index of benchmarks"):
        indexes.digest(str(tmp_path))
    (tmp_path / "benchmarks.json").write_text("{}")
    with pytest.raises(BenchmarkIndexError, match="is damaged"):
        indexes.digest(str(tmp_path))


def problem(path: Path) -> str:
    with pytest.raises(BenchmarkIndexError) as raised:
        open_index(str(path))
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize("make", [lambda path: None, Path.mkdir, Path.touch])
def test_no_index(tmp_path: Path, make: object) -> None:
    path = tmp_path / "place"
    make(path)  # type: ignore[operator]
    said = problem(path)
    assert (
        said
        == f"{path} is no index of benchmarks, it has no benchmarks.json; build one with `webscale-rl benchmarks build`"
    )


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"format": 1}', '{"format": 1, "parameters": 1, "files": 1, "benchmarks": 1}']
)
def test_a_damaged_manifest(tmp_path: Path, content: str) -> None:
    (tmp_path / "benchmarks.json").write_text(content)
    assert problem(tmp_path) == f"{tmp_path}/benchmarks.json is damaged; build the index again"


def test_another_version(tmp_path: Path) -> None:
    path = Path(index_of(tmp_path)) / "benchmarks.json"
    manifest = json.loads(path.read_text())
    for change in ({"format": 2}, {"parameters": {"gram_words": 3}}, {"files": {}}):
        path.write_text(json.dumps(manifest | change))
        assert "build it again" in problem(tmp_path)


@pytest.mark.parametrize("part", ["items", "tails", "grams", "answers"])
def test_a_file_that_is_missing_or_changed(tmp_path: Path, part: str) -> None:
    file = Path(index_of(tmp_path)) / f"{part}.parquet"
    file.write_bytes(file.read_bytes()[:-1])
    assert problem(tmp_path) == f"{file} is not as it was written; build the index again"
    file.unlink()
    assert problem(tmp_path) == f"{file} is missing; build the index again"


def test_two_indexes_with_one_name(tmp_path: Path) -> None:
    one, two = index_of(tmp_path / "one", SUMS), index_of(tmp_path / "two", FACTS, SUMS)
    with pytest.raises(BenchmarkIndexError, match=f"{two} and {one} both have a benchmark sums"):
        open_indexes((one, two))
    assert [index.path for index in open_indexes((one,))] == [one]


def test_keys_and_lists() -> None:
    hashes = np.array([2, 2, 5, 9], np.uint64)
    lists = Lists.of(hashes, np.array([7, 8, 1, 4]))
    asked = np.array([9, 3, 2, 2], np.uint64)
    pairs = [(which.tolist(), items.tolist()) for which, items in lists.find(asked)]
    assert pairs == [([0, 2, 2, 3, 3], [4, 7, 8, 7, 8])]
    assert lists.counts.tolist() == [2, 1, 1]
    none = Keys.of(np.empty(0, np.uint64))
    assert [found.tolist() for found in none.find(asked)] == [[], []]
    assert spread(np.array([4, 0]), np.array([2, 3])).tolist() == [4, 5, 0, 1, 2]


def test_many_pairs_come_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transforms.benchmarks.lists._BLOCK", 3)
    lists = Lists.of(np.zeros(4, np.uint64), np.arange(4))
    parts = [(which.tolist(), items.tolist()) for which, items in lists.find(np.zeros(2, np.uint64))]
    assert parts == [([0] * 4, [0, 1, 2, 3]), ([1] * 4, [0, 1, 2, 3])]


def test_the_nearest_items(tmp_path: Path) -> None:
    neighbours = open_neighbours(index_of(tmp_path, with_questions=True))
    asked = ["How many dollars does Mara make at the fair when she bakes rolls in 3 trays?", "Zebras sleep?", ""]
    near, none, empty = neighbours.nearest(asked, 2)
    assert [(one.benchmark, one.question) for one in near[:1]] == [("sums", SUMS.questions[0])]
    assert 0.3 <= near[0].score < 1 and len(near) <= 2
    assert none == empty == []
    (ranked,) = neighbours.nearest([SUMS.questions[1].lower()], 3, floor=0)
    assert ranked[0].question == SUMS.questions[1] and ranked[0].score == pytest.approx(1)
    assert [one.score for one in ranked] == sorted((one.score for one in ranked), reverse=True) and len(ranked) == 3


def test_a_template_s_items_are_near_their_paraphrases_and_the_floor_changes_no_cosine(tmp_path: Path) -> None:
    numbers = range(100, 1500)
    items = [
        f"A farmer fills {number} baskets with plums, and how many plums are in all baskets?" for number in numbers
    ]
    neighbours = open_neighbours(
        index_of(tmp_path, Benchmark("plums", items, [None] * len(items)), with_questions=True)
    )
    asked = [
        "In all, how many plums are in baskets, and a farmer fills 777 baskets with plums?",
        "How many plums?",
        items[3],
    ]
    pruned, exact = (neighbours.nearest(asked, 2, floor) for floor in (0.3, 0.0))
    assert pruned[0][0].question == items[677] and pruned[0][0].score > 0.99
    assert pruned[2][0].question == items[3] and pruned[2][0].score == pytest.approx(1)
    for some, whole in zip(pruned, exact, strict=True):
        assert some == [one for one in whole if one.score >= 0.3]


def test_without_questions_nothing_is_near(tmp_path: Path) -> None:
    path = index_of(tmp_path)
    with pytest.raises(BenchmarkIndexError, match="holds hashes alone; build it again with --with-questions"):
        open_neighbours(path)
