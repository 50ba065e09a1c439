"""Free rules on a generated pair: grounded, short, of its type, self-contained, and without its answer in the question.

They stand between the generator and the judge (Webscale-RL, arXiv 2510.06499, makes the judge do all of this), so they
are written to be sure rather than complete: what they say no to is wrong, what they let pass the judge still sees. The
rules on wording know English only.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any, Final

import apache_beam as beam

from schemas.config_filters import CheckLimits
from schemas.records import Document, Slot
from transforms.ledger import SIDE_DOORS, Doors, doors
from transforms.llm.stage import DecidingDoFn, Reject, settle_slots

Reason = tuple[str, str]
"""The name of the rule and the value that broke it."""

DEFAULT_LIMITS: Final = CheckLimits()

_SHOWN: Final = 200  # characters of a value that are kept in a reason
_READ: Final = 4000  # characters of a question whose wording is judged: some patterns take quadratic time

# Typography that a model changes when it quotes: it says nothing about what is quoted.
_FOLDS: Final = str.maketrans(
    dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u02bc\u0060\u00b4", "'")
    | dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"')
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d", "-")
    | {"\u2026": "..."}
    | dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\ufeff")  # soft hyphen and characters of no width
)
_OUTER: Final = " .,;:!?\"'"
_ARTICLE: Final = re.compile(r"^(?:the|an?) (?=.)")
_THOUSANDS: Final = re.compile(
    r"(?<![\d.,])\d{1,3}(?:,\d{2,3})*,\d{3}(?!\d|,\d)"  # 1,234,567 and 12,34,567
    r"|(?<![\d.,])\d{1,3}(?:[ ']\d{3})+(?!\d)"  # 1 234 567 and 1'234'567
)
_SEPARATORS: Final = str.maketrans("", "", ", '")
# Scripts that put no spaces between words, and Hangul, where particles are written onto the word.
_UNSPACED: Final = re.compile(
    "[\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]"
)

_NUMBER_WORD: Final = re.compile(
    r"\b(?:zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen"
    r"|seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundreds?|thousands?"
    r"|millions?|billions?|trillions?|dozens?|half|thirds?|quarters?)\b"
)
_MONTH_OR_DAY: Final = re.compile(
    r"\b(?:january|february|march|april|may|june|july|august|september|october|november|december"
    r"|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec"
    r"|(?:mon|tues|wednes|thurs|fri|satur|sun)days?|mon|tues?|wed|thu(?:rs?)?|fri|sat|sun)\b"
)
_OFFERS_OPTIONS: Final = re.compile(
    r"\b(?:or|versus|vs|between)\b|\bwhich (?:one )?of\b|/|\b[a-d1-4][).] |或|还是|または|それとも|또는"
)
_BOOLEANS: Final = frozenset({"yes", "no", "true", "false"})

_QUESTION_END: Final = re.compile(
    r"[?\uff1f\u061f\u037e][\s\"'\u2018\u2019\u201c\u201d\u00ab\u00bb\u300d\u300f)\]}\uff09]*$"
)

_SOURCE: Final = r"(?:passages?|texts?|articles?|documents?|excerpts?|paragraphs?)"
_POINTED: Final = r"(?:above|provided|preceding|previous|aforementioned|attached)"
_REPORTS: Final = (
    r"(?:say|state|mention|describe|argue|claim|suggest|explain|discuss|list|give|note|refer|define|identify|recommend"
    r"|compare|indicate|imply|conclude|report|highlight|emphasi[sz]e|believe|assert|focus|cover|point out)"
)
# What may follow "in the text" when the text is the source: the end of a clause or a verb. A noun makes a compound ("in
# the text editor"); "of", "by" or "that" tell which text is meant ("in the text of the treaty").
_CLAUSE_END: Final = (
    r"(?=\s*(?:[,.;?!)]|$)|\s+(?:about|as|is|was|are|were|how|what|why|did|does|do|has|have|had|above|below)\b)"
)
# "This document" may take up one that the question has named; before the first break there is none to take up.
_FIRST_CLAUSE: Final = r"^[^.,;:\"()]*?"
_SOURCE_REFERENCES: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # "According to the passage, ..."
        r"\b(?:according to|based on|as per|on the basis of) (?:the|this|these) "
        rf"(?:(?:{_POINTED}|source|original) )?(?:{_SOURCE}|authors?|sources?|information){_CLAUSE_END}",
        # "... in the text?"
        rf"\b(?:in|from|within|throughout|by) (?:the|this|these) (?:{_POINTED} )?{_SOURCE}{_CLAUSE_END}",
        # "What does the article say ...", "What is the article about?", "... that the passage mentions"
        rf"\b(?:does|do|did) the (?:{_POINTED} )?{_SOURCE} (?:\w+ly )?{_REPORTS}\b",
        rf"\bis the (?:{_POINTED} )?{_SOURCE} (?:\w+ly )?about\b",
        rf"\bthe (?:{_POINTED} )?{_SOURCE} {_REPORTS}(?:s|ed|d)\b",
        # "What does the author argue ...", but not "What does the author argue in Walden?"
        rf"{_FIRST_CLAUSE}\b(?:does|do|did) the authors? (?:\w+ly )?{_REPORTS}\b(?!.* in (?:the )?(?-i:[\"A-Z]))",
        rf"{_FIRST_CLAUSE}\bthe author(?:'s|s') (?:main |central |overall |primary )?"
        r"(?:opinion|view|argument|claim|point|purpose|tone|conclusion|perspective|thesis)\b"
        r"(?! (?:in|of) (?-i:[\"A-Z]))",
        # "the above passage", "the provided context", and "the following text" without a text that follows
        rf"\bthe {_POINTED} (?:{_SOURCE}|context|information|content)\b",
        rf"\bthe (?:given|following) {_SOURCE}\b(?!\s*[:\"'])",
        # "the factors listed above"
        r"\b(?:mentioned|described|discussed|given|stated|listed|shown|provided|presented|outlined|cited|referenced)"
        r" (?:above|earlier|below)(?=\s*(?:[,.;?!)]|$))",
        # "this passage", and "this document" or "this author" before any was named
        r"\bthis (?:passage|excerpt)\b(?!\s*[:\"'])",
        rf"{_FIRST_CLAUSE}\b(?:this|these) (?:{_SOURCE}|author){_CLAUSE_END}",
    )
)

_WH: Final = r"(?:what|which|who|whom|whose|when|where|why|how)"
_AUX: Final = r"(?:did|does|do|was|were|is|are|has|have|had|can|could|will|would|should|might|may|must)"
_CONJUNCTIONS: Final = r"(?:and|or|but|if|when|because|that|than|where|while|how)\b"
_INQUIRY: Final = rf"(?:(?i:in|at|on|by|from|to|for|with|of) )?(?i:{_WH})(?: (?!{_CONJUNCTIONS})[a-z-]+){{0,4}} {_AUX}"
# After a comma, a colon or a quotation mark the question may say after all who is meant.
_UNEXPLAINED: Final = r"\b(?!,)(?!.*[:\"\n])"
# "It" is often no reference: weather, distance, the hour, or "it" for the clause that follows.
_EXPLETIVE: Final = (
    r"(?!.*\b(?:to|that|when|if|for|how|who|whether|like|takes?|took|means?|rain|snow|time|day|date|far|about|matter"
    r"|costs?|possible|said|known|true|called|feel|comes?|came|turns?|cold|warm|hot|dark)\b)"
)
_DANGLING: Final = tuple(
    re.compile(pattern)
    for pattern in (
        # "What did she discover?": the pronoun is the subject, and only the question word came before it.
        rf"^{_INQUIRY} (?:he|she){_UNEXPLAINED}",
        # People at large: "What do they call a lift in Boston?"
        rf"^{_INQUIRY} they{_UNEXPLAINED}(?! (?:call|say|speak)\b)(?!.* in [A-Z])",
        rf"^(?!(?i:why)\b){_EXPLETIVE}{_INQUIRY} it{_UNEXPLAINED}(?! (?:in|on|at)\b)",
        # A quiz names its man by what he did: "When did this physicist publish the theory of General Relativity?"
        rf"^{_INQUIRY} (?:this|these|those){_UNEXPLAINED}[^A-Z\d]*$",
        rf"^(?i:{_AUX}) (?:he|she|they){_UNEXPLAINED}",
        # "She was born in which year?"; a second sentence or clause may ask who she is, as a riddle does.
        rf"^(?:He|She|They) {_AUX} [^.;:,\"]*$",
        rf"^{_EXPLETIVE}It {_AUX} [^.;:,\"]*$",
        r"^(?:His|Her|Their|Its) [a-z]+ [^.;:,\"A-Z]*$",
        rf"^(?:This|These) [a-z]+ {_AUX} [^.;:,\"A-Z]* (?:in|at|on|by|of|for|from|to) {_WH} [^.;:,\"A-Z]*$",
        # "What is the capital of this country?"
        rf"^(?i:{_WH})\b(?!.*\b{_CONJUNCTIONS})[^.,;:\"A-Z\d]* (?:of|in|for|by|from|on) (?:this|these)"
        r" (?!(?:world|planet|universe|day|week|month|year|decade|century|way|time)s?\b)[a-z]+\?$",
    )
)


def reject_reason(
    question: str,
    answer: str,
    answer_type: str,
    evidence: str,
    document: str,
    limits: CheckLimits = DEFAULT_LIMITS,
) -> Reason | None:
    """Return the first rule that a pair breaks, or None when it keeps them all.

    The rules, in the order they are tried:
      question_not_a_question: the question ends with a question mark; a closing quote or bracket may follow.
      question_too_short: it has `limits.min_question_words` words; each character of a script without spaces is one.
      answer_too_long: at most `limits.max_answer_words` words and `limits.max_answer_characters` characters.
      wrong_answer_type: a number has a numeral or a number word; a date a numeral, a month or a weekday; a name a
        capital, or a letter of a script without capitals; a boolean is yes, no, true or false; a choice stands in the
        question, which offers alternatives. Any other type but phrase and expression breaks the rule.
      answer_in_question: the answer does not stand in the question as whole words (but for boolean and choice).
      refers_to_source: the question does not point at a text its reader cannot see ("according to the passage").
      dangling_reference: it does not ask about a he, she, it, they or this that it never names.
      evidence_not_in_document: the evidence stands in the document, but for whitespace and the shapes of quotes and
        dashes.
      answer_not_in_evidence: the answer stands in the evidence as whole words, but for case, a leading article, outer
        punctuation and the grouping of digits (but for boolean and choice).

    Args:
      question: the question, which must be understood without the document.
      answer: the answer, without explanation.
      answer_type: one of `schemas.domains.ANSWER_TYPES`.
      evidence: the sentence of the document that proves the answer.
      document: the text that the pair was made from.
      limits: the bounds; one that is null is not applied.

    Returns:
      The rule's name and the value that broke it, at most 200 characters of it.
    """
    reason = next(_broken_rules(question.strip(), answer.strip(), answer_type, evidence, document, limits), None)
    return reason and (reason[0], reason[1][:_SHOWN])


def _broken_rules(
    question: str, answer: str, answer_type: str, evidence: str, document: str, limits: CheckLimits
) -> Iterator[Reason]:
    if not _QUESTION_END.search(question[-20:]):
        yield "question_not_a_question", question[-20:]
    length = _words(question)
    if limits.min_question_words is not None and length < limits.min_question_words:
        yield "question_too_short", str(length)
    words = len(answer.split())
    if limits.max_answer_words is not None and words > limits.max_answer_words:
        yield "answer_too_long", f"{words} words"
    if limits.max_answer_characters is not None and len(answer) > limits.max_answer_characters:
        yield "answer_too_long", f"{len(answer)} characters"
    if not _has_type(answer, answer_type, question):
        yield "wrong_answer_type", f"{answer_type}: {answer}"
    extracted = answer_type not in ("boolean", "choice")
    if extracted and _holds(question, answer, answer_type):
        yield "answer_in_question", answer
    yield from _unresolved(question)
    if not _quoted(evidence, document):
        yield "evidence_not_in_document", evidence
    if extracted and not _holds(evidence, answer, answer_type):
        yield "answer_not_in_evidence", answer


def folded(text: str) -> str:
    """Return a text in Unicode form C, its quotes and dashes in ASCII, every run of whitespace one space."""
    return " ".join(unicodedata.normalize("NFC", text).translate(_FOLDS).split())


def _words(text: str) -> int:
    spaced = _UNSPACED.sub(r" \g<0> ", text)
    return sum(any(map(str.isalnum, word)) for word in spaced.split())


def _quoted(evidence: str, document: str) -> bool:
    # Folding a document costs more than all the other rules together, and a faithful quotation needs none.
    quotation = folded(evidence)
    return bool(quotation) and (evidence in document or quotation in folded(document))


def _core(answer: str, answer_type: str) -> str:
    """Return the answer as it is looked for. An expression keeps its marks: `n!` is not `n`."""
    text = folded(answer).casefold()
    if answer_type == "expression":
        return text.strip(" $")
    return _ARTICLE.sub("", text.strip(_OUTER))


def _ungrouped(text: str) -> str:
    return _THOUSANDS.sub(lambda match: match[0].translate(_SEPARATORS), text)


def _holds(text: str, answer: str, answer_type: str) -> bool:
    """Return whether a text has the answer as whole words. An answer without content is nowhere."""
    core, place = _core(answer, answer_type), folded(text).casefold()
    if not core:
        return False
    if answer_type == "expression":
        spaced = re.compile(r" ?".join(re.escape(mark) for mark in core.replace(" ", "")))
        return any(_whole(place, *match.span()) for match in spaced.finditer(place))
    return _found(place, core) or _found(_ungrouped(place), _ungrouped(core))


def _found(text: str, words: str) -> bool:
    start = text.find(words)
    while start != -1:
        if _whole(text, start, start + len(words)):
            return True
        start = text.find(words, start + 1)
    return False


def _whole(text: str, start: int, end: int) -> bool:
    """Return whether `text[start:end]` is neither part of a longer word nor of a longer or negative number."""
    before, after = text[max(start - 2, 0) : start].rjust(2), text[end : end + 2].ljust(2)
    first, last = text[start], text[end - 1]
    if _joined(before[1], first) or _joined(last, after[0]):
        return False
    if first.isdigit() and (
        (before[1] in ".," and before[0].isdigit()) or (before[1] == "-" and not before[0].isalnum())
    ):
        return False
    return not (last.isdigit() and after[0] in ".," and after[1].isdigit())


def _joined(left: str, right: str) -> bool:
    return left.isalnum() and right.isalnum() and not (_UNSPACED.match(left) or _UNSPACED.match(right))


def _has_type(answer: str, answer_type: str, question: str) -> bool:
    lower = answer.casefold()
    if answer_type == "number":
        return any(map(str.isnumeric, answer)) or bool(_NUMBER_WORD.search(lower))
    if answer_type == "date":
        return any(map(str.isnumeric, answer)) or bool(_MONTH_OR_DAY.search(lower))
    if answer_type == "name":
        return any(unicodedata.category(letter) in ("Lu", "Lt", "Lo") for letter in answer)
    if answer_type == "boolean":
        return lower.strip(_OUTER) in _BOOLEANS
    if answer_type == "choice":
        return _offered(answer, question)
    return answer_type in ("phrase", "expression")


def _offered(answer: str, question: str) -> bool:
    """Return whether a question offers alternatives, the answer among them."""
    if not _OFFERS_OPTIONS.search(folded(question).casefold()):
        return False
    label = folded(answer).strip(_OUTER + "()[]")
    # A single letter keeps its case: the option "A" is not the article.
    return _found(folded(question), label) if len(label) == 1 else _holds(question, answer, "choice")


def _unresolved(question: str) -> Iterator[Reason]:
    text = folded(question[:_READ])
    for rule, patterns in (("refers_to_source", _SOURCE_REFERENCES), ("dangling_reference", _DANGLING)):
        for pattern in patterns:
            if match := pattern.search(text):
                yield rule, match[0]


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
        decision = settle_slots(self.stage, document, [(slot, self._no(slot, document)) for slot in document.slots])
        yield from self.enter(decision, len(decision.kept.slots) if decision.kept else 0)

    def _no(self, slot: Slot, document: Document) -> Reject | None:
        reason = reject_reason(
            slot.question or "",
            slot.answer or "",
            slot.answer_type or "",
            slot.evidence or "",
            document.text,
            self.limits,
        )
        return None if reason is None else Reject(*reason)
