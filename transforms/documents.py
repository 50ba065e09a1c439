"""WriteDocuments: what the document stages kept, as the corpus had it, with the verdicts so far in one column."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.elements import CorpusPlan, RowGroup, Selection
from schemas.records import (
    ClassifyVerdict,
    Document,
    DocumentVerdicts,
    ScreenVerdict,
    arrow_schema,
    text_hashes,
    to_table,
)
from transforms.files import ShardKey, open_parquet, read_batches, replacing, run_metadata, shard_count, shard_path
from transforms.output import check_at_work, has_ended
from transforms.text.c4 import clean

VERDICTS: Final = "webscale_rl"
"""The struct column that `documents/` has beside the source's own."""

Layout = tuple[np.ndarray[Any, np.dtype[np.int64]], np.ndarray[Any, np.dtype[np.int64]]]


def verdicts_of(document: Document) -> DocumentVerdicts:
    """Return what the stages so far have said of a document."""
    screen, classify = document.screen, document.classify
    return DocumentVerdicts(
        text_sha256=document.source.text_sha256 or "",
        screen=ScreenVerdict(document.screen_thought, screen.model, screen.prompt, screen.key) if screen else None,
        classify=ClassifyVerdict(
            domain=document.domain or "",
            personas=tuple(slot.persona for slot in document.slots),
            pair_ids=tuple(slot.pair_id for slot in document.slots),
            model=classify.model,
            prompt=classify.prompt,
            call=classify.key,
        )
        if classify
        else None,
    )


class SelectBatches(beam.PTransform):
    """`Batch`es -> `Selection`s: references to all rows of each batch."""

    def expand(self, batches: Any) -> Any:
        return batches | "Select" >> beam.Map(
            lambda batch: Selection(batch.group.index, batch.table["row"].to_numpy().astype(np.int32))
        )


class SelectDocuments(beam.PTransform):
    """`Document`s -> `Selection`s: references to their rows with their verdicts, one a row group."""

    def __init__(self, plan: CorpusPlan) -> None:
        super().__init__()
        self.plan = plan

    def expand(self, documents: Any) -> Any:
        return (
            documents
            | "ByRowGroup" >> beam.ParDo(_ByRowGroup(self.plan))
            | "GroupRows" >> beam.GroupByKey()
            | "Collect" >> beam.MapTuple(_collect)
        )


class _ByRowGroup(beam.DoFn):
    """Document -> (index of its row group, (row, verdicts))."""

    def __init__(self, plan: CorpusPlan) -> None:
        self.plan = plan

    def setup(self) -> None:
        self.index_of = self.plan.index_of()

    def process(self, document: Document) -> Iterator[tuple[int, tuple[int, DocumentVerdicts]]]:
        source = document.source
        yield self.index_of[source.path, source.row_group or 0], (source.row or 0, verdicts_of(document))


def _collect(group: int, rows: Iterable[tuple[int, DocumentVerdicts]]) -> Selection:
    ordered = sorted(rows, key=lambda item: item[0])
    return Selection(group, np.array([row for row, _ in ordered], np.int32), tuple(verdicts for _, verdicts in ordered))


class WriteDocuments(beam.PTransform):
    """Write `documents/`: the selected rows of the corpus in its order, all its columns and the `webscale_rl` struct.

    Input: `Selection`s. Output: ("documents", rows) of each shard written.
    """

    def __init__(self, plan: CorpusPlan, output: str, run_id: str) -> None:
        super().__init__()
        self.plan = plan
        self.output = output
        self.run_id = run_id

    def expand(self, selections: Any) -> Any:
        layout = (
            selections
            | "Sizes" >> beam.Map(lambda selection: (selection.group, int(selection.rows[0]), len(selection.rows)))
            | "Layout" >> beam.CombineGlobally(_Layout()).without_defaults()
        )
        seed = selections.pipeline | "Seed" >> beam.Create([None])
        return (
            (selections, seed)
            | "WithSeed" >> beam.Flatten()
            | "Split" >> beam.FlatMap(split_selection, layout=beam.pvalue.AsSingleton(layout, default_value=_NOTHING))
            | "GroupShards" >> beam.GroupByKey()
            | "WriteShard" >> beam.Map(_write_documents, plan=self.plan, output=self.output, run_id=self.run_id)
        )


class _Layout(beam.CombineFn):
    """(group, first row, rows) of each selection -> (places int64[n] ascending, starts int64[n + 1]).

    A place is group << 32 | first row; a start is the number of kept documents before it.
    """

    def create_accumulator(self) -> list[tuple[int, int]]:
        return []

    def add_input(self, accumulator: list[tuple[int, int]], element: tuple[int, int, int]) -> list[tuple[int, int]]:
        group, row, rows = element
        accumulator.append((group << 32 | row, rows))
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[list[tuple[int, int]]]) -> list[tuple[int, int]]:
        return [item for accumulator in accumulators for item in accumulator]

    def extract_output(self, accumulator: list[tuple[int, int]]) -> Layout:
        sizes = np.array(sorted(accumulator), np.int64).reshape(-1, 2)
        return sizes[:, 0], np.concatenate([[0], np.cumsum(sizes[:, 1])])


