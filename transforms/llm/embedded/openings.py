"""Questions from the sentence that introduces the topic of an encyclopaedic page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from transforms.llm.embedded.candidates import Candidate, agent_at, ask_date, ask_name, name_at
from transforms.llm.embedded.clauses import Reader
from transforms.llm.embedded.sentences import Text, without_brackets
from transforms.llm.embedded.spans import DATE, asking
from transforms.llm.embedded.terms import definition_question
from transforms.llm.embedded.topics import kind_of
from transforms.llm.embedded.words import COUNTRIES, GENERIC_NAMES, SITES, US_STATES, WORKS

_MADE: Final = re.compile(
    r"\b(directed|written|composed|designed|developed|published|created|recorded|painted|released) by "
)
_CLUB: Final = re.compile(
    r" (?:who|that) (?:currently )?plays (?:as an? [\w -]{3,30} )?for (?:the )?"
    r"(?:[\w\u2019' ]{3,40} (?:club|side|team) )?"
)
_FAMILY: Final = re.compile(
    r" is an? (?:\w+ )?(genus|species) (?:of|in) .{0,80}?\b(?:in|of|belonging to) the (?:\w+ )?family ([A-Z]\w+)"
)
_LIES: Final = r"(?: and [a-z ]{3,30})?(?:,? (?:located|situated|lying))? (?:in|of|on|at|within)"
_APPROXIMATE: Final = re.compile(r"\b(?:c|ca|circa|before|after|or|fl)\.? $")
_BRACKET: Final = re.compile(r"\(([^()]*)\)")
_NO_DESCRIPTION: Final = frozenset(("former", "retired", "late", "and"))


def opening_questions(text: Text, reader: Reader) -> Iterator[Candidate]:
    """Yield questions on life dates, club, place, maker, family and definition of the topic."""
    topic, subject = text.topic, reader.topic
    if topic is None or subject is None:
        return
    opening, plain, kind = topic.opening, without_brackets(topic.opening).rstrip(". "), kind_of(topic)
    last = kind.split()[-1] if kind else ""
    if subject.person:
        who = _described(subject.name, subject.kind)
        yield from _life(opening, who, len(topic.name))
        club = _CLUB.search(plain)
        name = name_at(plain[club.end() :]) if club else ""
        if name:
            yield ask_name(f"For which club does {who} play?", name, opening, "club", 78)
    if last.lower() in SITES:
        yield from _site(opening, plain, subject.name, kind)
    if last in WORKS:
        yield from _maker(opening, plain, subject.name, last)
    family = _FAMILY.search(plain)
    if family:
        question = f"To which family does the {family.group(1)} {topic.name} belong?"
        yield ask_name(question, family.group(2), opening, "family of a taxon", 80)
    # A common noun is written in lower case somewhere; a name never is.
    lowered = topic.name[0].lower() + topic.name[1:]
    if any(re.search(rf"[a-z,] {re.escape(lowered)}", paragraph) for paragraph in text.paragraphs[1:]):
        yield from definition_question(opening, topic.name, 76)


def _described(name: str, kind: str) -> str:
    """Name a person with nationality and occupation, as far as the description is short and plain."""
    words = kind.split()
    if name.startswith("the ") or not 1 <= len(words) <= 5 or _NO_DESCRIPTION & set(words) or not words[0][0].isupper():
        return name
    return f"the {kind} {name}"


def _life(opening: str, who: str, width: int) -> Iterator[Candidate]:
    """Ask for birth or death: "X (19 October 1562 - 5 August 1633)", "X (born 8 July 1941)"."""
    bracket = _BRACKET.search(opening[: width + 120])
    if bracket is None:
        return
    inside = bracket.group(1)
    found = DATE.finditer(inside.replace("\u2013", "~").replace("-", "~"))
    dates = [match.group() for match in found if not _APPROXIMATE.search(inside[: match.start()])]
    if dates and (len(dates) == 2 or re.search(r"\bborn\b", inside)):
        yield ask_date(f"{asking(dates[0])} was {who} born?", dates[0], opening, "date of birth", 84)


def _site(opening: str, plain: str, name: str, kind: str) -> Iterator[Candidate]:
    """Ask for country or state: "X is a village in D, P, Iran" -> "In which country is the village X located?"."""
    found = re.search(rf" (is|was) an? {re.escape(kind)}{_LIES} ([^;]*)$", plain)
    if found is None or all(word.lower() in GENERIC_NAMES for word in name.removeprefix("the ").split()):
        return
    name, noun = name.split(",")[0], kind.split()[-1]
    sort = kind if kind.islower() and len(kind.split()) <= 3 else noun
    label = name if noun.lower() in name.lower() or name.startswith("the ") else f"the {sort} {name}"
    for part in re.split(r", | in | of ", found.group(2).replace("the ", "")):
        head = name_at(part)
        if head in COUNTRIES or head in ("United States", "United Kingdom"):
            yield ask_name(f"In which country {found.group(1)} {label} located?", head, opening, "country", 70)
            return
        if head in US_STATES and head != "Washington" and noun != "county":  # many states have a Wayne County
            yield ask_name(f"In which U.S. state {found.group(1)} {label} located?", head, opening, "state", 72)
            return


def _maker(opening: str, plain: str, name: str, last: str) -> Iterator[Candidate]:
    """Ask who made a work: "X is a 1994 film directed by Y" -> "Who directed the film "X"?"."""
    found = _MADE.search(plain)
    if found:
        verb = "wrote" if found.group(1) == "written" else found.group(1)
    else:
        found, verb = re.search(rf"\b{re.escape(last)} by ", plain), WORKS[last]
    maker = agent_at(plain[found.end() :])[0] if found else ""
    if maker:
        yield ask_name(f"Who {verb} {name}?", maker, opening, "maker of a work", 82)
