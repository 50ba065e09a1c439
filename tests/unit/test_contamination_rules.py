"""Each rule by which a question is an evaluation set's, at its edges, and what no rule takes for one."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from schemas.records import Contamination
from tests.benchmark_sets import SETS, SUMS, found, index_of
from transforms.benchmarks.build import Benchmark
from transforms.benchmarks.ends import final_answers, is_generic, marked_ends, says_something
from transforms.benchmarks.index import open_index
from transforms.benchmarks.rules import RULES, contaminations

PREAMBLE = "You are a careful tutor. Read what follows, then reply.\n\n"
SUFFIX = "\nAnswer with a number."


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> str:
    return index_of(tmp_path_factory.mktemp("index"))


def rule_of(index: str, question: str | None, answer: str | None = None) -> str | None:
    (items,) = found(index, [question], [answer])
    assert len(items) <= 1
    return items[0].rule if items else None


def test_an_item_is_exact_with_its_benchmark_and_a_score_of_one(index: str) -> None:
    for benchmark in SETS:
        for items in found(index, benchmark.questions):
            assert items == (Contamination(benchmark.name, "exact", 1.0),)


@pytest.mark.parametrize(
    "change",
    [
        str.upper,
        lambda text: text.replace("?", "").replace(",", "").replace("'", "").replace(".", ""),
        lambda text: "".join(letter if letter.isalnum() else " " for letter in text),
        lambda text: "  ".join(text.split()),
        lambda text: "\n".join(text.split()),
        lambda text: text.replace(" ", " , ").replace("'", "\u2019"),
        lambda text: "".join(text.split()),
        lambda text: text.replace(" ", "\u00a0").replace("?", " ?"),
    ],
)
def test_case_punctuation_and_spacing_change_nothing(index: str, change: Callable[[str], str]) -> None:
    for benchmark in SETS:
        assert {rule_of(index, change(question)) for question in benchmark.questions} == {"exact"}


@pytest.mark.parametrize("frame", [(PREAMBLE, ""), ("", SUFFIX), (PREAMBLE, SUFFIX), ("Question:", "\nAnswer:")])
def test_an_item_within_a_longer_question_is_contained(index: str, frame: tuple[str, str]) -> None:
    for benchmark in SETS:
        for question in benchmark.questions:
            rule = rule_of(index, question.join(frame))
            assert rule == (None if question == "Which of the following is true?" else "contained"), question


@pytest.mark.parametrize(("answer", "rule"), [("b", "contained_and_answer"), ("C", None), (None, None)])
def test_an_item_that_says_nothing_counts_with_its_answer_alone(index: str, answer: str, rule: str) -> None:
    asked = "Granite is harder than marble. Which of the following is true?"
    assert rule_of(index, asked, answer) == rule


def test_nor_does_an_answer_that_many_items_have(tmp_path: Path) -> None:
    others = [f"Is the number {number} an even one?" for number in range(8)]
    path = index_of(tmp_path, Benchmark("set", ["Which of the following is true?", *others], ["B", *"BBBBCDEF"]))
    asked = "Granite is harder than marble. Which of the following is true?"
    assert rule_of(path, asked, "B") is None


@pytest.mark.parametrize(
    "end",
    [
        "How many dollars does Mara earn at the fair?",
        "How many bricks in all?",
        "how old is Tom",
        "She gives 5 rolls to a neighbour and sells the rest at the fair for $2 each. How many dollars does Mara earn"
        " at the fair?",
        "to a neighbour and sells the rest at the fair for $2 each. How many dollars does Mara earn at the fair?",
        "(A) granite\n(B) basalt\n(C) linen\n(D) marble",
        "Input: { [ ( < > [",
        '"""',
    ],
)
def test_a_question_that_is_the_end_of_an_item_is_contained(index: str, end: str) -> None:
    assert rule_of(index, end) == "contained"


@pytest.mark.parametrize(
    "end", ["is Tom?", "does Mara earn at the fair", "in all", "(D) marble", "[", "> [", "Input:", "?", "fair"]
)
def test_an_end_of_too_little_says_nothing(index: str, end: str) -> None:
    assert rule_of(index, end) is None


def test_a_beginning_up_to_a_mark_is_contained(index: str) -> None:
    assert rule_of(index, "Lena walks 4 km to school on each of five days.") == "contained"
    assert rule_of(index, "Choose the odd one out.") == "contained"
    assert rule_of(index, "Lena walks 4 km to") is None


