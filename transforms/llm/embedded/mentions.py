"""Questions from a name and what stands beside it, wherever in a sentence: years of a life, a dated work, a founder."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from transforms.llm.embedded.candidates import (
    APOSTROPHE,
    CAPITAL,
    DASH,
    NAME,
    QUOTED,
    Candidate,
    ask_date,
    ask_name,
    ask_number,
    counted,
)
from transforms.llm.embedded.clauses import names_something
from transforms.llm.embedded.references import TOKEN, pointing_word
from transforms.llm.embedded.sentences import Text, is_person_name
from transforms.llm.embedded.spans import DATE, as_date, asking
from transforms.llm.embedded.terms import term_questions
from transforms.llm.embedded.words import AUXILIARIES, CONJUNCTIONS, GENERIC_NAMES, PREPOSITIONS, PRESENTS, word_set

_YEAR: Final = r"(1\d{3}|20\d{2})"
_KINDS: Final = (
    "album|film|novel|book|song|single|play|opera|game|musical|poem|movie|documentary|novella|essay|painting"
)
_RELEASED: Final = word_set("album film song single movie documentary game")
_PUBLISHED: Final = word_set("novel book poem novella essay")
_OWNER: Final = rf"{NAME}(?:{APOSTROPHE}s|(?<=s){APOSTROPHE})"
_DATED_WORK: Final = re.compile(
    rf"(?:({_OWNER}) |\b(?:the|a|his|her|their) ){_YEAR} ((?:[\w-]+ ){{0,2}}(?:{_KINDS})),? {QUOTED}"
)
_WORK_DATED: Final = re.compile(rf"(?<!extended )\b({_KINDS}),? {QUOTED} \({_YEAR}\)")
_OWNED_DATED: Final = re.compile(rf"({_OWNER}) {QUOTED} \({_YEAR}\)")

_WORD: Final = rf"{CAPITAL}[\w\u2019'-]+"
_LIFE: Final = re.compile(
    rf"\b({_WORD} (?:{_WORD} |(?:[A-Z]\.)+ |(?:de|von|van|der|la) ){{0,3}}{_WORD}) \(([^()]{{6,60}})\)"
)
_NO_LIFE: Final = re.compile(r"\b(?:c|ca|circa|before|after|or|fl|r|reigned|ruled|d|died)\b")
_BORN: Final = re.compile(r"(?:born|b\.) ")
_HYPHEN: Final = re.compile(DASH)
_KIN: Final = re.compile(r"\b(?:children|sons|daughters|siblings|sisters|brothers)\b")
_OFFICE: Final = re.compile(r"\b(?:reign|rule|presidency|papacy|time|days) of $|\b(?:under|king|emperor) $")
_ORDINAL: Final = re.compile("[IVX]+")
_PARTICLES: Final = word_set("il de von van al el la le di da ibn bin y zu af ten ter del della dos das")

_APPOSED: Final = re.compile(
    rf"(\b[Tt]he )?({NAME}), (?:which was |who was |first |originally )?([a-z]+)\b([^,;:()]*?) in (?={_YEAR})"
)
_OPENED: Final = word_set(
    """
    founded established formed built opened launched published released signed erected constructed incorporated
    inaugurated completed enacted ratified commissioned consecrated chartered
    """
)
_FOUNDED: Final = re.compile(
    r"(Founded|Established|Built|Opened|Formed|Created|Launched|Incorporated|Constructed|Completed) "
    r"(?:by [^,;]{3,50} )?(?:in|on) "
)
_FOUNDED_SUBJECT: Final = re.compile(
    rf"(?: by [^,;]{{3,60}}| (?:in|at) {NAME})?, (the )?({NAME}) (?:is|was|has|had|[a-z]+s|[a-z]+ed)\b"
)
_THERE_ARE: Final = re.compile(
    r"(In \d{4},? |As of \d{4},? )?[Tt]here (are|were) (?:about |approximately |around |over |some )?"
)
_WHERE: Final = re.compile(rf" (in|on|at) ((?:the )?{NAME})(?=[.,;]|$| and\b)(?! and (?:the )?[A-Z])")
_MAKER: Final = re.compile(
    rf"(?<!and )({NAME}), (?:the )?(founder|inventor|discoverer|composer|designer|creator|author) of "
    rf"((?:the )?{NAME}|{QUOTED})(?=[.,;])"
)
_MADE: Final = {
    "founder": "founded", "inventor": "invented", "discoverer": "discovered", "composer": "composed",
    "designer": "designed", "creator": "created", "author": "wrote",
}  # fmt: skip
_LONG_NAME_WORD: Final = r"(?:[A-Z][\w\u2019'-]+|of|for|the|and|in|on|&)"
_ABBREVIATED: Final = re.compile(rf"({_LONG_NAME_WORD}(?: {_LONG_NAME_WORD}){{1,7}}) \(([A-Z]{{3,7}})\)(?! [A-Z])")
_NO_LONG_NAME: Final = re.compile(rf"-[a-z]|{APOSTROPHE}s$")
_PLURAL: Final = re.compile(r" ([a-z]+s)\b")
_VERBS: Final = AUXILIARIES | PRESENTS.keys()
_LAST_TOKEN: Final = re.compile(r"(\w+|[^\w\s]) ?$")
_BEFORE_NAME: Final = PREPOSITIONS | word_set("the and or called named is was joined that when")


def mention_questions(text: Text) -> Iterator[Candidate]:
    """Yield the questions of every sentence."""
    for sentence in text.sentences:
        words = sentence.text
        # Cheap signs first: most sentences have none of them.
        if "(" in words:
            yield from _lives(words)
        if '"' in words or "\u201c" in words:
            yield from _works(words)
        if ", " in words and " in " in words and DATE.search(words):
            yield from _apposed(words)
        if "or of " in words or "er of " in words:
            yield from _makers(words)
        yield from _founded(words)
        yield from _there_are(words)
        yield from term_questions(words)


def _lives(sentence: str) -> Iterator[Candidate]:
    """Ask for a birth: "Hugo Grotius (1583-1645)". Thirty to 105 years after a name are a life, fewer an office."""
    for match in _LIFE.finditer(sentence):
        name, inside = match.groups()
        spans = [date.group() for date in DATE.finditer(_HYPHEN.sub("~", inside))]
        years = [int(span[-4:]) for span in spans]
        life = len(years) == 2 and 30 <= years[1] - years[0] <= 105 and _HYPHEN.search(inside)
        if not life and not (len(years) == 1 and _BORN.match(inside)):
            continue
        before = sentence[: match.start()]
        last = before.split()[-1:] or [""]
        longer = last[0] in _PARTICLES or (last[0][:1].isupper() and match.start() > 4)
        # A king's years are those of his reign.
        titled = name.split()[0].lower() in GENERIC_NAMES or _ORDINAL.fullmatch(name.split()[-1])
        if longer or titled or not is_person_name(name) or sentence.count(name) > 1 or _KIN.search(sentence):
            continue  # part of a longer name, or given names among children
        if not _OFFICE.search(before) and not _NO_LIFE.search(inside):
            yield ask_date(f"{asking(spans[0])} was {name} born?", spans[0], sentence, "date of birth in brackets", 58)
            return


def _works(sentence: str) -> Iterator[Candidate]:
    """Ask for a work's year: "Mathieu Kassovitz's 1995 film "Hate""; "the novel "Eclipse" (1935)"."""
    for match in _DATED_WORK.finditer(sentence):
        owner, year, kind, title = match.groups()
        named = owner is not None and " " in owner
        yield _work(sentence, f'{owner if named else "the"} {kind} "{title}"', kind, year, 66 if named else 52)
    for match in _OWNED_DATED.finditer(sentence):
        owner, title, year = match.groups()
        if " " in owner:
            yield _work(sentence, f'{owner} "{title}"', "", year, 60)
    for match in _WORK_DATED.finditer(sentence):
        kind, title, year = match.groups()
        yield _work(sentence, f'the {kind} "{title}"', kind, year, 52)


