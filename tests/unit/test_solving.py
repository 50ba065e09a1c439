"""The stages that answer a pair's question again: with the document (round trip) and without it (closed book)."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

from prompts import load_prompts
from schemas.answers import ANSWERS, Stage
from schemas.config import ClosedBookSettings, RunConfig
from schemas.records import Call, Document, Pair, Slot, Source, text_sha256, to_table
from transforms.closed_book import ClosedBook
from transforms.llm.client import Answered, Unanswered
from transforms.llm.requests import Kind, ModelError
from transforms.llm.stage import Decision
from transforms.pair_rows import Row
from transforms.pairs import to_pair
from transforms.round_trip import RoundTrip

PROMPTS = load_prompts()
TEXT = "The bridge of Arden was opened in 1931. It is 240 metres long."
LONG = Slot("p1", "engineer", "How long is the bridge of Arden?", "240 metres", ("240 m",), "number", "It is 240 ...")
YEAR = Slot("p2", "pupil", "In what year was the bridge of Arden opened?", "1931", (), "date", "The bridge ...")
DOCUMENT = Document(Source("d1", "a.parquet", 0, 3, text_sha256(TEXT)), TEXT, slots=(LONG, YEAR))


def said(stage: Stage, answer: str, key: str = "key") -> Answered:
    fields = {"thought": "so it is", "answer": answer}
    return Answered(ANSWERS[stage].model_validate(fields), Call("a/policy", "fingerprint", key), Counter())


def nothing(kind: Kind, key: str = "key") -> Unanswered:
    return Unanswered(ModelError(kind, "what went wrong"), Call("a/policy", "fingerprint", key), Counter(), 4)


def config(**more: Any) -> RunConfig:
    return RunConfig.model_validate({"input": ["a.parquet"], "output": "out", **more})


# Round trip


def test_a_round_trip_shows_the_document_and_the_question_and_neither_answer_nor_evidence() -> None:
    request, _ = RoundTrip(PROMPTS).requests(DOCUMENT)
    text = "\n".join(message["content"] for message in request.messages)
    assert TEXT in text and LONG.question is not None and LONG.question in text
    assert LONG.answer is not None and LONG.answer not in text.replace(TEXT, "")
    assert "It is 240 ..." not in text


@pytest.mark.parametrize("answer", ["240 metres", "It is 240 m.", "two hundred and forty metres"])
def test_a_pair_whose_answer_is_found_again_stays(answer: str) -> None:
    decision = RoundTrip(PROMPTS).decide(DOCUMENT, [said("round_trip", answer), said("round_trip", "1931")])
    assert decision.kept is not None and not decision.rejected
    assert [slot.round_trip for slot in decision.kept.slots] == [Call("a/policy", "fingerprint", "key")] * 2


@pytest.mark.parametrize("answer", ["1931", "unanswerable", "240 feet", "not 240 metres", "240 metres or 240 feet"])
def test_a_pair_whose_answer_is_not_found_again_goes_with_what_was_said(answer: str) -> None:
    decision = RoundTrip(PROMPTS).decide(DOCUMENT, [said("round_trip", answer), said("round_trip", "in 1931")])
    (row,) = decision.rejected
    assert (row.pair_id, row.stage, row.reason, row.value) == ("p1", "round_trip", "answer_not_recovered", answer)
    assert row.calls.round_trip == "key"
    assert decision.kept is not None and [slot.pair_id for slot in decision.kept.slots] == ["p2"]


def test_a_round_trip_without_an_answer_is_an_error_or_waits() -> None:
    decision = RoundTrip(PROMPTS).decide(DOCUMENT, [nothing(Kind.REFUSED), nothing(Kind.AUTH)])
    assert [(row.pair_id, row.stage, row.error) for row in decision.failed] == [("p1", "round_trip", "refused")]
    assert decision.pending == (Kind.AUTH,)


# Closed book


ROW = to_table(Pair, [to_pair(DOCUMENT, LONG)]).to_pylist()[0]


def closed(samples: int, *answers: Answered | Unanswered, drop: bool = False) -> Decision[Row]:
    rule = ClosedBook(PROMPTS, ClosedBookSettings(samples=samples, drop_all_correct=drop))
    return rule.decide(ROW, answers)


def difficulty(decision: Decision[Row]) -> dict[str, Any]:
    assert decision.kept is not None
    return dict(decision.kept["difficulty"])


def test_a_policy_is_asked_each_question_as_often_as_it_is_told_and_sees_nothing_else() -> None:
    requests = ClosedBook(PROMPTS, ClosedBookSettings(samples=3)).requests(ROW)
    assert [request.sample for request in requests] == [0, 1, 2]
    assert [request.variables["question"] for request in requests] == [LONG.question] * 3
    (message,) = requests[0].messages
    assert TEXT not in message["content"] and "document" not in message["content"]
    assert LONG.question is not None and LONG.question in message["content"]


def test_difficulty_is_how_many_samples_got_it_right() -> None:
    answers = ["240 metres", "300 metres", "I do not know", "about 240 m"]
    decision = closed(4, *(said("closed_book", answer, f"k{n}") for n, answer in enumerate(answers)))
    assert difficulty(decision) == {"model": "a/policy", "samples": 4, "passes": 2}
    assert decision.kept is not None and decision.figures == ("passes 2",)
    assert decision.kept["calls"]["closed_book"] == "k0 k1 k2 k3", "all that came of the document"
    assert (decision.kept["models"]["closed_book"], decision.kept["prompts"]["closed_book"]) == (
        "a/policy",
        "fingerprint",
    )


def test_what_nobody_gets_right_stays_and_says_so() -> None:
    decision = closed(2, said("closed_book", "no idea"), said("closed_book", "12 km"), drop=True)
    assert difficulty(decision) == {"model": "a/policy", "samples": 2, "passes": 0}


@pytest.mark.parametrize("drop", [False, True])
def test_what_every_sample_gets_right_goes_only_where_asked_for(drop: bool) -> None:
    decision = closed(2, said("closed_book", "240 metres"), said("closed_book", "240 m"), drop=drop)
    if not drop:
        assert difficulty(decision) == {"model": "a/policy", "samples": 2, "passes": 2} and not decision.rejected
    else:
        (row,) = decision.rejected
        assert decision.kept is None
        assert (row.stage, row.reason, row.value) == ("closed_book", "answered_closed_book", "2 of 2 samples")


@pytest.mark.parametrize("kind", [Kind.TRUNCATED, Kind.INVALID])
def test_a_reply_of_no_use_is_a_wrong_one(kind: Kind) -> None:
    decision = closed(3, nothing(kind, "k0"), said("closed_book", "240 metres", "k1"), nothing(kind, "k2"), drop=True)
    assert difficulty(decision) == {"model": "a/policy", "samples": 3, "passes": 1}
    assert closed(2, nothing(kind), nothing(kind)).kept is not None, "a hard question, not an error"


@pytest.mark.parametrize("kind", [Kind.TRANSIENT, Kind.REFUSED, Kind.TIMEOUT])
def test_a_call_that_failed_is_not_counted(kind: Kind) -> None:
    decision = closed(2, nothing(kind), said("closed_book", "240 metres"), drop=True)
    assert difficulty(decision) == {"model": "a/policy", "samples": 1, "passes": 1}


def test_a_pair_without_any_sample_is_an_error() -> None:
    decision = closed(2, nothing(Kind.TIMEOUT, "k0"), nothing(Kind.REFUSED, "k1"))
    found = [(row.pair_id, row.error, row.calls.closed_book) for row in decision.failed]
    assert found == [("p1", "timeout", "k0 k1")]


def test_a_pair_waits_as_long_as_one_of_its_samples_does() -> None:
    decision = closed(3, nothing(Kind.INVALID), said("closed_book", "240 metres"), nothing(Kind.BATCH))
    assert decision.kept is None and decision.pending == (Kind.BATCH,) and not decision.failed


# What a run goes through


def test_the_stages_are_in_a_run_where_they_have_a_model() -> None:
    assert not {"round_trip", "closed_book"} & set(config().stages)
    both = config(models={"round_trip": {"model": "openai/a"}, "closed_book": {"model": "openai/b"}})
    assert both.stages[-4:] == ("judge", "round_trip", "questions", "closed_book")
    until = config(models={"closed_book": {"model": "openai/b"}}, until="closed_book")
    assert until.stages[-3:] == ("judge", "questions", "closed_book")
    assert list(until.asked) == ["screen", "classify", "generate", "judge", "closed_book"]
    assert list(config(models={"closed_book": {"model": "openai/b"}}, until="check").asked) == [
        "screen",
        "classify",
        "generate",
    ]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (
            {"models": {"round_trip": {}}},
            "models.round_trip: embedded/extractive cannot do this; name a model that can",
        ),
        (
            {"models": {"closed_book": {"max_tokens": 9}}},
            "models.closed_book: embedded/extractive cannot do this",
        ),
        ({"closed_book": {"samples": 8}}, "closed_book has no model to ask: set models.closed_book"),
        ({"closed_book": {"samples": 0}, "models": {"closed_book": {"model": "a/b"}}}, "greater than or equal to 1"),
        (
            {"models": {"closed_book": {"model": "a/b", "temperature": 0}}},
            "closed_book.samples = 4 of one answer, as models.closed_book.temperature is 0; sample one, or",
        ),
        (
            {"models": {"generate": {"model": "a/b"}, "round_trip": {"model": "a/b", "max_tokens": 9}}},
            "models.round_trip is a/b as models.generate, whose mistakes it would repeat; name another",
        ),
        ({"until": "round_trip"}, "until: this run has no round_trip, which needs models.round_trip"),
    ],
)
def test_what_cannot_be_is_refused_with_a_remedy(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        config(**wrong)
