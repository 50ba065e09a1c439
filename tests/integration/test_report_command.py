"""`webscale-rl report`, and the report that every run leaves."""

from __future__ import annotations

import base64
import json
import re
import zlib
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipelines.report import parse_report, report
from tests.reports import pair, small_run, write_run
from tests.support import manifest_of, prose, prose_corpus, webscale_rl, write_corpus
from transforms import commit
from transforms.report import compare_runs, write_report
from transforms.report import page as page_module
from transforms.report.page import Rows, page


def data_of(path: Path) -> dict[str, Any]:
    """Return the figures in a page."""
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', path.read_text("utf-8"))
    return json.loads(text)  # type: ignore[no-any-return]


def test_a_run_leaves_its_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus, output = prose_corpus(tmp_path, 60), tmp_path / "out"
    assert webscale_rl("run", "--input", corpus, "--output", output) == 0
    assert f"{output}/report.html" in capsys.readouterr().out
    manifest = manifest_of(output)
    assert "report_failed" not in manifest
    data = data_of(output / "report.html")
    (run,) = data["runs"]
    assert run["stages"] == manifest["stages"] and run["usage"] == manifest["usage"]
    assert data["rows"]["kept"]["total"] == data["rows"]["kept"]["shown"] == manifest["rows"]["qa"] > 0
    assert data["excerpts"] == []
    assert len(data["map"]["points"]) == run["distributions"]["pairs"] == manifest["rows"]["qa"]
    assert webscale_rl("report", output) == 0
    assert capsys.readouterr().out == f"{output}/report.html\n"
    again = data_of(output / "report.html")
    assert again["runs"] == data["runs"] and again["rows"] == data["rows"]


@pytest.mark.parametrize("until", ["dedup", "generate"])
def test_a_run_that_was_told_to_stop_has_one_too(tmp_path: Path, until: str) -> None:
    output = tmp_path / "out"
    assert webscale_rl("run", "--input", prose_corpus(tmp_path, 20), "--output", output, "--until", until) == 0
    data = data_of(output / "report.html")
    assert data["runs"][0]["until"] == until
    assert (data["map"] is None) == (data["runs"][0]["distributions"] is None) == (until == "dedup")


def test_a_run_that_keeps_nothing_has_one_too(tmp_path: Path) -> None:
    output = tmp_path / "out"
    assert webscale_rl("run", "--input", prose_corpus(tmp_path, 3), "--output", output, "--languages", "de") == 0
    data = data_of(output / "report.html")
    assert data["map"] is None and data["runs"][0]["distributions"]["pairs"] == 0
    assert data["rows"] == {
        "kept": {"total": 0, "shown": 0, "too_large": 0, "chunks": 0},
        "rejected": {"total": 3, "shown": 3, "too_large": 0, "chunks": 1},
    }


def test_a_report_that_fails_loses_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any) -> None:
        raise MemoryError("no room\nfor sk-a-very-secret-key-1234567890")

    monkeypatch.setattr("transforms.report.build.write_report", fail)
    output = tmp_path / "out"
    assert webscale_rl("run", "--input", prose_corpus(tmp_path, 3), "--output", output) == 0
    assert (output / "_SUCCESS").exists() and not (output / "report.html").exists()
    reason = manifest_of(output)["report_failed"]
    assert reason.startswith("MemoryError: no room for") and "secret" not in reason
    assert "but no report (MemoryError: no room for" in capsys.readouterr().out


def test_a_new_run_removes_the_report_of_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus, output = prose_corpus(tmp_path, 3), tmp_path / "out"
    assert webscale_rl("run", "--input", corpus, "--output", output) == 0
    monkeypatch.setattr(commit, "report_or_reason", lambda *_: "as told")
    assert webscale_rl("run", "--input", corpus, "--output", output, "--overwrite") == 0
    assert not (output / "report.html").exists()


def test_the_embedding_model_changes_no_rows_and_may_be_absent(tmp_path: Path) -> None:
    config, output = tmp_path / "c.yaml", tmp_path / "out"
    config.write_text("report: {embedding: {model: openai/x, api_key_env: NO_SUCH}}\n")
    corpus = prose_corpus(tmp_path, 40)
    assert webscale_rl("run", "--input", corpus, "--output", output, "--config", config) == 0
    data = data_of(output / "report.html")
    assert data["map"]["method"].startswith("TF-IDF")
    assert "NO_SUCH" in data["map"]["note"]


