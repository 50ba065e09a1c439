"""From the figure to a job: submitted to its runner, and followed to its end or left there."""

from __future__ import annotations

import sys
from typing import Any, Final

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions, SetupOptions, StandardOptions
from apache_beam.runners.runner import PipelineState

from pipelines.build_qa import build_qa
from pipelines.doors import Run
from pipelines.options import UsageError
from pipelines.progress import Outlook, progress
from pipelines.runners import LOCAL_RUNNER, Given, cancelled, held_by_client, runner_of, with_options
from transforms.commit import RunFacts
from transforms.files import delete_tree
from transforms.llm.failures import mask
from transforms.output import has_ended

_WORDS: Final = 400


class JobError(RuntimeError):
    """A job has failed for a reason with a known remedy; the message is for the user, one line."""


def job_of(run_id: str) -> str:
    """Return the name of a run's job, as every runner allows it."""
    return f"webscale-rl-{run_id.lower()}"


def check_outlives(options: PipelineOptions) -> None:
    """Check that a job will go on when this process has ended.

    Raises:
      UsageError: something that the job needs is in this process.
    """
    reason = held_by_client(options.get_all_options())
    if reason is not None:
        raise UsageError(f"--no-wait: nothing would run without this client, as {reason}; leave --no-wait out")


def pipeline_of(options: PipelineOptions, run: Run) -> beam.Pipeline:
    """Return the pipeline, ready to run; a runner that does not exist shows here. The options stay as they are."""
    pipeline = empty_pipeline(with_options(options, {"job_name": job_of(run.facts.run_id)}))
    build_qa(pipeline, run)
    return pipeline


def empty_pipeline(options: PipelineOptions) -> beam.Pipeline:
    """Return a pipeline for the runner that the options name. Raises `UsageError`."""
    standard = options.view_as(StandardOptions)
    standard.runner = standard.runner or LOCAL_RUNNER
    # Every class lives in an importable module, so workers need no copy of the main session.
    options.view_as(SetupOptions).save_main_session = False
    try:
        return beam.Pipeline(options=options)
    except (ValueError, ImportError, AttributeError) as error:
        raise UsageError(f"--runner {standard.runner}: {' '.join(str(error).split())}") from None


def follow(pipeline: beam.Pipeline, facts: RunFacts, outlook: Outlook) -> None:
    """Run a pipeline to its end, showing how far it is. A job whose client is interrupted is cancelled.

    Raises:
      UsageError: the runner does not take the job.
      JobError: the job failed, and what to do about it is known.
      Exception: whatever else it failed with, unless that came after its last step.
    """
    given = pipeline.options.get_all_options()  # now, as Beam changes what it is given
    with progress(outlook, sys.stderr) as shown:
        result = _submitted(pipeline, given, facts.run_id)
        try:
            shown.follow(result)
            result.wait_until_finish()
        except BaseException as error:
            cancelled(given, given["job_name"], result)
            if _has_ended(facts):
                return
            for words, remedy in runner_of(given).remedies:
                if words in str(error):
                    raise JobError(f"{words}: {remedy}") from error
            raise


def _has_ended(facts: RunFacts) -> bool:
    """Return whether the last step of a job that failed has been through: what it tried again then is of no account."""
    try:
        ended = has_ended(facts.output, facts.run_id)
    except (OSError, RuntimeError, ValueError, KeyError):
        return False
    if ended:
        delete_tree(facts.scratch)
    return ended


def leave(pipeline: beam.Pipeline, run_id: str) -> str:
    """Submit a pipeline and return where a person looks at its job, or why nobody can say.

    Raises:
      UsageError: the runner does not take the job, or it has failed at once.
    """
    given = pipeline.options.get_all_options()  # now, as Beam changes what it is given
    result = _submitted(pipeline, given, run_id)
    job = given["job_name"]
    try:
        page = runner_of(given).page(given, job, result)
        failed = result.state == PipelineState.FAILED
    except (Exception, KeyboardInterrupt) as error:  # the job goes on, whatever became of the question
        return f"job {job} (its page could not be fetched: {_words(error)})"
    if failed:
        raise UsageError(f"the job was submitted and has failed at once; see {page}")
    return page


def _submitted(pipeline: beam.Pipeline, given: Given, run_id: str) -> Any:
    if runner_of(given).local:
        return pipeline.run()  # which runs it: what it raises is the run's
    try:
        return pipeline.run()
    except BaseException as error:
        gone = _cancelled_by_name(given, run_id)
        if isinstance(error, Exception):
            raise UsageError(f"--runner {given['runner']} does not take the job: {_words(error)}") from error
        if not gone:
            said = f"a job {given['job_name']} may have been submitted to {given['runner']}; look there"
            print(f"webscale-rl: {said}", file=sys.stderr)
        raise


def _cancelled_by_name(given: Given, run_id: str) -> bool:
    """Cancel, by its name, a job of which it is not known whether it was submitted; return whether that was done.

    A name that the user has given may be that of another job.
    """
    return given["job_name"] == job_of(run_id) and cancelled(given, given["job_name"], None)


def _words(error: BaseException) -> str:
    said = error.details() if hasattr(error, "details") else str(error)
    return mask(" ".join(f"{type(error).__name__} {said}".split()))[:_WORDS]
