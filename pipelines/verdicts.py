"""What the screen said of the documents of an earlier run, with their texts: examples for a quality classifier."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from apache_beam.io.filesystem import BeamIOError

from pipelines.options import UsageError
from pipelines.rundir import read_manifest
from schemas.config import STAGES
from schemas.records import Source, arrow_schema, text_sha256
from transforms.files import list_files, open_parquet, read_batches

Example = tuple[str | None, bool | None]
"""A document's text, and whether it was kept; null where the source does not say."""

_SCREEN: Final = "screen"
_LATER: Final = STAGES[STAGES.index(_SCREEN) + 1 :]
_PLACE: Final = ("path", "row_group", "row", "text_sha256")
_NO_REFERENCES: Final = pa.schema(
    [*(arrow_schema(Source).field(name) for name in _PLACE), pa.field("kept", pa.bool_())]
).empty_table()


class ScreenedRun:
    """A run's directory whose manifest says that its screen ran.

    Attributes:
      calls: how many documents the screen was asked about.
    """

    def __init__(self, output: str) -> None:
        """Read the manifest.

        Raises:
          UsageError: there is none, or the run has no verdicts or none that its corpus can be trained on.
        """
        self._output = output.rstrip("/")
        manifest = read_manifest(self._output)
        try:
            stages = {stage["stage"]: stage["in"] for stage in manifest["stages"]}
            self._rows: dict[str, int] = manifest["rows"]
            self._column: str = manifest["config"]["columns"]["text"]
            cleaned = manifest["config"]["filters"].get("clean_lines", False)
        except (KeyError, TypeError, AttributeError):
            raise UsageError(f"{output}/manifest.json is no manifest of a run; name the --output of one") from None
        if _SCREEN not in stages:
            raise UsageError(
                f"{output} ended with {manifest['until']}, so its screen gave no verdicts; go on with it first"
                f" (webscale-rl run --until {_SCREEN})"
            )
        if cleaned:
            raise UsageError(
                f"{output} screened what C4 left of the texts (filters.clean_lines), which the corpus does not hold;"
                " train from a run without clean_lines"
            )
        self.calls: int = stages[_SCREEN]

    def examples(self) -> Iterator[Example]:
        """Yield each document about which there is a verdict, in the order of the corpus as far as it is read again.

        Rejected are the rows of `rejected/` with the stage `screen`. Kept is what got past it: the documents of
        `documents/`, or those behind the pairs and the later stages' rejected rows and errors.

        Raises:
          UsageError: the output was changed after the run, or the corpus is not there or has other texts by now.
        """
        tables = [_NO_REFERENCES, *self._references("rejected", judged=True), *self._references("errors", judged=False)]
        for directory in ("qa", "pairs"):
            if directory in self._rows:
                tables.extend(self._references(directory, judged=False))
        if "documents" in self._rows:
            yield from self._documents()
        references = pa.concat_tables(tables).group_by(_PLACE).aggregate([("kept", "any")])
        yield from self._read_again(references.sort_by([(name, "ascending") for name in _PLACE]))

    def _shards(self, directory: str) -> list[str]:
        paths = list_files(f"{self._output}/{directory}/part-*.parquet")
        rows = 0
        for path in paths:
            try:
                with open_parquet(path) as file:
                    rows += file.metadata.num_rows
            except (OSError, BeamIOError, pa.ArrowException) as error:
                raise UsageError(
                    f"{path} cannot be read: {' '.join(str(error).split())[:200]}; train from a whole run"
                ) from None
        if rows != self._rows[directory]:
            raise UsageError(
                f"{self._output}/{directory} holds {rows} rows, its manifest counts {self._rows[directory]}; files are"
                " missing or a run is at work there: train from a whole run"
            )
        return paths

    def _references(self, directory: str, *, judged: bool) -> Iterator[pa.Table]:
        """Yield tables of `_PLACE` and `kept`, a row for each record that tells a verdict of the screen.

        Args:
          judged: whether the screen's own rows are verdicts; its errors are none.
        """
        staged = directory in ("rejected", "errors")
        columns = [f"source.{name}" for name in _PLACE] + ["stage"] * staged
        for path in self._shards(directory):
            with open_parquet(path) as file:
                for batch in file.iter_batches(columns=columns):
                    stages = batch["stage"] if staged else pa.array([_LATER[-1]] * batch.num_rows)
                    table = pa.table({name: pc.struct_field(batch["source"], name) for name in _PLACE})
                    table = table.append_column("kept", pc.not_equal(stages, _SCREEN))
                    telling = pa.array([_SCREEN, *_LATER] if judged else _LATER)
                    yield table.filter(pc.is_in(stages, telling))

    def _documents(self) -> Iterator[Example]:
        for path in self._shards("documents"):
            with open_parquet(path) as file:
                for batch in file.iter_batches(batch_size=1024, columns=[self._column]):
                    for text in batch.column(0).cast(pa.string()).to_pylist():
                        yield text, True

    def _read_again(self, references: pa.Table) -> Iterator[Example]:
        """Yield the referenced documents, a row group at a time.

        Args:
          references: sorted by place.
        """
        for path, number, part in _row_groups(references):
            expected = zip(part["text_sha256"].to_pylist(), part["kept_any"].to_pylist(), strict=True)
            found = 0
            try:
                texts = _texts(path, number, part["row"].to_numpy(), self._column)
                for text, (sha256, kept) in zip(texts, expected, strict=False):
                    if text is None or text_sha256(text) != sha256:
                        raise ValueError("a text has changed")
                    found += 1
                    yield text, kept
                if found < part.num_rows:
                    raise ValueError("rows are missing")
            except (OSError, BeamIOError, pa.ArrowException, LookupError, ValueError) as error:
                problem = " ".join(str(error).split())[:200]
                raise UsageError(
                    f"{path}, row group {number}, is not what {self._output} read ({problem});"
                    " give the corpus back its place and content, and start where that run was started"
                ) from None


def _row_groups(references: pa.Table) -> Iterator[tuple[str, int, pa.Table]]:
    """Yield (path, row group, its references) of a sorted table."""
    paths, groups = references["path"], references["row_group"]
    if not references.num_rows:
        return
    changes = pc.or_(pc.not_equal(paths[1:], paths[:-1]), pc.not_equal(groups[1:], groups[:-1]))
    starts = [0, *(np.flatnonzero(changes.to_numpy()) + 1).tolist()]
    for start, end in zip(starts, [*starts[1:], references.num_rows], strict=True):
        yield paths[start].as_py(), groups[start].as_py(), references.slice(start, end - start)


def _texts(path: str, number: int, rows: np.ndarray[Any, Any], column: str) -> Iterator[str | None]:
    """Yield the texts of some rows of a row group, which are ascending; fewer where it has fewer rows."""
    first = 0
    with open_parquet(path) as file:
        for batch in read_batches(file, number, [column]):
            inside = rows[np.searchsorted(rows, first) : np.searchsorted(rows, first + batch.num_rows)]
            yield from batch.column(0).cast(pa.string()).take(pa.array(inside - first)).to_pylist()
            first += batch.num_rows
