"""Whole runs with the embedded engine: outputs, continuation, refusals and bad input."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support import manifest_of, prose, prose_corpus, rows_of, stages_of, webscale_rl, write_corpus

ROOT = Path(__file__).parents[2]
EXAMPLES = str(ROOT / "examples" / "corpus" / "*.parquet")


@pytest.fixture(scope="module")
def example_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("runs") / "examples"
    assert webscale_rl("run", "--input", EXAMPLES, "--output", output) == 0
    return output


def same_rows(one: Path, other: Path) -> None:
    for directory in ("qa", "rejected", "errors"):
        assert rows_of(one, directory) == rows_of(other, directory)


def test_a_complete_run(example_run: Path) -> None:
    manifest = manifest_of(example_run)
    assert (example_run / "_SUCCESS").exists()
    assert manifest["complete"] and not manifest["unfinished"]
    assert not (example_run / "scratch").exists()
    stages = stages_of(example_run)
    assert list(stages) == [
        "read", "filter", "dedup", "screen", "classify", "generate", "check", "judge", "questions",
    ]  # fmt: skip
    for stage in stages.values():
        assert stage["in"] == stage["kept"] + stage["rejected"] + stage["errors"] + stage["pending"]
        assert stage["rejected"] == sum(stage["reasons"].values())
    assert stages["read"]["in"] == sum(pq.read_metadata(path).num_rows for path in (ROOT / "examples/corpus").glob("*"))
    qa = rows_of(example_run, "qa")
    assert len(qa) == stages["questions"]["kept"] == manifest["rows"]["qa"] > 25
    assert [row["id"] for row in qa] == sorted({row["id"] for row in qa})


def test_the_pairs_stand_on_their_documents(example_run: Path) -> None:
    corpus = pa.concat_tables(
        [pq.read_table(path) for path in sorted((ROOT / "examples" / "corpus").glob("*.parquet"))]
    )
    texts = {row["id"]: row["text"] for row in corpus.to_pylist()}
    for row in rows_of(example_run, "qa"):
        assert " ".join(row["evidence"].split()) in " ".join(texts[row["source"]["doc_id"]].split())
        assert "PWNED" not in row["answer"]
        assert row["checks"] == {"has_context": True, "answer_correct": True, "leaks_answer": False}
        for part in ("models", "prompts", "calls"):
            told = {stage for stage, name in row[part].items() if name}
            assert told == {"screen", "classify", "generate", "judge"}, "the options are off"


def test_unwanted_documents_leave_by_name(example_run: Path) -> None:
    reasons = {row["reason"] for row in rows_of(example_run, "rejected")}
    assert {
        "null_text",
        "empty_text",
        "min_tokens",
        "gopher_quality.min_stop_words",
        "exact_duplicate",
        "near_duplicate",
    } <= reasons
    for row in rows_of(example_run, "rejected"):
        if row["reason"].endswith("_duplicate"):
            assert row["duplicate_of"] and row["similarity"] >= 0.7


def test_two_runs_give_the_same_rows(example_run: Path, tmp_path: Path) -> None:
    assert webscale_rl("run", "--input", EXAMPLES, "--output", tmp_path / "again") == 0
    same_rows(example_run, tmp_path / "again")


@pytest.mark.parametrize(
    "flags",
    [
        ["--direct_num_workers=2", "--direct_running_mode=multi_processing"],
        ["--direct_num_workers=2", "--direct_running_mode=multi_threading"],
        ["--runner=DirectRunner"],
        ["--runner=PortableRunner", "--job_endpoint=embed", "--environment_type=LOOPBACK"],
    ],
    ids=["two processes", "two threads", "DirectRunner", "embedded portable"],
)
def test_no_runner_changes_a_row(example_run: Path, tmp_path: Path, flags: list[str]) -> None:
    assert webscale_rl("run", "--input", EXAMPLES, "--output", tmp_path / "other", *flags) == 0
    same_rows(example_run, tmp_path / "other")


def test_a_run_stops_where_it_is_told_and_goes_on_later(example_run: Path, tmp_path: Path) -> None:
    output = tmp_path / "run"
    kinds = {
        "filter": "documents",
        "dedup": "documents",
        "classify": "documents",
        "generate": "pairs",
        "judge": "pairs",
    }
    for until, kind in kinds.items():
        assert webscale_rl("run", "--input", EXAMPLES, "--output", output, "--until", until) == 0
        assert not (output / "_SUCCESS").exists()
        assert manifest_of(output)["until"] == until
        assert {path.parent.name for path in output.glob("*/part-*.parquet")} == {kind, "rejected", "errors"}
        last = stages_of(output)[until]
        assert len(rows_of(output, kind)) == last["kept"]
    assert webscale_rl("run", "--input", EXAMPLES, "--output", output) == 0
    assert {path.parent.name for path in output.glob("*/part-*.parquet")} == {"qa", "rejected", "errors"}
    same_rows(example_run, output)


def test_documents_hold_the_sources_columns_and_the_verdicts(tmp_path: Path) -> None:
    assert webscale_rl("run", "--input", EXAMPLES, "--output", tmp_path, "--until", "classify") == 0
    rows = rows_of(tmp_path, "documents")
    assert set(rows[0]) == {"id", "text", "url", "license", "dataset", "webscale_rl"}
    for row in rows:
        assert row["webscale_rl"]["screen"]["model"] == "embedded/extractive"
        assert len(row["webscale_rl"]["classify"]["personas"]) == len(row["webscale_rl"]["classify"]["pair_ids"]) > 0


def test_a_complete_run_is_refused_then_overwritten_and_keeps_its_cache(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus, output = prose_corpus(tmp_path, 20), tmp_path / "run"
    assert webscale_rl("run", "--input", corpus, "--output", output) == 0
    assert webscale_rl("run", "--input", corpus, "--output", output) == 2
    assert "--overwrite" in capsys.readouterr().err
    (output / "notes.txt").write_text("mine")
    (output / "qa" / "notes.txt").write_text("mine too")
    assert webscale_rl("run", "--input", corpus, "--output", output, "--overwrite") == 0
    usage = manifest_of(output)["usage"]
    assert sum(row["calls"] for row in usage) == 0 < sum(row["cache_hits"] for row in usage)
    assert (output / "notes.txt").exists() and (output / "qa" / "notes.txt").exists()
    assert webscale_rl("run", "--input", corpus, "--output", output, "--retry-errors") == 2
    assert "no errors to retry" in capsys.readouterr().err


def test_nothing_to_keep_is_one_empty_part_and_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus = write_corpus(tmp_path / "short.parquet", ["too short", "also too short"])
    output = tmp_path / "run"
    assert webscale_rl("run", "--input", corpus, "--output", output) == 0
    assert "Nothing was kept: the last documents ended at filter: min_tokens (2)" in capsys.readouterr().out
    (part,) = (output / "qa").iterdir()
    assert part.name == "part-00000-of-00001.parquet"
    assert pq.read_table(part).num_rows == 0
    assert (output / "_SUCCESS").exists()


def test_a_sample_is_repeatable_and_counted(tmp_path: Path) -> None:
    corpus = prose_corpus(tmp_path, 120)
    for name in ("one", "two"):
        assert webscale_rl("run", "--input", corpus, "--output", tmp_path / name, "--sample", "30") == 0
    assert stages_of(tmp_path / "one")["read"]["in"] == 30
    same_rows(tmp_path / "one", tmp_path / "two")


def test_ids_may_repeat_with_another_text(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "a.parquet", [prose(1), prose(2), prose(1)], id=["x", "x", "x"])
    assert webscale_rl("run", "--input", corpus, "--output", tmp_path / "run", "--until", "dedup") == 0
    assert [row["text"] for row in rows_of(tmp_path / "run", "documents")] == [prose(1), prose(2)]
    (removed,) = rows_of(tmp_path / "run", "rejected")
    assert (removed["reason"], removed["duplicate_of"], removed["source"]["row"]) == ("exact_duplicate", "x", 2)


def test_a_huge_document_is_decided_and_harms_no_other(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "a.parquet", ["word " * 4_000_000, prose(1)])
    assert webscale_rl("run", "--input", corpus, "--output", tmp_path / "run") == 0
    (removed,) = rows_of(tmp_path / "run", "rejected")
    assert (removed["stage"], removed["reason"]) == ("filter", "gopher_repetition.max_top_2_gram")
    assert stages_of(tmp_path / "run")["filter"]["kept"] == 1


def test_an_unreadable_file_is_an_error_and_the_others_are_unharmed(tmp_path: Path) -> None:
    corpus = Path(prose_corpus(tmp_path, 40))
    (tmp_path / "broken.parquet").write_bytes(corpus.read_bytes()[:-9])
    assert webscale_rl("run", "--input", str(tmp_path / "*.parquet"), "--output", tmp_path / "run") == 0
    (error,) = rows_of(tmp_path / "run", "errors")
    assert (error["error"], Path(error["source"]["path"]).name) == ("unreadable_file", "broken.parquet")
    assert stages_of(tmp_path / "run")["read"]["kept"] == 40


def test_rows_damaged_behind_good_ones_are_errors_above_the_share(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.parquet"
    texts = [prose(i) for i in range(3000)]
    table = pa.table({"id": [str(i) for i in range(3000)], "text": texts})
    pq.write_table(table, path, use_dictionary=False, data_page_size=20_000)
    data = bytearray(path.read_bytes())
    column = pq.read_metadata(path).row_group(0).column(1)
    end = column.data_page_offset + column.total_compressed_size
    data[end - 300 : end] = b"\xff" * 300
    path.write_bytes(bytes(data))
    good = prose_corpus(tmp_path, 20, first=5000)
    for until in (["--until", "filter"], ["--until", "dedup"], []):
        assert webscale_rl("run", "--input", str(path), good, "--output", tmp_path / "run", *until) == 3
        assert {row["error"] for row in rows_of(tmp_path / "run", "errors")} == {"unreadable_rows"}
        assert (stages_of(tmp_path / "run")["read"]["errors"], stages_of(tmp_path / "run")["read"]["kept"]) == (
            3000,
            20,
        )
    assert "Not complete: read: 3000 of 3020 ended as errors, more than 5%" in capsys.readouterr().err


def test_what_a_run_reads_may_not_lie_where_it_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "run"
    assert webscale_rl("run", "--input", prose_corpus(tmp_path, 5), "--output", output, "--until", "dedup") == 0
    for pattern in (output / "documents" / "*.parquet", output / "documents" / ".." / "documents" / "part-*"):
        assert webscale_rl("run", "--input", str(pattern), "--output", output) == 2
        assert "lies where --output" in capsys.readouterr().err
    assert len(rows_of(output, "documents")) == 5
    assert webscale_rl("run", "--input", str(output / "documents" / "*"), "--output", tmp_path / "next") == 0


def test_a_run_may_not_lie_in_what_a_refresh_keeps_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus, root = prose_corpus(tmp_path, 3), tmp_path / "root"
    root.mkdir()
    (root / "catalog.json").write_text("{}")
    for place in (root, root / "runs", root / "runs" / "mine"):
        assert webscale_rl("run", "--input", corpus, "--output", place) == 2
        assert f"--output {place} lies in {root}, which webscale-rl refresh keeps up" in capsys.readouterr().err
    state = root / "state"
    assert webscale_rl("run", "--input", corpus, "--output", tmp_path / "run", "--state", state) == 2
    assert f"--state {state} lies in {root}" in capsys.readouterr().err
    assert sorted(path.name for path in root.iterdir()) == ["catalog.json"]


def test_an_output_below_the_pattern_of_the_input_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus = prose_corpus(tmp_path, 3)
    pattern, output = str(Path(corpus).parent / "**" / "*.parquet"), tmp_path / "run"
    assert webscale_rl("run", "--input", pattern, "--output", output) == 0
    assert webscale_rl("run", "--input", pattern, "--output", output, "--overwrite") == 2
    assert "lies where --output" in capsys.readouterr().err


def test_a_directory_in_which_a_run_is_at_work_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus, output = prose_corpus(tmp_path, 5), tmp_path / "run"
    owner = output / "scratch" / "owner.json"
    owner.parent.mkdir(parents=True)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        facts = {"run_id": "another", "host": socket.gethostname(), "pid": other.pid, "started": "noon"}
        owner.write_text(json.dumps(facts))
        assert webscale_rl("run", "--input", corpus, "--output", output) == 2
        assert f"run another (process {other.pid}, since noon) is at work there" in capsys.readouterr().err
        other.kill()
        other.wait()
    assert webscale_rl("run", "--input", corpus, "--output", output) == 0


def test_a_run_whose_directory_was_taken_over_does_not_finish_there(tmp_path: Path) -> None:
    corpus, output = prose_corpus(tmp_path, 5), tmp_path / "run"

    def take_over(table: pa.Table) -> pa.Table:
        (output / "scratch" / "owner.json").write_text('{"run_id": "another"}')
        return table

    with pytest.MonkeyPatch.context() as patch, pytest.raises(RuntimeError, match="belongs to the run another by now"):
        patch.setattr("transforms.write.sort_rows", take_over)
        webscale_rl("run", "--input", corpus, "--output", output, "--until", "generate")
    assert not (output / "manifest.json").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--input", "{tmp}/absent-*.parquet"], "absent-*.parquet matches no file"),
        (["--input", "{corpus}", "--text-column", "body"], "has no column 'body' (it has id, text)"),
        (["--input", "{corpus}", "--id-column", "doc"], "name its id column with --id-column"),
        (["--input", "{corpus}", "--output", "{corpus}/inside"], "cannot write to --output"),
        (["--input", "{tmp}"], "is a directory; name the files"),
        (["--input", "{tmp}/broken"], "none of the 1 input files can be read"),
        (["--input", "{tmp}/twice"], "has two columns 'text'"),
        (["--input", "s3://bucket/*.parquet"], "--input s3://bucket/*.parquet cannot be listed"),
        (["--input", "{corpus}", "--retry-errors"], "holds no run to reopen"),
        (["--input", "{corpus}", "--runner", "FooRunner"], "--runner FooRunner"),
        (["--input", "{corpus}", "--direct_num_workers=-3"], "--direct_num_workers=-3 must be 0"),
        (["--input", "{corpus}", "--model", "embedded/foo"], "there is no embedded/foo, only embedded/extractive"),
        (["--input", "{corpus}", "--api-base", "http://h"], "is not served at an api_base"),
        (["--input", "{corpus}", "--model", "x", "--api-base", "h:9"], "must begin with http:// or https://"),
        (["--input", "{corpus}", "--concurrency", "3", "--parallelism", "4"], "--concurrency 3 is less than"),
        (["--input", "{corpus}", "--cache", "s3://b/c"], "name a directory or gs:// with --cache"),
    ],
)
def test_what_is_wrong_before_the_start_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], message: str
) -> None:
    corpus = prose_corpus(tmp_path, 3)
    (tmp_path / "broken").write_bytes(b"PAR1")
    twice = pa.Table.from_arrays([pa.array(["a"])] * 3, names=["id", "text", "text"])
    pq.write_table(twice, tmp_path / "twice")
    flags = [flag.format(tmp=tmp_path, corpus=corpus) for flag in flags]
    assert webscale_rl("run", "--output", tmp_path / "run", *flags) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert not list(tmp_path.glob("run/*/part-*"))
