"""What is sensible with each of Beam's runners: the one place that knows their names.

All else asks this table about the runner that `--runner` names; one that is not in it has no defaults of ours.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from apache_beam.options.pipeline_options import FlinkRunnerOptions, PipelineOptions

from transforms.llm.failures import mask

Given = Mapping[str, Any]
"""Beam's options by their names, with its own defaults."""

_LOOPBACK: Final = {"environment_type": "LOOPBACK"}
_PATIENCE_S: Final = 10.0


class NotFoundError(LookupError):
    """A runner does not show a job that it was given; the message says where it was looked for."""


@dataclass(frozen=True, slots=True)
class Service:
    """What must answer before a job is submitted.

    Attributes:
      flag: the option that names it.
      address: "host:port", or the URL of something that answers in JSON.
      learn: from that answer, options that the user has left open; raises ValueError where it does not fit them.
    """

    flag: str
    address: str
    learn: Callable[[Mapping[str, Any], Given], Mapping[str, Any]] | None = None


@dataclass(frozen=True, slots=True)
class Program:
    """What the client starts to submit a job.

    Attributes:
      flag: the option that names its file.
      file: the file, if the user names one.
      fetch: what Beam does to get it otherwise; fails with what Beam says.
      interpreter: the program that runs it, and the option that names that.
    """

    flag: str
    file: str | None
    fetch: Callable[[PipelineOptions], object]
    interpreter: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Runner:
    """What is known of a runner; every function is given Beam's options.

    Attributes:
      local: it works in processes of its own on this machine.
      defaults: options for what the user has left open.
      service: what must answer first.
      program: what is started here for it.
      held: why a job cannot outlive its client, null where it can.
      launcher: the option by which somebody else says that he will start the job, null where the client does.
      processes: worker processes of one worker, 0 where it decides itself.
      page: where a person looks at a job that was submitted, by its name and the result.
      cancel: ends a job, as `page` is told of it, or by its name alone where the result is null; raises
        `NotFoundError` where it cannot.
      remedies: words that a job fails with, and what to do about it.
      example: the flags that a user types.
    """

    local: bool = False
    defaults: Callable[[Given], Mapping[str, Any]] = lambda given: {}
    service: Callable[[Given], Service | None] = lambda given: None
    program: Callable[[Given], Program | None] = lambda given: None
    held: Callable[[Given], str | None] = lambda given: None
    launcher: Callable[[Given], str | None] = lambda given: None
    processes: Callable[[Given], int] = lambda given: 1
    page: Callable[[Given, str, Any], str] = lambda given, job, result: f"job {job}"
    cancel: Callable[[Given, str, Any], object] = lambda given, job, result: _cancel(job, result)
    remedies: tuple[tuple[str, str], ...] = ()
    example: str = ""


def runner_of(given: Given) -> Runner:
    """Return the row of the runner that the options name."""
    return RUNNERS.get(str(given["runner"] or LOCAL_RUNNER).rpartition(".")[2], _UNKNOWN)


def with_defaults(options: PipelineOptions) -> PipelineOptions:
    """Return options with what is sensible for their runner where the user has left them open."""
    given = options.get_all_options()
    return with_options(options, runner_of(given).defaults(given))


def with_options(options: PipelineOptions, more: Mapping[str, Any]) -> PipelineOptions:
    """Return a copy of options with some more; what the user has set stays."""
    chosen = options.get_all_options(drop_default=True, retain_unknown_options=True)
    return PipelineOptions.from_dictionary({**more, **chosen})


def examples() -> str:
    """Return the flags that a user types for each runner, a line each."""
    typed = [f"  --runner {name} {runner.example}" for name, runner in RUNNERS.items() if runner.example]
    return "\n".join(typed)


def cancelled(given: Given, job: str, result: Any) -> bool:
    """Cancel a job, and return whether that was done; what it failed with, or why it is cancelled, is what counts.

    Args:
      result: of its submission; null where its name is all that is known.
    """
    try:
        runner_of(given).cancel(given, job, result)
    except Exception:
        return False
    return True


def held_by_client(given: Given) -> str | None:
    """Return why a job cannot outlive the client that submits it; null where it can."""
    runner = runner_of(given)
    if runner.local:
        return "the local runner works in this process"
    if given["environment_type"] == "LOOPBACK":
        return "with --environment_type=LOOPBACK the workers are in this process"
    return runner.held(given)


def _cancel(job: str, result: Any) -> None:
    if result is None:
        raise NotFoundError(f"only what submitted the job {job} can cancel it")
    result.cancel()


# ---- a job service at --job_endpoint, whoever serves it


