"""Whole runs whose questions are compared with evaluation sets."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.batch_runs import collect_all, quick_batches
from tests.model_server import ModelServer
from tests.support import manifest_of, prose_corpus, rows_of, stages_of, webscale_rl


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A corpus, what a run makes of it without benchmarks, and an index of two benchmarks out of its questions."""
    directory = tmp_path_factory.mktemp("earlier")
    corpus = prose_corpus(directory, 8)
    with ModelServer() as server:
        flags = ("--input", corpus, "--model", "openai/test", "--api-base", server.base_url)
        assert webscale_rl("run", *flags, "--output", directory / "run") == 0
    pairs = rows_of(directory / "run", "qa")
    for name, chosen in (("first", pairs[:3]), ("second", pairs[3:4])):
        lines = [json.dumps({"question": f"  {one['question'].upper()}", "answer": one["answer"]}) for one in chosen]
        (directory / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    files = [f"{name}={directory}/{name}.jsonl" for name in ("first", "second")]
    assert webscale_rl("benchmarks", "build", *files, "--output", directory / "index") == 0
    return corpus, pairs, directory / "index"


def run(earlier: Any, output: Path, *flags: str) -> int:
    corpus, _, index = earlier
    with ModelServer() as server:
        models = ("--model", "openai/test", "--api-base", server.base_url)
        return webscale_rl("run", "--input", corpus, "--output", output, "--benchmarks", index, *models, *flags)


def test_the_questions_of_benchmarks_are_dropped_and_the_manifest_says_whose(earlier: Any, tmp_path: Path) -> None:
    _, pairs, _ = earlier
    assert run(earlier, tmp_path / "run") == 0
    kept, gone = rows_of(tmp_path / "run", "qa"), rows_of(tmp_path / "run", "rejected")
    assert [pair["id"] for pair in kept] == [pair["id"] for pair in pairs[4:]]
    contaminated = {row["pair_id"]: row["value"] for row in gone if row["reason"] == "contaminated"}
    assert contaminated == {
        pair["id"]: f"{'first' if number < 3 else 'second'}: exact 1.0000" for number, pair in enumerate(pairs[:4])
    }
    assert manifest_of(tmp_path / "run")["contamination"] == [
        {"benchmark": "first", "items": 3, "pairs": 3, "rules": {"exact": 3}},
        {"benchmark": "second", "items": 1, "pairs": 1, "rules": {"exact": 1}},
    ]


def test_or_marked(earlier: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, pairs, _ = earlier
    assert run(earlier, tmp_path / "run", "--on-contaminated", "mark") == 0
    kept = rows_of(tmp_path / "run", "qa")
    assert [pair["id"] for pair in kept] == [pair["id"] for pair in pairs]
    marks = [[(one["benchmark"], one["rule"]) for one in pair["contamination"]] for pair in kept]
    assert marks == [[("first", "exact")]] * 3 + [[("second", "exact")]] + [[]] * (len(pairs) - 4)
    assert stages_of(tmp_path / "run")["decontaminate"]["rejected"] == 0
    assert "Compared with 4 items of 2 evaluation sets; marked as theirs: first 3, second 1." in capsys.readouterr().out


def test_a_run_without_an_index_has_no_such_stage(earlier: Any) -> None:
    _, pairs, index = earlier
    output = index.parent / "run"
    assert "decontaminate" not in stages_of(output) and "contamination" not in manifest_of(output)
    assert all(pair["contamination"] == [] for pair in pairs)


def test_an_index_that_is_none_ends_the_run_before_it_begins(
    earlier: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus, _, index = earlier
    for flags, words in (
        (("--benchmarks", tmp_path / "none"), "--benchmarks: "),
        (
            ("--on-contaminated", "mark"),
            "--on-contaminated has nothing to compare with: name an index with",
        ),
    ):
        assert webscale_rl("run", "--input", corpus, "--output", tmp_path / "run", *flags) == 2
        said = capsys.readouterr().err
        assert words in said and said.count("\n") == 1
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps({"models": {"decontaminate": {"model": "openai/a"}}}), encoding="utf-8")
    flags = ("--config", config, "--benchmarks", index)
    assert webscale_rl("run", "--input", corpus, "--output", tmp_path / "run", *flags) == 2
    assert "--with-questions" in capsys.readouterr().err


def test_batches_compare_in_other_words_too(earlier: Any, tmp_path: Path) -> None:
    corpus, pairs, _ = earlier
    words = [pair["question"].replace("Which", "Exactly which").replace("completes", "fits into") for pair in pairs[:2]]
    lines = [json.dumps({"question": question}) for question in words]
    (tmp_path / "other.jsonl").write_text("\n".join(lines), encoding="utf-8")
    build = ("benchmarks", "build", f"other={tmp_path}/other.jsonl", "--with-questions", "--output", tmp_path / "index")
    assert webscale_rl(*build) == 0
    with quick_batches(), ModelServer() as server:
        model = {"model": "openai/compare", "api_base": server.base_url}
        config = tmp_path / "config.yaml"
        config.write_text(json.dumps({"models": {"decontaminate": model}}), encoding="utf-8")
        flags = ("--input", corpus, "--output", tmp_path / "run", "--benchmarks", tmp_path / "index")
        flags = (*flags, "--config", config, "--model", "openai/test", "--api-base", server.base_url)
        while webscale_rl("run", *flags, "--llm-mode", "batch") == 3:
            assert webscale_rl("batch", "submit", tmp_path / "run") == 3, "sent, and not answered yet"
            collect_all(tmp_path / "run")
        assert webscale_rl("run", *flags[:3], tmp_path / "online", *flags[4:]) == 0
    rows = rows_of(tmp_path / "run", "qa")
    assert rows == rows_of(tmp_path / "online", "qa")
    gone = [row for row in rows_of(tmp_path / "run", "rejected") if row["stage"] == "decontaminate"]
    assert {row["pair_id"] for row in gone} >= {pair["id"] for pair in pairs[:2]}
    asked = [row for row in (*gone, *rows) if row["calls"]["decontaminate"]]
    assert asked and stages_of(tmp_path / "run")["decontaminate"]["in"] == len(pairs)


def test_an_index_is_known_by_what_is_in_it(earlier: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus, pairs, index = earlier
    moved, root = tmp_path / "moved", tmp_path / "root"
    with ModelServer() as server:
        models = ("--model", "openai/test", "--api-base", server.base_url)

        def refresh(*flags: Any) -> int:
            return webscale_rl("refresh", "--input", corpus, "--root", root, *models, *flags)

        assert refresh("--benchmarks", index) == 0
        shutil.copytree(index, moved)
        assert refresh("--benchmarks", moved) == 0, "the same index elsewhere"
        (tmp_path / "other.jsonl").write_text(json.dumps({"question": pairs[5]["question"]}), encoding="utf-8")
        build = ("benchmarks", "build", f"first={tmp_path}/other.jsonl", "--output", moved)
        assert webscale_rl(*build) == 0
        capsys.readouterr()
        assert refresh("--benchmarks", moved) == 2, "another index in its place"
        assert "made with other settings (decontaminate)" in capsys.readouterr().err
        assert refresh() == 2
        assert "; give decontaminate again to go on as before" in capsys.readouterr().err
