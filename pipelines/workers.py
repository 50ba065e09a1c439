"""What one worker process may do of what a run may: limits on calls to models are divided among the processes."""

from __future__ import annotations

import asyncio
import os
import resource
from typing import Final

from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.options import UsageError
from schemas.config import ModelLimits, RunConfig
from transforms.llm.rates import Limits

LOCAL_RUNNER: Final = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"
_FILES_BESIDE_SOCKETS: Final = 100


def worker_processes(hint: int | None, options: PipelineOptions) -> int:
    """Return the number of worker processes: the hint, or else what the runner's options reveal.

    Raises:
      UsageError: the local runner is asked for a negative number.
    """
    given = options.get_all_options()
    if given["direct_num_workers"] < 0:
        raise UsageError(f"--direct_num_workers={given['direct_num_workers']} must be 0 (one a core) or more")
    if hint is not None:
        return hint
    if given["direct_running_mode"] == "multi_processing":
        return given["direct_num_workers"] or os.cpu_count() or 1
    sizes = ("max_num_workers", "num_workers", "parallelism", "sdk_worker_parallelism")
    return max([1, *(size for name in sizes if (size := given.get(name)))])


def work_is_here(options: PipelineOptions) -> bool:
    """Whether the stages run in this process, which then sees what they count while they do."""
    given = options.get_all_options()
    if given.get("environment_type") == "LOOPBACK":
        return True
    local = str(given["runner"] or LOCAL_RUNNER).rpartition(".")[2] in ("FnApiRunner", "DirectRunner")
    return local and given["direct_running_mode"] != "multi_processing"


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
        raise UsageError("--limiter needs the package redis; install it: pip install 'webscale-rl[redis]'") from None
    try:
        asyncio.run(redis_limiter.check_limiter(url))
    except redis_limiter.LimiterError as error:
        raise UsageError(f"--limiter {error}; start Redis there, or correct its address or password") from None
