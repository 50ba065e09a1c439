"""The catalogue of a root: read, and replaced as a whole by who has seen what it replaces."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, JsonValue, ValidationError

from schemas.catalog import FORMAT, Added, Asked, Catalog, Seen
from transforms.files import list_files, open_parquet
from transforms.swap import ConflictError, SwapError, read, write

CATALOG: Final = "catalog.json"
RUNS: Final = "runs"
STATE: Final = "state"
CACHE: Final = "cache"
FORGOTTEN: Final = "forgotten"
"""Names within a root."""

_DAMAGE: Final = pa.array(["invalid_utf8", "unreadable_rows"])
"""Errors of rows that come again as long as their file stays as it is. One that is not opened may lack a permission."""

Model = TypeVar("Model", bound=BaseModel)


class CatalogError(ValueError):
    """The catalogue cannot be read or replaced; one line that names it and the remedy."""


@dataclass(frozen=True, slots=True)
class Part:
    """What a run is going to add to a root.

    Attributes:
      root: the directory.
      run_id: of the run.
      night: the first run of the same refresh, perhaps itself.
      generation: of the catalogue that it was planned from.
      runs: those that it goes on from, oldest first; none where it makes the dataset anew.
      files: (size, updated) of the corpus files that it reads.
      known_errors: rows of these files that ended as errors before.
      forgotten: the files with hashes of the ids that must not come back.
      settings, prompts: see `Catalog`.
      full: whether it takes the place of all earlier runs.
    """

    root: str
    run_id: str
    night: str
    generation: int
    runs: tuple[str, ...]
    files: Mapping[str, tuple[int, float]]
    known_errors: int
    forgotten: tuple[str, ...]
    settings: Mapping[str, JsonValue]
    prompts: Mapping[str, str]
    full: bool

    @property
    def state(self) -> str:
        """The directory of what runs remember."""
        return f"{self.root}/{STATE}"


def noted_in(root: str, takedown: str) -> str:
    """Return the file with the hashes of the ids of a takedown."""
    return f"{root}/{FORGOTTEN}/{takedown}.parquet"


def read_catalog(root: str) -> tuple[Catalog | None, str]:
    """Return the catalogue and the token that replaces it; null where there is none.

    Raises:
      CatalogError: it is damaged, or of another version.
      SwapError: it cannot be read.
    """
    path = f"{root}/{CATALOG}"
    content, token = read(path)
    remedy = (
        "restore an earlier version of it; or move it, runs/ and state/ away and refresh again: answers in cache/ are"
        " not paid twice, and what is noted in forgotten/ does not come back"
    )
    return (None if content is None else parse(Catalog, path, content, remedy)), token


def parse(model: type[Model], path: str, content: bytes, remedy: str) -> Model:
    """Return what a small file of a root holds.

    Args:
      remedy: what to do about a damaged one.

    Raises:
      CatalogError: it is damaged, or of another version.
    """
    try:
        fields = json.loads(content)
        form = fields["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise CatalogError(f"{path} is damaged ({type(error).__name__}: {error}); {remedy}") from None
    if form != FORMAT:
        raise CatalogError(
            f"{path} has the format {form}, and this version of webscale-rl knows {FORMAT}: go on with the version"
            " that wrote it, or name another --root"
        )
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise CatalogError(f"{path} is damaged ({place}: {first['msg']}); {remedy}") from None


def write_catalog(root: str, catalog: Catalog, token: str) -> str:
    """Replace the catalogue, and return the token of the new one.

    Raises:
      ConflictError: somebody else has.
      SwapError: it cannot be written.
    """
    return write(f"{root}/{CATALOG}", encode(catalog), token)


def encode(model: BaseModel) -> bytes:
    """Return the content of a small file of a root."""
    return (model.model_dump_json(indent=1) + "\n").encode("utf-8")


def change_catalog(root: str, change: Callable[[Catalog], Catalog]) -> Catalog:
    """Change the catalogue under the lock of its root.

    Raises:
      CatalogError: it is gone, or somebody without the lock has changed it meanwhile.
      SwapError: it cannot be read or written.
    """
    catalog, token = read_catalog(root)
    if catalog is None:
        raise CatalogError(f"{root}/{CATALOG} is gone; restore it")
    changed = change(catalog)
    if changed is not catalog:
        try:
            write_catalog(root, changed, token)
        except ConflictError:
            raise CatalogError(f"{root}/{CATALOG} was changed by somebody else; give the same command again") from None
    return changed


def enter(part: Part, output: str, manifest: Mapping[str, Any]) -> None:
    """Add a complete run to the catalogue, from which moment it is part of the dataset.

    Asked a second time, as runners try a step again, it changes nothing.

    Args:
      output: the run's directory.
      manifest: of the run.

    Raises:
      CatalogError: the catalogue is not the one that the run was planned from, or cannot be read or written.
    """
    try:
        catalog, token = read_catalog(part.root)
        if catalog is not None and part.run_id in catalog.run_ids:
            return
        if catalog is None or catalog.generation != part.generation:
            raise ConflictError
        errors, lasting = errors_by_file(output)
        files = {
            path: Seen(size=size, updated=updated, run=part.run_id, errors=errors[path], lasting=lasting[path])
            for path, (size, updated) in part.files.items()
        }
        added = added_run(part, manifest)
        write_catalog(part.root, catalog.added(added, files, part.settings, part.prompts, full=part.full), token)
    except (ConflictError, SwapError) as error:
        reason = "it is not the one that the run was planned from" if isinstance(error, ConflictError) else error
        raise CatalogError(
            f"cannot add run {part.run_id} to the catalogue {part.root}/{CATALOG} ({reason}); refresh again: its"
            " answers are in the cache"
        ) from None


def added_run(part: Part, manifest: Mapping[str, Any]) -> Added:
    """Return what the catalogue says of a run."""
    asked: dict[str, Asked] = {}
    for line in manifest["usage"]:
        before = asked.get(line["stage"], Asked(requests=0, usd=0.0))
        usd = line["cost_usd"] + line["replayed_cost_usd"]
        asked[line["stage"]] = Asked(requests=before.requests + line["requests"], usd=before.usd + usd)
    return Added(
        id=part.run_id,
        night=part.night,
        started=manifest["started"],
        files=len(part.files),
        documents=manifest["stages"][0]["in"],
        rows={name: rows for name, rows in manifest["rows"].items() if "/" not in name},
        usd=manifest["cost"]["usd"],
        asked=asked,
        settled=not manifest["rows"].get("superseded"),
    )


def errors_by_file(output: str) -> tuple[Counter[str], Counter[str]]:
    """Return how many rows of each corpus file a run has in `errors/`, and how many of them are damaged in the file."""
    found, lasting = Counter[str](), Counter[str]()
    for shard in list_files(f"{output}/errors/part-*.parquet"):
        with open_parquet(shard) as file:
            for batch in file.iter_batches(columns=["error", "source.path"]):
                paths = pc.struct_field(batch["source"], "path")
                found.update(paths.to_pylist())
                lasting.update(paths.filter(pc.is_in(batch["error"], _DAMAGE)).to_pylist())
    return found, lasting
