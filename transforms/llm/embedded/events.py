"""Questions about what happened: when, by whom, from when to when, who first. Each rule reads one clause."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from transforms.llm.embedded.candidates import (
    DASH,
    Candidate,
    agent_at,
    ask_date,
    ask_name,
    clean,
    cut,
    has_name,
)
from transforms.llm.embedded.clauses import Clause
from transforms.llm.embedded.references import TOKEN, is_name
from transforms.llm.embedded.spans import DATE, Date, as_date
from transforms.llm.embedded.words import MONTHS, ONE_DAY, PARTICIPLES, PREPOSITIONS, RECURRING, Verb, word_set

_BEFORE_DATE: Final = re.compile(r"(?:^|\s)(?:in|on|in the year)\s$")
_TAIL_START: Final = word_set("by at in with for to from as under")
# A date followed by anything else modifies it: "in the [1936] Games".
_MODIFIED: Final = re.compile(
    r"\s+(?!(?:by|at|in|with|for|to|from|as|under|and|but|after|when|where|while|during|on|through|following|because|"
    r"although|before|until|upon|against|near|over|via|into|despite|without)\b|[\u2013\u2014-] )"
)
_ADJUNCT: Final = re.compile(r" (?:for|after|during|with|in|at|by|following|despite|as part of|under|near) ")
_MONTH: Final = re.compile("|".join(MONTHS))
_HONOUR: Final = re.compile(
    r"\b(?:Prize|Medal|Award|Oscar|Order of|Cross|Legion|degree|doctorate|Ph\.?D)\b|\b(?:first|last|only)\b"
)
_ANCHOR: Final = re.compile(r"\b(?:its|his|her|their|first|last|only)\b")
_PURPOSE: Final = re.compile(r"\bto (?!the\b|an?\b|his\b|her\b|its\b)[a-z]")
_DOING: Final = re.compile(r"\b[a-z]+ing\b")
_ING_NOUNS: Final = word_set("building king meeting wing ring spring string training painting writing engineering")
_PHASES: Final = word_set("begin start cease commence complete")
_OBJECT_PREPOSITIONS: Final = word_set("to from in as into at")
_MADE_IN: Final = re.compile(
    r"(?:an?|the) [\w' -]{3,90}? ([a-z]+(?:ed|ilt|ten|nted))((?: by [\w. ]{3,50}?)?) (?:in|on) (?=[A-Z0-9])"
)
_TENURE: Final = re.compile(rf" from ((1\d{{3}}|20\d{{2}}) (?:to|until|through) (1\d{{3}}|20\d{{2}}))\b(?!{DASH})")
_TENURE_VERBS: Final = word_set("serve reign live work teach play")
_SINCE: Final = re.compile(rf"been (.{{4,80}}?),? since (1\d{{3}}|20\d{{2}})\b(?!{DASH}|['\u2019])")
_BY: Final = re.compile(r"(.*?)\bby ")
_AGENT_TAIL: Final = re.compile(r" (?:in|on|as|for|at) ")
_FIRST: Final = re.compile(r"the first (?:[\w-]+ ){1,4}(?:to|of|in)\b[^,;:]*")


def _ask(clause: Clause, verb: Verb, wh: str, *rest: str) -> str:
    """Build "<wh> was <subject> <participle> ...?" or "<wh> did <subject> <base> ...?"."""
    helper, form = (clause.auxiliary, verb.participle) if clause.auxiliary else ("did", verb.base)
    words = [wh, helper, clause.subject, clause.adverb, form, *(part.strip(" ,") for part in rest)]
    return " ".join(word for word in words if word) + "?"


def _date_of(clause: Clause) -> tuple[Date, str, str] | None:
    """Return the one date of an event with the words between verb and date and those after it."""
    if clause.lead is not None:
        return clause.lead, _trimmed(cut(clause.rest)), ""
    match = DATE.search(clause.rest)
    if match is None:
        return None
    preposition = _BEFORE_DATE.search(clause.rest[: match.start()])
    after = clause.rest[match.end() :]
    if preposition is None or _MODIFIED.match(after):
        return None
    tail = cut(after[1:]) if after.startswith(" ") and after.split()[0] in _TAIL_START else ""
    if DATE.search(tail) or not clean(tail, own=True):
        tail = ""
    return as_date(match), clause.rest[: preposition.start()].strip(), tail


def _trimmed(middle: str) -> str:
    """Leave out trailing adjuncts that lean elsewhere: "awarded the Nobel Prize [for his ...]"."""
    if clean(middle, own=True):
        return middle
    for match in reversed(list(_ADJUNCT.finditer(middle))):
        if has_name(middle[: match.start()]) and clean(middle[: match.start()], own=True):
            return middle[: match.start()]
    return middle


def date_questions(clause: Clause) -> Iterator[Candidate]:
    """Ask when: "X was founded in 1981", "In 1962, X founded Y" -> "In what year did X found Y?"."""
    verb = clause.verb
    found = _date_of(clause) if verb is not None and clause.auxiliary in ("", "was", "were") else None
    if verb is None or found is None:
        return
    date, middle, tail = found
    middle = middle.rstrip(" ,")
    if middle != cut(middle) or not clean(middle, own=True) or DATE.search(middle) or _MONTH.search(middle):
        return
    if clause.lead is None and _other_event(middle, verb):
        return
    if clause.lead is not None and not middle and clause.rest[:1].isalnum():
        return  # a list was cut in two
    if clause.subject in f"{middle} {tail}":
        return  # "renamed Everspeed" on the page "Everspeed"
    if verb.participle == "born" and middle and not middle.startswith(("in ", "at ")):
        return  # "born Dennis Lee Hopper"
    if not clause.auxiliary and not _takes(verb, middle, tail):
        return
    if _happened_once(clause, verb, date, f"{middle} {tail}"):
        dull = date.ask == "In what month and year"
        score = 64 + 8 * clause.topical - 8 * clause.weak + 4 * bool(clause.auxiliary) - 2 * dull
        question = _ask(clause, verb, date.ask, middle, tail)
        yield ask_date(question, date, clause.sentence.text, "date of an event", score)


def _other_event(middle: str, verb: Verb) -> bool:
    """Tell whether a date after these words may belong to a second verb: "joined X, leaving [in 1995]", "to join Y"."""
    if verb.base in _PHASES:
        return False
    return bool(_PURPOSE.search(middle)) or any(word not in _ING_NOUNS for word in _DOING.findall(middle))


def _takes(verb: Verb, middle: str, tail: str) -> bool:
    """Tell whether an active verb has the object it needs, and that object says which one it is."""
    first = middle.split()[0] if middle else ""
    if first == "by":
        return False
    if verb.alone or (verb.base == "take" and first == "place"):
        return True
    if not first or first in ("and", "or") or first in PREPOSITIONS - _OBJECT_PREPOSITIONS:
        return False
    if middle.endswith((" first", " last", " only")):
        return False
    return bool(_ANCHOR.search(middle)) or has_name(f"{middle} {tail}")


def _happened_once(clause: Clause, verb: Verb, date: Date, words: str) -> bool:
    """Tell whether an event has one date: its verb says so, or it is a first, an honour, or a named act of one day."""
    if verb.base not in RECURRING or clause.adverb == "first" or _HONOUR.search(words):
        return True
    if verb.base == "take":
        return words.startswith("place")
    return verb.base in ONE_DAY and date.ask == "On what date" and (has_name(words) or bool(_ANCHOR.search(words)))


def made_questions(clause: Clause) -> Iterator[Candidate]:
    """Ask when something was made: "X is an organization founded in 1948" -> "In what year was X founded?"."""
    if clause.verb is not None or clause.auxiliary not in ("is", "was", "are", "were") or clause.person:
        return
    found = _MADE_IN.match(clause.rest)
    verb = PARTICIPLES.get(found.group(1)) if found else None
    if found is None or verb is None or verb.base in RECURRING or not clean(found.group(2)):
        return
    date = DATE.match(clause.rest, found.end())
    if date is not None and not _MODIFIED.match(clause.rest[date.end() :]):
        was, span = "were" if clause.auxiliary in ("are", "were") else "was", as_date(date)
        question = f"{span.ask} {was} {clause.subject} {found.group(1)}{found.group(2).rstrip()}?"
        yield ask_date(question, span, clause.sentence.text, "date of an event", 72)


def span_questions(clause: Clause) -> Iterator[Candidate]:
    """Ask for years: "X served as Y from 1902 to 1910" -> "During which years did X serve as Y?"; "since 1974"."""
    verb, rest = clause.verb, clause.rest
    found = _TENURE.search(rest)
    if found and verb and not clause.auxiliary and verb.base in _TENURE_VERBS:
        middle = rest[: found.start()].strip()
        if middle and middle == cut(middle) and clean(middle, own=True) and has_name(middle):
            years, first, last = found.groups()
            question = _ask(clause, verb, "During which years", middle)
            aliases = (f"{first}\u2013{last}", f"{first}-{last}")
            yield Candidate(question, years, clause.sentence.text, "date", aliases, "years in office", 66)
    since = _SINCE.match(rest) if clause.auxiliary in ("has", "have") else None
    if since and since.group(1) == cut(since.group(1)) and clean(since.group(1)):
        question = f"Since what year {clause.auxiliary} {clause.subject} been {since.group(1)}?"
        yield ask_date(question, since.group(2), clause.sentence.text, "year since", 64)


def agent_questions(clause: Clause) -> Iterator[Candidate]:
    """Ask who did it: "X was designed by Y in 1905" -> "Who designed X in 1905?"."""
    verb, rest = clause.verb, clause.rest
    if verb is None or clause.auxiliary not in ("was", "were"):
        return
    found = _BY.match(rest) if verb.agent else None
    if found is None or not clean(found.group(1)) or cut(found.group(1)) != found.group(1).rstrip():
        return
    middle = found.group(1).strip()
    agent, after = agent_at(rest[found.end() :])
    if not agent or (middle and middle.split()[0] not in PREPOSITIONS):
        return
    tail = cut(after[1:]) if _AGENT_TAIL.match(after) else ""
    tail = tail if clean(tail) and len(tail.split()) <= 10 else ""
    words = ["Who", clause.adverb, verb.past, clause.subject, middle, tail]
    question = " ".join(word for word in words if word) + "?"
    yield ask_name(question, agent, clause.sentence.text, "agent of an event", 72 + 8 * clause.topical)


def actor_questions(clause: Clause) -> Iterator[Candidate]:
    """Ask who did it: "Y founded X" -> "Who founded X?", when Y is a person and X a name."""
    verb = clause.verb
    if verb is None or not verb.agent or clause.auxiliary or not clause.person:
        return
    thing = cut(clause.rest)
    words = TOKEN.findall(thing)
    if not 1 <= len(words) <= 16 or not clean(thing) or len(clause.plain.split()) < 2 or " and " in clause.plain:
        return
    article = words[0].lower() == "the"
    names = sum(is_name(word) and not word[0].isdigit() for word in words)
    if (not article and not is_name(words[0])) or names < 1 + article:
        return
    when = f" in {clause.lead.text}" if clause.lead and clause.lead.ask == "In what year" else ""
    adverb = f"{clause.adverb} " if clause.adverb else ""
    question = f"Who {adverb}{verb.past} {thing}{when}?"
    yield ask_name(question, clause.plain, clause.sentence.text, "actor of an event", 66)


def first_questions(clause: Clause) -> Iterator[Candidate]:
    """Ask who was first: "X became the first woman to swim the Channel" -> "Who became the first woman to ...?"."""
    became = clause.verb is not None and clause.verb.base == "become" and not clause.auxiliary
    was = clause.verb is None and clause.auxiliary in ("is", "was")
    found = _FIRST.match(clause.rest) if clause.person and (became or was) else None
    role = cut(found.group()) if found else ""
    if (
        len(role.split()) >= 6
        and clean(role)
        and len(clause.plain.split()) >= 2
        and not clause.plain.startswith("The ")
    ):
        question = f"Who {'became' if became else clause.auxiliary} {role}?"
        yield ask_name(question, clause.plain, clause.sentence.text, "first of a kind", 78)
