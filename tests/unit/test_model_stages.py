"""The stages that call a model, and the free checks: what they ask, what they make of it, what leaves by which door."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest

from prompts import load_prompts
from schemas.answers import ANSWERS, Stage
from schemas.config_filters import CheckLimits
from schemas.records import Call, Document, Failed, Slot, Source, Verdict, pair_id, text_sha256, to_table
from tests.support import run_doors
from transforms.checks import CheckRules
from transforms.classify import ClassifyDomain
from transforms.generate import GenerateQA
from transforms.judge import JudgeQA, reject_reason
from transforms.llm.client import Answered, ClientSettings, Unanswered
from transforms.llm.requests import Kind, ModelError, Settings
from transforms.llm.stage import AskModel
from transforms.screen import ScreenDocuments

PROMPTS = load_prompts()
TEXT = "The bridge of Arden was opened in 1931. It is 240 metres long."
SOURCE = Source("d1", "a.parquet", 0, 3, text_sha256(TEXT))
CALL = Call("some/model", "fingerprint", "key")
PAIR = {
    "thought": "a date",
    "question": "In what year was the bridge of Arden opened?",
    "answer": "1931",
    "evidence": "The bridge of Arden was opened in 1931.",
    "answer_type": "date",
    "aliases": ["1931", "AD 1931"],
}


def document(*personas: str) -> Document:
    slots = tuple(Slot(pair_id("d1", SOURCE.text_sha256 or "", persona), persona) for persona in personas)
    return Document(SOURCE, TEXT, "fine", "Other", CALL, CALL, slots)


def answered(stage: Stage, **fields: Any) -> Answered:
    return Answered(ANSWERS[stage].model_validate(fields), CALL, Counter())


def unanswered(kind: Kind) -> Unanswered:
    return Unanswered(ModelError(kind, "what went wrong"), CALL, Counter(), 4)


def test_a_request_carries_the_document_behind_a_fence_no_text_can_foresee() -> None:
    (request,) = ScreenDocuments(PROMPTS).requests(document())
    assert request.variables["fence"] == text_sha256(TEXT)[:16]
    assert TEXT in request.messages[-1]["content"]
    assert request.prompt == PROMPTS.fingerprint("screen")
    assert "qualified" in request.schema["properties"]


def test_screen_keeps_the_qualified_and_names_why_it_drops_the_others() -> None:
    rule = ScreenDocuments(PROMPTS)
    kept = rule.decide(document(), [answered("screen", thought="good", qualified=True)])
    assert kept.kept is not None and kept.kept.screen_thought == "good" and kept.kept.screen == CALL
    dropped = rule.decide(document(), [answered("screen", thought="a menu", qualified=False)])
    (row,) = dropped.rejected
    assert dropped.kept is None
    assert (row.reason, row.value, row.thought, row.calls.screen) == ("not_qualified", "a menu", "a menu", "key")


def test_classify_names_the_pairs_before_they_exist() -> None:
    rule = ClassifyDomain(PROMPTS)
    answer = answered("classify", thought="", domain="Math", personas=[" teacher", "teacher", "", "pupil", "x", "y"])
    decided = rule.decide(document(), [answer]).kept
    assert decided is not None and decided.domain == "Math"
    assert [slot.persona for slot in decided.slots] == ["teacher", "pupil", "x"]
    assert decided.slots[0].pair_id == pair_id("d1", text_sha256(TEXT), "teacher")
    assert len({slot.pair_id for slot in decided.slots}) == 3


def test_generate_asks_once_a_persona_with_few_shots_of_the_domain() -> None:
    requests = GenerateQA(PROMPTS).requests(document("teacher", "pupil"))
    assert [request.variables["persona"] for request in requests] == ["teacher", "pupil"]
    assert requests[0].variables["exemplars"] != requests[1].variables["exemplars"]
    assert requests == GenerateQA(PROMPTS).requests(document("teacher", "pupil"))


def test_each_slot_leaves_by_its_own_door() -> None:
    outcomes = [answered("generate", **PAIR), unanswered(Kind.REFUSED), unanswered(Kind.AUTH)]
    decided = GenerateQA(PROMPTS).decide(document("a", "b", "c"), outcomes)
    assert decided.kept is not None
    (slot,) = decided.kept.slots
    assert (slot.persona, slot.answer, slot.aliases, slot.generate) == ("a", "1931", ("AD 1931",), CALL)
    (error,) = decided.failed
    assert (error.pair_id, error.error, error.attempts) == (document("b").slots[0].pair_id, "refused", 4)
    assert error.message == "what went wrong"
    assert decided.pending == (Kind.AUTH,)


def test_a_document_without_an_answer_is_an_error_or_pending() -> None:
    for rule in (ScreenDocuments(PROMPTS), ClassifyDomain(PROMPTS)):
        (error,) = rule.decide(document(), [unanswered(Kind.INVALID)]).failed
        assert (error.doc_id, error.pair_id, error.stage, error.error) == ("d1", None, rule.stage, "invalid")
        assert rule.decide(document(), [unanswered(Kind.UNKNOWN_MODEL)]).pending == (Kind.UNKNOWN_MODEL,)


def test_half_a_surrogate_in_a_servers_words_does_not_harm_the_row() -> None:
    error = Unanswered(ModelError(Kind.INVALID, "sure \ud83d"), CALL, Counter(), 1)
    (row,) = ScreenDocuments(PROMPTS).decide(document(), [error]).failed
    (stored,) = to_table(Failed, [row]).to_pylist()
    assert (stored["message"], stored["calls"]["screen"]) == ("sure ?", "key")


@pytest.mark.parametrize(
    ("verdict", "reason"),
    [
        (Verdict(True, True, False), None),
        (Verdict(False, False, True), "lacks_context"),
        (Verdict(True, False, True), "answer_incorrect"),
        (Verdict(True, True, True), "leaks_answer"),
    ],
)
def test_the_judges_three_questions(verdict: Verdict, reason: str | None) -> None:
    assert reject_reason(verdict) == reason
    answer = answered("judge", thought="because", **dataclasses.asdict(verdict))
    decided = JudgeQA(PROMPTS).decide(document("a"), [answer])
    if reason is None:
        assert decided.kept is not None and decided.kept.slots[0].checks == verdict
    else:
        (row,) = decided.rejected
        assert (row.reason, row.value, row.pair_id) == (reason, "because", document("a").slots[0].pair_id)


def filled(persona: str, **changes: str) -> Slot:
    slot = dataclasses.replace(document(persona).slots[0], generate=CALL)
    fields = {name: value for name, value in (PAIR | changes).items() if name != "aliases"}
    return dataclasses.replace(slot, **fields)


def test_the_check_stage_splits_a_document_and_drops_one_without_pairs() -> None:
    good, bad = filled("a"), filled("b", answer="1932")
    both = dataclasses.replace(document(), slots=(good, bad))
    only_bad = dataclasses.replace(document(), slots=(bad,))
    out = run_doors(lambda p: p | beam.Create([both, only_bad]) | CheckRules(CheckLimits()))
    assert [kept.slots for kept in out["kept"]] == [(good,)]
    assert {(row["pair_id"], row["reason"], row["value"]) for row in out["rejected"]} == {
        (bad.pair_id, "answer_not_in_evidence", "1932")
    }
    assert {row["calls"]["generate"] for row in out["rejected"]} == {"key"}
    assert out["counts"] == Counter(
        {
            ("check", "in"): 3,
            ("check", "kept"): 1,
            ("check", "rejected"): 2,
            ("check", "reason", "answer_not_in_evidence"): 2,
        }
    )


def test_a_stage_in_a_pipeline_counts_documents_calls_and_fan_out(tmp_path: Path) -> None:
    settings = ClientSettings({"classify": Settings("embedded/extractive")}, str(tmp_path / "cache"), 4)
    texts = [f"The bridge of Arden was opened in 19{i}. It is {i} metres long." for i in range(10, 50)]
    documents = [Document(Source(f"d{i}", "a", 0, i, text_sha256(text)), text) for i, text in enumerate(texts)]
    out = run_doors(lambda p: p | beam.Create(documents) | AskModel(ClassifyDomain(PROMPTS), settings))
    assert sorted(kept.source.doc_id for kept in out["kept"]) == sorted(f"d{i}" for i in range(40))
    assert out["counts"]["classify", "in"] == out["counts"]["classify", "kept"] == 40
    assert out["counts"]["classify", "fan_out"] == sum(len(kept.slots) for kept in out["kept"])
    assert out["counts"]["classify", "usage", "embedded/extractive", "calls"] == 40
