"""What the tests of whole runs in batch mode share."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from tests.model_server import ModelServer
from tests.openai_clients import closing_clients
from tests.support import webscale_rl
from transforms.llm.batch.journal import Batch, Journal

WAIT = ("--llm-mode", "batch", "--wait")


@contextlib.contextmanager
def quick_batches() -> Iterator[None]:
    """Look at the provider often, and take a call that a dead process made for done."""
    poll, settle = "pipelines.batch._FIRST_POLL_S", "transforms.llm.batch.rounds.SETTLE_S"
    with mock.patch(poll, 0.02), mock.patch(settle, 0.0), closing_clients():
        yield


def run(corpus: str, output: Path, server: ModelServer, *flags: str) -> int:
    model = ("--model", "openai/test", "--api-base", server.base_url)
    return webscale_rl("run", "--input", corpus, "--output", str(output), *model, *flags)


def batches_of(output: Path) -> list[Batch]:
    return Journal(str(output)).batches()


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    """Return what was said of an error: one line."""
    err = [line for line in capsys.readouterr().err.splitlines() if line.startswith("webscale-rl: ")]
    assert len(err) == 1
    return err[0]


def collect_all(output: Path) -> None:
    """Collect until no batch is under way. Each look leaves a connection open: no tight loop."""
    while (code := webscale_rl("batch", "collect", str(output))) == 3:
        time.sleep(0.05)
    assert code == 0