def _endpoint(given: Given) -> Service | None:
    address = given["job_endpoint"]
    return None if address in (None, "embed") else Service("--job_endpoint", address)


def _server_is_ours(given: Given) -> str | None:
    if _endpoint(given) is None:
        return "the runner is started by this process and ends with it; start one apart and name its --job_endpoint"
    return None


def _job_page(given: Given, job: str, result: Any) -> str:
    return f"job {job} of the job service at {given['job_endpoint']}"


# ---- Flink


def _on_flink(given: Given) -> bool:
    return given["flink_master"] not in ("[local]", "[auto]")


_ON_FLINK: Final = (
    (
        "Insufficient number of network buffers",
        "the cluster has too few of them for this plan: set taskmanager.memory.network.min and .max to 512m or more",
    ),
    ("NoResourceAvailableException", "the cluster has no free slots: lower --parallelism, or wait for its other jobs"),
)


_ENDED_ON_FLINK: Final = frozenset({"FINISHED", "FAILED", "CANCELED"})


def _flink_url(given: Given) -> str:
    master = str(given["flink_master"]).strip().rstrip("/")
    return master if "://" in master else f"http://{master}"


def _flink_defaults(given: Given) -> dict[str, Any]:
    if given["job_endpoint"]:
        return {}
    # A job server of the client's would take what it staged with it, and tells no metrics before the end.
    return {"flink_submit_uber_jar": True} if _on_flink(given) else _LOOPBACK


def _flink_service(given: Given) -> Service | None:
    if given["job_endpoint"]:
        return _endpoint(given)
    if not _on_flink(given):
        return None
    return Service("--flink_master", f"{_flink_url(given)}/v1/overview", _from_flink)


def _from_flink(cluster: Mapping[str, Any], given: Given) -> dict[str, Any]:
    version = ".".join(str(cluster["flink-version"]).split(".")[:2])
    known = FlinkRunnerOptions.PUBLISHED_FLINK_VERSIONS
    if not given["flink_job_server_jar"] and version not in known:
        raise ValueError(
            f"runs Flink {version}, and Beam has job servers for {', '.join(known)}; name one of yours with"
            " --flink_job_server_jar"
        )
    # Flink's own default is one slot; a cluster that starts its workers on demand says 0 and keeps it.
    slots = int(cluster["slots-total"])
    return {"parallelism": slots} if slots else {}


def _flink_program(given: Given) -> Program | None:
    if given["job_endpoint"]:
        return None
    java = None if _on_flink(given) else ("--job_server_java_launcher", given["job_server_java_launcher"])
    return Program("--flink_job_server_jar", given["flink_job_server_jar"], _fetch_flink, java)


def _fetch_flink(options: PipelineOptions) -> object:
    from apache_beam.runners.portability.flink_runner import FlinkJarJobServer
    from apache_beam.runners.portability.flink_uber_jar_job_server import FlinkUberJarJobServer

    given = options.get_all_options()
    if _on_flink(given):
        return FlinkUberJarJobServer(_flink_url(given), options).executable_jar()  # for the cluster's version
    server = FlinkJarJobServer(options)
    return server.local_jar(server.path_to_jar())


def _flink_held(given: Given) -> str | None:
    if given["job_endpoint"] or _on_flink(given):
        return None
    return "without --flink_master the cluster is in this process"


def _flink_page(given: Given, job: str, result: Any) -> str:
    if not _on_flink(given):
        return _job_page(given, job, result)
    return mask(f"{_flink_url(given)}/#/job/running/{_flink_id(given, job)}")


def _flink_id(given: Given, job: str) -> str:
    """Return the cluster's id of a job: of several with one name the last that is at work, or else the last."""
    jobs = requests.get(f"{_flink_url(given)}/v1/jobs/overview", timeout=_PATIENCE_S).json()["jobs"]
    found = [each for each in jobs if each["name"] == job]
    if not found:
        raise NotFoundError(mask(f"the cluster at {_flink_url(given)} shows no job {job}"))
    return str(max(found, key=lambda each: (each["state"] not in _ENDED_ON_FLINK, each["start-time"]))["jid"])


def _cancel_on_flink(given: Given, job: str, result: Any) -> None:
    if not _on_flink(given):
        _cancel(job, result)
        return
    # Beam's own call goes to an address that Flink does not have.
    place = f"{_flink_url(given)}/v1/jobs/{_flink_id(given, job)}"
    requests.patch(place, params={"mode": "cancel"}, timeout=_PATIENCE_S).raise_for_status()


# ---- Spark


