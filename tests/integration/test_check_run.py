"""`webscale-rl check-run`: what a schedule asks about a run that nobody watched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from schemas.catalog import Catalog
from tests.roots import lay_out, refresh, runs_of
from tests.support import prose, prose_corpus, webscale_rl


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("check")
    output = directory / "run"
    assert webscale_rl("run", "--input", prose_corpus(directory, 30), "--output", str(output)) == 0
    return output


def test_a_run_in_its_band_is_told_and_ends_with_zero(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    band = ["--min-yield", "0", "--max-yield", "3", "--max-error-share", "0"]
    assert webscale_rl("check-run", f"{run}/", *band) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    assert "most frequent reasons" in shown.out
    assert f"{run}/manifest.json" in shown.out


def test_a_run_outside_its_band_ends_with_three_and_says_why(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert webscale_rl("check-run", str(run), "--min-yield", "5") == 3
    said = capsys.readouterr().err
    assert said.startswith(f"webscale-rl check-run: {run}: yield: ")
    assert "new documents" in said and "less than 5" in said
    assert said.count("\n") == 1


def test_a_run_that_is_not_complete_ends_with_three_whatever_its_band(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    manifest["unfinished"] = ["screen: 3 pending (budget)"]
    (tmp_path / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert webscale_rl("check-run", str(tmp_path)) == 3
    assert capsys.readouterr().err == f"webscale-rl check-run: {tmp_path}: screen: 3 pending (budget)\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "the following arguments are required: DIR"),
        (["--min-yield", "-1"], "--min-yield: -1 must be a number, 0 or more"),
        (["--max-yield", "nan"], "--max-yield: nan must be a number, 0 or more"),
        (["--max-yield", "inf"], "--max-yield: inf must be a number, 0 or more"),
        (["--max-error-share", "5"], "--max-error-share: 5 must be a share, from 0 to 1: write 2 % as 0.02"),
        (["--max-error-share", "2%"], "--max-error-share: 2% must be a number, 0 or more"),
        (["--min-yield", "2", "--max-yield", "1"], "--min-yield 2 is above --max-yield 1; exchange them"),
        (["--yield", "1"], "unrecognized arguments: --yield"),
    ],
)
def test_what_nobody_can_mean_is_refused(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert webscale_rl("check-run", *(["run", *arguments] if arguments else [])) == 2
    shown = capsys.readouterr().err
    assert said in shown
    assert shown.count("\n") == 1


def test_a_directory_without_a_manifest_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert webscale_rl("check-run", str(tmp_path)) == 2
    assert f"{tmp_path} holds no run that has ended (manifest.json)" in capsys.readouterr().err


def test_the_last_night_stands_for_a_root(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "root"
    lay_out(f"{tmp_path}/corpus", {"a": {"d1": prose(1)}, "b": {"d1 copy": prose(1)}})
    assert refresh(f"{tmp_path}/corpus", str(root)) == 0
    lay_out(f"{tmp_path}/corpus", {"a": {"d1": prose(7)}, "b": {"d1 copy": prose(1)}})
    assert refresh(f"{tmp_path}/corpus", str(root)) == 0
    first, *last = runs_of(str(root))
    assert len(last) == 2, "the changed document, then its duplicate"
    capsys.readouterr()
    assert webscale_rl("check-run", str(root), "--min-yield", "0") == 0
    assert webscale_rl("check-run", str(root), "--min-yield", "50") == 3
    shown = capsys.readouterr()
    for run in last:
        assert f"{root}/runs/{run}/manifest.json" in shown.out
        assert f"webscale-rl check-run: {root}/runs/{run}: yield: " in shown.err
    assert first not in shown.out + shown.err


def test_a_run_that_never_became_part_of_its_root_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus, root = f"{tmp_path}/corpus", tmp_path / "root"
    lay_out(corpus, {"a": {"d1": prose(1)}})
    (tmp_path / "corpus" / "broken.parquet").write_text("no Parquet")
    assert refresh(corpus, str(root)) == 3
    (failed,) = (root / "runs").iterdir()
    for added in (0, 1):
        assert len(runs_of(str(root))) == added
        capsys.readouterr()
        assert webscale_rl("check-run", str(root)) == 3
        said = capsys.readouterr().err
        assert said.startswith(f"webscale-rl check-run: {failed}: no part of the dataset: ") and said.count("\n") == 1
        (tmp_path / "corpus" / "broken.parquet").unlink(missing_ok=True)
        assert refresh(corpus, str(root)) == 0
        failed.mkdir(exist_ok=True)
        (failed / "manifest.json").write_text("{}")


def test_a_root_without_a_run_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "catalog.json").write_text(Catalog().model_dump_json(), encoding="utf-8")
    assert webscale_rl("check-run", str(tmp_path)) == 2
    assert capsys.readouterr().err == f"webscale-rl: {tmp_path} has no run yet; wait for its first refresh\n"
