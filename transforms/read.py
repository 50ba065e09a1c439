"""ReadCorpus: Parquet files become bounded batches of documents; bad files and rows leave as errors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.config import Columns
from schemas.elements import Batch, CorpusPlan, RowGroup
from schemas.records import Failed, Rejected, Source, text_hashes
from transforms.files import BATCH_BYTES, document_table, open_parquet, read_rows
from transforms.ledger import SIDE_DOORS, Doors, LedgerDoFn, doors
from transforms.storage import StorageError
from transforms.versions import Versions, check_versions, versions_here

_FOOTER_THREADS: Final = 16
_SAMPLE_SEED: Final = 0
_HELD_BYTES: Final = 2 * BATCH_BYTES


class CorpusError(ValueError):
    """The corpus cannot be read as configured; the message names the file, the column and the remedy."""


class UnreadableError(CorpusError):
    """None of the files can be read."""


def plan_corpus(paths: Sequence[str], columns: Columns, sample: int | None = None, *, whole: bool = True) -> CorpusPlan:
    """Read the footers of all files and lay out the row groups.

    Args:
      paths: the files, sorted.
      columns: the column names of the corpus.
      sample: rows to draw without replacement, the same ones each time; null takes all.
      whole: whether the run writes all columns (`documents/`); otherwise the types of those it does not use are free.

    Raises:
      UnreadableError: no file can be read.
      CorpusError: a column is missing, has an unusable type, or the files disagree about its type.
      StorageError: a store cannot be reached, or refuses.
    """
    with ThreadPoolExecutor(_FOOTER_THREADS) as pool:
        footers = list(pool.map(_footer, paths))
    readable = [(path, footer) for path, footer in zip(paths, footers, strict=True) if not isinstance(footer, str)]
    unreadable = tuple((path, footer) for path, footer in zip(paths, footers, strict=True) if isinstance(footer, str))
    if not readable:
        path, message = unreadable[0]
        raise UnreadableError(f"none of the {len(paths)} input files can be read; {path}: {message}")
    schema = unify([(path, footer[0]) for path, footer in readable], columns, whole=whole)
    sizes = [(i, number, rows) for i, (_, (_, groups)) in enumerate(readable) for number, rows in enumerate(groups)]
    first_row = np.concatenate([[0], np.cumsum([rows for _, _, rows in sizes], dtype=np.int64)]).astype(np.int64)
    return CorpusPlan(
        paths=tuple(path for path, _ in readable),
        unreadable=unreadable,
        path_of=np.array([i for i, _, _ in sizes], np.int32),
        number_of=np.array([number for _, number, _ in sizes], np.int32),
        first_row=first_row,
        sample=None if sample is None else draw(int(first_row[-1]), sample),
        columns={role: name for role in Columns.model_fields if (name := getattr(columns, role)) in schema.names},
        schema=schema,
    )


def draw(rows: int, sample: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return `sample` distinct row numbers below `rows` (all of them when there are no more), sorted."""
    generator = np.random.Generator(np.random.PCG64(_SAMPLE_SEED))
    return np.sort(generator.choice(rows, size=min(sample, rows), replace=False)).astype(np.int64)


def _footer(path: str) -> tuple[pa.Schema, list[int]] | str:
    """Return a file's schema and the rows of its groups, or why it has no readable footer."""
    try:
        with open_parquet(path) as file:
            groups = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
            return file.schema_arrow.remove_metadata(), groups
    except StorageError:
        raise  # of the store, not of the file
    except (OSError, pa.ArrowException) as error:
        return _one_line(error)


def unify(schemas: Sequence[tuple[str, pa.Schema]], columns: Columns, *, whole: bool) -> pa.Schema:
    """Return one schema for all files, or raise `CorpusError`.

    Columns that only some files have become nullable; integers and floats widen. `columns.id` may be a string or an
    integer, `columns.text` and the others must be strings.
    """
    for path, schema in schemas:
        for name in schema.names:
            if schema.names.count(name) > 1:
                raise CorpusError(f"{path} has two columns {name!r}; rename one of them")
        for name in columns.demanded:
            if name not in schema.names:
                role = next(role for role in Columns.model_fields if getattr(columns, role) == name)
                raise CorpusError(
                    f"{path} has no column {name!r} (it has {', '.join(schema.names) or 'none'});"
                    f" name its {role} column with {_remedy(role)}"
                )
        for role in Columns.model_fields:
            _check_type(path, schema, role, getattr(columns, role))
    if not whole:
        used = {getattr(columns, role) for role in Columns.model_fields}
        present = {name for _, schema in schemas for name in schema.names if name in used}
        return pa.schema([(name, pa.string()) for name in sorted(present)])
    unified = schemas[0][1]
    for path, schema in schemas[1:]:
        try:
            unified = pa.unify_schemas([unified, schema], promote_options="permissive")
        except pa.ArrowException as error:
            raise CorpusError(
                f"{path} does not fit {schemas[0][0]}: {_conflict(unified, schema) or _one_line(error)};"
                " give the column one type in all files, or run them apart"
            ) from None
    if "webscale_rl" in unified.names:
        unified = unified.remove(unified.get_field_index("webscale_rl"))  # an earlier run's verdicts; ours replace them
    return unified


