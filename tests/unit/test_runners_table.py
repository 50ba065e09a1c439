"""What is sensible with each runner, whether it can be reached, and when a job needs its client."""

from __future__ import annotations

import contextlib
import http.server
import json
import re
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.options import UsageError
from pipelines.reach import reach
from pipelines.runners import RUNNERS, NotFoundError, examples, held_by_client, runner_of, with_defaults
from pipelines.workers import worker_processes
from tests.support import prose_corpus, webscale_rl

ROOT = Path(__file__).parents[2]
FLINK, SPARK, PRISM = "--runner=FlinkRunner", "--runner=SparkRunner", "--runner=PrismRunner"
PORTABLE, DATAFLOW = "--runner=PortableRunner", "--runner=DataflowRunner"


def given(*flags: str) -> dict[str, Any]:
    return with_defaults(PipelineOptions(list(flags))).get_all_options()  # type: ignore[no-any-return]


def test_no_other_file_of_the_package_names_a_runner() -> None:
    names = re.compile(rf"\b({'|'.join(RUNNERS)})\b")
    rooms = ("schemas", "prompts", "rewards", "transforms", "pipelines")
    naming = {path.name for room in rooms for path in (ROOT / room).rglob("*.py") if names.search(path.read_text())}
    assert naming == {"runners.py"}


def test_the_help_and_the_readme_have_the_lines_that_a_user_types(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        webscale_rl("run", "--help")
    shown, readme = capsys.readouterr().out, (ROOT / "README.md").read_text(encoding="utf-8")
    for name in ("FlinkRunner", "SparkRunner", "PrismRunner", "DataflowRunner"):
        assert f"--runner {name} " in shown and f"--runner {name} " in readme
    assert examples() in shown


@pytest.mark.parametrize(
    ("flags", "environment"),
    [
        ([], None),
        ([PRISM], "LOOPBACK"),
        ([PRISM, "--job_endpoint=host:8073"], None),
        ([FLINK], "LOOPBACK"),
        ([FLINK, "--flink_master=[local]"], "LOOPBACK"),
        ([FLINK, "--flink_master=host:8081"], None),
        ([FLINK, "--environment_type=DOCKER"], "DOCKER"),
        ([SPARK], "LOOPBACK"),
        ([SPARK, "--spark_master_url=local[2]"], "LOOPBACK"),
        ([SPARK, "--spark_master_url=spark://host:7077"], None),
        ([SPARK, "--spark_submit_uber_jar", "--spark_rest_url=http://host:6066"], None),
        ([DATAFLOW], None),
        (["--runner=some.where.StrangeRunner"], None),
    ],
)
def test_where_nothing_is_said_the_workers_are_where_they_can_be(flags: list[str], environment: str | None) -> None:
    assert given(*flags)["environment_type"] == environment


def test_what_the_user_has_set_stays_as_it_was() -> None:
    flags = [PRISM, "--experiments=a", "--experiments=b", "--direct_num_workers=3", "--no_use_public_ips"]
    before = PipelineOptions(flags).get_all_options(drop_default=True)
    assert given(*flags).items() >= before.items()


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        ([], "the local runner works in this process"),
        (["--runner=DirectRunner"], "the local runner works in this process"),
        ([FLINK, "--flink_master=host:8081"], None),
        ([FLINK, "--flink_master=host:8081", "--environment_type=LOOPBACK"], "the workers are in this process"),
        ([FLINK, "--environment_type=DOCKER"], "the cluster is in this process"),
        ([SPARK], "the workers are in this process"),
        ([SPARK, "--spark_master_url=spark://host:7077"], "the driver is in this process"),
        ([SPARK, "--spark_submit_uber_jar", "--spark_rest_url=http://host:6066"], None),
        ([PRISM], "the workers are in this process"),
        ([PRISM, "--environment_type=DOCKER"], "the runner is started by this process"),
        ([PRISM, "--job_endpoint=host:8073"], None),
        ([PORTABLE, "--job_endpoint=embed"], "the runner is started by this process"),
        ([PORTABLE, "--job_endpoint=host:8099"], None),
        ([DATAFLOW], None),
        (["--runner=some.where.StrangeRunner"], "nothing is known here"),
    ],
)
def test_what_a_job_needs_of_its_client(flags: list[str], reason: str | None) -> None:
    held = held_by_client(given(*flags))
    assert held is None if reason is None else reason in str(held)


@pytest.mark.parametrize(
    ("machine", "workers"),
    [
        (None, 6),
        ("n1-standard-1", 6),
        ("n2-highmem-8", 48),
        ("custom-4-8192", 24),
        ("n2-custom-4-8192", 24),
        ("n2-custom-4-8192-ext", 24),
    ],
)
def test_dataflow_starts_a_process_for_each_virtual_processor(machine: str | None, workers: int) -> None:
    flags = [DATAFLOW, "--max_num_workers=6", *([f"--worker_machine_type={machine}"] if machine else [])]
    assert worker_processes(None, PipelineOptions(flags)) == workers


