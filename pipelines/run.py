"""`webscale-rl run`, after its arguments are read: check what can be checked, submit, and say how it ended."""

from __future__ import annotations

import dataclasses
import datetime
import importlib.metadata
import platform
import time
import uuid
from dataclasses import dataclass
from typing import Any, Final

from apache_beam.options.pipeline_options import GoogleCloudOptions

from pipelines.batch import answered
from pipelines.batch_checks import check_batches, check_no_batches
from pipelines.doors import Run
from pipelines.ending import DONE, report
from pipelines.inputs import benchmarks_of, check_filters, fingerprints, index_digests, plan_of, prompts_of
from pipelines.models import check_budget, prices_of, settings_of
from pipelines.options import RunOptions, UsageError
from pipelines.progress import Outlook
from pipelines.reach import reach
from pipelines.rundir import (
    IN_USE,
    check_outside_roots,
    check_run,
    check_state,
    read_manifest,
    take_run,
    using,
    waits_for_batches,
)
from pipelines.runners import with_defaults
from pipelines.submit import check_outlives, follow, job_of, leave, pipeline_of
from pipelines.workers import (
    budget_of,
    check_limiter,
    concurrency_of,
    limits_of,
    work_is_here,
    worker_processes,
)
from prompts import PromptSet
from schemas.answers import Calls, Stage
from schemas.config import RunConfig
from schemas.elements import CorpusPlan
from transforms.catalog import CatalogError, Part
from transforms.commit import RunFacts
from transforms.files import delete
from transforms.llm.batch.journal import IN_USE as BATCH_IN_USE
from transforms.llm.batch.journal import Journal, write_failed
from transforms.llm.cache import CacheError, check_cache
from transforms.llm.client import ClientSettings
from transforms.llm.failures import mask, names_secret
from transforms.llm.preflight import PreflightError, check_models
from transforms.llm.requests import Settings
from transforms.lock import leave as leave_lock
from transforms.output import OWNER, SCRATCH, SUCCESS
from transforms.state import State, StateError, forget, open_state, withdraw
from transforms.storage import StorageError
from transforms.swap import SwapError

_PACKAGES: Final = ("webscale-rl", "apache-beam", "litellm", "pyarrow", "numpy", "pydantic", "json-repair")


def run(options: RunOptions, part: Part | None = None) -> int:
    """Run the pipeline and print its summary, or submit it and print where to look.

    Args:
      part: what the run adds to a root, in whose lock it is; null for a run on its own.

    Returns:
      0 when the run is complete (or has reached `until` without leaving anything over), or submitted and left; 3 when
      something is pending or too many errors came up.

    Raises:
      UsageError: something is wrong with what the user gave; an earlier run in the directory is untouched.
    """
    try:
        job = _checked(options, part)
    except StorageError as error:
        raise UsageError(str(error)) from None
    config, output = options.config, job.output
    in_use = [f"{output}/{BATCH_IN_USE}"] if config.llm_mode == "batch" else []
    in_use += [] if job.state is None or part is not None else [f"{job.state.directory}/{IN_USE}"]
    run_id = _next_id(part)
    if options.no_wait:
        with using(in_use, run_id, job_of(run_id)):
            _forgive(options, output)
            print(_left(job, run_id, in_use))
        return DONE
    with using(in_use, run_id):
        _forgive(options, output)
        manifest = _round(job, run_id)
        before = Journal(output).figures()["cost_nano_usd"] if options.wait else 0
        covered = True
        while options.wait and covered and manifest["rows"].get("pending"):
            covered = answered(output, config, before)
            manifest = _round(job, _next_id(part)) if covered else manifest
    return report(config, manifest, covered, alone=part is None)


@dataclass(frozen=True, slots=True)
class _Job:
    """What is known of a run before its first round."""

    options: RunOptions
    plan: CorpusPlan
    prompts: PromptSet
    client: ClientSettings
    about: dict[str, Any]
    state: State | None
    part: Part | None
    benchmarks: dict[str, int]

    @property
    def output(self) -> str:
        return self.options.config.output.rstrip("/")


def _checked(options: RunOptions, part: Part | None) -> _Job:
    """Check what can be checked before anything is touched. Raises `UsageError`."""
    config = options.config
    output = config.output.rstrip("/")
    prompts = prompts_of(config)
    plan = plan_of(config, part)
    if part is None:
        check_outside_roots("--output", output)
    about = _about(config, prompts)
    check_run(output, about, overwrite=options.overwrite, retry_errors=options.retry_errors)
    state = _state(config, part)
    beam_options = with_defaults(options.beam)
    if options.no_wait:
        check_outlives(beam_options)
    options = dataclasses.replace(options, beam=reach(beam_options))
    settings = settings_of(config)
    workers = worker_processes(config.num_workers_hint, options.beam)
    client = ClientSettings(
        settings,
        config.cache_directory,
        concurrency_of(config, workers),
        timeout_s=config.timeout_s,
        limits=limits_of(config, workers),
        prices=prices_of(config),
        budget_usd=budget_of(config, options.beam),
        limiter=config.limiter,
    )
    check_budget(config)
    check_filters(config)
    benchmarks = benchmarks_of(config)
    if settings:
        _check_cache(config)
    if config.llm_mode == "batch":
        check_batches(settings)
    else:
        check_no_batches(output)
        check_limiter(config.limiter)
        _check_models(settings, config.calls)
    return _Job(options, plan, prompts, client, about, state, part, benchmarks)


