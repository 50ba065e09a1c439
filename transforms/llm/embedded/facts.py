"""Questions about how things are: where, how many, how large, how far, which one, what else called. One clause each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from transforms.llm.embedded.candidates import (
    APOSTROPHE,
    NAME,
    PLACE,
    QUOTED,
    Candidate,
    agent_at,
    ask_name,
    ask_number,
    clean,
    counted,
    cut,
    name_at,
    quantity,
    town_of,
)
from transforms.llm.embedded.clauses import Clause
from transforms.llm.embedded.references import is_name
from transforms.llm.embedded.spans import DATE
from transforms.llm.embedded.words import EXTENTS, MEASURES, PARTICIPLES, word_set

_PLACED: Final = word_set("born buried founded established headquartered baptized located")
_STATED: Final = re.compile(r"(headquartered|based|located|situated|buried|interred) ")
_IN_PLACE: Final = re.compile(r"(?:at|in) (?:the (?:village|town|city) of |the )?")
_BORN_IN_PLACE: Final = re.compile(r"(?:(?:on|in) (?:[^.;]{0,20} )?\d{4},? )?" + _IN_PLACE.pattern)
_AFTER_PLACE: Final = re.compile(
    r"$|[,.;:]| (?:in|on|by|to|as|into|at|with|and (?:was|is|has|had|raised|grew|educated)|\u2013)\b"
)
_PRESENT: Final = re.compile(r"(contain|comprise|consist|include|employ|operate|house|feature)s( of)? ")
_COMPOSED: Final = re.compile(r"(composed of|made up of|divided into|home to) ")
_ABOUT: Final = re.compile(r"^(?:about|approximately|around|roughly|nearly|over|almost|some|just over|estimated at) ")
_EXTENT: Final = re.compile(
    r"(?:an? |the )?((?:total|estimated|average|maximum|land|surface|seating) )?(\w+) of (?:just )?"
)
_CENSUS: Final = re.compile(r",? (?:in|as of|at|at the|according to the) (?:the )?(?:(\d{4}) census|(\d{4}))")
_SIZE: Final = re.compile(r" (long|high|tall|wide|deep|thick)\b")
_WAY: Final = re.compile(r" (?:to the )?((?:north|south|east|west)(?:-?(?:north|south)?-?(?:east|west))?) of ")
_ROLE: Final = re.compile(
    r"the (?:\w+ )?(?:capital|largest|smallest|highest|longest|oldest|deepest|tallest|second-largest|busiest|first|"
    r"official language|national \w+|currency|motto|seat)\b[^,;:]*"
)
_ROLE_OF: Final = re.compile(r"\b(?:of|in|to) (?:the )?[A-Z]")
_POST: Final = re.compile(
    r"The ((?:\w+ ){0,2}(?:capital|motto|currency|chairman|president|founder|director|mayor|governor|leader|head|king|"
    r"queen|editor|population|language|religion|length|area|height|name)) of "
)
_PERSON_POSTS: Final = word_set("chairman president founder director mayor governor leader head king queen editor")
_JOINED_NAME: Final = re.compile(rf",? (?:{NAME}|and|or)")
_EPONYM: Final = re.compile(r"(named )?(?:after|for|in honou?r of) ")
_OTHER_NAME: Final = re.compile(r"(also|formerly|originally|previously|initially) (?:known as|called|named) (?:the )?")
_QUOTED: Final = re.compile(QUOTED)
_MORE_NAMES: Final = re.compile(rf",? (?:or|and)\b|, [A-Z\"]|{APOSTROPHE}|-| [A-Z]")


def _after_about(text: str) -> str:
    """Return a text without the "about" or "approximately" it begins with."""
    return _ABOUT.sub("", text, count=1)


def _when(clause: Clause) -> str:
    """Return the date a sentence begins with, to be added to a question that does not ask for it."""
    if clause.lead is None:
        return ""
    return f" {'on' if clause.lead.ask == 'On what date' else 'in'} {clause.lead.text}"


def place_questions(clause: Clause) -> Iterator[Candidate]:
    """Ask where: "X was born in Y", "X is headquartered in Y" -> "Where was X born?"."""
    if clause.auxiliary not in ("was", "were", "is", "are"):
        return
    rest = clause.rest
    if clause.verb is not None:
        verb = clause.verb.participle if clause.verb.participle in _PLACED else ""
    else:
        stated = _STATED.match(rest)
        verb, rest = (stated.group(1), rest[stated.end() :]) if stated else ("", rest)
    found = (_BORN_IN_PLACE if verb == "born" else _IN_PLACE).match(rest) if verb else None
    name = PLACE.match(rest, found.end()) if found and not DATE.match(rest, found.end()) else None
    if name is not None and _AFTER_PLACE.match(rest[name.end() :]):
        score = 76 if verb == "born" else 60 + 8 * clause.topical
        question = f"Where {clause.auxiliary} {clause.subject} {verb}?"
        yield ask_name(question, name.group(), clause.sentence.text, "place", score, town_of(name.group()))


def _counting(clause: Clause) -> tuple[str, str, str]:
    """Return helper, verb and object of "How many ... <helper> X <verb>"; no helper where the clause counts nothing."""
    rest, auxiliary = clause.rest, clause.auxiliary
    if clause.verb is not None:
        return ("" if auxiliary else "did"), clause.verb.base, rest
    if auxiliary in ("has", "have") and rest.partition(" ")[0] in PARTICIPLES:
        participle, _, rest = rest.partition(" ")
        return auxiliary, participle, rest
    if auxiliary in ("has", "have", "had"):
        return {"has": "does", "have": "do", "had": "did"}[auxiliary], "have", rest
    found = (_PRESENT if auxiliary == "does" else _COMPOSED).match(rest) if auxiliary in ("does", "is", "are") else None
    if found is None:
        return "", "", rest
    return auxiliary, "".join(part or "" for part in found.groups()), rest[found.end() :]


def count_questions(clause: Clause) -> Iterator[Candidate]:
    """Ask how many: "X has three branches" -> "How many branches does X have?"; "X wrote 32 novels"."""
    helper, verb, rest = _counting(clause)
    found = counted(rest) if helper else None
    if found is None:
        return
    number, noun, after = found
    tail = cut(after[1:]) if after.startswith(" ") else ""
    if after.startswith(" ") and not (tail and clean(tail, own=True)):
        return
    question = f"How many {noun} {helper} {clause.subject} {verb}{tail and ' '}{tail}{_when(clause)}?"
    yield ask_number(question, number, clause.sentence.text, "count", 66 + 6 * clause.topical)


def measure_questions(clause: Clause) -> Iterator[Candidate]:
    """Ask how large: "X has a population of N" -> "What is the population of X?"; "X is 30 m high"."""
    if clause.verb is not None:
        return
    rest = clause.rest.removeprefix("covers ")
    be = "was" if clause.auxiliary in ("had", "was", "were") else "is"
    extent = _EXTENT.match(rest) if clause.auxiliary in ("has", "had", "have", "does") else None
    if extent and extent.group(2) in EXTENTS:
        found = _after_about(rest[extent.end() :])
        value = quantity(found, bare=extent.group(2) in ("population", "membership", "circulation"))
        census = _CENSUS.match(found[len(value) :])
        if census:
            when = f" at the {census.group(1)} census" if census.group(1) else f" in {census.group(2)}"
        else:
            when = _when(clause)
        label = (extent.group(1) or "").replace("estimated ", "") + extent.group(2)
        if value:
            question = f"What {'was' if when else be} the {label} of {clause.subject}{when}?"
            yield ask_number(question, value, clause.sentence.text, "measure", 74 + 6 * clause.topical)
    found = _after_about(rest)
    value = quantity(found, bare=False) if clause.auxiliary in ("is", "was") else ""
    size = _SIZE.match(found[len(value) :]) if value else None
    if size:
        question = f"{MEASURES[size.group(1)]} {be} {clause.subject}{_when(clause)}?"
        yield ask_number(question, value, clause.sentence.text, "measure", 74)


def distance_questions(clause: Clause) -> Iterator[Candidate]:
    """Ask how far and how long: "X lies 30 km south of Y" -> "How far south of Y is X?"; "X lasted 30 days"."""
    if clause.verb is not None:
        lasts = clause.verb.base == "last" and not clause.auxiliary
        value = quantity(_after_about(clause.rest), bare=False) if lasts else ""
        if value and not value.endswith("%"):
            yield ask_number(f"How long did {clause.subject} last?", value, clause.sentence.text, "measure", 66)
        return
    if clause.auxiliary != "is":
        return
    rest = _after_about(clause.rest.removeprefix("located ").removeprefix("situated "))
    value = quantity(rest, bare=False)
    way = _WAY.match(rest[len(value) :]) if value else None
    name = name_at(rest[len(value) + way.end() :]) if way else ""
    if way and name:
        question = f"How far {way.group(1)} of {name} is {clause.subject}?"
        yield ask_number(question, value, clause.sentence.text, "measure", 70)


def role_questions(clause: Clause) -> Iterator[Candidate]:
    """Ask which one: "X is the capital of Y", "The capital of Y is X" -> "What is the capital of Y?"."""
    if clause.verb is None and clause.auxiliary in ("is", "was"):
        yield from _holder(clause)
        post = _POST.match(clause.plain)
        if post is not None and not clause.topical:
            yield from _post(clause, post.group(1).split()[-1])


def _holder(clause: Clause) -> Iterator[Candidate]:
    role, holder = _ROLE.match(clause.rest), clause.plain.removeprefix("The ")
    if role is None or clause.weak or not is_name(holder) or (clause.person and " " not in holder):
        return
    phrase = cut(role.group())
    if clause.rest[len(phrase) :].startswith((", to ", ", who", ", which")):
        return  # what follows may say which one of several
    if clean(phrase) and _ROLE_OF.search(phrase) and " and " not in phrase and len(phrase.split()) >= 4:
        who = "Who" if clause.person and phrase.startswith("the first") else "What"
        yield ask_name(f"{who} {clause.auxiliary} {phrase}?", holder, clause.sentence.text, "unique role", 70)


def _post(clause: Clause, noun: str) -> Iterator[Candidate]:
    rest = clause.rest
    name = name_at(rest)
    after = rest[len(name) :]
    if name and (not after or after[0] in ",;") and not _JOINED_NAME.match(after):
        who = "Who" if noun in _PERSON_POSTS else "What"
        question = f"{who} {clause.auxiliary} {clause.subject}{_when(clause)}?"
        yield ask_name(question, name, clause.sentence.text, "unique role", 74)
    value = quantity(_after_about(rest), bare=True) if noun in EXTENTS else ""
    if value:
        question = f"What {clause.auxiliary} {clause.subject}{_when(clause)}?"
        yield ask_number(question, value, clause.sentence.text, "measure", 70)


def eponym_questions(clause: Clause) -> Iterator[Candidate]:
    """Ask for whom something is named: "X is named after Y" -> "After whom or what is X named?"."""
    found = _EPONYM.match(clause.rest) if clause.auxiliary in ("is", "are", "was", "were") else None
    name = agent_at(clause.rest[found.end() :])[0] if found else ""
    if found and name and (found.group(1) or (clause.verb and clause.verb.base == "name")):
        question = f"After whom or what {clause.auxiliary} {clause.subject} named?"
        yield ask_name(question, name, clause.sentence.text, "eponym", 74)


def other_name_questions(clause: Clause) -> Iterator[Candidate]:
    """Ask for another name: "X is also known as Y" -> "By what other name is X known?"; "X was originally called Y"."""
    found = _OTHER_NAME.match(clause.rest) if clause.auxiliary in ("is", "are", "was", "were") else None
    if found is None:
        return
    rest = clause.rest[found.end() :]
    quoted = _QUOTED.match(rest)
    name = quoted.group(1) if quoted else name_at(rest)
    if not name or _MORE_NAMES.match(rest[len(quoted.group() if quoted else name) :]):
        return
    if found.group(1) == "also":
        question = f"By what other name {clause.auxiliary} {clause.subject} known?"
    else:
        question = f"By what name {clause.auxiliary} {clause.subject} {found.group(1)} known?"
    yield ask_name(question, name, clause.sentence.text, "other name", 64 + 6 * clause.topical)
