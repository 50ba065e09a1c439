"""A job that somebody else starts, once this process has ended."""

from __future__ import annotations

import pytest

from pipelines.options import UsageError, parse_run
from pipelines.runners import runner_of

FLAGS = ("--input", "gs://b/*.parquet", "--output", "gs://b/run", "--runner", "DataflowRunner", "--project", "p")
TEMPLATE = "--template_location=gs://b/staging/job_object"


def test_whoever_is_launched_from_a_template_waits_for_nothing() -> None:
    assert parse_run([*FLAGS, TEMPLATE]).no_wait
    assert not parse_run(FLAGS).no_wait


def test_other_runners_know_no_launcher() -> None:
    assert not parse_run([*FLAGS[:4], "--runner", "FlinkRunner", TEMPLATE]).no_wait


def test_the_place_of_the_job_is_where_to_look() -> None:
    given = parse_run([*FLAGS, TEMPLATE]).beam.get_all_options()
    assert runner_of(given).page(given, "nightly", None) == "Dataflow starts nightly from gs://b/staging/job_object"


def test_rounds_of_batches_are_no_job_for_a_launcher() -> None:
    with pytest.raises(UsageError, match=r"^--template_location: rounds of batches need a client that goes on"):
        parse_run([*FLAGS, TEMPLATE, "--llm-mode", "batch"])