def _next_id(part: Part | None) -> str:
    """Return the name of the next round: that of the directory within a root, a new one otherwise."""
    return new_run_id() if part is None else part.run_id


def _forgive(options: RunOptions, output: str) -> None:
    if (options.retry_errors or options.overwrite) and not waits_for_batches(output):
        Journal(output).forgive()


def _round(job: _Job, run_id: str) -> dict[str, Any]:
    """Run the pipeline once and return its manifest. An online run is one round."""
    run = _run_of(job, run_id)
    outlook = Outlook(run.config.stages, job.plan.rows, work_is_here(job.options.beam))
    pipeline = pipeline_of(job.options.beam, run)
    _take(job, run, None)
    follow(pipeline, run.facts, outlook)
    return read_manifest(job.output)


def _left(job: _Job, run_id: str, signed: list[str]) -> str:
    """Submit the pipeline, leave it to its runner, and return where to look."""
    run = _run_of(job, run_id)
    run = dataclasses.replace(run, facts=dataclasses.replace(run.facts, signed=tuple(signed)))
    pipeline = pipeline_of(job.options.beam, run)
    name = pipeline.options.view_as(GoogleCloudOptions).job_name
    _take(job, run, name)
    try:
        if job.part is not None:
            leave_lock(job.part.root, run_id)  # first, for the job must not outlive a lease that nobody renews
        page = leave(pipeline, run_id)
    except (CatalogError, SwapError, UsageError) as error:
        delete([f"{job.output}/{OWNER}"])  # no job will
        raise UsageError(str(error)) from None
    return (
        f"run {run_id} is submitted: {page}\nit is at work until {job.output}/{OWNER} is gone, and complete once"
        f" {job.output}/{SUCCESS} is there"
    )


def _run_of(job: _Job, run_id: str) -> Run:
    config, output, client, about = job.options.config, job.output, job.client, job.about
    if config.llm_mode == "batch":
        client = dataclasses.replace(client, batch=f"{output}/{SCRATCH}/{run_id}/failed.jsonl")
        about = about | {"batches": Journal(output).figures()}
    facts = RunFacts(
        output=output,
        stages=config.stages,
        until=config.until,
        expected_rows=job.plan.rows,
        max_error_share=config.max_error_share,
        started=time.time(),
        run_id=run_id,
        about=about,
        state=job.state,
        part=job.part,
        benchmarks=job.benchmarks,
    )
    return Run(config, job.plan, job.prompts, client, facts)


def _take(job: _Job, run: Run, name: str | None) -> None:
    """Clear the directory and what the state has of it; from here on they are the run's, or its job's by a name."""
    output, batch = job.output, run.client.batch
    remembers = job.state if job.part is None else None  # a root's catalogue alone says which runs count
    if remembers is not None:
        withdraw(remembers)
    take_run(output, run.facts.run_id, name)
    if remembers is not None:
        forget(remembers)
    if batch is not None:
        write_failed(batch, Journal(output).given_up())
        Journal(output).write_run(run.config)


def _state(config: RunConfig, part: Part | None) -> State | None:
    """Return what earlier runs left; a run that cannot read or add to it ends here."""
    if config.state is None:
        return None
    if part is None:
        check_outside_roots("--state", config.state)
        check_state(config.state, config.output)
    permutations = config.dedup.bands * config.dedup.rows
    try:
        return open_state(config.state, config.output, permutations, None if part is None else part.runs)
    except StateError as error:
        raise UsageError(f"{'--state' if part is None else '--root'}: {error}") from None


def _check_cache(config: RunConfig) -> None:
    try:
        check_cache(config.cache_directory)
    except CacheError as error:
        raise UsageError(f"--cache: {error}") from None


def _check_models(settings: dict[Stage, Settings], calls: Calls) -> None:
    try:
        check_models(settings, calls)
    except PreflightError as error:
        raise UsageError(str(error)) from None


def _about(config: RunConfig, prompts: PromptSet) -> dict[str, Any]:
    now = datetime.datetime.now(datetime.timezone.utc)
    return {
        "started": now.isoformat(timespec="seconds"),
        "config": redacted(config.model_dump(mode="json")),
        "versions": {"python": platform.python_version()}
        | {name: importlib.metadata.version(name) for name in _PACKAGES},
        "prompts": fingerprints(prompts, config),
        **({"benchmarks": digests} if (digests := index_digests(config)) else {}),
    }


def new_run_id() -> str:
    """Return a new run's name: the time it starts, to the second, and eight random digits."""
    return f"{datetime.datetime.now(datetime.timezone.utc):%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:8]}"


def redacted(value: Any) -> Any:
    """Return a configuration without secrets: what looks like one, and values under names like key, token or secret."""
    if isinstance(value, dict):
        return {
            key: "[redacted]" if isinstance(item, str) and names_secret(key) else redacted(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [redacted(item) for item in value]
    return mask(value) if isinstance(value, str) else value
