"""The run's directory: what it holds, whether a run may start in it, and what an earlier attempt left there."""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import json
import os
import posixpath
import re
import socket
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from apache_beam.io.filesystem import BeamIOError

from pipelines.options import UsageError
from transforms.catalog import CATALOG
from transforms.files import delete, delete_tree, exists, list_files, read_json, write_text
from transforms.llm.batch.journal import IN_USE as BATCH_IN_USE
from transforms.lock import alive
from transforms.output import MANIFEST, OWNER, REPORT, SCRATCH, SUCCESS, is_output, unnamed_files
from transforms.state import absolute
from transforms.storage import StorageError

DIRECTORIES: Final = ("qa", "pairs", "documents", "rejected", "errors", "pending", "superseded")
IN_USE: Final = "in_use.json"
"""Names the run that reads a state and is going to add to it."""
_SHARD: Final = re.compile(r"part-\d{5}-of-\d{5}\.parquet(\.[0-9a-f]{32}\.tmp)?")
_NOT_OF_THE_RESULT: Final = {
    "output", "cache", "concurrency", "timeout_s", "limits", "limiter", "num_workers_hint", "max_error_share",
    "llm_mode", "prices", "budget_usd", "report",
}  # fmt: skip
_NOT_OF_THE_ANSWER: Final = {"api_base", "api_key_env"}


def check_apart(output: str, inputs: Sequence[str]) -> None:
    """Check that no input lies among the files that a run writes, or `UsageError`."""
    for path in inputs:
        if any(absolute(path).startswith(f"{absolute(output)}/{name}/") for name in (*DIRECTORIES, SCRATCH)):
            raise UsageError(f"--input {path} lies where --output {output} writes; name another --output")


def check_outside_roots(flag: str, place: str) -> None:
    """Check that a directory is no part of what `refresh` keeps up, which would clear it away, or `UsageError`."""
    above = absolute(place)
    for _ in range(3):  # itself, ROOT/state and ROOT/runs, ROOT/runs/RUN_ID
        if _has_catalog(above):
            raise UsageError(f"{flag} {place} lies in {above}, which webscale-rl refresh keeps up; name another {flag}")
        above = posixpath.dirname(above)


def _has_catalog(directory: str) -> bool:
    try:
        return exists(f"{directory}/{CATALOG}")
    except (OSError, ValueError):  # told where something is to be written
        return False


def check_run(output: str, about: dict[str, Any], *, overwrite: bool, retry_errors: bool) -> None:
    """Check that a run may start in `output`; nothing that lies there is touched.

    Args:
      about: the configuration and prompt fingerprints as they will stand in the manifest.

    Raises:
      UsageError: the directory holds a complete run or one that is at work, cannot be written, or is reopened with
        another configuration.
    """
    try:
        check_idle(output)
    except UsageError:
        raise
    except (OSError, ValueError) as error:
        raise _unusable("--output", output, error) from None
    if retry_errors:
        _check_reopening(output, about)
    elif exists(f"{output}/{SUCCESS}") and not overwrite:
        raise UsageError(
            f"{output} holds a complete run ({SUCCESS}); name another --output, start it again with --overwrite,"
            " or reopen it for its errors with --retry-errors"
        )
    _check_writable("--output", output)


def check_state(state: str, output: str) -> None:
    """Check that a run may remember itself in `state`.

    Raises:
      UsageError: the directory cannot be written, is no state, is at work, or lies where the run clears up.
    """
    state = state.rstrip("/")
    place, run = absolute(state), absolute(output)
    if any(f"{place}/".startswith(f"{run}/{name}/") for name in (*DIRECTORIES, SCRATCH)) or place == run:
        raise UsageError(f"--state {state} lies where --output {output} writes; name another --state")
    try:
        if is_output(state) or exists(f"{state}/run.json"):
            kind = "a run's --output" if is_output(state) else "one run of a state, which is the directory above"
            raise UsageError(f"--state {state} is {kind}; name a directory that holds nothing but the state")
    except (OSError, BeamIOError, ValueError) as error:
        raise _unusable("--state", state, error) from None
    _check_writable("--state", state)
    _check_idle(f"{state}/{IN_USE}")


def check_idle(output: str) -> None:
    """Check that no other process of this machine is at work in a run's directory, or `UsageError`."""
    for name in (OWNER, BATCH_IN_USE):
        _check_idle(f"{output}/{name}")


def _check_idle(path: str) -> None:
    """Refuse a directory that a process of this machine has signed and is at work in, or a job nobody waits for.

    The processes of other machines are not known.

    Args:
      path: the file with its signature.
    """
    try:
        owner = dict(read_json(path)) if exists(path) else {}
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"{path}, which names the run at work there, cannot be read: {' '.join(str(error).split())};"
            " delete it if no run of ours is"
        ) from None
    if owner.get("job"):
        raise UsageError(
            f"{path}: run {owner['run_id']} was submitted with --no-wait as {owner['job']}, {owner['started']};"
            " wait for it, or delete that file if the job has ended"
        )
    if owner.get("host") == socket.gethostname() and owner["pid"] != os.getpid() and alive(owner["pid"]):
        raise UsageError(
            f"{path}: run {owner['run_id']} (process {owner['pid']}, since {owner['started']}) is at work there; wait"
            " for it, or delete that file if that process is no run of ours"
        )