@contextlib.contextmanager
def answering(replies: Mapping[str, Any], status: int = 200) -> Iterator[str]:
    """Serve replies, JSON or text, by their paths; yields "host:port"."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            reply = replies.get(self.path)
            self.send_response(404 if reply is None else status)
            self.end_headers()
            self.wfile.write((reply if isinstance(reply, str) else json.dumps(reply)).encode())

        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def jar(tmp_path: Path) -> str:
    path = tmp_path / "job-server.jar"
    path.touch()
    return f"--flink_job_server_jar={path}"


def cluster(version: str = "1.19.3", slots: int = 6) -> dict[str, Any]:
    return {"/v1/overview": {"flink-version": version, "slots-total": slots, "taskmanagers": 3}}


def reached(*flags: str) -> dict[str, Any]:
    return reach(with_defaults(PipelineOptions(list(flags)))).get_all_options()  # type: ignore[no-any-return]


def refusal(*flags: str) -> str:
    began = time.monotonic()
    with pytest.raises(UsageError) as refused:
        reached(*flags)
    assert time.monotonic() < began + 8
    assert "\n" not in str(refused.value)
    return str(refused.value)


JAVA = "--job_server_java_launcher=sh"


def test_a_cluster_says_how_many_slots_there_are(jar: str) -> None:
    with answering(cluster()) as address:
        for master in (address, f"http://{address}/"):
            assert reached(FLINK, f"--flink_master={master}", jar, JAVA)["parallelism"] == 6
        assert reached(FLINK, f"--flink_master={address}", jar, JAVA, "--parallelism=2")["parallelism"] == 2
    with answering(cluster(slots=0)) as address:
        assert reached(FLINK, f"--flink_master={address}", jar, JAVA)["parallelism"] == -1


def test_a_cluster_of_a_version_that_beam_has_no_job_server_for(jar: str) -> None:
    with answering(cluster("1.16.2")) as address:
        said = refusal(FLINK, f"--flink_master={address}")
        assert said.startswith(f"--flink_master: {address} runs Flink 1.16, and Beam has job servers for ")
        assert said.endswith("name one of yours with --flink_job_server_jar")
        assert reached(FLINK, f"--flink_master={address}", jar)["parallelism"] == 6


@pytest.fixture
def closed() -> Iterator[str]:
    with socket.socket() as bound:  # bound and not listening, so that nobody else is given the port
        bound.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{bound.getsockname()[1]}"


@pytest.mark.parametrize(
    ("flag", "flags"),
    [
        ("--flink_master", [FLINK]),
        ("--job_endpoint", [FLINK]),
        ("--job_endpoint", [PORTABLE]),
        ("--job_endpoint", [PRISM]),
        ("--job_endpoint", [SPARK]),
    ],
)
def test_what_does_not_answer_is_named_with_the_remedy(flag: str, flags: list[str], closed: str) -> None:
    said = refusal(*flags, f"{flag}={closed}", JAVA)
    assert said == f"{flag}: nothing answers at {closed} (Connection refused); start it, or correct the address"


def test_a_master_of_spark_that_does_not_answer(closed: str) -> None:
    assert refusal(SPARK, f"--spark_master_url=spark://{closed}", JAVA).startswith(
        f"--spark_master_url: nothing answers at {closed} (Connection refused)"
    )


@pytest.mark.parametrize("master", ["spark://host-a:7077,host-b:7077", "yarn", "k8s://https://host:443"])
def test_a_master_that_is_not_one_address_is_not_tried(master: str) -> None:
    options = given(SPARK, f"--spark_master_url={master}")
    assert runner_of(options).service(options) is None


@pytest.mark.parametrize("replies", [{}, {"/v1/overview": "<html>"}, {"/v1/overview": {"pods": 1}}])
def test_something_else_that_answers_is_no_cluster(replies: dict[str, Any], jar: str) -> None:
    with answering(replies) as address:
        said = refusal(FLINK, f"--flink_master={address}", jar, JAVA)
        assert said == f"--flink_master: what answers at {address} takes no jobs; correct the address"


@pytest.mark.parametrize("address", ["host", "host:", ":8099", "host:port"])
def test_an_address_without_a_port(address: str) -> None:
    assert refusal(PORTABLE, f"--job_endpoint={address}") == (
        f"--job_endpoint: {address} is no HOST:PORT; correct the address"
    )


@pytest.mark.parametrize(
    ("runner", "flag"),
    [(FLINK, "--flink_job_server_jar"), (SPARK, "--spark_job_server_jar"), (PRISM, "--prism_location")],
)
def test_a_program_that_is_not_where_it_should_be(runner: str, flag: str, tmp_path: Path) -> None:
    said = refusal(runner, JAVA, f"{flag}={tmp_path}/absent")
    assert said == f"{flag} {tmp_path}/absent is no file; correct the path, or leave the flag out"


@pytest.mark.parametrize("runner", [FLINK, SPARK])
def test_a_java_that_is_not_there(runner: str) -> None:
    said = refusal(runner, "--job_server_java_launcher=java-of-no-machine")
    assert said.startswith("--job_server_java_launcher: java-of-no-machine is not to be found; install")


@pytest.mark.parametrize(
    ("runner", "of_beam", "flag"),
    [
        (FLINK, "job_server.JavaJarJobServer.local_jar", "--flink_job_server_jar"),
        (SPARK, "job_server.JavaJarJobServer.local_jar", "--spark_job_server_jar"),
        (PRISM, "prism_runner.PrismJobServer.local_bin", "--prism_location"),
    ],
)
def test_a_download_that_fails(runner: str, of_beam: str, flag: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("Unable to fetch\nhttp://repository/job.jar")

    monkeypatch.setattr(f"apache_beam.runners.portability.{of_beam}", fail)
    said = refusal(runner, JAVA)
    assert "Unable to fetch http://repository/job.jar" in said and said.endswith(f"name a copy of yours with {flag}")


def overview(*jobs: tuple[str, str, str, int]) -> dict[str, Any]:
    names = ("name", "jid", "state", "start-time")
    return {"/v1/jobs/overview": {"jobs": [dict(zip(names, job, strict=True)) for job in jobs]}}


def test_a_job_is_looked_for_by_its_name() -> None:
    with answering(overview(("another", "1", "RUNNING", 3), ("mine", "2", "RUNNING", 2))) as address:
        options = given(FLINK, f"--flink_master={address}")
        assert runner_of(options).page(options, "mine", None) == f"http://{address}/#/job/running/2"
        with pytest.raises(NotFoundError, match=f"the cluster at http://{address} shows no job absent"):
            runner_of(options).page(options, "absent", None)


@pytest.mark.parametrize(
    ("jobs", "shown"),
    [
        ((("mine", "1", "RESTARTING", 1), ("mine", "2", "FINISHED", 2), ("mine", "3", "FAILED", 3)), "1"),
        ((("mine", "1", "RUNNING", 2), ("mine", "2", "CREATED", 1)), "1"),
        ((("mine", "1", "FINISHED", 2), ("mine", "2", "CANCELED", 1)), "1"),
    ],
)
def test_of_jobs_with_one_name_the_last_at_work_is_shown(jobs: tuple[Any, ...], shown: str) -> None:
    with answering(overview(*jobs)) as address:
        options = given(FLINK, f"--flink_master={address}")
        assert runner_of(options).page(options, "mine", None).endswith(f"/{shown}")


def test_a_password_in_the_address_of_a_cluster_is_not_told() -> None:
    with answering(overview(("mine", "2", "RUNNING", 2))) as address:
        options = given(FLINK, f"--flink_master=http://user:word@{address}")
        assert runner_of(options).page(options, "mine", None) == f"http://[redacted]@{address}/#/job/running/2"
        with pytest.raises(NotFoundError, match=rf"the cluster at http://\[redacted\]@{address} shows no job absent"):
            runner_of(options).page(options, "absent", None)
        said = refusal(FLINK, f"--flink_master=http://user:word@{address}")
        assert said == f"--flink_master: what answers at [redacted]@{address} takes no jobs; correct the address"


@pytest.mark.parametrize("runner", ["PrismRunner", "SparkRunner", "PortableRunner", "DataflowRunner", "FlinkRunner"])
def test_a_job_that_is_known_by_name_alone_is_not_cancelled_by_most_runners(runner: str) -> None:
    options = given(f"--runner={runner}", "--job_endpoint=localhost:8099")
    with pytest.raises(NotFoundError, match=r"only what submitted the job mine can cancel it"):
        runner_of(options).cancel(options, "mine", None)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ([], "--no-wait: nothing would run without this client, as the local runner works in this process"),
        ([FLINK], "with --environment_type=LOOPBACK the workers are in this process"),
        (["--llm-mode=batch"], "--no-wait: rounds of batches need a client that goes on"),
    ],
)
def test_a_client_that_is_needed_does_not_leave(
    flags: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "run"
    arguments = ["--input", prose_corpus(tmp_path, 1), "--output", str(output), "--no-wait", *flags]
    assert webscale_rl("run", *arguments) == 2
    assert said in capsys.readouterr().err
    assert not list(output.glob("*")), "nothing of the run has begun"
