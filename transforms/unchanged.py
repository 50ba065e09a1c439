"""DropUnchanged: what earlier runs have decided does not come again, and a changed text supersedes its old one.

The first step behind reading, so that no rule and no model looks at a document that nobody has touched. Hashes of ids
and texts meet in a shuffle; then the documents are read once more, by reference.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.pvalue import TaggedOutput

from schemas.elements import Batch, CorpusPlan
from schemas.records import Rejected, Superseded, to_table
from transforms.files import document_table, read_rows
from transforms.ledger import SIDE_DOORS, Doors, LedgerDoFn, doors
from transforms.state import KEPT, OUTCOMES, REJECTED, SUPERSEDED, State

_ROWS_PER_PARTITION: Final = 1_000_000
"""Rows that are sorted together: 48 MB."""
_NEW: Final = 0
_CODES: Final = {outcome: code for code, outcome in enumerate(OUTCOMES, start=1)}
_KEPT, _REJECTED, _SUPERSEDED = _CODES[KEPT], _CODES[REJECTED], _CODES[SUPERSEDED]

Keys = np.ndarray[Any, np.dtype[np.int64]]
Rows = np.ndarray[Any, np.dtype[np.int64]]


class Settled(NamedTuple):
    """What is known of some documents.

    Attributes:
      unchanged: int64[n], ordinals of new documents whose text was decided under the same id.
      superseded: int64[n], ordinals of earlier documents whose id comes with another text now, and theirs no longer.
      gone: int64[n], ordinals of earlier documents that were kept and are in the dataset no longer.
    """

    unchanged: Rows
    superseded: Rows
    gone: Rows


def settle(keys: Keys) -> Settled:
    """Compare new documents with earlier ones of the same ids.

    A document is its id and its text. Of what was said of one since it was last superseded, kept counts before rejected
    and rejected before error, and what ended as an error alone is free to come again. An id that brings a text which
    does not stand in the state supersedes those of its standing texts that do not come with it.

    Args:
      keys: int64[n, 6]: two words of the id's hash, two of the text's, the ordinal (below 0 for earlier documents, in
        the order of runs), and 0 for a new document or 1 + the place of its outcome in `OUTCOMES`.
    """
    if not len(keys):
        return Settled(keys[:, 4], keys[:, 4], keys[:, 4])
    keys = keys[np.lexsort(keys.T[[4, 3, 2, 1, 0]])]
    ordinals, codes = keys[:, 4], keys[:, 5]
    documents = _starts(keys[:, :4])
    sizes = np.diff(documents, append=len(keys))
    tombs = np.cumsum(codes == _SUPERSEDED)
    stands = (codes != _NEW) & (codes != _SUPERSEDED) & (tombs == np.repeat(tombs[documents + sizes - 1], sizes))
    said = np.minimum.reduceat(np.where(stands, codes, _SUPERSEDED), documents)
    comes = np.logical_or.reduceat(codes == _NEW, documents)
    ids = np.searchsorted(documents, _starts(keys[:, :2]))
    changed = np.repeat(np.logical_or.reduceat(comes & (said == _SUPERSEDED), ids), np.diff(ids, append=len(documents)))
    superseded = np.repeat(~comes & changed, sizes)
    unchanged = np.repeat(comes & np.isin(said, (_KEPT, _REJECTED)), sizes)
    return Settled(
        ordinals[unchanged & (codes == _NEW)],
        ordinals[superseded & stands & (codes == np.repeat(said, sizes))],
        ordinals[(codes == _KEPT) & (superseded | ~stands)],
    )


def _starts(keys: Keys) -> np.ndarray[Any, np.dtype[np.intp]]:
    """Return where rows differ from the one before."""
    return np.flatnonzero(np.concatenate(([True], (keys[1:] != keys[:-1]).any(axis=1))))


def identity_keys(doc_ids: Iterable[str], hashes: Iterable[str]) -> Keys:
    """Return int64[n, 4] of ids and text hashes (hexadecimal), 128 bits of each."""
    data = b"".join(
        hashlib.blake2b(doc_id.encode("utf-8"), digest_size=16).digest() + bytes.fromhex(sha256[:32])
        for doc_id, sha256 in zip(doc_ids, hashes, strict=True)
    )
    return np.frombuffer(data, "<i8").reshape(-1, 4)


class News(NamedTuple):
    """The outputs of `DropUnchanged`.

    Attributes:
      state: what was compared with.
      doors: of new and changed documents, as `Batch`es; rejected: `unchanged`.
      superseded: tables of `Superseded`.
      gone: (row group of the state's documents, rows int64[n]) of what was kept and is in the dataset no longer.
    """

    state: State
    doors: Doors
    superseded: Any
    gone: Any


class DropUnchanged(beam.PTransform):
    """`Batch`es of all documents -> `News`."""

    def __init__(self, plan: CorpusPlan, state: State) -> None:
        super().__init__()
        self.plan = plan
        self.state = state

    def expand(self, batches: Any) -> News:
        partitions = max(1, -(-(self.plan.rows + self.state.documents.rows) // _ROWS_PER_PARTITION))
        keyed = batches | "Keys" >> beam.ParDo(_Keys(partitions)).with_outputs("members", main="keys")
        earlier = (
            batches.pipeline
            | "EarlierRowGroups" >> beam.Create(range(len(self.state.documents)), reshuffle=True)
            | "EarlierKeys" >> beam.ParDo(_EarlierKeys(self.state, partitions))
        )
        settled = (
            (keyed["keys"], earlier)
            | "Together" >> beam.Flatten()
            | "GroupIds" >> beam.GroupByKey()
            | "Settle"
            >> beam.ParDo(_Settle(self.plan, self.state)).with_outputs("superseded", "gone", main="unchanged")
        )
        superseded = (
            settled["superseded"]
            | "GroupSuperseded" >> beam.GroupByKey()
            | "ReadSuperseded" >> beam.ParDo(_ReadSuperseded(self.state))
        )
        outputs = (
            {"members": keyed["members"], "unchanged": settled["unchanged"]}
            | "JoinUnchanged" >> beam.CoGroupByKey()
            | "ReadNews" >> beam.ParDo(_ReadNews(self.plan)).with_outputs(*SIDE_DOORS, main="kept")
        )
        return News(self.state, doors(outputs), superseded, settled["gone"])


class _Keys(beam.DoFn):
    """Batch -> (partition, keys of `settle` as bytes); tag `members`: (row group, rows int64[n])."""

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions

    def process(self, batch: Batch) -> Iterator[Any]:
        rows = batch.table["row"].to_numpy()
        yield TaggedOutput("members", (batch.group.index, rows))
        identities = identity_keys(batch.table["doc_id"].to_pylist(), batch.table["text_sha256"].to_pylist())
        yield from _split(identities, rows + batch.group.first_row, np.full(len(rows), _NEW), self.partitions)


class _EarlierKeys(beam.DoFn):
    """Row group of the state's documents -> (partition, keys of `settle` as bytes)."""

    def __init__(self, state: State, partitions: int) -> None:
        self.state = state
        self.partitions = partitions

    def process(self, index: int) -> Iterator[Any]:
        documents = self.state.documents
        table = documents.read(index, ["doc_id", "source_sha256", "outcome"])
        identities = identity_keys(table["doc_id"].to_pylist(), table["source_sha256"].to_pylist())
        codes = np.array([_CODES[outcome] for outcome in table["outcome"].to_pylist()], np.int64)
        ordinals = np.arange(documents.first_row[index], documents.first_row[index + 1])
        yield from _split(identities, ordinals, codes, self.partitions)


def _split(identities: Keys, ordinals: Rows, codes: Rows, partitions: int) -> Iterator[tuple[int, bytes]]:
    keys = np.column_stack([identities, ordinals, codes]).astype("<i8")
    partition = identities[:, 0].view(np.uint64) % np.uint64(partitions)
    for number in np.unique(partition).tolist():
        yield number, keys[partition == number].tobytes()


class _Settle(beam.DoFn):
    """(partition, keys) -> (row group of the corpus, unchanged rows); tags `superseded` and `gone`: of the state."""

    def __init__(self, plan: CorpusPlan, state: State) -> None:
        self.plan = plan
        self.state = state

    def process(self, element: tuple[int, Iterable[bytes]]) -> Iterator[Any]:
        settled = settle(np.frombuffer(b"".join(element[1]), "<i8").reshape(-1, 6))
        for index, rows, _ in self.plan.runs(np.sort(settled.unchanged)):
            yield index, rows
        for tag, ordinals in (("superseded", settled.superseded), ("gone", settled.gone)):
            for index, rows, _ in self.state.documents.runs(np.sort(ordinals)):
                yield TaggedOutput(tag, (index, rows))


class _ReadSuperseded(beam.DoFn):
    """(row group of the state's documents, its superseded rows) -> table of `Superseded`."""

    def __init__(self, state: State) -> None:
        self.state = state

    def process(self, element: tuple[int, Iterable[Rows]]) -> Iterator[pa.Table]:
        index, rows = element
        names = ["doc_id", "source_sha256", "pair_ids"]
        found = self.state.documents.read(index, names).take(pa.array(np.concatenate(list(rows))))
        run = self.state.documents.run_of(index)
        yield to_table(
            Superseded,
            [
                Superseded(row["doc_id"], row["source_sha256"], run, tuple(row["pair_ids"] or ()))
                for row in found.to_pylist()
            ],
        )


class _ReadNews(LedgerDoFn):
    """(row group, {members, unchanged}) -> Batches of the rows that are new."""

    stage = "read"

    def __init__(self, plan: CorpusPlan) -> None:
        self.plan = plan

    def process(self, element: tuple[int, dict[str, Iterable[Rows]]]) -> Iterator[Any]:
        index, joined = element
        group = self.plan.group(index)
        none = np.array([], np.int64)
        members, unchanged = (np.sort(np.concatenate([none, *joined[name]])) for name in ("members", "unchanged"))
        for first, raw in read_rows(self.plan, group):
            rows = members[np.searchsorted(members, first) : np.searchsorted(members, first + raw.num_rows)]
            batch = Batch(group, document_table(rows, raw.take(pa.array(rows - first))))
            known = np.isin(rows, unchanged)
            sources = batch.sources(np.flatnonzero(known).tolist())
            # Reading has counted them as kept already.
            self.ledger.count("kept", -len(sources))
            self.ledger.reject(
                [Rejected(source.doc_id, None, self.stage, "unchanged", None, source) for source in sources]
            )
            yield from self.ledger.flush()
            if not known.all():
                yield Batch(group, batch.table.filter(pa.array(~known)))