def _work(sentence: str, work: str, kind: str, year: str, score: int) -> Candidate:
    noun = kind.split()[-1] if kind else ""
    issued = "released" if noun in _RELEASED else "published" if noun in _PUBLISHED else ""
    work = work.replace(',"', '"')
    question = f"In what year was {work} {issued}?" if issued else f"From what year does {work} date?"
    return ask_date(question, year, sentence, "year of a work", score)


def _apposed(sentence: str) -> Iterator[Candidate]:
    """Ask when: "the University of Bern, founded in 1834" -> "In what year was the University of Bern founded?"."""
    for match in _APPOSED.finditer(sentence):
        article, name, participle, middle, _ = match.groups()
        date = DATE.match(sentence, match.end())
        if date is None or participle not in _OPENED or not _is_thing(name):
            continue
        if middle and (pointing_word(middle) or DATE.search(middle) or middle.split()[0] not in PREPOSITIONS):
            continue
        before = sentence[: match.start()].rsplit(maxsplit=1)
        if not article and before and before[-1] not in _BEFORE_NAME - {"and", "or"}:
            continue  # a list, or a description between the article and the name
        question = f"{as_date(date).ask} was {'the ' if article else ''}{name} {participle}{middle}?"
        yield ask_date(question, as_date(date), sentence, "date in an apposition", 60)
        return


