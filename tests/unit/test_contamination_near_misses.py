"""Questions that have much of an item of an evaluation set in them, or are much of one, and ask something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmark_sets import found, index_of
from transforms.benchmarks.build import Benchmark
from transforms.benchmarks.ends import sentences

ITEMS = {
    "What is the square root of 14?": "3.74",
    "Who was the first president of Niger?": "Hamani Diori",
    "What is its derivative with respect to t?": "2t",
    "What is the value of 3x + 1 when x = 2?": "7",
    "Find 3x + 1 when x = 2": "7",
    "Evaluate the sum 1 + 2 + 3": "6",
    "Who was the first person to climb Mount Everest's north face?": "Wang Fuzhou",
    "How tall is the tallest man-made structure?": "828 m",
    "What is the population of New York-based firm Aldine's home town?": "41,000",
    "Which city is home to Apple Inc. and has a ring-shaped office?": "Cupertino",
    "Who was the first U.S. president to resign?": "Richard Nixon",
    "What is the mass of a 2.5 kg parcel in grams?": "2500",
    "What is the birthplace of the person who wrote War and Peace?": "Yasnaya Polyana",
    "Why is the sky blue?": "scattering",
    "The capital of Austria is": "Vienna",
    "What is the capital of France?": "Paris",
    "Is it true, as some say, that the Danube rises in Germany?": "yes",
}
NEAR_MISSES = [
    "What is the square root of 144?",
    "What is the square root of 14.5?",
    "What is the square root of 14,400?",
    "What is the square root of 14 000?",
    "Who was the first president of Nigeria?",
    "What is its derivative with respect to time?",
    "What is the value of 3x + 1 when x = 25?",
    "Find 3x + 1 when x = 2.5",
    "Evaluate the sum 1 + 2 + 3 + 4 + 5",
    "Evaluate the sum 1 + 2 + 35",
    "Who was the first person to climb Mount Everest?",
    "How tall is the tallest man?",
    "What is the population of New York?",
    "Which city is home to Apple Inc.?",
    "Who was the first U.S.?",
    "What is the mass of a 2?",
    "Who wrote War and Peace?",
    "What is the birthplace of the person who wrote Emma?",
    "Is the sky blue?",
    "The capital of Austria is the birthplace of which mathematician?",
    "What is the capital of France's largest region?",
    "What is the capital of France, Spain or Italy?",
    "Which river flows through what is the capital of France today?",
    "Is it true?",
    "Where does the Danube rise, in Germany?",
]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> str:
    return index_of(tmp_path_factory.mktemp("index"), Benchmark("near", list(ITEMS), list(ITEMS.values())))


@pytest.mark.parametrize("question", NEAR_MISSES)
def test_a_near_miss_is_clean(index: str, question: str) -> None:
    assert found(index, [question, question.upper(), f"Read this.\n{question}"], ["none of these"] * 3) == [()] * 3


@pytest.mark.parametrize(
    "frame", ["{}", "Tell me: {}", "Now then, {}", "Read this.\n{}\nReply in a word.", '"{}" he asked']
)
def test_the_items_themselves_are_found(index: str, frame: str) -> None:
    for items in found(index, [frame.format(item if item[-1] == "?" else f"{item}.") for item in ITEMS]):
        assert [one.rule for one in items] in (["exact"], ["contained"])


@pytest.mark.parametrize(
    ("item", "whole", "other"),
    [
        ("sat on a red ox", "Who sat on a red ox at noon?", "Who spends sat on a red oxide day?"),
        ("slept on a brown horse", "Who slept on a brown horse at noon?", "Who overslept on a brown horseman's day?"),
        ("add seven, eleven to 36", "Please add seven, eleven to 36 now", "Please add seven, eleven to 360"),
        (
            "take 14 away from 36",
            "Please take 14 away from 36 now",
            "Then take 14 away from 365 now",
        ),
    ],
)
def test_a_short_item_among_other_words_counts_with_its_answer(
    tmp_path: Path, item: str, whole: str, other: str
) -> None:
    path = index_of(tmp_path, Benchmark("short", [item], ["Brann"]))
    asked = [
        whole,
        whole,
        f"Well. {item}. Why?",
        other,
        whole.replace(" on ", " upon ").replace("14", "13").replace("seven", "six"),
    ]
    rules = [[one.rule for one in items] for items in found(path, asked, ["Brann", None, None, "Brann", "Orr"])]
    assert rules == [["contained_and_answer"], [], ["contained"], [], []]


def test_ten_words_of_an_item_need_no_marks_around_them(tmp_path: Path) -> None:
    item = "the oldest lighthouse on the coast that Varle has given its name"
    path = index_of(tmp_path, Benchmark("long", [item, item.replace("the", "one", 1)], [None, None]))
    frame = "Who in the world built {} so long ago and far away, and why did they not build it there?"
    assert [one.rule for one in found(path, [frame.format(item)])[0]] == ["contained"]


def test_an_end_that_begins_within_a_sentence_needs_ten_words_or_the_answer(tmp_path: Path) -> None:
    end = "wrote the play in which a miller sells his shadow to a bear"
    path = index_of(tmp_path, Benchmark("ends", [f"In which town was the woman born who {end}?"], ["Arden"]))
    words = end.split()
    for count, answer, rule in (
        (10, None, "contained"),
        (9, None, None),
        (9, "Arden", "contained_and_answer"),
        (9, "Varle", None),
        (5, "Arden", "contained_and_answer"),
        (4, "Arden", None),
    ):
        (items,) = found(path, [" ".join(words[-count:])], [answer])
        assert [one.rule for one in items] == ([rule] if rule else []), count


@pytest.mark.parametrize(
    "split", [". ", "? ", "! ", ": ", "; ", ".\n", "\n", '." ', ".) ", "\u3002", "\uff1f", " ... "]
)
def test_an_end_that_begins_with_a_sentence_needs_neither(tmp_path: Path, split: str) -> None:
    path = index_of(tmp_path, Benchmark("ends", [f"Ann has 3 hens{split}How many legs have they?"], ["6"]))
    assert [one.rule for one in found(path, ["How many legs have they?"])[0]] == ["contained"]


@pytest.mark.parametrize("mark", ["'", "-", ", ", " (", " - ", "/", ".", " "])
def test_no_beginning_ends_within_a_sentence(tmp_path: Path, mark: str) -> None:
    path = index_of(tmp_path, Benchmark("beginnings", [f"Who built the old bridge{mark}s northern arch?"], [None]))
    assert found(path, ["Who built the old bridge?"]) == [()]
    assert found(path, ["Who built the old bridge's northern arch?"]) != [()] or mark != "'"


def test_an_item_is_exact_though_another_ends_with_it(tmp_path: Path) -> None:
    end = "How many rolls does Mara sell?"
    path = index_of(tmp_path, Benchmark("ends", [f"Mara bakes 12 rolls. {end}", end], ["12", "7"]))
    assert [one.rule for one in found(path, [end])[0]] == ["exact"]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("One. Two? Three", ["One. ", "Two? ", "Three"]),
        ("the first U.S. President of it", ["the first U.S. President of it"]),
        ("Mr. Orr of Apple Inc. Came. Go", ["Mr. Orr of Apple Inc. Came. ", "Go"]),
        ("it is 2.5 m. so wide", ["it is 2.5 m. so wide"]),
        ('He said: "Go." Then\nhe went', ["He said: ", '"Go." ', "Then\n", "he went"]),
        ("\u4f60\u597d\u3002\u4ed6", ["\u4f60\u597d\u3002", "\u4ed6"]),
        ("It is so.", ["It is so.", ""]),
        ("", [""]),
    ],
)
def test_where_sentences_end(text: str, parts: list[str]) -> None:
    assert sentences(text) == parts