def _remedy(role: str) -> str:
    return {"id": "--id-column", "text": "--text-column"}.get(role, f"columns.{role} in the configuration")


def _check_type(path: str, schema: pa.Schema, role: str, name: str) -> None:
    if name not in schema.names:
        return
    kind = schema.field(name).type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    fits = pa.types.is_string(kind) or pa.types.is_large_string(kind) or (role == "id" and pa.types.is_integer(kind))
    if not fits and not pa.types.is_null(kind):
        wanted = "a string or an integer" if role == "id" else "a string"
        raise CorpusError(
            f"{path}: column {name!r} is {kind}, the {role} must be {wanted}; name another one with {_remedy(role)}"
        )


def _conflict(unified: pa.Schema, schema: pa.Schema) -> str | None:
    for field in schema:
        if field.name in unified.names and unified.field(field.name).type != field.type:
            try:
                pa.unify_schemas(
                    [pa.schema([unified.field(field.name)]), pa.schema([field])], promote_options="permissive"
                )
            except pa.ArrowException:
                return f"column {field.name!r} is {field.type} here and {unified.field(field.name).type} there"
    return None


def _one_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]


class ReadCorpus(beam.PTransform):
    """Read the planned row groups.

    Output: `Doors` whose kept elements are `Batch`es: documents with an id and a text that is not blank, the columns of
    `DOCUMENT_COLUMNS`. Rejected: `null_id`, `empty_id`, `null_text`, `empty_text`, `forgotten`. Errors:
    `unreadable_file`, `unreadable_rows` (one a document), `invalid_utf8`.
    """

    def __init__(self, plan: CorpusPlan) -> None:
        super().__init__()
        self.plan = plan

    def expand(self, pipeline: Any) -> Doors:
        units = [*range(len(self.plan)), *(-1 - i for i in range(len(self.plan.unreadable)))]
        outputs = (
            pipeline
            | "RowGroups" >> beam.Create(units)
            | "Read" >> beam.ParDo(_ReadRowGroup(self.plan, versions_here())).with_outputs(*SIDE_DOORS, main="kept")
        )
        return doors(outputs)


