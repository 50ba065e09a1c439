"""What the rules of contamination keep for any text at all."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.benchmark_sets import SETS, found, index_of
from transforms.text.squeezed import span_hashes

ITEMS = [question for one in SETS for question in one.questions]
LONG = [item for item in ITEMS if item != "Which of the following is true?"]
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
MARKS = st.text(st.sampled_from(" ,.;:!?'\"()[]{}<>-\u2013\u201c\u201d\u2019\u00a0\n\t/\\$*_"), max_size=4)


@cache
def index() -> str:
    return index_of(Path(mkdtemp(prefix="webscale-rl-")))


@given(st.sampled_from(LONG), TEXT, TEXT, MARKS.filter(bool))
def test_what_is_put_around_an_item_never_hides_it(item: str, before: str, after: str, mark: str) -> None:
    (items,) = found(index(), [f"{before}{mark}\n{item}\n{mark}{after}"])
    assert items and items[0].rule in ("exact", "contained")


@given(st.sampled_from(ITEMS), st.data())
def test_case_and_marks_between_letters_never_hide_an_item(item: str, data: st.DataObject) -> None:
    cases = data.draw(st.lists(st.booleans(), min_size=len(item), max_size=len(item)))
    changed = "".join(
        (letter.upper() if upper and len(letter.upper()) == 1 else letter) if letter.isalnum() else data.draw(MARKS)
        for letter, upper in zip(item, cases, strict=True)
    )
    if any(map(str.isalnum, changed)):
        (items,) = found(index(), [changed])
        assert items and items[0].rule == "exact"


@given(st.lists(TEXT, max_size=8))
@settings(max_examples=50)
def test_a_question_is_judged_alike_whatever_stands_around_it(texts: list[str]) -> None:
    questions = [text for pair in zip(texts, ITEMS, strict=False) for text in pair] + [None]
    alone = [found(index(), [question])[0] for question in questions]
    assert found(index(), questions) == alone


@given(TEXT, TEXT)
def test_equal_letters_are_equal_hashes_and_no_text_fails(text: str, other: str) -> None:
    texts = [text, other, f"{text}\n{other}", f" {text}. ({other})"]
    hashes, lengths = span_hashes(pa.array([*texts, text.upper()], pa.string()))
    assert lengths[2] == lengths[3] == lengths[0] + lengths[1]
    assert hashes[2] == hashes[3]
    if text.isascii():
        assert hashes[0] == hashes[4] and lengths[0] == sum(map(str.isalnum, text))
