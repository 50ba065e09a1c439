"""What rewards pay for on any number, date or name: the answer itself, and none of its mutations."""

from __future__ import annotations

import datetime
import string

from hypothesis import given, settings
from hypothesis import strategies as st

from rewards import score
from schemas.domains import ANSWER_TYPES
from transforms.pair_rules.mutations import COUNT, mutations
from transforms.pair_rules.rewarding import unrewardable

QUESTION = "Which value is asked for here?"
NUMBERS = st.one_of(
    st.integers(-(10**9), 10**9).map(str),
    st.integers(1000, 10**12).map("{:,}".format),
    st.decimals(-1000, 1000, places=2, allow_nan=False).map("{:f}".format),
    st.integers(0, 100).map("{}%".format),
)
DAYS = st.dates(datetime.date(1000, 1, 1), datetime.date(2100, 1, 1))
DATES = DAYS.flatmap(
    lambda day: st.sampled_from(
        [str(day.year), day.isoformat(), f"{day.day} {day:%B %Y}", f"{day:%B} {day.day}, {day.year}"]
    )
)
WORD = st.text(string.ascii_lowercase, min_size=3, max_size=9).map(str.capitalize)
NAMES = st.lists(WORD, min_size=1, max_size=3, unique=True).map(" ".join)


@settings(deadline=None)
@given(st.one_of(st.tuples(NUMBERS, st.just("number")), st.tuples(DATES, st.just("date"))))
def test_numbers_and_dates_are_rewarded_and_their_mutations_not(pair: tuple[str, str]) -> None:
    answer, kind = pair
    assert list(unrewardable(QUESTION, answer, kind, (), "")) == []
    assert len(mutations(QUESTION, answer, kind, (), "")) == COUNT


@settings(deadline=None)
@given(NAMES)
def test_names_are_rewarded(answer: str) -> None:
    assert score(QUESTION, answer, f"\\boxed{{{answer}}}", "name").score == 1


@settings(deadline=None)
@given(
    st.one_of(NUMBERS, DATES, NAMES, st.text(st.characters(), min_size=1, max_size=30)).filter(str.strip),
    st.sampled_from(ANSWER_TYPES),
    st.text(st.characters(), max_size=60),
)
def test_no_mutation_is_the_answer(answer: str, kind: str, text: str) -> None:
    made = mutations(text, answer, kind, (), text)
    assert made == mutations(text, answer, kind, (), text)
    plain = [" ".join(one.split()).casefold() for one in made]
    assert len(set(plain)) == len(plain) <= COUNT
    assert " ".join(answer.split()).casefold() not in plain
