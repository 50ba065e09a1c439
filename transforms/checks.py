"""Free rules on a generated pair: grounded, short, of its type, self-contained, and without its answer in the question.

They stand between the generator and the judge (Webscale-RL, arXiv 2510.06499, makes the judge do all of this), so they
are written to be sure rather than complete: what they say no to is wrong, what they let pass the judge still sees. The
rules on wording know English only.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

import apache_beam as beam

from schemas.config_filters import CheckLimits
from schemas.records import Document, Slot
from transforms.ledger import SIDE_DOORS, Doors, doors
from transforms.llm.stage import DecidingDoFn, Decision, Reject, settle_slots
from transforms.pair_rules.answer_types import has_type, replies
from transforms.pair_rules.grounding import holds, quoted, states, word_count
from transforms.pair_rules.references import unresolved
from transforms.pair_rules.rewarding import unrewardable
from transforms.pair_rules.vagueness import names_nothing

Reason = tuple[str, str]
"""The name of the rule and the value that broke it."""

DEFAULT_LIMITS: Final = CheckLimits()

_SHOWN: Final = 200  # characters of a value that are kept in a reason

_QUESTION_END: Final = re.compile(
    r"[?\uff1f\u061f\u037e][\s\"'\u2018\u2019\u201c\u201d\u00ab\u00bb\u300d\u300f)\]}\uff09]*"
    r"(?:\([^()?]{1,100}\)\s*)?$"  # "(Round to the nearest integer.)"
)


def reject_reason(
    question: str,
    answer: str,
    answer_type: str,
    evidence: str,
    document: str,
    limits: CheckLimits = DEFAULT_LIMITS,
    aliases: Sequence[str] = (),
) -> Reason | None:
    """Return the first rule that a pair breaks, or None when it keeps them all.

    The rules, in the order they are tried:
      question_not_a_question: the question ends with a question mark; a closing quote or bracket may follow,
        or a short instruction in brackets.
      question_too_short: it has `limits.min_question_words` words; each character of a script without spaces is one.
      answer_too_long: at most `limits.max_answer_words` words and `limits.max_answer_characters` characters.
      wrong_answer_type: a number has a numeral, a number word or a word such as "none"; a date a numeral, or a word for
        a time; a name a capital, a letter of a script without capitals, or up to three words and no function word; a
        boolean is yes, no, true or false; a choice stands in the question, which offers alternatives. Any other type
        but phrase and expression breaks the rule.
      answer_does_not_reply: the answer is of a kind that the question word admits (`answer_types.replies`).
      answer_in_question: neither the answer nor an alias stands in the question as whole words, in figures or spelled,
        in the singular or the plural (but for boolean and choice, and beside an "or" that offers it).
      refers_to_source: the question does not point at a text its reader cannot see ("according to the passage").
      dangling_reference: it does not ask about a he, she, it, they or this that it never names.
      vague_question: a word of it is of some subject, and not of texts, events or studies in general
        (`vagueness.names_nothing`).
      evidence_not_in_document: the evidence stands in the document, but for whitespace and the shapes of quotes and
        dashes.
      answer_not_in_evidence: the answer stands in the evidence as whole words, but for case, a leading article, outer
        punctuation and the grouping of digits (but for boolean and choice).
      alias_contradicts_answer, ground_truth_not_rewarded, idle_words_rewarded, mutation_rewarded: `rewards` pays for
        the answer, and neither for wrong ones nor for nothing (`rewarding.unrewardable`).

    Args:
      question: the question, which must be understood without the document.
      answer: the answer, without explanation.
      answer_type: one of `schemas.domains.ANSWER_TYPES`.
      evidence: the sentence of the document that proves the answer.
      document: the text that the pair was made from.
      limits: the bounds; one that is null is not applied.
      aliases: other ways to say the answer.

    Returns:
      The rule's name and the value that broke it, at most 200 characters of it.
    """
    pair = (question.strip(), answer.strip(), answer_type, aliases, evidence)
    broken = itertools.chain(_form(*pair[:3], limits), _content(*pair, document), unrewardable(*pair))
    reason = next(broken, None)
    return reason and (reason[0], reason[1][:_SHOWN])


def _form(question: str, answer: str, answer_type: str, limits: CheckLimits) -> Iterator[Reason]:
    if not _QUESTION_END.search(question[-150:]):
        yield "question_not_a_question", question[-20:]
    length = word_count(question)
    if limits.min_question_words is not None and length < limits.min_question_words:
        yield "question_too_short", str(length)
    words = len(answer.split())
    if limits.max_answer_words is not None and words > limits.max_answer_words:
        yield "answer_too_long", f"{words} words"
    if limits.max_answer_characters is not None and len(answer) > limits.max_answer_characters:
        yield "answer_too_long", f"{len(answer)} characters"
    if not has_type(answer, answer_type, question):
        yield "wrong_answer_type", f"{answer_type}: {answer}"
    if not replies(question, answer, answer_type):
        yield "answer_does_not_reply", f"{answer_type}: {answer}"


def _content(
    question: str, answer: str, answer_type: str, aliases: Sequence[str], evidence: str, document: str
) -> Iterator[Reason]:
    extracted = answer_type not in ("boolean", "choice")
    if extracted:
        for text in (answer, *aliases):
            if states(question, text, answer_type):
                yield "answer_in_question", text
    yield from unresolved(question)
    if names_nothing(question):
        yield "vague_question", question
    if not quoted(evidence, document):
        yield "evidence_not_in_document", evidence
    if extracted and not holds(evidence, answer, answer_type):
        yield "answer_not_in_evidence", answer


def checked(document: Document, limits: CheckLimits) -> Decision[Document]:
    """Return a document with the slots whose pairs break no rule, and a row for each of the others."""
    return settle_slots("check", document, [(slot, _no(slot, document, limits)) for slot in document.slots])


def _no(slot: Slot, document: Document, limits: CheckLimits) -> Reject | None:
    reason = reject_reason(
        slot.question or "",
        slot.answer or "",
        slot.answer_type or "",
        slot.evidence or "",
        document.text,
        limits,
        slot.aliases,
    )
    return None if reason is None else Reject(*reason)


class CheckRules(beam.PTransform):
    """`Document`s with pairs in their slots -> `Doors` of `Document`s with the slots that break no rule."""

    def __init__(self, limits: CheckLimits) -> None:
        super().__init__()
        self.limits = limits

    def expand(self, documents: Any) -> Doors:
        return doors(documents | "Check" >> beam.ParDo(_Check(self.limits)).with_outputs(*SIDE_DOORS, main="kept"))


class _Check(DecidingDoFn):
    """Document -> Document."""

    stage = "check"

    def __init__(self, limits: CheckLimits) -> None:
        self.limits = limits

    def process(self, document: Document) -> Iterator[Any]:
        self.ledger.count("in", len(document.slots))
        decision = checked(document, self.limits)
        yield from self.enter(decision, len(decision.kept.slots) if decision.kept else 0)
