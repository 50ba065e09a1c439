"""What stands around a pair's evidence: its document is read again, for the rows of a report and no others."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
from apache_beam.io.filesystem import BeamIOError

from schemas.config_filters import FilterSettings
from schemas.records import text_sha256
from transforms.files import open_parquet, read_batches
from transforms.text.c4 import clean

BYTES: Final = 512 << 20
"""Bytes of texts that are decoded for a report: seconds on a disk, less than a minute from a bucket."""
UNREADABLE: Final = 3
"""After so many files that cannot be read no other is tried."""
AROUND: Final = 280
"""Characters of a document on each side of the evidence."""


@dataclass(slots=True)
class Excerpts:
    """What became of reading documents again.

    Attributes:
      found: rows that have an excerpt.
      changed: rows whose document is another one by now, or not there any more.
      skipped: rows that were left out, for there was more to read than `BYTES`.
      unreadable: rows whose file could not be read.
      reason: why the first of them could not.
    """

    found: int = 0
    changed: int = 0
    skipped: int = 0
    unreadable: int = 0
    reason: str | None = None


def add_excerpts(rows: Sequence[dict[str, Any]], config: dict[str, Any], budget: int = BYTES) -> Excerpts:
    """Set `excerpt` of rows to [before, evidence, after] as their document has them; it is null where that is unknown.

    Where nothing is the evidence, the excerpt is the document's beginning. Row groups of which many rows are wanted are
    read first.

    Args:
      rows: of `qa/`, `pairs/` or `rejected/`.
      config: of the run, as its manifest has it.
      budget: bytes of texts to decode at most.
    """
    groups: defaultdict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        row["excerpt"] = None
        if row["source"]["row"] is not None:
            groups[row["source"]["path"], row["source"]["row_group"]].append(row)
    done = Excerpts()
    failed: set[str] = set()
    for (path, number), wanted in sorted(groups.items(), key=lambda group: (-len(group[1]), group[0])):
        if budget <= 0:
            done.skipped += len(wanted)
        elif path in failed or len(failed) >= UNREADABLE:
            done.unreadable += len(wanted)
        else:
            try:
                budget -= _read(path, number, wanted, config, budget, done)
            except (OSError, BeamIOError, ValueError, LookupError, pa.ArrowException) as error:
                failed.add(path)
                done.unreadable += sum(row["excerpt"] is None for row in wanted)
                done.reason = done.reason or " ".join(str(error).split())[:300]
    return done


def _read(
    path: str, number: int, wanted: list[dict[str, Any]], config: dict[str, Any], budget: int, done: Excerpts
) -> int:
    """Give some rows of a row group their excerpts, and return the bytes that were decoded."""
    by_place = defaultdict(list)
    for row in wanted:
        by_place[row["source"]["row"]].append(row)
    limits = FilterSettings.model_validate(config["filters"]).cleaning
    read = 0
    for texts, size in _texts(path, number, config["columns"]["text"], sorted(by_place)):
        for place, text in texts:
            versions = [text] if limits is None or text is None else [clean(text, limits), text]
            for row in by_place.pop(place):
                _set(row, versions, done)
        read += size
        if read > budget:
            done.skipped += sum(map(len, by_place.values()))
            break
    else:
        done.changed += sum(map(len, by_place.values()))  # their row group ends before them by now
    return read


def _set(row: dict[str, Any], versions: Sequence[str | None], done: Excerpts) -> None:
    """Give a row its excerpt of the version of its document whose hash it has; a null text has none."""
    sha256 = row["source"]["text_sha256"]
    version = next((each for each in versions if each is not None and sha256 in (None, text_sha256(each))), None)
    if version is not None:
        row["excerpt"] = excerpt(version, row.get("evidence"))
        done.found += 1
    elif sha256 is not None:
        done.changed += 1


def _texts(
    path: str, number: int, column: str, places: list[int]
) -> Iterator[tuple[list[tuple[int, str | None]], int]]:
    """Yield the (row, text) that are wanted of each batch of a row group, with the bytes that were decoded for it.

    Rows that the file has no longer are not among them, or the whole row group is not there.
    """
    rows, first = np.array(places, np.int64), 0
    with open_parquet(path) as file:
        if number >= file.num_row_groups:
            return
        for batch in read_batches(file, number, [column]):
            inside = rows[(rows >= first) & (rows < first + batch.num_rows)]
            texts = batch.column(column).take(pa.array(inside - first)).cast(pa.string()).to_pylist()
            yield list(zip(inside.tolist(), texts, strict=True)), batch.nbytes
            first += batch.num_rows
            if first > places[-1]:
                return


def excerpt(text: str, evidence: str | None) -> list[str]:
    """Return [before, evidence, after]; without evidence in the text its beginning, and two empty strings.

    Evidence is found however its words are spaced.
    """
    start, end = _place(text, evidence or "")
    if start == end:
        beginning = text[: 2 * AROUND]
        return [beginning if len(beginning) == len(text) else beginning.rsplit(" ", 1)[0] + " …", "", ""]
    before, after = text[max(0, start - AROUND) : start], text[end : end + AROUND]
    return [
        before if start <= AROUND else "… " + before.split(" ", 1)[-1],
        text[start:end],
        after if end + AROUND >= len(text) else after.rsplit(" ", 1)[0] + " …",
    ]


def _place(text: str, evidence: str) -> tuple[int, int]:
    """Return where evidence begins and ends in a text, twice the same where it does not stand there."""
    if (start := text.find(evidence)) >= 0:
        return start, start + len(evidence)
    found = re.search(r"\s+".join(map(re.escape, evidence.split())), text)  # of another spacing, which is rare
    return (0, 0) if found is None else found.span()