def _check_reopening(output: str, about: dict[str, Any]) -> None:
    if not exists(f"{output}/{SUCCESS}"):
        if not exists(f"{output}/{MANIFEST}") and not list_files(f"{output}/cache/*"):
            raise UsageError(f"{output} holds no run to reopen; check --output, or leave --retry-errors out")
        return  # unfinished: going on asks for the errors again anyway
    before = read_manifest(output)
    if lacking := [name for name in ("config", "prompts", "stages") if name not in before]:
        raise UsageError(
            f"{output}/{MANIFEST} lacks {', '.join(lacking)}, another version of webscale-rl has written it: go on with"
            " that one, or start it again with --overwrite"
        )
    if not sum(stage["errors"] for stage in before["stages"]):
        raise UsageError(f"{output} has no errors to retry; it is complete as it is")
    changed = _changes(before["config"], about["config"])
    changed += [name for name in ("prompts", "benchmarks") if before.get(name) != about.get(name)]
    if changed:
        raise UsageError(
            f"{output} was made with different settings ({', '.join(changed)}); --retry-errors wants the same ones,"
            " --overwrite starts again with the new ones"
        )


def _changes(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Return the keys that decide about a run's rows and differ; where a model is served does not."""

    one, other = deciding(before), deciding(now)
    return sorted(key for key in one.keys() | other.keys() if one.get(key) != other.get(key))


def deciding(config: dict[str, Any]) -> dict[str, Any]:
    """Return what of a configuration, as JSON, decides about a run's rows: where a model is served does not."""
    models = {
        stage: {key: value for key, value in model.items() if key not in _NOT_OF_THE_ANSWER}
        for stage, model in config.get("models", {}).items()
        if model is not None
    }
    found = {key: value for key, value in config.items() if key not in _NOT_OF_THE_RESULT} | {"models": models}
    if (against := config.get("decontaminate")) is not None:  # its indexes are known by what is in them
        found["decontaminate"] = {key: value for key, value in against.items() if key != "benchmarks"}
    return found


def _check_writable(flag: str, directory: str) -> None:
    probe = f"{directory}/{SCRATCH}-{uuid.uuid4().hex}"
    try:
        write_text(probe, "")
        delete([probe])
    except (OSError, BeamIOError, ValueError) as error:  # the last where Beam does not know the filesystem
        raise _unusable(flag, directory, error) from None


def _unusable(flag: str, directory: str, error: Exception) -> UsageError:
    if isinstance(error, StorageError):  # which has a remedy of its own
        return UsageError(f"{flag}: {error}")
    return UsageError(
        f"cannot write to {flag} {directory}: {' '.join(str(error).split())}; name a directory that can be made or"
        " written, on this machine or on gs:// (the extra gcp)"
    )


def take_run(output: str, run_id: str, job: str | None = None) -> None:
    """Delete what an earlier run wrote, but its cache, and nothing else that may lie there; then sign the directory.

    Args:
      job: the name of the job that goes on without this process; null where this process waits.
    """
    delete([f"{output}/{SUCCESS}"])  # first, so that a directory half cleared does not pass for complete
    delete([f"{output}/{MANIFEST}", f"{output}/{REPORT}"])
    delete_tree(f"{output}/{SCRATCH}")
    for directory in DIRECTORIES:
        delete([path for path in list_files(f"{output}/{directory}/*") if _SHARD.fullmatch(posixpath.basename(path))])
    delete(unnamed_files(output, ()))
    sign(f"{output}/{OWNER}", run_id, job)


def sign(path: str, run_id: str, job: str | None = None) -> None:
    """Write down which run and process of which machine, or which job, is at work in a directory."""
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    owner = {"run_id": run_id, "host": socket.gethostname(), "pid": os.getpid(), "started": now}
    write_text(path, json.dumps(owner if job is None else {**owner, "job": job}))


@contextlib.contextmanager
def using(paths: Sequence[str], run_id: str, job: str | None = None) -> Iterator[None]:
    """Sign what nobody else may use as long as the block runs; each path is the file of a signature.

    Args:
      job: the name of the job that goes on without this process: its last step deletes the signatures.

    Raises:
      UsageError: another process has signed since that was checked.
    """
    with contextlib.ExitStack() as locks:
        for path in paths:
            locks.enter_context(_locked(path))
            _check_idle(path)
        try:
            for path in paths:
                sign(path, run_id, job)
            yield
        except BaseException:
            delete(list(paths))
            raise
        if job is None:
            delete(list(paths))


@contextlib.contextmanager
def _locked(path: str) -> Iterator[None]:
    """Keep other processes of this machine from signing a file, from the check on; a dead one holds no lock."""
    if "://" in path:
        yield
        return
    lock = Path(f"{path}.lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"{path}: another process is at work there; wait for it") from None
        yield


def waits_for_batches(output: str) -> bool:
    """Return whether the last run there left requests for batches, so that the next one is a round of the same work."""
    if not exists(f"{output}/{MANIFEST}"):
        return False
    with contextlib.suppress(UsageError):  # of what cannot be read nothing is continued
        return bool(read_manifest(output).get("rows", {}).get("pending"))
    return False


def read_manifest(output: str) -> dict[str, Any]:
    """Return the manifest of a run's directory.

    Raises:
      UsageError: there is none, or it is no JSON object.
    """
    path = f"{output}/{MANIFEST}"
    try:
        if not exists(path):
            raise no_run(output)
        return dict(read_json(path))
    except UsageError:
        raise
    except (OSError, TypeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise UsageError(f"{path} cannot be read: {reason}; is {output} a run's --output?") from None


def no_run(output: str) -> UsageError:
    """Return what is to be said of a place without a manifest.

    Raises:
      OSError, BeamIOError, ValueError: what is there cannot be told.
    """
    if exists(f"{output}/{OWNER}"):
        return UsageError(f"{output} holds a run that has not ended; give the same command again, unless it is at work")
    if exists(output) or list_files(f"{output}/**"):  # an object store has no directories
        return UsageError(f"{output} holds no run that has ended ({MANIFEST}); name a run's --output, or a --root")
    return UsageError(f"there is no directory {output}; name a run's --output, or a --root")
