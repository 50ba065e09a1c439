"""What earlier runs have decided: which documents are unchanged, which supersede, which are gone."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from transforms.state import ERROR, KEPT, OUTCOMES, REJECTED, SUPERSEDED
from transforms.unchanged import Settled, identity_keys, settle

NEW = "new"
Row = tuple[str, str, str]
"""(id, text, outcome or NEW)"""


def settled(earlier: list[Row], new: list[tuple[str, str]]) -> Settled:
    """Return what is known; earlier rows have the ordinals -n to -1 in their order, new ones 0 to n - 1."""
    rows = [*earlier, *((doc_id, text, NEW) for doc_id, text in new)]
    identities = identity_keys([row[0] for row in rows], [f"{ord(row[1]):064x}"[::-1] for row in rows])
    codes = [0 if row[2] == NEW else 1 + OUTCOMES.index(row[2]) for row in rows]
    keys = np.column_stack([identities, np.arange(len(rows)) - len(earlier), codes])
    return settle(keys)


def named(found: Settled) -> dict[str, list[int]]:
    return {name: sorted(ordinals.tolist()) for name, ordinals in found._asdict().items() if len(ordinals)}


def test_the_same_text_under_the_same_id_is_unchanged_once_it_is_decided() -> None:
    earlier = [("a", "1", KEPT), ("b", "2", REJECTED), ("c", "3", ERROR)]
    assert named(settled(earlier, [("a", "1"), ("b", "2"), ("c", "3"), ("d", "1")])) == {"unchanged": [0, 1]}


def test_a_changed_text_supersedes_all_texts_of_its_id_that_come_no_longer() -> None:
    earlier = [("a", "1", KEPT), ("a", "2", REJECTED), ("a", "3", KEPT), ("b", "1", KEPT)]
    assert named(settled(earlier, [("a", "3"), ("a", "4")])) == {
        "unchanged": [0],
        "superseded": [-4, -3],
        "gone": [-4],
    }


def test_an_id_that_brings_nothing_new_supersedes_nothing() -> None:
    earlier = [("a", "1", KEPT), ("a", "2", KEPT)]
    assert named(settled(earlier, [("a", "1")])) == {"unchanged": [0]}
    assert named(settled(earlier, [])) == {}
    assert named(settled([("a", "1", KEPT), ("a", "2", ERROR)], [("a", "2")])) == {}


def test_a_text_that_comes_back_is_new_and_its_old_self_stays_gone() -> None:
    earlier = [("a", "1", KEPT), ("a", "2", KEPT), ("a", "1", SUPERSEDED)]
    assert named(settled(earlier, [("a", "1")])) == {"superseded": [-2], "gone": [-3, -2]}
    assert named(settled([*earlier, ("a", "1", KEPT), ("a", "2", SUPERSEDED)], [("a", "1")])) == {
        "unchanged": [0],
        "gone": [-5, -4],
    }


def test_a_copy_under_its_own_id_does_not_hide_that_the_text_was_kept() -> None:
    earlier = [("a", "1", KEPT), ("a", "1", REJECTED)]
    assert named(settled(earlier, [("a", "1"), ("a", "1")])) == {"unchanged": [0, 1]}
    assert named(settled(earlier, [("a", "2")])) == {"superseded": [-2], "gone": [-2]}


def plainly(earlier: list[Row], new: list[tuple[str, str]]) -> dict[str, list[int]]:
    """The rules of `settle`, a document at a time."""
    first = -len(earlier)
    standing: dict[tuple[str, str], list[int]] = {}
    gone = []
    for ordinal, (doc_id, text, outcome) in enumerate(earlier, first):
        if outcome == SUPERSEDED:
            gone += standing.pop((doc_id, text), [])
        else:
            standing.setdefault((doc_id, text), []).append(ordinal)

    def said(key: tuple[str, str]) -> str:
        outcomes = {earlier[ordinal - first][2] for ordinal in standing[key]}
        return next(outcome for outcome in (KEPT, REJECTED, ERROR) if outcome in outcomes)

    changed = {doc_id for doc_id, text in new if (doc_id, text) not in standing}
    superseded = []
    for key in [key for key in standing if key[0] in changed and key not in new]:
        superseded += [ordinal for ordinal in standing[key] if earlier[ordinal - first][2] == said(key)]
        gone += standing[key]
    return {
        "unchanged": [n for n, key in enumerate(new) if key in standing and said(key) != ERROR],
        "superseded": sorted(superseded),
        "gone": sorted(ordinal for ordinal in gone if earlier[ordinal - first][2] == KEPT),
    }


IDENTITIES = st.tuples(st.sampled_from("ab"), st.sampled_from("123"))


@given(st.lists(st.tuples(IDENTITIES, st.sampled_from(OUTCOMES)), max_size=12), st.lists(IDENTITIES, max_size=6))
def test_columns_settle_as_a_document_at_a_time_would(
    earlier: Iterable[tuple[tuple[str, str], str]], new: list[tuple[str, str]]
) -> None:
    rows = [(*identity, outcome) for identity, outcome in earlier]
    expected = {name: ordinals for name, ordinals in plainly(rows, new).items() if ordinals}
    assert named(settled(rows, new)) == expected
