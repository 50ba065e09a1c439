"""A job is submitted, followed or left; what a client may not do with a directory that a job works in."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions

from pipelines import submit
from pipelines.options import UsageError
from pipelines.progress import Outlook
from pipelines.rundir import check_idle, take_run, using
from pipelines.runners import RUNNERS, NotFoundError, Runner
from schemas.config import STAGES
from tests.support import webscale_rl
from transforms.commit import RunFacts
from transforms.output import MANIFEST, OWNER

OUTLOOK = Outlook(("read",), 1, here=False)


class Job:
    """A pipeline that has been handed to a runner, and the result it gives; either may fail."""

    def __init__(
        self, refused: BaseException | None = None, ends: BaseException | None = None, *, name: str = "mine"
    ) -> None:
        self.options = PipelineOptions(["--runner=TestedRunner", f"--job_name={name}"])
        self.refused, self.ends = refused, ends
        self.cancelled: list[str] = []
        self.state = "RUNNING"

    def run(self) -> Job:
        if self.refused is not None:
            raise self.refused
        self.options = PipelineOptions([])  # as Beam, which forgets the runner
        return self

    def wait_until_finish(self) -> None:
        if self.ends is not None:
            raise self.ends

    def metrics(self) -> Any:
        raise ConnectionError

    def cancel(self) -> None:
        self.cancelled.append("by its result")


@pytest.fixture
def tested(monkeypatch: pytest.MonkeyPatch) -> None:
    def cancel(given: Any, name: str, result: Job) -> None:
        result.cancelled.append(name)
        raise ConnectionError("the cluster has gone too")

    runner = Runner(page=lambda given, name, result: f"http://{given['runner']}/{name}", cancel=cancel)
    monkeypatch.setattr("pipelines.runners.RUNNERS", {**RUNNERS, "TestedRunner": runner})


def facts(output: Path) -> RunFacts:
    return RunFacts(str(output), STAGES, None, 1, 0.05, 0.0, "run", {})


def ended(output: Path, run_id: str = "run") -> RunFacts:
    (output / "scratch" / "run").mkdir(parents=True)
    (output / "scratch" / "run" / "again.parquet").touch()
    (output / MANIFEST).write_text(json.dumps({"run_id": run_id}), encoding="utf-8")
    return facts(output)


@pytest.mark.usefixtures("tested")
def test_a_job_that_is_left_is_named_with_its_page() -> None:
    assert submit.leave(Job(), "run") == "http://TestedRunner/mine"


@pytest.mark.usefixtures("tested")
def test_what_a_runner_refuses_a_job_with_is_one_line() -> None:
    job = Job(refused=RuntimeError("no room\n for http://user:word@host " + "x" * 1000))
    for hand_over in (
        lambda job: submit.leave(job, "run"),
        lambda job: submit.follow(job, facts(Path("out")), OUTLOOK),
    ):
        with pytest.raises(UsageError) as refused:
            hand_over(job)
        said = str(refused.value)
        assert said.startswith(
            "--runner TestedRunner does not take the job: RuntimeError no room for http://[redacted]@"
        )
        assert "\n" not in said and len(said) < 500


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (NotFoundError("the cluster at host shows no job mine"), "NotFoundError the cluster at host shows no job mine"),
        (
            requests.ReadTimeout("http://user:word@host:\n read timed out"),
            "ReadTimeout http://[redacted]@host: read timed",
        ),
        (KeyError("jobs"), "KeyError 'jobs'"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
    ],
)
def test_a_job_whose_page_cannot_be_fetched_is_at_work_all_the_same(
    error: BaseException, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def page(given: Any, name: str, result: Any) -> str:
        raise error

    monkeypatch.setattr("pipelines.runners.RUNNERS", {"TestedRunner": Runner(page=page)})
    told = submit.leave(Job(), "run")
    assert told.startswith(f"job mine (its page could not be fetched: {said}")
    assert "\n" not in told


@pytest.mark.usefixtures("tested")
def test_a_job_that_has_failed_at_once_is_an_error() -> None:
    job = Job()
    job.state = "FAILED"
    with pytest.raises(
        UsageError, match=r"^the job was submitted and has failed at once; see http://TestedRunner/mine$"
    ):
        submit.leave(job, "run")


@pytest.fixture
def by_name(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the jobs that a runner is told to cancel, of which it knows the names."""
    cancelled: list[str] = []

    def cancel(given: Any, name: str, result: Any) -> None:
        assert result is None and given["runner"] == "TestedRunner"
        cancelled.append(name)

    monkeypatch.setattr("pipelines.runners.RUNNERS", {"TestedRunner": Runner(cancel=cancel)})
    return cancelled


HANDED_OVER: dict[str, Callable[[Any], object]] = {
    "followed": lambda job: submit.follow(job, facts(Path("out")), OUTLOOK),
    "left": lambda job: submit.leave(job, "run"),
}