_NOTHING: Final[Layout] = _Layout().extract_output([])


def split_selection(selection: Selection | None, layout: Layout) -> Iterator[tuple[ShardKey, Selection | None]]:
    """Cut a selection where shards end: shard k holds the k-th of equal ranges of the kept documents.

    Null stands for the run itself: it yields an empty shard when nothing was kept.
    """
    places, starts = layout
    total = int(starts[-1])
    shards = shard_count(total)
    if selection is None:
        if total == 0:
            yield ("documents", 0, 1), None
        return
    width = -(-total // shards)
    start = int(starts[np.searchsorted(places, selection.group << 32 | int(selection.rows[0]))])
    for shard in range(start // width, (start + len(selection.rows) - 1) // width + 1):
        inside = slice(max(0, shard * width - start), (shard + 1) * width - start)
        verdicts = selection.verdicts[inside] if selection.verdicts else None
        yield ("documents", shard, shards), Selection(selection.group, selection.rows[inside], verdicts)


def _write_documents(
    element: tuple[ShardKey, Iterable[Selection | None]], plan: CorpusPlan, output: str, run_id: str
) -> tuple[str, int]:
    key, parts = element
    selections = merged([part for part in parts if part is not None])
    if has_ended(output, run_id):  # a runner that tries a step again after the last one: the shard is there
        return key[0], sum(len(selection.rows) for selection in selections)
    schema = plan.schema.append(pa.field(VERDICTS, pa.struct(list(arrow_schema(DocumentVerdicts)))))
    schema = schema.with_metadata(run_metadata(run_id))
    rows = 0
    with replacing(shard_path(output, key)) as stream, pq.ParquetWriter(stream, schema, compression="zstd") as writer:
        for selection in selections:
            for table in _documents(plan, plan.group(selection.group), selection):
                writer.write_table(table.cast(schema))
                rows += table.num_rows
        check_at_work(output, run_id)
    return key[0], rows


def merged(selections: list[Selection]) -> list[Selection]:
    """Return one selection a row group, in the order of the corpus, so that each group is read once."""
    by_group: dict[int, list[Selection]] = {}
    for selection in sorted(selections, key=lambda part: (part.group, part.rows[0])):
        by_group.setdefault(selection.group, []).append(selection)
    return [
        Selection(
            group,
            np.concatenate([part.rows for part in parts]),
            None if parts[0].verdicts is None else tuple(verdict for part in parts for verdict in part.verdicts or ()),
        )
        for group, parts in by_group.items()
    ]


def _documents(plan: CorpusPlan, group: RowGroup, selection: Selection) -> Iterator[pa.Table]:
    """Yield the selected rows with all columns of the plan's schema, in batches."""
    first = done = 0
    with open_parquet(group.path) as file:
        present = [name for name in plan.schema.names if name in file.schema_arrow.names]
        for batch in read_batches(file, group.number, present):
            bounds = np.searchsorted(selection.rows, [first, first + batch.num_rows])
            picked = pa.Table.from_batches([batch]).take(pa.array(selection.rows[bounds[0] : bounds[1]] - first))
            first += batch.num_rows
            if picked.num_rows:
                picked = _cleaned(plan, picked)
                verdicts = _verdicts(plan, picked, selection, done)
                done += picked.num_rows
                for name in plan.schema.names:
                    if name not in present:
                        picked = picked.append_column(name, pa.nulls(picked.num_rows, plan.schema.field(name).type))
                yield picked.select(plan.schema.names).append_column(VERDICTS, verdicts)


def _cleaned(plan: CorpusPlan, picked: pa.Table) -> pa.Table:
    """Return the rows with their texts as the filters let them go on."""
    if plan.clean is None:
        return picked
    name = plan.columns["text"]
    texts = pa.array([clean(text, plan.clean) for text in picked[name].to_pylist()], pa.string())
    number = picked.schema.get_field_index(name)
    return picked.set_column(number, picked.schema.field(name), texts.cast(picked.schema.field(name).type))


def _verdicts(plan: CorpusPlan, picked: pa.Table, selection: Selection, done: int) -> pa.StructArray:
    if selection.verdicts is not None:
        verdicts = selection.verdicts[done : done + picked.num_rows]
        return to_table(DocumentVerdicts, verdicts).to_struct_array().combine_chunks()
    schema = arrow_schema(DocumentVerdicts)
    columns = {field.name: pa.nulls(picked.num_rows, field.type) for field in schema}
    columns["text_sha256"] = pa.array(text_hashes(picked[plan.columns["text"]].cast(pa.string())), pa.string())
    return pa.table(columns, schema).to_struct_array().combine_chunks()
