"""Fill-in questions, where no other rule fits a document: a sentence that stands by itself, with its date left out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from transforms.llm.embedded.candidates import CAPITAL, Candidate, ask_date
from transforms.llm.embedded.references import TOKEN, pointing_word
from transforms.llm.embedded.sentences import Text, balanced, without_brackets
from transforms.llm.embedded.spans import DATE, as_date
from transforms.llm.embedded.words import (
    AUXILIARIES,
    DETERMINERS,
    NOT_NAMES,
    PASTS,
    PLACES,
    PREPOSITIONS,
    PRESENTS,
    RECURRING,
    word_set,
)

MIN_WORDS: Final = 8
MAX_WORDS: Final = 26
BRIEF: Final = 14
"""Bounds in words; a brief sentence on an event that comes back may hold for other dates too."""
GAP: Final = "____"
_KINDS: Final = {"In what year": "year", "In what month and year": "month and year", "On what date": "date"}
_BEFORE_DATE: Final = re.compile(r"(?:^|[\w,] )(?:[Ii]n|[Oo]n|since|until) $")
_AFTER_DATE: Final = re.compile(r"$|[,.]| (?:[a-z]|The |[A-Z])")
# In a whole sentence these have their antecedent beside them.
_RELATIVE: Final = re.compile(r"\b(?:that|which|who|whom|whose|where|when|while|but|because|although|if)\b")
_FINITE: Final = (
    AUXILIARIES | PASTS.keys() | PRESENTS.keys() | word_set("came went saw got grew drew rose lay stood spoke")
)
# Quotations and lists, a news item that dates itself, a review or a manual that speaks to its reader.
_NO_STATEMENT: Final = re.compile(
    r"[\"“”:;*$=_#|]|\b(?:said|says|told|according|I|me|my|we|our|you|your|next|yet|\w+day|week|month)\b|\?$"
)
_FULL_NAME: Final = re.compile(rf"{CAPITAL}[\w'-]+ (?:of (?:the )?|and )?{CAPITAL}[\w'-]+")
_NAMED_START: Final = re.compile(rf"(?:[Tt]he )?(?:[a-z-]+ ){{0,3}}({CAPITAL}[\w'.-]*)(?: ({CAPITAL}|of |and )|\b)")


def gap_questions(text: Text) -> Iterator[Candidate]:
    """Ask for the one date of a sentence that needs no other: 'Which year completes the statement "... in ____."?'."""
    for sentence in text.sentences:
        statement = without_brackets(sentence.text)
        dates = list(DATE.finditer(statement))
        if len(dates) != 1 or "[[" in sentence.text or not MIN_WORDS <= statement.count(" ") + 1 <= MAX_WORDS:
            continue
        found = dates[0]
        before, after = statement[: found.start()], statement[found.end() :]
        if _BEFORE_DATE.search(before) and _AFTER_DATE.match(after) and _stands_alone(statement, before, after):
            question = f'Which {_KINDS[as_date(found).ask]} completes the statement "{before}{GAP}{after}"?'
            yield ask_date(question, found.group(), sentence.text, "gap in a statement", 40)


def _stands_alone(statement: str, before: str, after: str) -> bool:
    """Tell whether a sentence begins with a name, has a verb and a full name, and leans on nothing outside."""
    if not balanced(statement) or _NO_STATEMENT.search(statement) or not _FULL_NAME.search(statement):
        return False
    words = TOKEN.findall(statement)
    if len(words) < 2 or words[-2].lower() in PREPOSITIONS | DETERMINERS:
        return False  # the extraction lost its end
    if not any(word in _FINITE or word.endswith("ed") for word in words) or pointing_word(_RELATIVE.sub("", statement)):
        return False
    if len(words) <= BRIEF and any(word in PASTS and PASTS[word].base in RECURRING for word in words):
        return False  # "won the Cup in ____"
    start = _NAMED_START.match(after.lstrip(", ") if before in ("In ", "On ") else statement)
    if start is None or start.group(1).lower() in NOT_NAMES:
        return False
    return bool(start.group(2)) or start.group().lower().startswith("the ") or start.group(1) in PLACES
