"""From a document to its question-answer pairs, best first. Precision before yield: in doubt, nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Final

from transforms.llm.embedded.candidates import Candidate, acceptable
from transforms.llm.embedded.clauses import Clause, Reader
from transforms.llm.embedded.events import (
    actor_questions,
    agent_questions,
    date_questions,
    first_questions,
    made_questions,
    span_questions,
)
from transforms.llm.embedded.facts import (
    count_questions,
    distance_questions,
    eponym_questions,
    measure_questions,
    other_name_questions,
    place_questions,
    role_questions,
)
from transforms.llm.embedded.gaps import gap_questions
from transforms.llm.embedded.mentions import abbreviation_questions, mention_questions
from transforms.llm.embedded.openings import opening_questions
from transforms.llm.embedded.sentences import Text

RULES: Final[tuple[Callable[[Clause], Iterator[Candidate]], ...]] = (
    date_questions,
    made_questions,
    span_questions,
    agent_questions,
    actor_questions,
    first_questions,
    place_questions,
    count_questions,
    measure_questions,
    distance_questions,
    role_questions,
    eponym_questions,
    other_name_questions,
)
"""The rules that read a clause. They may give several pairs of one sentence; `candidates` keeps the best."""

_PLACING: Final = re.compile(r"[A-Z]\w+ (?:of (?:the )?)?[A-Z]|\"")


def _placed(pair: Candidate, clause: Clause) -> bool:
    """Tell whether a question about a bare surname has another name of two words, or a title, that places it."""
    return not clause.weak or bool(_PLACING.search(pair.question.replace(clause.subject, "", 1)))


def _best(pool: Iterable[Candidate], text: Text) -> list[Candidate]:
    best: dict[str, Candidate] = {}
    for pair in pool:
        if acceptable(pair) and (pair.evidence not in best or pair.score > best[pair.evidence].score):
            best[pair.evidence] = replace(pair, aliases=tuple(dict.fromkeys(pair.aliases)))
    quotes = {sentence.text: (index, sentence.quote) for index, sentence in enumerate(text.sentences)}
    unique: dict[str, Candidate] = {}
    for pair in sorted(best.values(), key=lambda pair: (-pair.score, quotes.get(pair.evidence, (0, ""))[0])):
        quote = quotes[pair.evidence][1] if pair.evidence in quotes else pair.evidence
        if pair.answer in quote:
            unique.setdefault(pair.question, replace(pair, evidence=quote))
    return list(unique.values())


def candidates(text: Text) -> list[Candidate]:
    """Return the pairs of a document, at most one a sentence and one a question, best first, ties by position.

    An abbreviation, the least of questions, is asked for only where there is nothing else.
    """
    reader = Reader(text)
    pool = [*opening_questions(text, reader), *mention_questions(text)]
    for clause in reader.clauses():
        pool += (pair for rule in RULES for pair in rule(clause) if _placed(pair, clause))
    return _best(pool, text) or _best(gap_questions(text), text) or _best(abbreviation_questions(text), text)[:1]
