"""What marks a run's directory: the names in it that say whose it is and whether it is complete."""

from __future__ import annotations

from typing import Final

from transforms.files import exists, read_json

MANIFEST: Final = "manifest.json"
SUCCESS: Final = "_SUCCESS"
SCRATCH: Final = "scratch"
"""Directory for what a run needs until its end; each run has its own in it, by its id."""
OWNER: Final = f"{SCRATCH}/owner.json"
"""Names the run to which the directory belongs, as long as that is at work."""


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