class _ReadRowGroup(LedgerDoFn):
    """int -> Batch: a row group of the plan by its index; -1 - i is the i-th unreadable file."""

    stage = "read"

    def __init__(self, plan: CorpusPlan, versions: Versions) -> None:
        self.plan = plan
        self.versions = versions

    def setup(self) -> None:
        check_versions(self.versions)  # here, because this is the first that a worker does of a run
        self.forgotten = forgotten_ids(self.plan.forgotten)

    def process(self, unit: int) -> Iterator[Any]:
        if unit < 0:
            path, message = self.plan.unreadable[-1 - unit]
            self.ledger.count("in")
            self.ledger.fail([Failed(None, None, self.stage, "unreadable_file", message, 1, Source(None, path))])
        else:
            group = self.plan.group(unit)
            wanted = self.plan.wanted(group)
            self.ledger.count("in", group.rows if wanted is None else len(wanted))
            if wanted is None or len(wanted):
                yield from self._read(group, wanted)
        yield from self.ledger.flush()

    def _read(self, group: RowGroup, wanted: np.ndarray[Any, np.dtype[np.int64]] | None) -> Iterator[Any]:
        due = np.arange(group.rows) if wanted is None else wanted
        tables = self._intact(group)
        if isinstance(tables, str):
            places = [Source(None, group.path, group.number, int(row)) for row in due]
            self.ledger.fail([Failed(None, None, self.stage, "unreadable_rows", tables, 1, place) for place in places])
            return
        for first, raw in tables:
            rows = due[np.searchsorted(due, first) : np.searchsorted(due, first + raw.num_rows)]
            documents = self._accept(group, rows, raw.take(pa.array(rows - first)))
            if documents.num_rows:
                self.ledger.count("kept", documents.num_rows)
                yield Batch(group, documents)
            yield from self.ledger.flush()

    def _intact(self, group: RowGroup) -> Iterable[tuple[int, pa.Table]] | str:
        """Return a row group's tables as `read_rows` does, or why it does not decode to its end.

        None of them goes on before all have been decoded, because later stages read its rows again by reference. A row
        group too large to be held meanwhile is read twice.
        """
        held: list[tuple[int, pa.Table]] = []
        size = 0
        try:
            for first, table in read_rows(self.plan, group):
                size += table.nbytes
                if size <= _HELD_BYTES:
                    held.append((first, table))
        except StorageError:
            raise  # rows that a store would not give today are no errors of the corpus
        except (OSError, pa.ArrowException) as error:
            return _one_line(error)
        return held if size <= _HELD_BYTES else read_rows(self.plan, group)

    def _accept(self, group: RowGroup, rows: np.ndarray[Any, Any], raw: pa.Table) -> pa.Table:
        """Return the rows that are documents, as `DOCUMENT_COLUMNS`; enter the others into the ledger."""
        garbled = _garbled(raw)
        for place, message in garbled.items():
            source = Source(None, group.path, group.number, int(rows[place]))
            self.ledger.fail([Failed(None, None, self.stage, "invalid_utf8", message, 1, source)])
        if garbled:
            rows, raw = np.delete(rows, list(garbled)), raw.take(np.delete(np.arange(raw.num_rows), list(garbled)))
        if absent := _missing(raw, self.forgotten):
            places = np.array(list(absent))
            self.ledger.reject(
                [
                    Rejected(values["id"], None, self.stage, reason, None, _source(group, row, values, reason))
                    for reason, row, values in zip(
                        absent.values(), rows[places], raw.take(places).to_pylist(), strict=True
                    )
                ]
            )
            there = np.delete(np.arange(raw.num_rows), places)
            rows, raw = rows[there], raw.take(there)
        return document_table(rows, raw)


def _source(group: RowGroup, row: int, values: dict[str, Any], reason: str) -> Source:
    """Return where a row came from; of what is forgotten the place alone, by which it is found in the corpus."""
    return source_of(group, row, {"id": values["id"]} if reason == "forgotten" else values)


def source_of(group: RowGroup, row: int, values: dict[str, Any]) -> Source:
    """Return where a row came from, its text left out."""
    known = {name: value for name, value in values.items() if name not in ("id", "text")}
    return Source(values["id"], group.path, group.number, int(row), **known)


def _garbled(raw: pa.Table) -> dict[int, str]:
    """Return the places of the rows whose bytes are not UTF-8, each with what the decoder said."""
    try:
        raw.validate(full=True)
        return {}
    except pa.ArrowInvalid:
        found = {}
        for place in range(raw.num_rows):
            try:
                raw.slice(place, 1).to_pylist()
            except UnicodeDecodeError as error:
                found[place] = _one_line(error)
        return found


def _missing(raw: pa.Table, forgotten: frozenset[str]) -> dict[int, str]:
    """Return the places of the rows that are no documents, or must not be, each with the reason."""
    # What begins with a letter, a digit or a mark of ASCII is not blank: few texts are left to be looked at one by one.
    named = pc.fill_null(pc.greater(pc.binary_length(raw["id"]), 0), False)
    plain = pc.and_(named, pc.fill_null(pc.match_substring_regex(raw["text"], "^[!-~]"), False))
    suspects = np.flatnonzero(~plain.to_numpy())
    rows = raw.select(["id", "text"]).take(suspects).to_pylist()
    reasons = {place: missing(row["id"], row["text"]) for place, row in zip(suspects.tolist(), rows, strict=True)}
    found = {place: reason for place, reason in reasons.items() if reason}
    if forgotten:
        hashes = text_hashes(pa.chunked_array([pc.fill_null(chunk, "") for chunk in raw["id"].chunks], pa.string()))
        found = {place: "forgotten" for place, sha256 in enumerate(hashes) if sha256 in forgotten} | found
    return found


def forgotten_ids(paths: Sequence[str]) -> frozenset[str]:
    """Return the SHA-256 of the ids that must not be read again, in hexadecimal."""
    found: set[str] = set()
    for path in paths:
        with open_parquet(path) as file:
            found.update(file.read(["sha256"])["sha256"].to_pylist())
    return frozenset(found)


def missing(doc_id: str | None, text: str | None) -> str | None:
    """Return why a row is no document: it has no id, no text, or a blank one."""
    if doc_id is None:
        return "null_id"
    if not doc_id:
        return "empty_id"
    if text is None:
        return "null_text"
    return None if text.strip() else "empty_text"
