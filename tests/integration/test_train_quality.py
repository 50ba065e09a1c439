"""`webscale-rl train-quality`: from a run's verdicts and from labelled Parquet to a model that a run filters with."""

from __future__ import annotations

import json
import math
import re
import shutil
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from pipelines.options import UsageError
from pipelines.verdicts import ScreenedRun
from schemas.records import Failed, Pair, Rejected, Source, StageNames, text_sha256, to_table
from tests.support import prose, rows_of, stages_of, webscale_rl, write_corpus
from transforms.fasttext_model import load_classifier, one_line
from transforms.quality import QUALITY_CHARACTERS, is_held_out

PROSE, CHATTER = 600, 220
FILTERS = "filters: {min_tokens: null, gopher_repetition: null, gopher_quality: null}\n"

_MOODS = "patient quiet careful honest gentle curious cheerful stubborn tired hopeful nervous polite".split()
_THINGS = (
    "weather garden kitchen morning evening journey silence laughter worry music friendship homework cooking sleep"
).split()
_PATTERNS = (
    "it is good to be {m} about the {a} and to think of {b} with a smile.",
    "people who are {m} will say that {a} matters more than {b} or {c}.",
    "perhaps we have all been too {m} when there was so much {a} to be had.",
    "you could try to be less {m} and let the {a} go its way with some {b}.",
    "nothing is as {m} as {a} that has been mixed with {b} and with {c}.",
)


def chatter(number: int) -> str:
    """Return English without a single fact in it, which the embedded engine's screen rejects."""
    random = Random(number)
    sentences = []
    for pattern in random.sample(_PATTERNS * 2, k=8):
        a, b, c = random.sample(_THINGS, 3)
        sentences.append(pattern.format(m=random.choice(_MOODS), a=a, b=b, c=c).capitalize())
    return " ".join(sentences)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    texts = [prose(i) for i in range(PROSE)] + [chatter(i) for i in range(CHATTER)]
    Random(0).shuffle(texts)
    directory = tmp_path_factory.mktemp("corpus")
    for number, part in enumerate((texts[:500], texts[500:])):
        write_corpus(directory / f"part-{number}.parquet", part, row_group_size=120)
    (directory / "run.yaml").write_text(FILTERS, encoding="utf-8")
    return directory


def run_corpus(corpus: Path, output: Path, *flags: str) -> Path:
    arguments = ["--input", str(corpus / "*.parquet"), "--config", str(corpus / "run.yaml"), "--output", str(output)]
    assert webscale_rl("run", *arguments, "--cache", str(corpus / "cache"), *flags) == 0
    return output


