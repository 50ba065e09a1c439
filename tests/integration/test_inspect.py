"""`webscale-rl inspect`: what is shown of pairs and documents, wherever they ended."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipelines.takedown import remember
from tests.model_server import Behaviour, ModelServer
from tests.model_server.answers import REJECT_MARKER
from tests.roots import all_rows, lay_out, refresh, runs_of
from tests.support import prose, prose_corpus, rows_of, webscale_rl, write_corpus
from transforms.catalog import read_catalog


def run(corpus: str, output: Path, server: ModelServer, *flags: str) -> int:
    models = ("--model", "openai/test", "--api-base", server.base_url)
    return webscale_rl("run", "--input", corpus, "--output", output, *models, *flags)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a run over eight documents, one of them out."""
    directory = tmp_path_factory.mktemp("done")
    texts = [*map(prose, range(7)), f"{prose(7)} {REJECT_MARKER} is here."]
    corpus = write_corpus(directory / "corpus.parquet", texts)
    with ModelServer() as server:
        assert run(corpus, directory / "run", server) == 0
    return directory / "run"


def shown(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    capsys.readouterr()
    assert webscale_rl("inspect", *map(str, arguments)) == 0
    return capsys.readouterr().out


def said(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """Return the one line of an error."""
    capsys.readouterr()
    assert webscale_rl("inspect", *map(str, arguments)) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    return err


def ends(text: str) -> list[str]:
    """Return the directories of the rows where it ended."""
    return [line.split("  ")[1] for line in text.splitlines() if line.startswith("── where it ended")]


@pytest.fixture(scope="module")
def two_nights(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A root of two runs: d4 has had two texts, d5 one."""
    place = tmp_path_factory.mktemp("nights")
    for number in (4, 8):
        lay_out(f"{place}/corpus", {"a": {"d4": prose(number), "d5": prose(5)}})
        assert refresh(f"{place}/corpus", f"{place}/root") == 0
    return f"{place}/root"


def headings(text: str) -> list[str]:
    return [line[3:].split("  ")[0] for line in text.splitlines() if line.startswith("── ")]


def test_a_kept_pair_is_followed_from_its_document_to_the_shard(done: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pair = rows_of(done, "qa")[0]
    text = shown(capsys, done, pair["id"])
    assert headings(text) == ["document", "screen", "classify", "generate", "check", "judge", "where it ended"]
    for stage in ("screen", "classify", "generate", "judge"):
        assert f"answer {pair['calls'][stage]}" in text, "the very prompt that was sent"
    assert text.count("answer (") == 4
    assert pair["question"] in text and "Task:" not in text


def test_all_of_it_has_the_prompts_as_they_were_sent(done: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pair = rows_of(done, "qa")[0]
    with pq.ParquetFile(pair["source"]["path"]) as file:
        document = file.read()["text"][pair["source"]["row"]].as_py()
    text = shown(capsys, done, pair["id"], "--full")
    assert text.count(document) == 5  # by itself, and in each of the four prompts
    assert text.count("Task:") == 4 and text.count("untrusted data") == 4


def test_a_rejected_document_says_why(done: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (gone,) = (row for row in rows_of(done, "rejected") if row["reason"] == "not_qualified")
    text = shown(capsys, done, gone["doc_id"])
    assert headings(text) == ["document", "screen", "where it ended"]
    assert "rejected, not_qualified: Looked for the marker." in text


def test_a_documents_id_lists_all_its_pairs(done: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pairs = rows_of(done, "qa")
    doc_id = pairs[0]["source"]["doc_id"]
    own = [pair["id"] for pair in pairs if pair["source"]["doc_id"] == doc_id]
    text = shown(capsys, done, doc_id)
    assert all(f"id: {name}" in text for name in own)


def test_merged_calls_are_told_once_for_each_stage_that_reads_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ModelServer() as server:
        assert run(prose_corpus(tmp_path, 4), tmp_path / "run", server, "--calls", "merged") == 0
    for pair in rows_of(tmp_path / "run", "qa"):
        text = shown(capsys, tmp_path / "run", pair["id"])
        assert "the cache has no answer" not in text
        assert all(f"answer {key}" in text for key in pair["calls"].values() if key)


def test_the_comparison_with_evaluation_sets_is_a_stage_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus, index, config = prose_corpus(tmp_path, 4), tmp_path / "index", tmp_path / "config.yaml"
    with ModelServer() as server:
        assert run(corpus, tmp_path / "plain", server) == 0
        pair = rows_of(tmp_path / "plain", "qa")[0]
        other = " ".join(reversed(pair["question"].split()))  # its words, and none of its runs of words
        (tmp_path / "set.jsonl").write_text(json.dumps({"question": other}), encoding="utf-8")
        build = ("benchmarks", "build", f"other={tmp_path}/set.jsonl", "--with-questions", "--output", index)
        assert webscale_rl(*map(str, build)) == 0
        models = {"decontaminate": {"model": "openai/compare", "api_base": server.base_url}}
        config.write_text(json.dumps({"models": models}), encoding="utf-8")
        flags = ("--config", str(config), "--benchmarks", str(index))
        assert run(corpus, tmp_path / "run", server, *flags) == 0
    gone = next(row for row in rows_of(tmp_path / "run", "rejected") if row["pair_id"] == pair["id"])
    text = shown(capsys, tmp_path / "run", pair["id"], "--full")
    assert headings(text)[-3:] == ["judge", "decontaminate", "where it ended"]
    assert f"rejected, contaminated: {gone['value']}" in text and "paraphrase" in gone["value"]
    assert "openai/compare, prompt" in text and f"answer {gone['calls']['decontaminate']}" in text
    assert json.dumps(other, ensure_ascii=False) in text
    shutil.rmtree(index)
    assert "── decontaminate  its index cannot be read: " in shown(capsys, tmp_path / "run", pair["id"])


def test_an_error_shows_the_answers_that_were_of_no_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with ModelServer(Behaviour(faults={"prose": 1.0})) as server:
        assert run(prose_corpus(tmp_path, 2), tmp_path / "run", server) == 3
    error = rows_of(tmp_path / "run", "errors")[0]
    text = shown(capsys, tmp_path / "run", error["doc_id"])
    assert text.count("invalid answer (") == error["attempts"] == 2
    assert "error: invalid" in text


def test_what_is_gone_or_changed_is_said_and_the_rest_is_shown(
    done: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = tmp_path / "run"
    shutil.copytree(done, moved)
    shutil.rmtree(moved / "cache")
    name = rows_of(done, "qa")[0]["id"]
    assert f"There is no cache at {moved}/cache" in shown(capsys, moved, name)
    assert not (moved / "cache").exists()
    corpus = Path(rows_of(done, "qa")[0]["source"]["path"])
    kept = corpus.read_bytes()
    try:
        write_corpus(corpus, [f"{prose(number)} Changed." for number in range(8)])
        assert "The corpus does not have it: it has another text there now" in shown(capsys, done, name)
        corpus.unlink()
        text = shown(capsys, done, name)
        assert "The corpus does not have it:" in text and "where it ended" in headings(text)
    finally:
        corpus.write_bytes(kept)


def test_a_superseded_pair_ends_with_the_run_that_took_it_out(
    two_nights: str, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = (Path(two_nights, "runs", run) for run in runs_of(two_nights))
    (gone,) = rows_of(second, "superseded")
    text = shown(capsys, two_nights, gone["pair_ids"][0])
    assert ends(text) == [f"{first}/qa", f"{second}/superseded"]
    assert f"run_id: {gone['run_id']}" in text
    live = next(pair["id"] for pair in rows_of(second, "qa"))
    assert ends(shown(capsys, two_nights, live)) == [f"{second}/qa"]


def test_a_document_is_followed_through_all_runs_of_a_root(two_nights: str, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = (Path(two_nights, "runs", run) for run in runs_of(two_nights))
    old, new = (sum(row["source"]["doc_id"] == "d4" for row in rows_of(run, "qa")) for run in (first, second))
    assert old and new
    assert ends(shown(capsys, two_nights, "d4")) == [
        *[f"{first}/qa"] * old,
        f"{second}/superseded",
        *[f"{second}/qa"] * new,
    ]


def test_what_is_to_be_forgotten_says_so_last(
    two_nights: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = f"{tmp_path}/root"
    shutil.copytree(two_nights, root)
    catalog, _ = read_catalog(root)
    assert catalog is not None
    remember(root, catalog, "takedown-1", ["d5"])
    pairs = {row["source"]["doc_id"]: row["id"] for row in all_rows(root, "qa")}
    for name in ("d5", pairs["d5"]):
        assert ends(shown(capsys, root, name))[-1] == f"{root}/forgotten"
    assert f"{root}/forgotten" not in shown(capsys, root, pairs["d4"])


def test_a_run_that_stopped_early_shows_its_documents(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus = write_corpus(tmp_path / "a.parquet", [prose(1), prose(2)], id=[7, 8])
    with ModelServer() as server:
        assert run(corpus, tmp_path / "dedup", server, "--until", "dedup") == 0
        assert run(corpus, tmp_path / "screen", server, "--until", "screen") == 0
    text = shown(capsys, tmp_path / "dedup", "7")
    assert headings(text) == ["document", "where it ended"] and prose(1)[:200] in text and prose(2)[:200] not in text
    assert ends(text) == [f"{tmp_path}/dedup/documents"] and "cache" not in text
    text = shown(capsys, tmp_path / "screen", "8")
    assert headings(text) == ["document", "screen", "where it ended"] and "answer (" in text
    assert "has no pair or document 9" in said(capsys, tmp_path / "screen", "9")


def test_a_document_cut_for_the_models_is_shown_as_they_had_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus, config = write_corpus(tmp_path / "a.parquet", [prose(1)]), tmp_path / "c.yaml"
    config.write_text("max_document_tokens: 100\n", encoding="utf-8")
    with ModelServer() as server:
        assert run(corpus, tmp_path / "run", server, "--until", "screen", "--config", str(config)) == 0
    (document,) = rows_of(tmp_path / "run", "documents")
    text = shown(capsys, tmp_path / "run", document["id"])
    assert prose(1) not in text and "the cache has no answer" not in text and "answer (" in text


def test_what_waits_for_a_batch_is_found_by_its_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with ModelServer() as server:
        run(prose_corpus(tmp_path, 1), tmp_path / "run", server, "--llm-mode", "batch")
    (waiting,) = rows_of(tmp_path / "run", "pending")
    text = shown(capsys, tmp_path / "run", waiting["doc_id"])
    assert ends(text) == [f"{tmp_path}/run/pending"] and f"id: {waiting['id']}" in text and "stage: screen" in text


@pytest.mark.parametrize("directory", ["qa", "rejected"])
def test_shards_of_another_version_are_one_line(
    done: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], directory: str
) -> None:
    shutil.copytree(done, tmp_path / "run")
    for shard in (tmp_path / "run" / directory).glob("part-*.parquet"):
        pq.write_table(pq.read_table(shard).drop_columns(["source"]), shard)
    line = said(capsys, tmp_path / "run", rows_of(done, directory)[0]["source"]["doc_id"])
    assert f"run/{directory}/part-" in line and "has no column 'source'" in line and "read it with that one" in line


def test_a_text_is_neither_emoji_nor_turned_round(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    controls = "".join(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))))
    corpus = write_corpus(tmp_path / "a.parquet", [f"The odds were 3:100:1 {controls}then. {prose(1)}"])
    with ModelServer() as server:
        assert run(corpus, tmp_path / "run", server) == 0
    text = shown(capsys, tmp_path / "run", rows_of(tmp_path / "run", "qa")[0]["id"], "--full")
    assert "3:100:1" in text and "\N{HUNDRED POINTS SYMBOL}" not in text and not set(controls) & set(text)


def test_markup_in_a_document_is_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus = write_corpus(tmp_path / "a.parquet", [f"[red]{prose(1)}[/nothing] \x1b[31m {prose(2)}"])
    with ModelServer() as server:
        assert run(corpus, tmp_path / "run", server) == 0
    text = shown(capsys, tmp_path / "run", rows_of(tmp_path / "run", "qa")[0]["id"])
    assert "[red]" in text and "[/nothing]" in text and "\x1b" not in text


def test_a_pair_of_a_root_is_found_in_its_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus, root = prose_corpus(tmp_path, 3), tmp_path / "root"
    with ModelServer() as server:
        models = ("--model", "openai/test", "--api-base", server.base_url)
        assert webscale_rl("refresh", "--input", corpus, "--root", root, *models) == 0
    (made,) = (root / "runs").iterdir()
    pair: dict[str, Any] = rows_of(made, "qa")[0]
    text = shown(capsys, root, pair["id"])
    assert f"{made}/qa" in text and f"answer {pair['calls']['judge']}" in text


def test_wrong_usage_is_one_line(done: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert f"{done} has no pair or document nobody; ids are in" in said(capsys, done, "nobody")
    assert f"{tmp_path} holds no run that has ended" in said(capsys, tmp_path, "nobody")