def _is_thing(name: str) -> bool:
    return " " in name and not is_person_name(name) and names_something(TOKEN.findall(name), name)


def _founded(sentence: str) -> Iterator[Candidate]:
    """Ask when: "Founded in 1875, Erskine College is ..." -> "In what year was Erskine College founded?"."""
    match = _FOUNDED.match(sentence)
    date = DATE.match(sentence, match.end()) if match else None
    subject = _FOUNDED_SUBJECT.match(sentence, date.end()) if date else None
    if match and date and subject and _is_thing(subject.group(2)):
        question = f"{as_date(date).ask} was {subject.group(1) or ''}{subject.group(2)} {match.group(1).lower()}?"
        yield ask_date(question, as_date(date), sentence, "date in an apposition", 62)


def _there_are(sentence: str) -> Iterator[Candidate]:
    """Ask how many: "There are 346 towns in Hungary" -> "How many towns are there in Hungary?"."""
    match = _THERE_ARE.match(sentence)
    found = counted(sentence[match.end() :]) if match else None
    if match is None or found is None:
        return
    number, noun, after = found
    where = _WHERE.match(after)
    if where:
        when = f" {match.group(1).strip(' ,').lower()}" if match.group(1) else ""
        question = f"How many {noun} {match.group(2)} there {where.group(1)} {where.group(2)}{when}?"
        yield ask_number(question, number, sentence, "count", 66)


def _makers(sentence: str) -> Iterator[Candidate]:
    """Ask who made it: "Robert Kinoshita, creator of Robby the Robot," -> "Who created Robby the Robot?"."""
    for match in _MAKER.finditer(sentence):
        name, role, thing, title = match.groups()
        specific = title is not None or (role not in ("author", "composer") and len(thing.split()) > 1)
        if specific and is_person_name(name):
            made = f'"{title}"' if title else thing
            yield ask_name(f"Who {_MADE[role]} {made}?", name, sentence, "maker in an apposition", 62)
            return


def abbreviation_questions(text: Text) -> Iterator[Candidate]:
    """Ask for an abbreviation: "the World Trade Organisation (WTO)" -> "By what abbreviation is the ... known?"."""
    for sentence in text.sentences:
        for match in _ABBREVIATED.finditer(sentence.text):
            yield from _abbreviation(sentence.text, match)


def _abbreviation(sentence: str, match: re.Match[str]) -> Iterator[Candidate]:
    """Find the words whose initials an abbreviation is, and the article before them."""
    letters = match.group(2)
    capitals = [word for word in re.split(r"[ -]", match.group(1)) if word[0].isupper()]
    if _NO_LONG_NAME.search(match.group(1)) or any(
        word.lower() in PREPOSITIONS | CONJUNCTIONS | {"the"} for word in capitals
    ):
        return
    initials = "".join(word[0] for word in capitals[-len(letters) :])
    if initials != letters:
        return
    start = match.start() + match.group(1).rindex(capitals[-len(letters)])
    before = _LAST_TOKEN.search(sentence[:start])
    token = before.group(1) if before else ","
    if token.lower() not in _BEFORE_NAME | {",", "(", ";"}:
        return  # part of a longer name, or a description stands between it and its article
    the = "the " if token.lower() == "the" else ""
    # "the Very Low Frequency (VLF) waves", "Important Bird Areas", "under Office of Alien Property": no name by itself.
    noun = _PLURAL.match(sentence, match.end())
    modifies = noun is not None and noun.group(1) not in _VERBS
    lacks_article = capitals[-1].endswith("s") or capitals[-len(letters)].lower() in GENERIC_NAMES
    if not modifies and (the or not lacks_article):
        question = f"By what abbreviation is {the}{sentence[start : match.end(1)]} known?"
        yield ask_name(question, letters, sentence, "abbreviation", 48, (".".join(letters) + ".",))
