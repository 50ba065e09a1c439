"""What an earlier run left in a directory: what is damaged or of another version is one line, and stays as it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.options import UsageError
from pipelines.rundir import check_run, read_manifest, sign, waits_for_batches
from tests.support import webscale_rl

ABOUT = {"config": {"models": {}}, "prompts": {}}


def check(output: Path, *, overwrite: bool = False, retry_errors: bool = False) -> None:
    check_run(str(output), ABOUT, overwrite=overwrite, retry_errors=retry_errors)


@pytest.mark.parametrize("left", ["", "{", "[]", "null", '{"run_id": '])
def test_a_damaged_signature_is_named_with_the_remedy(tmp_path: Path, left: str) -> None:
    (tmp_path / "scratch").mkdir()
    owner = tmp_path / "scratch" / "owner.json"
    owner.write_text(left, encoding="utf-8")
    if left == "[]":
        check(tmp_path)  # names nobody
        return
    with pytest.raises(UsageError, match=rf"^{owner}, which names the run at work .*; delete it if no run of ours is$"):
        check(tmp_path)
    assert owner.read_text(encoding="utf-8") == left


def test_a_dead_run_is_gone_on_from(tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    for owner in ({}, {"run_id": "r", "host": "elsewhere", "pid": 1, "started": "noon"}):
        (tmp_path / "scratch" / "owner.json").write_text(json.dumps(owner), encoding="utf-8")
        check(tmp_path)


def test_errors_of_another_versions_run_are_not_retried(tmp_path: Path) -> None:
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / "manifest.json").write_text('{"config": {}, "documents": 3}', encoding="utf-8")
    said = rf"^{tmp_path}/manifest.json lacks prompts, stages, another version of .*start it again with --overwrite$"
    with pytest.raises(UsageError, match=said):
        check(tmp_path, retry_errors=True)
    check(tmp_path, overwrite=True)


@pytest.mark.parametrize("left", ["", "{", "[1]", "3", "null"])
def test_a_damaged_manifest_hinders_only_who_needs_it(tmp_path: Path, left: str) -> None:
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / "manifest.json").write_text(left, encoding="utf-8")
    with pytest.raises(UsageError, match=r"manifest.json cannot be read: .*; is .* a run's --output\?$"):
        check(tmp_path, retry_errors=True)
    with pytest.raises(UsageError, match=r"manifest.json cannot be read: "):
        read_manifest(str(tmp_path))
    check(tmp_path, overwrite=True)
    assert not waits_for_batches(str(tmp_path))


def test_what_has_no_manifest_is_told_apart(tmp_path: Path) -> None:
    run = tmp_path / "run"
    says = f"^there is no directory {run}; name a run's --output"
    for make, then in (
        (run.mkdir, rf"^{run} holds no run that has ended \(manifest.json\); name a run's --output"),
        ((run / "cache").mkdir, rf"^{run} holds no run that has ended \(manifest.json\); name"),
        (
            lambda: sign(f"{run}/scratch/owner.json", "r"),
            f"^{run} holds a run that has not ended; give the same command again",
        ),
        ((run / "manifest.json").mkdir, "^.*manifest.json cannot be read: Is a directory; is .* a run's --output"),
    ):
        with pytest.raises(UsageError, match=says):
            read_manifest(str(run))
        make()
        says = then
    with pytest.raises(UsageError, match=says):
        read_manifest(str(run))


@pytest.mark.parametrize("command", [("report",), ("export", "--to", "trl", "--output", "new"), ("inspect", "an-id")])
def test_each_command_says_that_a_run_was_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    sign("killed/scratch/owner.json", "r")
    name, *others = command
    assert webscale_rl(name, "killed", *others) == 2
    said = "killed holds a run that has not ended; give the same command again, unless it is at work\n"
    assert capsys.readouterr().err == f"webscale-rl: {said}"


def test_only_a_manifest_says_what_waits(tmp_path: Path) -> None:
    assert not waits_for_batches(str(tmp_path))
    for rows, waits in (({"pending": 2}, True), ({"pending": 0}, False), ({}, False)):
        (tmp_path / "manifest.json").write_text(json.dumps({"rows": rows}), encoding="utf-8")
        assert waits_for_batches(str(tmp_path)) is waits
