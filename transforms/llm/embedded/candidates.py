"""What a pair is, when it is fit to leave, and the phrases that rules cut out of a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from schemas.domains import AnswerType
from transforms.llm.embedded.references import TOKEN, is_name, pointing_word
from transforms.llm.embedded.spans import NUMBER, Date, date_aliases, number_aliases
from transforms.llm.embedded.words import (
    AUXILIARIES,
    CONJUNCTIONS,
    GENERIC_NAMES,
    KNOWN_ACRONYMS,
    NOT_AGENTS,
    NUMBER_WORDS,
    PASTS,
    PREPOSITIONS,
    UNITS,
    word_set,
)

MAX_QUESTION_WORDS: Final = 34
MAX_ANSWER_WORDS: Final = 12
MAX_ANSWER_CHARS: Final = 100

CAPITAL: Final = r"[A-ZÀ-Þ]"
APOSTROPHE: Final = "['\u2019]"
DASH: Final = "[\u2013-]"
QUOTED: Final = '["\u201c]([^"\u201c\u201d]{2,60})["\u201d]'
"""Patterns of single characters in either spelling, and of a quoted title (one group: the title)."""
_PART: Final = rf"(?:(?:{CAPITAL}\.)+|{CAPITAL}[\w\u2019'&-]*\w)"
_PERSON_LINKS: Final = "of|de|la|le|du|des|von|van|der|den|di|da|al|ibn|bin|the"


def _name(links: str) -> str:
    link = rf"(?:{links})(?= (?:the |la |der )?{CAPITAL})"
    return rf"{_PART}(?: (?:{_PART}|[A-Z]\b|I{{1,3}}\b|{link}))*(?:,? (?:Jr|Sr)\.)?"


NAME: Final = _name(_PERSON_LINKS + "|for|on|in")
"""Pattern of a proper name with its inner link words ("Institute for the Arts", "Ludwig van Beethoven")."""
_PERSON: Final = _name(_PERSON_LINKS)
PLACE: Final = re.compile(rf"{_PERSON}(?:, {_PERSON}){{0,2}}")
_NAME_RE: Final = re.compile(NAME)
_PERSON_RE: Final = re.compile(_PERSON)

_CLAUSE_END: Final = re.compile(
    r"[;:]|\s[\u2013\u2014-]\s|\u2014|, |\b(?:but|while|whereas|although|though|because|which|who|whose|whom|where|"
    r"when|until|unless|so that|that)\b"
)
_REGION: Final = re.compile(rf"{_PERSON}(?:,|$|\s(?:in|on|at|by|as)\b)")
_APPOSITION: Final = word_set("a an the his her its their then thus making including such when only although")
_JOINED_VERB: Final = re.compile(r" and (?=(?:then |also |later |subsequently |was |were |is |had |has )?(\w+))")
_DESCRIPTION: Final = re.compile(
    r"(?:the |an? )?(?:(?:[A-Z][\w.-]+ ){0,2}(?!(?:of|in|and|or|at|on|for|to|from|with|as|de|von|van)\b)"
    r"(?:[a-z][\w-]+,? ){1,4})?"
)
_DEMONYM: Final = re.compile(r"(?:North |South |East |West )?[A-Z]\w+(?:an|ish|ese|ch|i|ic)$")
_OTHER_AGENT: Final = re.compile(
    rf",? (?:and|or|&) |, {NAME}(?:,| and)|{APOSTROPHE}|{DASH}|/| (?:[a-z]+,? )?(?:and|or) (?:the )?[A-Z]"
    r"| (?:for|on) (?:the )?[A-Z]| [\"\u201c]"
)
_POSSESSIVE: Final = re.compile(r"\b(?:his|her|its|their) (?=[a-z])")
_COUNTED: Final = re.compile(
    r" ((?:[a-z][a-z-]* ){0,2}(?:[a-z-]+[^s\W]s|men|women|people|children))"
    r"(?=[,.;:]|$| (?:in|at|on|for|during|by|from)\b)"
)
_VAGUE: Final = word_set("times types parts units points kinds levels cases items things ways sides others years")
_UNCOUNTED: Final = (
    CONJUNCTIONS | PREPOSITIONS | UNITS - word_set("members seats students people inhabitants residents")
)
_UNIT: Final = re.compile(r" ?(%|(?:square |cubic |nautical )?[A-Za-z²-]+2?(?: per [a-z]+(?: [a-z]+)?)?)")
_RANGE: Final = re.compile(rf"\s?{DASH}|\s(?:to|or|and)\s")
_UNIT_HEADS: Final = UNITS | word_set("% square cubic nautical km2 mi2 sq")
_SOURCE_WORD: Final = re.compile(r"\b(?:passage|text|article|document|author|excerpt|above|following)\b", re.IGNORECASE)
_ACRONYM: Final = re.compile(r"(?<![\w-])[A-Z]{2,3}(?![\w-])")
_DEBRIS: Final = re.compile(r'  | ,| \.|""|,["?]|[()\[\]{}<>|\\=]|formula_|https?:')


@dataclass(frozen=True, slots=True)
class Candidate:
    """A pair the engine could give, with the rule that made it and how much that rule is worth (0-100)."""

    question: str
    answer: str
    evidence: str
    answer_type: AnswerType
    aliases: tuple[str, ...]
    rule: str
    score: int


def ask_date(question: str, date: Date | str, evidence: str, rule: str, score: int) -> Candidate:
    """Return a pair whose answer is a date, with its other spellings."""
    text = date if isinstance(date, str) else date.text
    return Candidate(question, text, evidence, "date", tuple(date_aliases(text)), rule, score)


def ask_number(question: str, number: str, evidence: str, rule: str, score: int) -> Candidate:
    """Return a pair whose answer is a number, with its other spellings."""
    return Candidate(question, number, evidence, "number", tuple(number_aliases(number)), rule, score)


def ask_name(question: str, name: str, evidence: str, rule: str, score: int, aliases: Iterable[str] = ()) -> Candidate:
    """Return a pair whose answer is a proper name."""
    return Candidate(question, name, evidence, "name", tuple(aliases), rule, score)


def normal(text: str) -> str:
    """Return the words of a text in lower case between single spaces, so that containment respects word borders."""
    return " " + " ".join(re.findall(r"\w+", text.lower())) + " "


def acceptable(pair: Candidate) -> bool:
    """Tell whether a pair stands by itself: the engine's own checks, at least as strict as the pipeline's free ones."""
    question, answer = pair.question, pair.answer
    if not 5 <= len(question.split()) <= MAX_QUESTION_WORDS or question.count('"') % 2 or _DEBRIS.search(question):
        return False
    if not answer or len(answer.split()) > MAX_ANSWER_WORDS or len(answer) > MAX_ANSWER_CHARS:
        return False
    if answer not in pair.evidence or normal(answer) in normal(question):
        return False
    if pair.answer_type == "name" and not any(c.isupper() for c in answer):
        return False
    counts = any(c.isdigit() for c in answer) or answer.lower() in NUMBER_WORDS
    if pair.answer_type in ("date", "number") and not counts:
        return False
    # A short abbreviation that only its document explains is no name.
    return not _SOURCE_WORD.search(question) and all(word in KNOWN_ACRONYMS for word in _ACRONYM.findall(question))


def name_at(text: str) -> str:
    """Return the proper name a text begins with, or an empty string."""
    found = _NAME_RE.match(text)
    return found.group() if found else ""


def agent_at(text: str) -> tuple[str, str]:
    """Return the one person or body a text begins with, without description, and what follows; else empty strings."""
    described = _DESCRIPTION.match(text)
    start = described.end() if described else 0
    if any(word in PREPOSITIONS or word in CONJUNCTIONS or word in NOT_AGENTS for word in text[:start].split()):
        return "", ""
    found = _PERSON_RE.match(text, start)
    agent = found.group() if found else ""
    after = text[start + len(agent) :]
    return (agent, after) if _is_one(agent, after) else ("", "")


def _is_one(agent: str, after: str) -> bool:
    """Tell whether a name stands for one person or body: two words or more, no other name joined to it."""
    words = agent.lower().split()
    if len(words) < 2 or len(agent) > 60 or _DEMONYM.match(agent) or all(word in GENERIC_NAMES for word in words):
        return False
    if any(word in NOT_AGENTS for word in words) or _OTHER_AGENT.match(after):
        return False
    following = after.split()[:2]
    if len(following) == 2 and after[0] == " " and following[0].isalpha() and following[0].islower():
        # "South Korean company Game Park"
        return not following[1][0].isupper() or following[0] in PREPOSITIONS | CONJUNCTIONS
    return True


def clean(text: str, own: bool = False) -> bool:
    """Tell whether words have no pointer and no auxiliary; `own` lets a possessive mean the subject before them."""
    bare = text
    if own:
        before, *after = _POSSESSIVE.split(text)
        # A possessive means the subject only when no other name comes between.
        if after and any(is_name(word) for word in TOKEN.findall(before)):
            return False
        bare = before + "".join(after)
    if pointing_word(bare) is not None or text.count('"') % 2:
        return False
    return not any(word in AUXILIARIES for word in TOKEN.findall(text))


def has_name(text: str) -> bool:
    """Tell whether a text has a name, a quoted title or a number."""
    return any(is_name(word) for word in TOKEN.findall(text))


def cut(text: str) -> str:
    """Return a text up to where another clause begins ("City, Region" stays); empty where that cuts a list in two."""
    for match in _CLAUSE_END.finditer(text):
        if match.group() != ", ":
            return text[: match.start()].rstrip()
        before, after = text[: match.start()].split(), text[match.end() :]
        if before and is_name(before[-1]) and _REGION.match(after):
            continue
        word = re.split(r"[^\w-]", after, maxsplit=1)[0]
        safe = word in PREPOSITIONS or word in CONJUNCTIONS or word in _APPOSITION or word.endswith(("ing", "ed"))
        return text[: match.start()] if safe or not word else ""
    for match in _JOINED_VERB.finditer(text):
        if match.group(1) in PASTS or match.group(1) in AUXILIARIES:
            return text[: match.start()]
    return text


def counted(text: str) -> tuple[str, str, str] | None:
    """Return the number and plural noun a text begins with ("three branches") and what follows them, or None."""
    found = NUMBER.match(text)
    after = _COUNTED.match(text, found.end()) if found and not found["scale"] else None
    if found is None or after is None:
        return None
    noun = after.group(1)
    words = noun.split()
    if words[-1] in _VAGUE or pointing_word(noun) or any(word in _UNCOUNTED for word in words):
        return None
    return found.group(), noun, text[after.end() :]


def quantity(text: str, bare: bool) -> str:
    """Return the number with its unit that a text begins with, or an empty string; `bare` allows a number alone."""
    found = NUMBER.match(text)
    if found is None or _RANGE.match(text, found.end()):
        return ""
    unit = _UNIT.match(text, found.end())
    if unit and unit.group(1).split()[0].lower() in _UNIT_HEADS:
        return text[: unit.end()]
    return found.group() if bare else ""


def town_of(place: str) -> tuple[str, ...]:
    """Return the town alone of "town, region" as the only alias of a place."""
    town = place.split(",")[0]
    return (town,) if town != place else ()