def test_two_runs_stand_beside_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    small_run(tmp_path, "one", pairs=80)
    small_run(tmp_path, "two", pairs=30, turned_away=0)
    assert webscale_rl("report", "one", "two/") == 0
    assert capsys.readouterr().out == "comparison.html\n"
    data = data_of(tmp_path / "comparison.html")
    assert [run["name"] for run in data["runs"]] == ["one", "two"]
    assert [run["diversity"]["questions"] for run in data["runs"]] == [30, 30], "as many of each"
    assert [run["distributions"]["pairs"] for run in data["runs"]] == [80, 30]
    assert webscale_rl("report", "one", "one", "--output", "same.html") == 0
    one, same = data_of(tmp_path / "same.html")["runs"]
    assert one["diversity"]["nearest"] == same["diversity"]["nearest"]


@pytest.mark.parametrize("order", [("early", "full"), ("full", "early")])
def test_a_run_without_pairs_takes_no_questions_from_the_other(tmp_path: Path, order: tuple[str, str]) -> None:
    _, full = small_run(tmp_path, "full", pairs=12, turned_away=0)
    full["config"]["report"] = {"embedding": {"model": "openai/x", "api_base": None, "api_key_env": "NO_SUCH"}}
    early = write_run(tmp_path / "early", [], rows={"documents": 0, "errors": 0, "rejected": 0})
    manifests = {"full": full, "early": early}
    compare_runs([(name, str(tmp_path / name), manifests[name]) for name in order], str(tmp_path / "both.html"))
    data = data_of(tmp_path / "both.html")
    told = {run["name"]: run for run in data["runs"]}
    assert told["full"]["diversity"]["questions"] == 12 and told["early"]["diversity"] is None
    assert {point["run"] for point in data["map"]["points"]} == {order.index("full")}
    assert "NO_SUCH" in data["map"]["note"], "only the model of a run with questions counts"


def test_a_persona_that_is_rare_in_one_run_is_counted_in_both(tmp_path: Path) -> None:
    names = [f"reader {n}" for n in range(16)]
    runs = []
    for run, often in (("one", names[:15]), ("two", names[1:])):
        personas = [name for name in names for _ in range(3 if name in often else 1)]
        pairs = [pair(n, prose(n), "no corpus", persona=name) for n, name in enumerate([*personas, f"of {run}"])]
        runs.append((run, str(tmp_path / run), write_run(tmp_path / run, sorted(pairs, key=lambda row: row.id))))
    compare_runs(runs, str(tmp_path / "both.html"))
    one, two = (dict(run["distributions"]["personas"]) for run in data_of(tmp_path / "both.html")["runs"])
    assert one == dict.fromkeys(names[:15], 3) | {names[15]: 1}
    assert two == dict.fromkeys(names[1:], 3) | {names[0]: 1}


def test_runs_of_two_embedding_models_say_why_words_were_counted(tmp_path: Path) -> None:
    runs = []
    for name, embedding in (("one", {"model": "openai/x", "api_base": None, "api_key_env": None}), ("two", None)):
        output, manifest = small_run(tmp_path, name, pairs=5, turned_away=0)
        manifest["config"]["report"] = {"embedding": embedding}
        runs.append((name, str(output), manifest))
    compare_runs(runs, str(tmp_path / "both.html"))
    drawn = data_of(tmp_path / "both.html")["map"]
    assert drawn["method"].startswith("TF-IDF") and "(openai/x and none)" in drawn["note"]
    compare_runs(runs[1:] * 2, str(tmp_path / "both.html"))
    assert data_of(tmp_path / "both.html")["map"]["note"] is None


def test_a_run_of_a_root_has_a_report_which_forgetting_removes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import pyarrow as pa

    corpus, root = prose_corpus(tmp_path, 6), tmp_path / "root"
    assert webscale_rl("refresh", "--input", corpus, "--root", root) == 0
    (run,) = (root / "runs").iterdir()
    assert (run / "report.html").exists()
    capsys.readouterr()
    assert webscale_rl("report", root) == 0
    assert capsys.readouterr().out == f"{run}/report.html (the last run of {root}: {run.name})\n"
    assert webscale_rl("report", run, f"{root}/", "--output", tmp_path / "two.html") == 0
    assert capsys.readouterr().out == f"{tmp_path}/two.html (the last run of {root}: {run.name})\n"
    pq.write_table(pa.table({"id": ["prose-0-6-1"]}), tmp_path / "gone.parquet")
    assert webscale_rl("refresh", "--root", root, "--forget", tmp_path / "gone.parquet") == 0
    assert not (run / "report.html").exists(), "it shows texts"


