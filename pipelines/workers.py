"""What one worker process may do of what a run may: limits on calls and the budget are divided among the processes."""

from __future__ import annotations

import asyncio
import os
import resource
from collections.abc import Mapping
from typing import Any, Final

from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.options import UsageError
from pipelines.runners import runner_of
from schemas.config import ModelLimits, RunConfig
from transforms.llm.rates import Limits

_FILES_BESIDE_SOCKETS: Final = 100


def worker_processes(hint: int | None, options: PipelineOptions) -> int:
    """Return the number of worker processes: the hint, or else what the runner's options reveal, 1 if they do not.

    Beam's `sdk_worker_parallelism` is processes on each worker, so it multiplies the largest number of workers.

    Raises:
      UsageError: the local runner is asked for a negative number, or `sdk_worker_parallelism` is no number.
    """
    given = options.get_all_options()
    if given["direct_num_workers"] < 0:
        raise UsageError(f"--direct_num_workers={given['direct_num_workers']} must be 0 (one a core) or more")
    on_each = _processes_a_worker(given)
    if hint is not None:
        return hint
    if given["direct_running_mode"] == "multi_processing" and runner_of(given).local:
        return given["direct_num_workers"] or os.cpu_count() or 1
    return max(1, _most_workers(given), given.get("num_workers") or 1) * max(1, on_each)


def work_is_here(options: PipelineOptions) -> bool:
    """Whether the stages run in this process, which then sees what they count while they do."""
    given = options.get_all_options()
    if given.get("environment_type") == "LOOPBACK":
        return True
    return runner_of(given).local and given["direct_running_mode"] != "multi_processing"


def _most_workers(given: Mapping[str, Any]) -> int:
    """Return the most workers that the options of a runner allow, 0 or less where they do not say."""
    # Dataflow only begins with num_workers where it scales by itself.
    fixed = given.get("num_workers") if given.get("autoscaling_algorithm") == "NONE" else None
    return max(given.get("max_num_workers") or 0, given.get("parallelism") or 0, fixed or 0)


def _processes_a_worker(given: Mapping[str, Any]) -> int:
    """Return the processes of one worker, by `sdk_worker_parallelism`, which Beam leaves as written, and the runner.

    0 where the runner chooses and does not say.
    """
    written = str(given.get("sdk_worker_parallelism", 1))
    if not (written.isascii() and written.isdigit()):
        raise UsageError(f"--sdk_worker_parallelism={written} must be 0 (the runner chooses) or a number above")
    return int(written) * runner_of(given).processes(given)


def budget_of(config: RunConfig, options: PipelineOptions) -> float | None:
    """Return each worker's part of the budget in dollars; None where there is none, or no worker calls a model.

    Nobody remembers what a worker has spent that dies: the one that is started in its place begins with its part anew.

    Raises:
      UsageError: nobody knows how many workers there will be, so that each might spend the whole.
    """
    if config.budget_usd is None or config.llm_mode == "batch":
        return None
    given = options.get_all_options()
    told = _most_workers(given) > 0 and _processes_a_worker(given) > 0
    if not (config.num_workers_hint or told or runner_of(given).local or work_is_here(options)):
        runner = given["runner"]
        raise UsageError(
            f"budget_usd is divided among the workers, and nothing says how many {runner} will have;"
            " give the most with --num-workers-hint"
        )
    return config.budget_usd / worker_processes(config.num_workers_hint, options)


def concurrency_of(config: RunConfig, workers: int) -> int:
    """Return each worker's part of the limit on all requests in flight; lets this process open as many sockets.

    Raises:
      UsageError: there are more workers than requests allowed, or fewer open files than requests.
    """
    part = _part("--concurrency ", config.concurrency, workers)
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files != resource.RLIM_INFINITY and part > files - _FILES_BESIDE_SOCKETS:
        raise UsageError(
            f"--concurrency {config.concurrency} needs more open files than the {files} allowed here; lower it"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))  # each request in flight holds a socket
    return part


def limits_of(config: RunConfig, workers: int) -> dict[str, Limits]:
    """Return each worker's part of the limits of models. A limiter that all share has the whole rates.

    Raises:
      UsageError: there are more workers than a model's requests in flight.
    """
    sharing = 1 if config.limiter else workers
    return {model: _limits(model, limits, workers, sharing) for model, limits in config.limits.items()}


def _limits(model: str, limits: ModelLimits, workers: int, sharing: int) -> Limits:
    def rate(total: int | None) -> float | None:
        return None if total is None else total / sharing

    concurrency = limits.concurrency
    return Limits(
        None if concurrency is None else _part(f"limits.{model}.concurrency = ", concurrency, workers),
        rate(limits.requests_per_minute),
        rate(limits.tokens_per_minute),
    )


def _part(name: str, total: int, workers: int) -> int:
    if total < workers:
        raise UsageError(f"{name}{total} is less than one request for each of {workers} workers; raise it")
    return total // workers


def check_limiter(url: str | None) -> None:
    """Try the limiter that workers will share.

    Raises:
      UsageError: the package redis is missing, or no Redis answers.
    """
    if url is None:
        return
    try:
        from transforms.llm import redis_limiter
    except ImportError:
        raise UsageError(
            "--limiter needs the package redis; install ours with that extra: pip install '.[redis]'"
        ) from None
    try:
        asyncio.run(redis_limiter.check_limiter(url))
    except redis_limiter.LimiterError as error:
        raise UsageError(f"--limiter {error}; start Redis there, or correct its address or password") from None
