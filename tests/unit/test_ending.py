"""What is told of a run that did not come to its end."""

from __future__ import annotations

import pytest

import pipelines.ending
from pipelines.ending import UNFINISHED, report
from schemas.config import RunConfig


@pytest.mark.parametrize(
    ("alone", "remedy"), [(True, "add --retry-errors, which asks"), (False, "refresh again, which")]
)
def test_what_failed_in_batches_is_asked_again_by_what_the_command_knows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], alone: bool, remedy: str
) -> None:
    monkeypatch.setattr(pipelines.ending, "summary", lambda *_: "")
    monkeypatch.setattr(pipelines.ending, "first_error", lambda *_: "")
    config = RunConfig(input=["a.parquet"], output="run", llm_mode="batch")
    manifest = {"unfinished": ["judge: 9 of 9 ended as errors"], "stages": [], "rows": {}, "cost": {"usd": 0.0}}
    assert report(config, manifest, True, alone=alone) == UNFINISHED
    said = capsys.readouterr().err
    assert remedy in said and ("--retry-errors" in said) == alone
