"""`webscale-rl run`, after its arguments are read: check what can be checked, submit, and say how it ended."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import re
import sys
import time
import uuid
from pathlib import Path
from typing import Any, Final

import apache_beam as beam
from apache_beam.options.pipeline_options import (
    DirectOptions,
    PipelineOptions,
    SetupOptions,
    StandardOptions,
    WorkerOptions,
)

from pipelines.build_qa import Run, build_qa
from pipelines.options import RunOptions, UsageError
from pipelines.rundir import SCRATCH, check_run, clear_run, read_manifest
from pipelines.summary import progress, summary
from prompts import PromptSet, load_prompts
from schemas.answers import Stage
from schemas.config import MODEL_STAGES, RunConfig
from schemas.counts import stages_until
from schemas.elements import CorpusPlan
from transforms.commit import RunFacts
from transforms.files import list_files
from transforms.llm.client import ClientSettings
from transforms.llm.preflight import PreflightError, check_models
from transforms.llm.requests import Settings
from transforms.read import CorpusError, plan_corpus

LOCAL_RUNNER: Final = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"
_PACKAGES: Final = ("webscale-rl", "apache-beam", "litellm", "pyarrow", "numpy", "pydantic", "json-repair")

_SECRET_KEY: Final = re.compile(r"(^|[_-])(key|token|secret|password|authorization)$", re.IGNORECASE)
_URL_PASSWORD: Final = re.compile(r"//[^/@\s]+@")

DONE: Final = 0
UNFINISHED: Final = 3
"""Exit codes; 2 is a usage error, 1 a failure while running."""


def run(options: RunOptions) -> int:
    """Run the pipeline and print its summary.

    Returns:
      0 when the run is complete (or has reached `until` without leaving anything over), 3 when something is pending or
      too many errors came up.

    Raises:
      UsageError: something is wrong with what the user gave; nothing has been done yet.
    """
    config = options.config
    output = config.output.rstrip("/")
    prompts = _load_prompts(config)
    plan = _plan(config)
    about = _about(config, prompts)
    check_run(output, about["config"], overwrite=options.overwrite, retry_errors=options.retry_errors)
    settings = _settings(config)
    _check_models(settings)
    clear_run(output)
    client = ClientSettings(
        models=settings,
        cache=config.cache_directory,
        concurrency=max(1, config.concurrency // workers(options.beam)),
    )
    facts = RunFacts(
        output=output,
        scratch=f"{output}/{SCRATCH}",
        until=config.until,
        expected_rows=plan.rows,
        max_error_share=config.max_error_share,
        started=time.time(),
        run_id=run_id(),
        about=about,
    )
    _submit(options.beam, Run(config, plan, prompts, client, facts))
    return _report(output)


def _load_prompts(config: RunConfig) -> PromptSet:
    try:
        return load_prompts(None if config.prompts is None else Path(config.prompts))
    except (OSError, ValueError) as error:
        raise UsageError(f"prompts: {' '.join(str(error).split())}") from None


def _plan(config: RunConfig) -> CorpusPlan:
    paths: set[str] = set()
    for pattern in config.input:
        matched = list_files(pattern)
        if not matched:
            raise UsageError(f"--input {pattern} matches no file; check the path, and quote the glob")
        paths.update(matched)
    try:
        return plan_corpus(sorted(paths), config.columns, config.sample)
    except CorpusError as error:
        raise UsageError(str(error)) from None


def _settings(config: RunConfig) -> dict[Stage, Settings]:
    """Return the settings of the models that the run will call."""
    reached = stages_until(config.until)
    return {stage: Settings(**getattr(config.models, stage).model_dump()) for stage in MODEL_STAGES if stage in reached}


def _check_models(settings: dict[Stage, Settings]) -> None:
    try:
        check_models(settings)
    except PreflightError as error:
        raise UsageError(str(error)) from None


def workers(options: PipelineOptions) -> int:
    """Return how many worker processes share the limit on requests in flight."""
    direct = options.view_as(DirectOptions)
    if direct.direct_running_mode == "multi_processing":
        return direct.direct_num_workers or os.cpu_count() or 1
    cluster = options.view_as(WorkerOptions)
    return cluster.max_num_workers or cluster.num_workers or 1


def _about(config: RunConfig, prompts: PromptSet) -> dict[str, Any]:
    now = datetime.datetime.now(datetime.timezone.utc)
    return {
        "started": now.isoformat(timespec="seconds"),
        "config": redacted(config.model_dump(mode="json")),
        "versions": {"python": platform.python_version()}
        | {name: importlib.metadata.version(name) for name in _PACKAGES},
        "prompts": {stage: prompts.fingerprint(stage) for stage in MODEL_STAGES},
    }


def run_id() -> str:
    """Return a new run's name: the time it starts, to the second, and eight random digits."""
    return f"{datetime.datetime.now(datetime.timezone.utc):%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:8]}"


def redacted(value: Any) -> Any:
    """Return a configuration without secrets: passwords in URLs, and values under names like key, token or secret."""
    if isinstance(value, dict):
        return {
            key: "[redacted]" if isinstance(item, str) and _SECRET_KEY.search(key) else redacted(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [redacted(item) for item in value]
    return _URL_PASSWORD.sub("//[redacted]@", value) if isinstance(value, str) else value


def _submit(options: PipelineOptions, run: Run) -> None:
    standard = options.view_as(StandardOptions)
    standard.runner = standard.runner or LOCAL_RUNNER
    # Every class lives in an importable module, so workers need no copy of the main session.
    options.view_as(SetupOptions).save_main_session = False
    pipeline = beam.Pipeline(options=options)
    build_qa(pipeline, run)
    with progress():
        pipeline.run().wait_until_finish()


def _report(output: str) -> int:
    manifest = read_manifest(output)
    print(summary(output, manifest))
    if not manifest["unfinished"]:
        return DONE
    print(
        f"\nNot complete: {'; '.join(manifest['unfinished'])}. Answers so far are in the cache: mend the cause and run"
        " the same command again, and only what is missing will be asked.",
        file=sys.stderr,
    )
    return UNFINISHED
