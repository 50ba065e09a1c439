"""What has to be equal where a run is built and where it runs: a worker of another version would decide otherwise."""

from __future__ import annotations

import functools
import importlib.metadata
import sys
from dataclasses import dataclass, fields
from typing import Final

PACKAGE: Final = "webscale-rl"


class VersionError(RuntimeError):
    """Workers have other versions. The message is one line that names both and the remedy."""


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions of one process; `python` is its minor version."""

    webscale_rl: str
    apache_beam: str
    python: str

    def __str__(self) -> str:
        return ", ".join(f"{_name(field.name)} {getattr(self, field.name)}" for field in fields(self))


@functools.cache
def versions_here() -> Versions:
    """Return the versions of this process."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return Versions(importlib.metadata.version(PACKAGE), importlib.metadata.version("apache-beam"), python)


def difference(client: Versions, worker: Versions) -> str | None:
    """Return a line that names what differs on a worker, and the remedy; null where nothing does."""
    differing = [field.name for field in fields(client) if getattr(client, field.name) != getattr(worker, field.name)]
    if not differing:
        return None

    def said(versions: Versions) -> str:
        return ", ".join(f"{_name(name)} {getattr(versions, name)}" for name in differing)

    return (
        f"workers have {said(worker)} and this command {said(client)}; build the workers' image from this version, or"
        " run the command with theirs"
    )


def check_versions(client: Versions) -> None:
    """Check on a worker that it has the versions of the client that built the pipeline.

    Raises:
      VersionError: it has others.
    """
    if (problem := difference(client, versions_here())) is not None:
        raise VersionError(problem)


def _name(field: str) -> str:
    return {"python": "Python"}.get(field, field.replace("_", "-"))