def _on_spark(given: Given) -> bool:
    return not re.fullmatch(r"local(\[.+\])?", given["spark_master_url"])


def _spark_defaults(given: Given) -> dict[str, Any]:
    return {} if _on_spark(given) or given["job_endpoint"] or given["spark_submit_uber_jar"] else _LOOPBACK


def _spark_service(given: Given) -> Service | None:
    if given["job_endpoint"]:
        return _endpoint(given)
    if given["spark_submit_uber_jar"]:
        return Service("--spark_rest_url", urlsplit(given["spark_rest_url"] or "").netloc)
    place = re.fullmatch(r"spark://([^,]+)", given["spark_master_url"])  # not yarn, k8s://, or one of several masters
    return Service("--spark_master_url", place[1]) if place else None


def _spark_program(given: Given) -> Program | None:
    if given["job_endpoint"]:
        return None
    java = None if given["spark_submit_uber_jar"] else ("--job_server_java_launcher", given["job_server_java_launcher"])
    return Program("--spark_job_server_jar", given["spark_job_server_jar"], _fetch_spark, java)


def _fetch_spark(options: PipelineOptions) -> object:
    from apache_beam.runners.portability.spark_runner import SparkJarJobServer

    server = SparkJarJobServer(options)
    return server.local_jar(server.path_to_jar())


def _spark_held(given: Given) -> str | None:
    if given["job_endpoint"] or given["spark_submit_uber_jar"]:
        return None
    return "the driver is in this process; give --spark_submit_uber_jar and --spark_rest_url"


# ---- Prism


def _prism_defaults(given: Given) -> dict[str, Any]:
    return {} if given["job_endpoint"] else _LOOPBACK


def _prism_program(given: Given) -> Program | None:
    return None if given["job_endpoint"] else Program("--prism_location", given["prism_location"], _fetch_prism)


def _fetch_prism(options: PipelineOptions) -> object:
    from apache_beam.runners.portability.prism_runner import PrismJobServer

    return PrismJobServer.local_bin(PrismJobServer(options).path_to_binary())


# ---- Dataflow


def _dataflow_processes(given: Given) -> int:
    """Dataflow starts a process for each virtual processor.

    Their number ends a machine type's name (n2-standard-8), but for custom ones, where the megabytes of memory follow
    (n2-custom-4-8192).
    """
    machine = given.get("machine_type")
    if machine is None:
        return 1
    found = re.search(r"custom-(\d+)-\d+", machine) or re.search(r"-(\d+)$", machine)
    return int(found[1]) if found else 0


def _dataflow_launcher(given: Given) -> str | None:
    """Return the option by which Dataflow's launcher of templates says where it wants the job laid down."""
    return "--template_location" if given["template_location"] else None


def _dataflow_page(given: Given, job: str, result: Any) -> str:
    if _dataflow_launcher(given):
        return f"Dataflow starts {job} from {given['template_location']}"
    place = f"{given['region']}/{result.job_id()}?project={given['project']}"
    return f"https://console.cloud.google.com/dataflow/jobs/{place}"


LOCAL_RUNNER: Final = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"
_UNKNOWN: Final = Runner(held=lambda given: "nothing is known here of what its jobs need of their client")
RUNNERS: Final[Mapping[str, Runner]] = {
    "FnApiRunner": Runner(local=True),
    "DirectRunner": Runner(local=True),
    "PortableRunner": Runner(service=_endpoint, held=_server_is_ours, page=_job_page),
    "PrismRunner": Runner(
        defaults=_prism_defaults,
        service=_endpoint,
        program=_prism_program,
        held=_server_is_ours,
        page=_job_page,
        example="(downloads Prism; --prism_location names yours)",
    ),
    "FlinkRunner": Runner(
        defaults=_flink_defaults,
        service=_flink_service,
        program=_flink_program,
        held=_flink_held,
        page=_flink_page,
        cancel=_cancel_on_flink,
        remedies=_ON_FLINK,
        example="--flink_master HOST:8081 --environment_type EXTERNAL --environment_config localhost:50000",
    ),
    "SparkRunner": Runner(
        defaults=_spark_defaults,
        service=_spark_service,
        program=_spark_program,
        held=_spark_held,
        example="--spark_master_url spark://HOST:7077 --environment_type EXTERNAL --environment_config localhost:50000",
    ),
    "DataflowRunner": Runner(
        processes=_dataflow_processes,
        launcher=_dataflow_launcher,
        page=_dataflow_page,
        example="--project PROJECT --region REGION --temp_location gs://BUCKET/tmp --sdk_container_image IMAGE",
    ),
}