def test_the_last_sentence_behind_a_preamble(index: str) -> None:
    end = "She gives 5 rolls to a neighbour and sells the rest at the fair for $2 each."
    assert rule_of(index, f"{PREAMBLE}{end} How many dollars does Mara earn at the fair?") == "contained"
    short = f"{PREAMBLE}How many dollars does Mara earn at the fair?"
    assert rule_of(index, short) is None
    assert rule_of(index, short, "62") == "contained_and_answer"
    assert rule_of(index, short, "$62") == "contained_and_answer"
    assert rule_of(index, short, "61") is None
    assert rule_of(index, f"How many dollars does Mara earn at the fair? {SUFFIX}", "62") == "contained_and_answer"


def test_an_end_that_items_share_is_no_evidence_behind_a_preamble(tmp_path: Path) -> None:
    end = "Is the argument, given what was stated before, to be called valid or invalid?"
    questions = [f"All {name} sing. {end}" for name in ("wrens", "finches")]
    path = index_of(tmp_path, Benchmark("logic", questions, [None, None]))
    assert rule_of(path, f"All larks fly at dawn. {end}") is None
    assert rule_of(path, end) == "contained"
    assert rule_of(path, f"Read. {questions[0]}") == "contained"


WORDS = "alpha bravo charlie delta echo foxtrot golf hotel india juliett kilo lima mike november oscar".split()
"""Fifteen words, eleven runs of five."""


@pytest.mark.parametrize(("kept", "rule"), [(13, "overlap"), (12, None)])
def test_the_share_of_an_item_that_makes_an_overlap(tmp_path: Path, kept: int, rule: str | None) -> None:
    path = index_of(tmp_path, Benchmark("radio", [" ".join(WORDS)], ["yes"]))
    asked = f"please {' '.join(WORDS[:kept])} and many other words that no item has in any place of it at all"
    (items,) = found(path, [asked])
    assert [item.rule for item in items] == ([rule] if rule else [])
    if rule:
        assert items[0].score == pytest.approx(9 / 11, abs=1e-4)  # 8 of 11 is below 0.8


@pytest.mark.parametrize(("kept", "rule"), [(10, "overlap_and_answer"), (9, None)])
def test_an_answer_lowers_the_share_to_a_half(tmp_path: Path, kept: int, rule: str | None) -> None:
    path = index_of(tmp_path, Benchmark("radio", [" ".join(WORDS)], ["Whisky"]))
    asked = f"please {' '.join(WORDS[:kept])} and many other words that no item has in any place of it at all"
    (items,) = found(path, [asked], ["whisky!"])
    assert [item.rule for item in items] == ([rule] if rule else [])
    assert found(path, [asked], ["gin"]) == found(path, [asked], [None]) == [()]
    if rule:
        assert items[0].score == pytest.approx(6 / 11, abs=1e-4)


def test_an_answer_that_half_the_items_have_lowers_nothing_to_speak_of(tmp_path: Path) -> None:
    others = [f"is number {number} one of the even numbers that people like" for number in range(40)]
    said = ["yes" if number % 2 else "no" for number in range(40)]
    path = index_of(tmp_path, Benchmark("radio", [" ".join(WORDS), *others], ["yes", *said]))
    asked = f"please {' '.join(WORDS[:12])} and many other words that no item has in any place of it at all"
    assert found(path, [asked], ["yes"]) == [()]
    path = index_of(tmp_path / "rare", Benchmark("radio", [" ".join(WORDS), *others], ["whisky", *said]))
    assert [item.rule for item in found(path, [asked], ["whisky"])[0]] == ["overlap_and_answer"]


def test_ten_words_within_an_item_are_an_overlap_and_nine_are_not(tmp_path: Path) -> None:
    path = index_of(tmp_path, Benchmark("radio", [" ".join(WORDS)], [None]))
    assert rule_of(path, " ".join(WORDS[3:13])) == "overlap"
    assert rule_of(path, " ".join(WORDS[3:12])) is None


def test_runs_that_many_items_share_weigh_little(tmp_path: Path) -> None:
    frame = "In a row of five birds each stands still and this one is {} and it sings while others rest near the pond"
    path = index_of(tmp_path, Benchmark("rows", [frame.format(f"the {word} bird") for word in WORDS], WORDS))
    assert rule_of(path, frame.format("no bird of them")) is None
    assert rule_of(path, frame.format("the golf bird")) == "exact"


