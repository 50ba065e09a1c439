"""Valid answers: the stage and the document that a request names, and the answer, made from the request alone."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from schemas.answers import ANSWERS
from schemas.domains import DOMAINS, MAX_PERSONAS

REJECT_MARKER: Final = "REJECTME"
"""A document with this word in it is not qualified, says the screen."""

MISREAD_MARKER: Final = "MISREADME"
"""No question about a document with this word in it is answered again."""

GUESS: Final = "Jarrow"
"""What is answered to any question without a document."""

PLAIN: Final = "plain"
"""The stage of a request whose `response_format` names none of ours."""


def body_sha256(body: object) -> str:
    """Return the name of a request: the SHA-256 of its body as JSON with sorted keys, no spaces and ASCII escapes."""
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def stage_of(body: Mapping[str, Any]) -> str:
    """Return the task, a stage's own or a merged one, that a request's `response_format` names, or `PLAIN`."""
    response_format = body.get("response_format")
    schema = response_format.get("json_schema") if isinstance(response_format, dict) else None
    name = schema.get("name") if isinstance(schema, dict) else None
    return name if isinstance(name, str) and name in ANSWERS else PLAIN


_NUMBERED = re.compile(r'^\{"number": (\d+), ', re.MULTILINE)


_FENCE = re.compile(r"(?<![0-9a-zA-Z])[0-9a-f]{16}(?![0-9a-zA-Z])")


def document_of(content: str) -> str:
    """Return what stands between two lines with the same token of 16 hexadecimal digits, or all of `content`.

    Where more than two lines carry the token (a prompt may announce its fence), the longest text between two
    neighbours is the document.
    """
    lines = content.split("\n")
    marked: defaultdict[str, list[int]] = defaultdict(list)
    for number, line in enumerate(lines):
        for token in dict.fromkeys(_FENCE.findall(line)):
            marked[token].append(number)
    for numbers in marked.values():
        if len(numbers) > 1:
            inside = ("\n".join(lines[a + 1 : b]) for a, b in itertools.pairwise(numbers))
            return max(inside, key=len)
    return content


_VERDICT: Final = {"thought": "All good.", "has_context": True, "answer_correct": True, "leaks_answer": False}


def _screen(document: str) -> dict[str, Any]:
    return {"thought": "Looked for the marker.", "qualified": REJECT_MARKER not in document}


_PERSONAS: Final = (
    "curious student",
    "museum guide",
    "local journalist",
    "bridge engineer",
    "school teacher",
    "travelling reader",
    "data analyst",
)


def _classify(document: str) -> dict[str, Any]:
    draw = int(hashlib.sha256(document.encode("utf-8", "surrogatepass")).hexdigest(), 16)
    draw, domain = divmod(draw, len(DOMAINS))
    draw, count = divmod(draw, MAX_PERSONAS)
    first = draw % len(_PERSONAS)
    personas = [_PERSONAS[(first + step) % len(_PERSONAS)] for step in range(count + 1)]
    return {"thought": "Chosen by hash.", "domain": DOMAINS[domain], "personas": personas}


_SENTENCE_END = re.compile(r"(?<=[。！？])|(?<=[.!?])\s+|\n+")  # noqa: RUF001
# A figure that stands alone: no sign, unit, range, time or ordinal may touch it, for its type would be in doubt.
_NUMBER = re.compile(
    r"(?<![\w.,:/%$€£+\-–—−^'’])(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?![\w%:/\-–—°^'’]|[.,]\d)"  # noqa: RUF001
)
_YEAR = re.compile(r"\b(?:in|since|by|until|from|of|year) (1\d{3}|20\d\d)(?![\w%:/\-–—°^'’]|[.,]\d)")  # noqa: RUF001
_NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]{2,}(?: [A-Z][a-z]+){0,3}(?![\w'’\-])")  # noqa: RUF001
_WORD = re.compile(r"\b[^\W\d_]+\b")
# A question may not lean on a text that its reader cannot see, so neither may the sentence that it quotes.
_REFERENCE = re.compile(
    r"\b(?:passage|text|document|article|author|writer|excerpt|paragraph|section|chapter|page|above|below|following|"
    r"snippet|figure|table|source)s?\b",
    re.IGNORECASE,
)
_WORDS_PER_SENTENCE: Final = range(5, 41)
_ASKED: Final = {"number": "number", "date": "year", "name": "name", "phrase": "word"}


class _Blank(NamedTuple):
    """A piece of a sentence that can be asked for: where it is, and what type of answer it makes."""

    sentence: str
    start: int
    end: int
    answer_type: str

    @property
    def answer(self) -> str:
        return self.sentence[self.start : self.end]

    @property
    def question(self) -> str:
        statement = f"{self.sentence[: self.start]}____{self.sentence[self.end :]}".strip().rstrip(".!?")
        return f'Which {_ASKED[self.answer_type]} completes the statement "{statement}" as it is recorded?'

    def leaks(self) -> bool:
        return self.answer.casefold() in self.question.casefold()


def _sentences(document: str) -> list[str]:
    return [sentence.strip() for sentence in _SENTENCE_END.split(document) if sentence.strip()]


def _blanks(sentences: Sequence[str]) -> Iterator[_Blank]:
    for sentence in sentences:
        if len(sentence.split()) not in _WORDS_PER_SENTENCE or _REFERENCE.search(sentence):
            continue
        years = {match.start(1) for match in _YEAR.finditer(sentence)}
        for match in _NUMBER.finditer(sentence):
            yield _Blank(sentence, *match.span(), "date" if match.start() in years else "number")
        for match in _NAME.finditer(sentence):
            yield _Blank(sentence, *match.span(), "name")


def _longest_word(sentences: Sequence[str]) -> _Blank:
    """Return the longest word of the first sentence that can be asked about, or, for want of one, a whole sentence."""
    for sentence in sorted(sentences, key=lambda sentence: _REFERENCE.search(sentence) is not None):
        words = [_Blank(sentence, *match.span(), "phrase") for match in _WORD.finditer(sentence)]
        words.sort(key=lambda word: len(word.answer), reverse=True)
        fit = next((word for word in words if not word.leaks()), None)
        if fit is not None:
            return fit
    whole = sentences[0] if sentences else "nothing"
    return _Blank(whole, 0, len(whole), "phrase")


def _generate(document: str, seed: int) -> dict[str, Any]:
    sentences = _sentences(document)
    blanks = list(_blanks(sentences))
    first = seed % max(len(blanks), 1)
    turns = (blanks[(first + step) % len(blanks)] for step in range(len(blanks)))
    blank = next((turn for turn in turns if not turn.leaks()), None) or _longest_word(sentences)
    return {
        "thought": "One sentence states it.",
        "question": blank.question,
        "answer": blank.answer,
        "evidence": blank.sentence,
        "answer_type": blank.answer_type,
        "aliases": [],
    }


def _solve(document: str, content: str) -> dict[str, Any]:
    """Fill the blank of the question behind a document by its sentence there."""
    asked = _STATEMENT.search(content.rpartition(document)[2])
    asked = None if MISREAD_MARKER in document else asked
    sentences = [sentence.rstrip(".!?") for sentence in _sentences(document)] if asked else []
    before, after = (asked[1], asked[2]) if asked else ("", "")
    for sentence in sentences:
        if sentence.startswith(before) and sentence.endswith(after) and len(sentence) > len(before) + len(after):
            found = sentence[len(before) : len(sentence) - len(after)]
            return {"thought": f'The document says "{sentence}".', "answer": found}
    return {"thought": "I looked everywhere.", "answer": "unanswerable"}


_STATEMENT = re.compile(r'statement "(.*?)____(.*)" as it is recorded\?', re.DOTALL)


def _same(content: str) -> int:
    """Return the number of the first question below that has three of five words in common with the one above."""
    asked, _, listed = content.partition('\n{"number": 1, ')
    question = asked.rpartition("as a JSON string:")[2].strip().partition("\n")[0]
    words = set(_WORD.findall(question.casefold()))
    for number, line in enumerate(listed.split("\n"), start=1):
        others = set(_WORD.findall(line.casefold())) - {"number", "question"}
        if len(words & others) > 0.6 * len(words | others):
            return number
    return 0


def valid_answer(body: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the answer to a chat completions request, made from the request alone; None where the stage is `PLAIN`.

    Screen, classify and judge depend on the document only, alone or merged. Generate asks for a number, year or name of
    one of the document's sentences, chosen by the hash of the whole request, or for the longest word of the first that
    fits. Merged tasks are answered for each numbered line behind the document, and for number 1 where there is none.
    Round trip finds what generate has asked for, but in a document with `MISREAD_MARKER`; closed book says `GUESS`.
    """
    content = "\n".join(m["content"] for m in body["messages"] if m["role"] == "user")
    document = document_of(content)
    stage = stage_of(body)
    numbers = [int(number) for number in _NUMBERED.findall(content.partition(f"\n{document}\n")[2])] or [1]
    if stage == "screen":
        return _screen(document)
    if stage == "classify":
        return _classify(document)
    if stage == "generate":
        return _generate(document, int(body_sha256(body), 16))
    if stage == "judge":
        return dict(_VERDICT)
    if stage == "read":
        found = _classify(document) if REJECT_MARKER not in document else {"domain": None, "personas": []}
        return {**found, **_screen(document)}
    if stage == "generate_all":
        seed = int(body_sha256(body), 16)
        return {"pairs": [{"number": number, **_generate(document, seed + number)} for number in numbers]}
    if stage == "round_trip":
        return _solve(document, content)
    if stage == "closed_book":
        return {"thought": "That is in no memory of mine.", "answer": GUESS}
    if stage == "decontaminate":
        return {"thought": "I compared the words.", "number": _same(content)}
    if stage == "judge_all":
        return {"verdicts": [{"number": number, **_VERDICT} for number in numbers]}
    return None
