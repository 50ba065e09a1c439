"""`webscale-rl doctor` starts a runner that works in processes of its own, and asks a cluster that is there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.runners.conftest import Cluster
from tests.runners.prepare import ROOT
from tests.runners.test_same_rows import ELSEWHERE
from tests.support import prose_corpus

LIMIT_S = 120


def examined(tmp_path: Path, *flags: str) -> str:
    """Return what it says where all is well, and see that nothing is left."""
    given = ["--input", prose_corpus(tmp_path, 3), "--output", str(tmp_path / "run"), *flags]
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from pipelines.cli import main; sys.exit(main())", "doctor", *given],
        cwd=ROOT, check=False, capture_output=True, text=True, timeout=LIMIT_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    assert [path.name for path in tmp_path.iterdir()] == ["prose-0-3.parquet"]
    return done.stdout


@pytest.mark.parametrize("name", ["Prism", "Spark local[2]"])
def test_a_runner_that_the_client_starts_ends_a_job(name: str, tmp_path: Path) -> None:
    said = examined(tmp_path, *ELSEWHERE[name])
    runner = ELSEWHERE[name][0].partition("=")[2]
    assert f"ok   runner   {runner} ended a job in " in said


def test_a_flink_cluster_ends_a_job(cluster: Cluster, tmp_path: Path) -> None:
    assert "ok   runner   FlinkRunner ended a job in " in examined(tmp_path, *cluster.flags)
    assert [job["state"] for job in cluster.flink.jobs() if "doctor" in job["name"]] == ["FINISHED"]
