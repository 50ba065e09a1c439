"""Log lines of bundles name their run and stage, and warn of what failed."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections import Counter

import apache_beam as beam
import pytest

from schemas.counts import Counts
from tests.support import collect
from transforms.lineage import LogCounts, bundle_lines

SCREENED: Counts = Counter({("screen", "in"): 5, ("screen", "kept"): 3, ("screen", "rejected"): 2})
FAILED: Counts = SCREENED + Counter({("screen", "in"): 1, ("screen", "errors"): 1, ("screen", "failure", "refused"): 1})
HELD: Counts = Counter({("judge", "in"): 2, ("judge", "pending"): 2, ("judge", "waiting", "budget"): 2})


def test_a_bundle_is_one_line_that_names_run_and_stage() -> None:
    assert list(bundle_lines("r1", SCREENED)) == [(logging.INFO, "run=r1 stage=screen in=5 kept=3 rejected=2")]


def test_what_failed_is_a_warning_with_its_class() -> None:
    (line,) = bundle_lines("r1", FAILED)
    assert line == (logging.WARNING, "run=r1 stage=screen in=6 kept=3 rejected=2 errors=1 failures.refused=1")


def test_what_waits_is_a_warning_with_its_cause() -> None:
    assert list(bundle_lines("r1", HELD)) == [
        (logging.WARNING, "run=r1 stage=judge in=2 pending=2 waiting.budget=2"),
    ]


def test_each_stage_of_merged_counts_has_a_line() -> None:
    assert [line.split()[1] for _, line in bundle_lines("r1", SCREENED + HELD)] == ["stage=screen", "stage=judge"]


def test_counts_pass_and_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="webscale_rl"):
        passed = collect(lambda pipeline: {"counts": pipeline | beam.Create([SCREENED, HELD]) | LogCounts("r7")})
    assert sorted(passed["counts"], key=repr) == sorted([SCREENED, HELD], key=repr)
    assert sorted(record.message.split(" in=")[0] for record in caplog.records if record.name == "webscale_rl") == [
        "run=r7 stage=judge",
        "run=r7 stage=screen",
    ]


IN_A_WORKER = """
import logging, sys
from collections import Counter
{before}
from transforms.lineage import _Log
log = _Log("r7")
log.setup()
print(list(log.process(Counter({{("screen", "in"): 5, ("screen", "kept"): 5}}))))
"""


@pytest.mark.parametrize(("before", "heard"), [("", True), ("logging.basicConfig(level=logging.ERROR)", False)])
def test_a_worker_whose_log_nobody_has_set_up_is_heard_and_another_stays_as_it_is(before: str, heard: bool) -> None:
    done = subprocess.run(
        [sys.executable, "-c", IN_A_WORKER.format(before=before)], capture_output=True, text=True, check=True
    )
    assert ("INFO:webscale_rl:run=r7 stage=screen in=5 kept=5" in done.stderr) is heard
    assert "Counter" in done.stdout
