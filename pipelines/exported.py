"""What an export reads: a run, or the runs that are a root's dataset."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
from apache_beam.io.filesystem import BeamIOError

from pipelines.options import UsageError
from pipelines.roots import forgotten, run_directory, superseded, told
from pipelines.rundir import read_manifest
from transforms.catalog import CATALOG, RUNS, read_catalog
from transforms.exports.source import Part
from transforms.files import exists
from transforms.output import SUCCESS
from transforms.state import absolute

_DEMANDED: Final = ("run_id", "config", "prompts", "stages", "rows")
_DEMANDED_OF: Final = {
    "stages": ("stage", "unit", "in", "kept", "rejected", "errors", "pending", "reasons", "failures"),
    "contamination": ("benchmark", "items", "pairs"),
}
"""What every line of a list must have."""


@dataclass(frozen=True, slots=True)
class Exported:
    """The runs whose pairs are exported, oldest first, their manifests, and whether they are complete."""

    parts: tuple[Part, ...]
    manifests: tuple[Mapping[str, Any], ...]
    complete: bool = True


def exported(directory: str, *, incomplete: bool) -> Exported:
    """Return what lies in a directory.

    Raises:
      UsageError: it is no run and no root, is one of a root's runs, has no pairs, or is not complete.
    """
    try:
        if exists(f"{directory}/{CATALOG}"):
            return _of_root(directory)
        manifest = _manifest(directory)
        _check_no_part(directory)
        complete = exists(f"{directory}/{SUCCESS}")
        if not complete and not incomplete:
            reasons = "; ".join(manifest.get("unfinished", ())) or "it has no _SUCCESS"
            raise UsageError(f"the run in {directory} is not complete ({reasons}); finish it, or add --incomplete")
    except (OSError, BeamIOError, ValueError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"{directory} cannot be read: {' '.join(str(error).split())}") from None
    part = Part(manifest["run_id"], directory, manifest["rows"]["qa"], pa.array([], pa.string()))
    return Exported((part,), (manifest,), complete)


def _check_no_part(directory: str) -> None:
    """Check that a run is none of a root's: what was superseded or forgotten there, the root alone knows."""
    root, name = posixpath.split(posixpath.dirname(absolute(directory)))
    if name == RUNS and exists(f"{root}/{CATALOG}"):
        raise UsageError(
            f"{directory} is a run of the root {root}, and later runs may have superseded its pairs; export {root}"
        )


def _of_root(root: str) -> Exported:
    with told():
        catalog, _ = read_catalog(root)
        if catalog is None or not catalog.runs:
            raise UsageError(f"{root} has no run yet; wait for its first refresh")
        gone: defaultdict[str, list[str]] = defaultdict(list)
        for _, row in superseded(root, catalog.run_ids):
            gone[row["run_id"]] += row["pair_ids"] or ()
        unswept = forgotten(root, catalog)
        manifests = tuple(_manifest(run_directory(root, run)) for run in catalog.run_ids)
    parts = tuple(
        Part(run, run_directory(root, run), manifest["rows"]["qa"], pa.array(sorted(gone[run]), pa.string()), unswept)
        for run, manifest in zip(catalog.run_ids, manifests, strict=True)
    )
    return Exported(parts, manifests)


def _manifest(directory: str) -> dict[str, Any]:
    """Return the manifest of a run that has pairs."""
    manifest = read_manifest(directory)
    lacking = [name for name in _DEMANDED if name not in manifest]
    for key, names in _DEMANDED_OF.items():
        lines = manifest.get(key) or ()
        lacking += [f"{key}.{name}" for name in names if any(name not in line for line in lines)]
    if lacking:
        raise UsageError(f"{directory}/manifest.json lacks {', '.join(lacking)}: another version has written it")
    if "qa" not in manifest["rows"]:
        until = manifest.get("until") or "no pairs"
        raise UsageError(f"the run in {directory} ended with {until} and has no qa/; run it again without --until")
    return manifest
