"""The run's directory: what it holds, whether a run may start in it, and what an earlier attempt left there."""

from __future__ import annotations

import json
import posixpath
import re
import uuid
from typing import Any, Final

from apache_beam.io.filesystem import BeamIOError

from pipelines.options import UsageError
from transforms.commit import MANIFEST, SUCCESS
from transforms.files import delete, exists, list_files, read_json, write_text

DIRECTORIES: Final = ("qa", "pairs", "documents", "rejected", "errors")
SCRATCH: Final = "scratch"
_SHARD: Final = re.compile(r"part-\d{5}-of-\d{5}\.parquet(\.[0-9a-f]{32}\.tmp)?")
_NOT_OF_THE_RESULT: Final = {"output", "input", "cache", "concurrency", "max_error_share"}


def check_run(output: str, config: dict[str, Any], *, overwrite: bool, retry_errors: bool) -> None:
    """Check that a run may start in `output`; nothing that lies there is touched.

    Args:
      config: the configuration as it will stand in the manifest.

    Raises:
      UsageError: the directory holds a complete run, cannot be written, or is reopened with another configuration.
    """
    if exists(f"{output}/{SUCCESS}"):
        if retry_errors:
            _check_reopening(output, config)
        elif not overwrite:
            raise UsageError(
                f"{output} holds a complete run ({SUCCESS}); name another --output, start it again with --overwrite,"
                " or reopen it for its errors with --retry-errors"
            )
    _check_writable(output)


def _check_reopening(output: str, config: dict[str, Any]) -> None:
    before = read_manifest(output)
    if not sum(stage["errors"] for stage in before["stages"]):
        raise UsageError(f"{output} has no errors to retry; it is complete as it is")
    changed = sorted(
        key
        for key in config.keys() | before["config"].keys()
        if key not in _NOT_OF_THE_RESULT and config.get(key) != before["config"].get(key)
    )
    if changed:
        raise UsageError(
            f"{output} was made with another {', '.join(changed)}; --retry-errors wants the same configuration,"
            " --overwrite starts again with the new one"
        )


def _check_writable(output: str) -> None:
    probe = f"{output}/{SCRATCH}/{uuid.uuid4().hex}"
    try:
        write_text(probe, "")
        delete([probe])
    except (OSError, BeamIOError) as error:
        raise UsageError(f"cannot write to --output {output}: {' '.join(str(error).split())}") from None


def clear_run(output: str) -> None:
    """Delete what an earlier run wrote, but its cache, and nothing else that may lie there; `_SUCCESS` goes first."""
    delete([f"{output}/{SUCCESS}"])
    delete([f"{output}/{MANIFEST}", f"{output}/{SCRATCH}"])
    for directory in DIRECTORIES:
        delete([path for path in list_files(f"{output}/{directory}/*") if _SHARD.fullmatch(posixpath.basename(path))])


def read_manifest(output: str) -> dict[str, Any]:
    """Return the manifest of a run's directory.

    Raises:
      UsageError: there is none, or it is no JSON.
    """
    path = f"{output}/{MANIFEST}"
    try:
        return read_json(path)
    except (OSError, BeamIOError, json.JSONDecodeError) as error:
        raise UsageError(
            f"{path} cannot be read: {' '.join(str(error).split())}; is {output} a run's --output?"
        ) from None