def test_each_benchmark_is_named_once_with_its_strongest_rule(tmp_path: Path) -> None:
    question = "Which river of the north freezes first in a winter without any snow?"
    path = index_of(
        tmp_path,
        Benchmark("one", [question, f"{question} Say why."], ["the Ull", None]),
        Benchmark("two", [f"Well then. {question}"], [None]),
        Benchmark("three", ["Which river of the south never freezes?"], [None]),
    )
    assert found(path, [question]) == [(Contamination("one", "exact", 1.0), Contamination("two", "contained", 1.0))]


def test_two_indexes_are_asked_together(tmp_path: Path) -> None:
    paths = [index_of(tmp_path / one.name, one) for one in (SUMS, Benchmark("twin", SUMS.questions, SUMS.answers))]
    column = pa.array(list(SUMS.questions))
    rows = contaminations([open_index(path) for path in paths], column, pa.nulls(len(column), pa.string()))
    assert all([item.benchmark for item in rows[row]] == ["sums", "twin"] for row in range(len(column)))


@pytest.mark.parametrize(
    "question",
    [
        None,
        "",
        " ",
        "?",
        "...",
        "Why?",
        "What is it?",
        "How much did she pay?",
        "Which of these is true of granite?",
        "Who painted the ceiling of the opera house in Tarn?",
        "A lorry carries 900 bricks on its first trip and twice as many on its second. How many bricks in total?",
        "How many dollars does a baker in the old town earn on a market day?",
        "In which year was the bridge of Marbiel painted?",
        "def widest_river(rivers): pass",
        "Is not False the same as True?",
        "\u6e56\u5357\u7701\u7684\u7701\u4f1a\u662f\u54ea\u4e2a\u57ce\u5e02\uff1f",
    ],
)
def test_other_questions_are_clean(index: str, question: str | None) -> None:
    assert rule_of(index, question, "42") is None


def test_an_item_without_a_letter_is_found_by_its_marks(tmp_path: Path) -> None:
    path = index_of(tmp_path, Benchmark("marks", ["( ) [ ] { <", "( ) [ ] { ["], [None, None]))
    assert rule_of(path, "()[]{ <") == rule_of(path, " ( ) [ ] { [ ") == "exact"
    assert rule_of(path, "( ) [ ] { (") is None


@pytest.mark.parametrize(
    ("piece", "contaminated"),
    [("word ", False), ("x", False), ("a, ", False), (f"{SUMS.questions[0]} ", True), ("\u00e9\u0301", False)],
)
def test_a_hostile_question_takes_time_by_its_length(index: str, piece: str, contaminated: bool) -> None:
    spent = []
    for characters in (100_000, 1_000_000):
        question = piece * (characters // len(piece))
        start = time.process_time()
        assert bool(found(index, [question])[0]) is contaminated
        spent.append(time.process_time() - start)
    assert spent[1] < 40 * (spent[0] + 0.02), spent  # four times what ten times the length should take, not a hundred


def test_no_question_and_no_item(tmp_path: Path) -> None:
    path = index_of(tmp_path, Benchmark("bare", ["?"], [None]))
    assert found(path, []) == []
    assert found(path, ["Is this an item of it?"]) == [()]


def test_what_says_too_little() -> None:
    assert is_generic("Which of the following statements is correct?")
    assert not is_generic("Which of the following rivers is frozen?") and is_generic("Which of the following rivers?")
    assert not is_generic("\u9996\u90fd\u662f\u54ea\u91cc")
    assert is_generic("") and not is_generic("not one of them " * 4)
    assert says_something("input:([<") and not says_something("input:(") and not says_something("a([<")
    assert says_something("([<") and not says_something("([")
    assert marked_ends("Input: ( [ <") == ["input:([<", ":([<", "([<"]
    assert marked_ends('Is it so.\n    """') == ['itso."""', '."""', '"""']
    assert marked_ends("") == marked_ends("What is this?") == []


def test_a_final_answer_is_what_follows_the_mark() -> None:
    said = pa.array(["6*2=12\n#### 12", "12", None, "#### a #### b", ""])
    assert final_answers(said).to_pylist() == [" 12", "12", None, " b", ""]


def test_the_rules_are_in_their_order() -> None:
    assert RULES == ("exact", "contained", "contained_and_answer", "overlap", "overlap_and_answer")