@pytest.mark.parametrize(
    ("prepare", "says"),
    [
        (lambda run: (run / "manifest.json").unlink(), r"/run holds no run that has ended \(manifest.json\); name"),
        (lambda run: (run / "manifest.json").write_text("{}"), "lacks config, stages, usage, cost, rows"),
        (lambda run: next((run / "qa").iterdir()).write_bytes(b"PAR1 no more"), "check that the shards are whole"),
    ],
)
def test_what_cannot_be_shown_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], prepare: Any, says: str
) -> None:
    output, _ = small_run(tmp_path, pairs=3, turned_away=0)
    prepare(output)
    assert webscale_rl("report", output) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert re.search(says, line)


@pytest.mark.parametrize(("directory", "column"), [("qa", "difficulty"), ("rejected", "reason")])
def test_shards_of_another_version_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], directory: str, column: str
) -> None:
    output, _ = small_run(tmp_path, pairs=3, turned_away=1)
    (shard,) = (output / directory).iterdir()
    pq.write_table(pq.read_table(shard).drop_columns([column]), shard)
    assert webscale_rl("report", output) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{shard} has no column '{column}' of" in line and line.endswith("make the report with that one")


def test_where_nothing_can_be_written_another_place_can_be_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, _ = small_run(tmp_path, pairs=3, turned_away=0)
    (output / "report.html").mkdir()
    (output / "report.html" / "in the way").touch()
    assert webscale_rl("report", output) == 2
    assert "name a place to write to with --output" in capsys.readouterr().err
    assert webscale_rl("report", output, "--output", tmp_path / "elsewhere.html") == 0
    assert (tmp_path / "elsewhere.html").exists()


@pytest.mark.parametrize("output", ["there", "there/", "not there/"])
def test_a_report_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], output: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there").mkdir()
    assert webscale_rl("report", "no run", "--output", output) == 2
    assert capsys.readouterr().err == f"webscale-rl: --output {output} is a directory; name a file\n"


def test_three_runs_are_too_many(capsys: pytest.CaptureFixture[str]) -> None:
    assert webscale_rl("report", "a", "b", "c") == 2
    assert "3 directories were given; name one run, or two to compare" in capsys.readouterr().err


def rows_of(text: str) -> list[dict[str, Any]]:
    """Return the kept rows in a page."""
    chunks = re.findall(r'id="kept-\d+">([^<]*)', text)
    return [row for chunk in chunks for row in json.loads(zlib.decompress(base64.b64decode(chunk)))]


def hashes(start: int, n: int) -> str:
    return "".join(sha256(str(i).encode()).hexdigest() for i in range(start, start + n))


def test_rows_beyond_the_size_of_a_page_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"question": hashes(i, 1)} for i in range(100)]
    monkeypatch.setattr(page_module, "MAX_BYTES", 2000)
    text = page("t", {"runs": []}, {"kept": Rows(500, rows)})
    shown = len(rows_of(text))
    assert rows_of(text) == rows[:shown] and 20 < shown < 100, "a chunk that does not fit is halved"
    assert f'"kept":{{"total":500,"shown":{shown},"too_large":{100 - shown},' in text
    assert 1800 < sum(map(len, re.findall(r'id="kept-\d+">([^<]*)', text))) <= 2000


@pytest.mark.parametrize("chunk", [1, 2, 500])
def test_a_row_that_is_too_large_takes_no_other_with_it(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(page_module, "_CHUNK", chunk)
    small = [{"question": hashes(i, 1)} for i in range(9)]
    large = {"question": hashes(0, 1 + page_module.ROW_BYTES // 64)}
    text = page("t", {"runs": []}, {"kept": Rows(11, [large, *small, large])})
    assert rows_of(text) == small
    assert '"kept":{"total":11,"shown":9,"too_large":2,' in text


def test_long_evidence_is_cut_in_its_source_too(tmp_path: Path) -> None:
    text = " ".join(prose(number) for number in range(60))
    corpus = write_corpus(tmp_path / "corpus.parquet", [text])
    assert len(text) > 20_000
    manifest = write_run(tmp_path / "run", [pair(0, text, corpus, evidence=text)])
    write_report(str(tmp_path / "run"), manifest)
    (row,) = rows_of((tmp_path / "run" / "report.html").read_text("utf-8"))
    assert row["excerpt"] == ["", text[:1000] + " …", ""] and row["evidence"] == text[:1000] + " …"


def test_a_page_holds_no_text_as_markup(tmp_path: Path) -> None:
    evil = "</script><script>alert(1)</script><!--"
    output = tmp_path / "run"
    write_run(output, [], started=evil)
    report(parse_report([str(output)]))
    text = (output / "report.html").read_text(encoding="utf-8")
    assert "alert(1)</script>" not in text and "\\u003c/script>\\u003cscript>alert(1)" in text
    assert "&lt;b&gt;" in page("<b>", {"runs": []}, {})
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text), "nothing is fetched"