@pytest.mark.parametrize("how", HANDED_OVER)
@pytest.mark.parametrize("refused", [KeyboardInterrupt(), requests.ReadTimeout("too late")])
def test_what_may_have_been_submitted_is_cancelled_by_its_name(
    how: str, refused: BaseException, by_name: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises((KeyboardInterrupt, UsageError)):
        HANDED_OVER[how](Job(refused, name=submit.job_of("run")))
    assert by_name == ["webscale-rl-run"]
    assert "may have been submitted" not in capsys.readouterr().err


@pytest.mark.parametrize("how", HANDED_OVER)
def test_a_name_that_others_may_have_is_not_cancelled_but_told(
    how: str, by_name: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(KeyboardInterrupt):
        HANDED_OVER[how](Job(KeyboardInterrupt()))
    assert by_name == []
    said = "webscale-rl: a job mine may have been submitted to TestedRunner; look there\n"
    assert said in capsys.readouterr().err


def test_a_runner_that_cancels_by_the_result_alone_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pipelines.runners.RUNNERS", {"TestedRunner": Runner()})
    with pytest.raises(KeyboardInterrupt):
        submit.leave(Job(KeyboardInterrupt(), name=submit.job_of("run")), "run")
    assert "a job webscale-rl-run may have been submitted to TestedRunner; look there" in capsys.readouterr().err


def test_options_stay_as_they_are_so_that_each_round_has_a_name_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submit, "build_qa", lambda pipeline, run: None)
    options = PipelineOptions(["--runner=PortableRunner", "--job_endpoint=host:8099"])
    before = options.get_all_options()
    names = []
    for run_id in ("One", "Two"):
        run: Any = SimpleNamespace(facts=dataclasses.replace(facts(tmp_path), run_id=run_id))
        pipeline = submit.pipeline_of(options, run)
        names.append(pipeline.options.get_all_options()["job_name"])
        pipeline.options.view_as(StandardOptions).runner = None  # as Beam does when it has the job
    assert names == ["webscale-rl-one", "webscale-rl-two"]
    assert options.get_all_options() == before


def test_a_name_that_the_user_gives_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submit, "build_qa", lambda pipeline, run: None)
    run: Any = SimpleNamespace(facts=facts(tmp_path))
    pipeline = submit.pipeline_of(PipelineOptions(["--job_name=nightly"]), run)
    assert pipeline.options.get_all_options()["job_name"] == "nightly"


@pytest.mark.usefixtures("tested")
@pytest.mark.parametrize("ends", [KeyboardInterrupt(), RuntimeError("a bundle has failed five times")])
def test_a_job_whose_client_goes_is_cancelled(ends: BaseException, tmp_path: Path) -> None:
    job = Job(ends=ends)
    with pytest.raises(type(ends)) as raised:
        submit.follow(job, facts(tmp_path), OUTLOOK)
    assert raised.value is ends and job.cancelled == ["mine"]


def test_a_failure_with_a_known_remedy_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = RuntimeError("java.io.IOException: Insufficient number of network buffers: required 512\n at trace")
    job = Job(ends=failed)
    job.options = PipelineOptions(["--runner=FlinkRunner", "--job_name=mine"])
    with pytest.raises(submit.JobError) as raised:
        submit.follow(job, facts(tmp_path), OUTLOOK)
    assert "taskmanager.memory.network.min" in str(raised.value) and "\n" not in str(raised.value)
    monkeypatch.setattr("pipelines.run.run", lambda _: (_ for _ in ()).throw(raised.value))
    assert webscale_rl("run", "--input", "x", "--output", "y") == 1
    assert capsys.readouterr().err.endswith("; the same command goes on from the cache\n")


@pytest.mark.usefixtures("tested")
def test_a_job_that_fails_behind_its_last_step_has_done_its_work(tmp_path: Path) -> None:
    submit.follow(Job(ends=RuntimeError("the last step has been tried again")), ended(tmp_path), OUTLOOK)
    assert not (tmp_path / "scratch" / "run").exists()


@pytest.mark.usefixtures("tested")
def test_a_job_that_fails_after_another_run_has_ended_there_has_not(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="lost"):
        submit.follow(Job(ends=RuntimeError("lost")), ended(tmp_path, "another"), OUTLOOK)


def test_a_jobs_name_is_one_that_every_runner_allows() -> None:
    assert submit.job_of("20270131T010203Z-0a1b2c3d") == "webscale-rl-20270131t010203z-0a1b2c3d"


def test_a_directory_in_which_a_job_works_is_refused_whoever_asks(tmp_path: Path) -> None:
    take_run(str(tmp_path), "run", "mine")
    with pytest.raises(UsageError, match=rf"{OWNER}: run run was submitted .* as mine, .* delete that file"):
        check_idle(str(tmp_path))
    (tmp_path / OWNER).unlink()
    check_idle(str(tmp_path))


def test_what_a_job_uses_stays_signed_until_its_last_step(tmp_path: Path) -> None:
    path = str(tmp_path / "in_use.json")
    with using([path], "run", "mine"):
        pass
    with pytest.raises(UsageError, match="as mine"), using([path], "later"):
        pass
    assert json.loads(Path(path).read_text(encoding="utf-8"))["run_id"] == "run"


def test_what_a_job_would_have_used_is_free_when_it_was_not_submitted(tmp_path: Path) -> None:
    path = str(tmp_path / "in_use.json")
    with pytest.raises(UsageError, match="refused"), using([path], "run", "mine"):
        raise UsageError("refused")
    assert not Path(path).exists()