@pytest.fixture(scope="module")
def screened(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_corpus(corpus, tmp_path_factory.mktemp("runs") / "screened", "--until", "screen")


@pytest.fixture(scope="module")
def verdicts(screened: Path, corpus: Path) -> dict[str, bool]:
    """The texts of the corpus and whether the screen kept them, as found without the code under test."""
    kept = {row["text"] for row in rows_of(screened, "documents")}
    texts = [text for path in sorted(corpus.glob("*.parquet")) for text in pq.read_table(path)["text"].to_pylist()]
    return {text: text in kept for text in texts}


@pytest.fixture(scope="module")
def model(screened: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "screened.bin"
    assert webscale_rl("train-quality", "--run", screened, "--output", path) == 0
    return path


def refusal(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    capsys.readouterr()
    assert webscale_rl("train-quality", *(str(argument) for argument in arguments)) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("webscale-rl: ")
    assert captured.err.count("\n") == 1
    assert captured.out == ""
    return captured.err


def labelled(path: Path, texts: dict[str, bool] | list[tuple[str | None, Any]], labels: Any = None) -> Path:
    rows = list(texts.items()) if isinstance(texts, dict) else texts
    labels = pa.array([label for _, label in rows]) if labels is None else labels
    pq.write_table(pa.table({"text": [text for text, _ in rows], "label": labels}), path, row_group_size=100)
    return path


def train(path: Path, *arguments: object) -> bytes:
    assert webscale_rl("train-quality", *(str(argument) for argument in arguments), "--output", str(path)) == 0
    return path.read_bytes()


def test_the_figures_are_those_of_held_out_documents(
    screened: Path, verdicts: dict[str, bool], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "model.bin"
    assert webscale_rl("train-quality", "--run", screened, "--output", path, "--recall", "0.8") == 0
    out = capsys.readouterr().out
    held = {text: kept for text, kept in verdicts.items() if is_held_out(text_sha256(text))}
    kept, rejected = sum(verdicts.values()), len(verdicts) - sum(verdicts.values())
    held_kept = sum(held.values())
    assert [
        int(n.replace(",", "")) for n in re.findall(r"^(?:training|held out) +(\S+) kept +(\S+)", out, re.M)[0]
    ] == [
        kept - held_kept,
        rejected - (len(held) - held_kept),
    ]
    assert re.search(rf"^held out +{held_kept} kept +{len(held) - held_kept} rejected", out, re.M)

    lines = [one_line(text, QUALITY_CHARACTERS) for text in held]
    scores = np.array(load_classifier(str(path)).probabilities(lines, "hq"))
    label = np.array(list(held.values()))
    table = re.findall(r"^ +(0\.\d\d) +(\S+) +(\S+) +(\S+)%$", out, re.M)
    assert [row[0] for row in table] == ["0.99", "0.98", "0.95", "0.90", "0.80", "0.50"]
    for recall, threshold, precision, below in table:
        passing = scores >= float(threshold)
        assert passing[label].mean() >= float(recall)
        assert (scores[label] > float(threshold) * 1.001).sum() <= math.ceil(float(recall) * held_kept)
        assert label[passing].mean() == pytest.approx(float(precision), abs=5e-4)
        assert 1 - passing.mean() == pytest.approx(float(below) / 100, abs=5e-4)

    chosen = yaml.safe_load(out[out.index("filters:") :])
    assert chosen == {"filters": {"quality": {"model": str(path), "threshold": float(table[4][1])}}}
    spared = (scores < float(table[4][1])).mean() * len(verdicts)
    assert f"of the {len(verdicts)} screen calls of that run: {spared:,.0f}." in out
    assert stages_of(screened)["screen"]["in"] == len(verdicts)
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.bin"]


def test_the_next_run_filters_with_the_model(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts = [prose(i) for i in range(9000, 9030)] + [chatter(i) for i in range(9000, 9030)]
    path = write_corpus(tmp_path / "new.parquet", texts)
    config = yaml.safe_load(FILTERS)
    config["filters"]["quality"] = {"model": str(model), "threshold": 0.3}
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    arguments = ["--input", path, "--output", str(tmp_path / "run"), "--config", str(tmp_path / "run.yaml")]
    assert webscale_rl("run", *arguments, "--until", "filter") == 0
    rejected = [row for row in rows_of(tmp_path / "run", "rejected") if row["reason"] == "quality"]
    assert sum(row["source"]["row"] >= 30 for row in rejected) >= 28
    assert sum(row["source"]["row"] < 30 for row in rejected) <= 15
    assert all(0 <= float(row["value"]) < 0.3 for row in rejected)


def test_a_complete_run_gives_the_same_model(corpus: Path, model: Path, tmp_path: Path) -> None:
    run = run_corpus(corpus, tmp_path / "run")
    assert (run / "_SUCCESS").exists()
    assert train(tmp_path / "again.bin", "--run", run) == model.read_bytes()
    classified = run_corpus(corpus, tmp_path / "classified", "--until", "classify")
    assert train(tmp_path / "classified.bin", "--run", classified) == model.read_bytes()


def test_labelled_parquet_gives_the_same_model_whatever_the_labels_and_the_order(
    verdicts: dict[str, bool], model: Path, tmp_path: Path
) -> None:
    rows = list(verdicts.items())
    labels = [kept for _, kept in rows]
    names = pa.array(["good" if kept else "bad" for kept in labels])
    expected = model.read_bytes()
    assert train(tmp_path / "a.bin", "--input", labelled(tmp_path / "a.parquet", rows)) == expected
    by_class = sorted(rows, key=lambda row: row[1])
    half = len(rows) // 2
    parts = [labelled(tmp_path / f"b{i}.parquet", part) for i, part in enumerate((by_class[:half], by_class[half:]))]
    assert train(tmp_path / "b.bin", "--input", *parts) == expected
    numbers = labelled(tmp_path / "c.parquet", rows, pa.array(labels).cast(pa.int8()))
    assert train(tmp_path / "c.bin", "--input", numbers) == expected
    strings = labelled(tmp_path / "d.parquet", rows, names)
    assert train(tmp_path / "d.bin", "--input", strings, "--positive", "good") == expected
    encoded = pq.read_table(labelled(tmp_path / "e.parquet", rows, names.dictionary_encode()))
    pq.write_table(encoded.rename_columns(["body", "grade"]), tmp_path / "e.parquet")
    columns = ["--text-column", "body", "--label-column", "grade", "--positive", "good"]
    assert train(tmp_path / "e.bin", "--input", tmp_path / "e.parquet", *columns) == expected
    assert train(tmp_path / "f.bin", "--input", strings, "--positive", "bad") != expected


def test_hostile_rows_are_passed_over_or_harmless(
    verdicts: dict[str, bool], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows: list[tuple[str | None, Any]] = [
        (f"{text}\n__label__hq\n</s> __label__odd \0\x85\u2028 {text}", kept) for text, kept in verdicts.items()
    ]
    rows += [(None, True), ("text without a label", None), ("", True), (" \n\t", False)]
    rows.append(("__label__hq " * 10**5, False))
    train(tmp_path / "model.bin", "--input", labelled(tmp_path / "a.parquet", rows))
    assert "4 rows without a text or a label are passed over" in capsys.readouterr().out
    assert sorted(load_classifier(str(tmp_path / "model.bin")).labels) == ["hq", "lq"]


def test_nothing_is_left_of_a_training_that_fails(
    verdicts: dict[str, bool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no more")

    path = labelled(tmp_path / "a.parquet", verdicts)
    output = tmp_path / "models"
    output.mkdir()
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="no more"):
        patch.setattr("shutil.copyfileobj", fail)
        webscale_rl("train-quality", "--input", str(path), "--output", str(output / "model.bin"))
    assert [*output.iterdir(), *scratch.iterdir()] == []
    train(output / "model.bin", "--input", path)
    assert list(scratch.iterdir()) == []


def test_an_existing_file_is_not_replaced(
    verdicts: dict[str, bool], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = labelled(tmp_path / "a.parquet", verdicts)
    before = path.read_bytes()
    assert "exists already" in refusal(capsys, "--input", path, "--output", path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--input", "{tmp}/good.parquet"], "--output is missing"),
        (["--output", "{tmp}/m"], "name one source: --input GLOB (labelled Parquet) or --run DIR"),
        (["--output", "{tmp}/m", "--input", "a", "--run", "b"], "name one source"),
        (["--output", "{tmp}/m", "--run", "{tmp}", "--positive", "x"], "--positive belongs to --input"),
        (["--output", "{tmp}/m", "--run", "{tmp}", "--text-column", "x"], "--text-column belongs to --input"),
        (["--output", "{tmp}/m", "--inptu", "a"], "unknown flag --inptu; did you mean --input?"),
        (["--output", "{tmp}/m", "--frobnicate=3"], "unknown flag --frobnicate; known are --help, --input, --run"),
        (["--output", "{tmp}/m", "stray"], "unexpected argument 'stray'"),
        (["--output", "{tmp}/m", "--input", "a", "--recall", "0"], "--recall 0.0 must be above 0 and at most 1"),
        (["--output", "{tmp}/m", "--input", "a", "--recall", "nan"], "--recall nan must be"),
        (["--output", "{tmp}/m", "--input", "a", "--recall", "95%"], "--recall: invalid float value: '95%'; see"),
        (["--output", "{tmp}/no/m", "--input", "a"], "there is no directory {tmp}/no; make it first"),
        (["--output", "{tmp}", "--input", "a"], "exists already"),
        (["--output", "nowhere://m", "--input", "a"], "cannot write to --output nowhere://m"),
        (["--output", "{tmp}/m", "--input", "{tmp}/absent*"], "absent* matches no file"),
        (["--output", "{tmp}/m", "--input", "{tmp}/text.txt"], "text.txt cannot be read"),
        (["--output", "{tmp}/m", "--input", "{tmp}/cut.parquet"], "cut.parquet cannot be read"),
        (
            ["--output", "{tmp}/m", "--input", "{tmp}/good.parquet", "--label-column", "grade"],
            "no single column 'grade' (it has text, label, other); name another one with --label-column",
        ),
        (["--output", "{tmp}/m", "--input", "{tmp}/good.parquet", "--text-column", "body"], "with --text-column"),
        (
            ["--output", "{tmp}/m", "--input", "{tmp}/good.parquet", "--text-column", "label"],
            "column 'label' is bool, a text is a string",
        ),
        (
            ["--output", "{tmp}/m", "--input", "{tmp}/good.parquet", "--label-column", "other"],
            "column 'other' holds 2; labels are booleans, 0 and 1, or two strings",
        ),
        (
            ["--output", "{tmp}/m", "--input", "{tmp}/good.parquet", "--positive", "yes"],
            "column 'label' is bool, and --positive is for strings; leave it out",
        ),
        (
            ["--output", "{tmp}/m", "--input", "{tmp}/good.parquet", "--label-column", "text", "--positive", "x"],
            "column 'text' has more than two labels",
        ),
        (
            ["--output", "{tmp}/m", "--input", "{tmp}/strings.parquet"],
            "holds strings (bad, good); name the one to keep",
        ),
        (
            ["--output", "{tmp}/m", "--input", "{tmp}/strings.parquet", "--positive", "hq"],
            "--positive hq is no label in column 'label', which has bad, good",
        ),
        (["--output", "{tmp}/m", "--input", "{tmp}/floats.parquet"], "column 'label' is double; labels are booleans"),
        (["--output", "{tmp}/m", "--input", "{tmp}/one.parquet"], "has 20 kept and 0 rejected documents with a text"),
        (["--output", "{tmp}/m", "--input", "{tmp}/good.parquet"], "too few to choose a threshold; 50 are needed"),
        (
            ["--output", "{tmp}/m", "--run", "{tmp}/nowhere"],
            "there is no directory {tmp}/nowhere; name a run's",
        ),
        (["--output", "{tmp}/m", "--run", "{tmp}/odd"], "odd/manifest.json is no manifest of a run"),
    ],
)
def test_what_is_wrong_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], message: str
) -> None:
    texts = [prose(i) for i in range(20)]
    keep = [i % 2 == 0 for i in range(20)]
    table = pa.table({"text": texts, "label": keep, "other": [i % 3 for i in range(20)]})
    pq.write_table(table, tmp_path / "good.parquet")
    (tmp_path / "cut.parquet").write_bytes((tmp_path / "good.parquet").read_bytes()[:-9])
    (tmp_path / "text.txt").write_text("no Parquet", encoding="utf-8")
    for name, labels in (
        ("strings", pa.array(["good" if k else "bad" for k in keep])),
        ("floats", pa.array(keep).cast(pa.int8()).cast(pa.float64())),
        ("one", pa.array([True] * 20)),
    ):
        labelled(tmp_path / f"{name}.parquet", [(text, None) for text in texts], labels)
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "manifest.json").write_text('{"rows": 3}', encoding="utf-8")
    assert message.format(tmp=tmp_path) in refusal(capsys, *(flag.format(tmp=tmp_path) for flag in flags))
    assert not (tmp_path / "m").exists()


def test_a_run_that_cannot_be_learnt_from_is_refused(
    corpus: Path, screened: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "m"
    early = run_corpus(corpus, tmp_path / "early", "--until", "dedup")
    assert "ended with dedup, so its screen gave no verdicts" in refusal(capsys, "--run", early, "--output", output)

    copy = tmp_path / "copy"
    shutil.copytree(screened, copy)
    manifest = json.loads((copy / "manifest.json").read_text(encoding="utf-8"))
    cleaned = {**manifest, "config": {**manifest["config"], "filters": {"c4": {}, "clean_lines": True}}}
    (copy / "manifest.json").write_text(json.dumps(cleaned), encoding="utf-8")
    assert "filters.clean_lines" in refusal(capsys, "--run", copy, "--output", output)

    (copy / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    (shard,) = (copy / "rejected").iterdir()
    data = shard.read_bytes()
    shard.write_bytes(data[:-9])
    assert f"{shard} cannot be read" in refusal(capsys, "--run", copy, "--output", output)
    shard.unlink()
    assert "rejected holds 0 rows, its manifest counts" in refusal(capsys, "--run", copy, "--output", output)


def test_a_corpus_that_changed_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = tmp_path / "corpus"
    directory.mkdir()
    texts = [prose(i) for i in range(6)] + [chatter(i) for i in range(6)]
    path = Path(write_corpus(directory / "a.parquet", texts))
    (directory / "run.yaml").write_text(FILTERS, encoding="utf-8")
    run = run_corpus(directory, tmp_path / "run", "--until", "screen")
    arguments = ["--run", run, "--output", tmp_path / "m"]
    assert "too few to choose a threshold" in refusal(capsys, *arguments)
    for change, why in (
        ([*texts[:-1], "another text"], "a text has changed"),
        (texts[:3], "rows are missing"),
        ([], "row group 0, is not what"),
    ):
        write_corpus(path, change)
        assert why in refusal(capsys, *arguments)
    path.write_bytes(b"PAR1")
    assert "row group 0, is not what" in refusal(capsys, *arguments)
    path.unlink()
    assert f"{path}, row group 0, is not what {run} read" in refusal(capsys, *arguments)


def test_every_door_behind_the_screen_tells_that_it_kept_a_document(tmp_path: Path) -> None:
    texts = [f"text number {i}" for i in range(8)]
    path = write_corpus(tmp_path / "a.parquet", texts, row_group_size=3)
    sources = [Source(f"a-{i}", path, i // 3, i % 3, text_sha256(text)) for i, text in enumerate(texts)]
    names = StageNames()

    def rejected(i: int, stage: str) -> Rejected:
        return Rejected(f"a-{i}", None, stage, "rule", None, sources[i])

    def failed(i: int, stage: str) -> Failed:
        return Failed(f"a-{i}", None, stage, "timeout", "late", 8, sources[i])

    def pair(i: int, name: str) -> Pair:
        return Pair(name, "q", "a", (), None, None, "p", None, sources[i], names, names, names)

    tables = {
        "rejected": to_table(
            Rejected,
            [
                rejected(0, "filter"),
                rejected(1, "screen"),
                rejected(2, "judge"),
                rejected(6, "check"),
                rejected(7, "dedup"),
            ],
        ),
        "errors": to_table(Failed, [failed(3, "screen"), failed(4, "generate"), replace(failed(0, "read"))]),
        "qa": to_table(Pair, [pair(5, "a"), pair(5, "b"), pair(6, "c")]),
    }
    for name, table in tables.items():
        (tmp_path / name).mkdir()
        pq.write_table(table, tmp_path / name / "part-00000-of-00001.parquet")
    manifest = {
        "until": None,
        "config": {"columns": {"text": "text"}, "filters": {}},
        "stages": [{"stage": "screen", "in": 6}],
        "rows": {name: table.num_rows for name, table in tables.items()},
    }
    (tmp_path / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    run = ScreenedRun(f"{tmp_path}/")
    assert list(run.examples()) == [(texts[1], False), (texts[2], True), *((texts[i], True) for i in (4, 5, 6))]
    assert run.calls == 6
    manifest["stages"] = [{"stage": "dedup", "in": 6}]
    (tmp_path / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(UsageError, match="its screen gave no verdicts"):
        ScreenedRun(str(tmp_path))


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ("{language: {languages: [english]}}", "knows no language 'english'"),
        ("{language: {languages: [en], model: absent.bin}}", "filters: absent.bin cannot be read: No such file"),
        ("{quality: {model: absent.bin, threshold: 0.5}}", "filters: absent.bin cannot be read: No such file"),
        ("{quality: {model: MODEL, threshold: 0.5, label: HQ}}", "has no label 'HQ'"),
    ],
)
def test_a_run_refuses_a_model_that_does_not_fit_before_it_starts(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], filters: str, message: str
) -> None:
    corpus = write_corpus(tmp_path / "a.parquet", [prose(1)])
    config = tmp_path / "run.yaml"
    config.write_text(f"filters: {filters.replace('MODEL', str(model))}", encoding="utf-8")
    assert webscale_rl("run", "--input", corpus, "--output", tmp_path / "run", "--config", config) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert not list(tmp_path.glob("run/*/*"))


def test_the_commands_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert webscale_rl("--help") == 0
    out = capsys.readouterr().out
    assert "\n  run " in out and "\n  train-quality " in out
    assert webscale_rl("train") == 2
    message = capsys.readouterr().err
    known = message.partition("unknown command 'train'; known are ")[2].split("\n")[0].split(", ")
    assert set(known) == {line.split()[0] for line in out.splitlines() if line.startswith("  ")}, message
