"""Pairs out of shards: those that are still part of the dataset."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from schemas.records import Pair, to_table
from tests.exports import pair
from transforms.exports import source
from transforms.exports.source import Part


def live(pairs: list[Pair], gone: list[str]) -> list[str]:
    """Return the ids that a part with some gone ids keeps."""
    part = Part("run", "nowhere", len(pairs), pa.array(sorted(gone), pa.string()))
    ids: list[str] = part.live(to_table(Pair, pairs))["id"].to_pylist()
    return ids


def test_what_is_gone_is_left_out_wherever_it_stands() -> None:
    pairs = sorted((pair(number) for number in range(50)), key=lambda each: each.id)
    ids = [each.id for each in pairs]
    for gone in ([], ids[:1], ids[-1:], ids[10:20], ids, ["", "zzz"], [*ids[::2], "", "zzz"]):
        assert live(pairs, gone) == [each for each in ids if each not in gone]
    assert live(pairs[::-1], ids[1:]) == ids[:1], "in no order, either"
    assert live([], ids) == []


def test_a_batch_is_compared_with_what_may_be_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A set is hashed at every lookup: all of a million, for each 2,000 rows, would take 500 times too long."""
    sizes = []
    is_in = source.pc.is_in

    def counted(values: Any, gone: Any) -> Any:
        sizes.append(len(gone))
        return is_in(values, gone)

    monkeypatch.setattr(source.pc, "is_in", counted)
    pairs = sorted((pair(number) for number in range(1000)), key=lambda each: each.id)
    part = Part("run", "nowhere", 1000, pa.array([each.id for each in pairs], pa.string()))
    for first in range(0, 1000, 100):
        assert part.live(to_table(Pair, pairs[first : first + 100])).num_rows == 0
    assert sizes == [100] * 10
