"""What marks a run's directory: the names in it that say whose it is and whether it is complete."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from typing import Final

from transforms.files import exists, list_files, read_json

MANIFEST: Final = "manifest.json"
SUCCESS: Final = "_SUCCESS"
REPORT: Final = "report.html"
SCRATCH: Final = "scratch"
"""Directory for what a run needs until its end; each run has its own in it, by its id."""
OWNER: Final = f"{SCRATCH}/owner.json"
"""Names the run to which the directory belongs, as long as that is at work."""
_TEMPORARY: Final = re.compile(r".+\.[0-9a-f]{32}\.tmp")
"""What `transforms.files.replacing` writes to before a file has its name."""


def is_output(directory: str) -> bool:
    """Return whether a directory is that of a run."""
    return any(exists(f"{directory}/{name}") for name in (MANIFEST, OWNER))


def run_in(output: str) -> str | None:
    """Return the id of the run to which a directory belongs: the one at work, else the manifest's; null for none.

    Raises:
      OSError, BeamIOError, ValueError, KeyError, TypeError: the file that names it cannot be read.
    """
    for name in (OWNER, MANIFEST):
        if exists(f"{output}/{name}"):
            return str(read_json(f"{output}/{name}")["run_id"])
    return None


def has_ended(output: str, run_id: str) -> bool:
    """Return whether a run has come to its end in a directory, so that nothing of it is to be written there any more.

    A runner may have given a worker up that is alive, and a client its job: what such a one still writes comes late.

    Raises:
      RuntimeError: the directory belongs to another run by now.
    """
    owner = run_in(output)
    if owner != run_id:
        raise RuntimeError(f"{output} belongs to the run {owner} by now; {run_id} must not write there")
    return not exists(f"{output}/{OWNER}")


def check_at_work(output: str, run_id: str) -> None:
    """Check that a run has not ended, at the last moment before one of its files gets its name.

    Raises:
      RuntimeError: it has, or the directory belongs to another run by now.
    """
    if has_ended(output, run_id):
        raise RuntimeError(f"{output}: the run {run_id} has ended; nothing of it may be written there any more")


def unnamed_files(output: str, directories: Iterable[str]) -> list[str]:
    """Return what workers that died have left under temporary names, in some directories of an output and beside."""
    places = [f"{output}/{directory}/part-*.tmp" for directory in directories]
    places += [f"{output}/{name}.*.tmp" for name in (MANIFEST, REPORT, SUCCESS)]
    return [path for place in places for path in list_files(place) if is_temporary(path)]


def is_temporary(path: str) -> bool:
    """Return whether a file was left, half written perhaps, by a worker that died before it gave it its name."""
    return _TEMPORARY.fullmatch(posixpath.basename(path)) is not None
