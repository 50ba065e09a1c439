"""A sentence as one clause: optional date, named subject, verb, rest. What does not fit the mould is left alone."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from dataclasses import dataclass
from typing import Final

from transforms.llm.embedded.references import LEANING, TOKEN, is_name, pointing_word
from transforms.llm.embedded.sentences import Sentence, Text, balanced, is_person_name, without_brackets
from transforms.llm.embedded.spans import DATE, Date, as_date
from transforms.llm.embedded.topics import Subject, topic_subject
from transforms.llm.embedded.words import (
    AUXILIARIES,
    CONJUNCTIONS,
    GENERIC_NAMES,
    HONORIFICS,
    NATIONAL,
    NOT_NAMES,
    PARTICIPLES,
    PASTS,
    PLACES,
    PREPOSITIONS,
    PRESENTS,
    Verb,
    word_set,
)

_OPENER: Final = re.compile(
    r"(?:However|Moreover|Furthermore|Additionally|In addition|Eventually|Finally|Subsequently|Ultimately|Nevertheless|"
    r"Originally|Historically|Traditionally|Famously|Notably|Officially|Today|Also|"
    r"(?:After|Following|Before|During|Upon|Despite|At the age of|With the help of) [^,;:]{3,60}), (?=[A-Z]|the )"
)
_COORDINATE: Final = re.compile(r"; (?=[A-Z]|the )|, (?:and|but|while) (?=[A-Z]\w+ |the |in \d{4} )")
_LEAD_DATE: Final = re.compile(rf"(?:In the year|In|On) (?=(?:{DATE.pattern})(,? ))")
_WORDS: Final = re.compile(r"\w+")
_AT: Final = re.compile(r"\b(?:in|at|near|to|from) ([A-ZÀ-Þ]\w+)")
_DEMONYM: Final = re.compile(r"[A-Z][\w-]*(?:an|ish|ese|ch|ic|i)$")
_ADVERBS: Final = word_set(
    """
    first officially originally formally initially eventually finally also later then subsequently soon publicly
    successfully jointly permanently itself himself herself personally posthumously
    """
)
_KEPT_ADVERBS: Final = word_set("first officially originally formally initially")
_LINKS: Final = word_set("of for at in on de la le du von van der den di da al the and y")
_VERBS: Final = AUXILIARIES | PASTS.keys()
_APPOSITION: Final = word_set("a an the who which born then")
_OWNER: Final = re.compile(r"(\w+)(?:['\u2019]s|(?<=s)['\u2019]) ")
_INDEFINITE: Final = re.compile(r"[Aa]n? ")
_ARTICLE: Final = re.compile(r"^(?:the|an?) ", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Clause:
    """One main clause.

    Attributes:
      sentence: the sentence it is read from.
      subject: how a question names the subject.
      plain: the subject as the sentence has it.
      person: the subject is a person.
      topical: the subject is the topic of the page.
      auxiliary: "was", "were", "is", "are", "has", "had", "have" before the verb or in its place, "does" where the rest
        begins with a present-tense verb, or empty.
      adverb: "first", "originally" and the like before the verb, or empty.
      verb: the event, or None where the clause only has an auxiliary.
      rest: what follows the verb, brackets taken out.
      lead: the date the sentence begins with.
      weak: the subject is a surname only: a question needs another name beside it.
    """

    sentence: Sentence
    subject: str
    plain: str
    person: bool
    topical: bool
    auxiliary: str
    adverb: str
    verb: Verb | None
    rest: str
    lead: Date | None
    weak: bool = False


class Reader:
    """Finds the clauses of one document; knows its topic and its people."""

    def __init__(self, text: Text) -> None:
        self.text = text
        self.topic = topic_subject(text.topic) if text.topic else None
        self._epithets = self._find_epithets()
        self._body = "\n".join(text.paragraphs)
        self._count = Counter(_WORDS.findall(self._body))
        self._placed = set(_AT.findall(self._body))
        self._title = text.topic.name if text.topic else ""

    def _find_epithets(self) -> set[str]:
        """Return what else means the topic: "the film" on a film's page, "the university" on a university's."""
        if self.topic is None or self.text.topic is None or self.topic.person:
            return set()
        kind, name = self.topic.kind.split(), self.text.topic.name.split()
        return {f"the {words[-1].lower()}" for words in (kind, name) if words and (words is kind or len(name) > 1)}

    def clauses(self) -> list[Clause]:
        """Return the clauses of the document whose subject can be named, in order."""
        found: list[Clause] = []
        focus: Subject | None = None
        block = -1
        for sentence in self.text.sentences:
            if sentence.block != block:
                block, focus = sentence.block, None
            if not balanced(sentence.text):
                focus = None
                continue
            body = without_brackets(sentence.text).rstrip(".!? ")
            first, *others = _COORDINATE.split(_OPENER.sub("", body, count=1))
            clause, focus = self._clause(sentence, first, focus)
            found += [clause] if clause is not None else []
            for other in others if any(word in _VERBS for word in first.split()) else ():
                clause, _ = self._clause(sentence, other, None)
                found += [clause] if clause is not None else []
                focus = None
        return found

    def _clause(self, sentence: Sentence, body: str, focus: Subject | None) -> tuple[Clause | None, Subject | None]:
        """Return the clause of a part of a sentence, and who or what a pronoun that opens the next one would mean."""
        lead = None
        led = _LEAD_DATE.match(body)
        date = DATE.match(body, led.end()) if led else None
        if date is not None:
            lead = as_date(date)
            body = re.sub(r"^the ", "The ", body[date.end() :].lstrip(", "))
        parts = _split(body)
        subject = self._resolve(parts[0], focus, sentence) if parts else None
        if parts is None or subject is None:
            return None, None
        plain, auxiliary, adverb, verb, rest = parts
        clause = Clause(
            sentence, subject.name, plain, subject.person, subject.topical, auxiliary, adverb, verb, rest, lead,
            subject.weak,
        )  # fmt: skip
        kept = (subject.topical or subject.person) and self._steady(rest, subject)
        return clause, subject if kept else None

    def _steady(self, rest: str, subject: Subject) -> bool:
        """Tell whether a pronoun after this clause can only mean its subject: no other person is named in it."""
        if not subject.person:
            return True
        return not any(name in rest for names in self.text.full_names.values() for name in names)

    def _resolve(self, plain: str, focus: Subject | None, sentence: Sentence) -> Subject | None:
        """Name the subject so that a reader without the document knows it, or return None."""
        lowered = plain.lower()
        if lowered in ("he", "she"):
            return focus if focus is not None and focus.person else None
        if lowered == "it":
            return focus if focus is not None and not focus.person and sentence.lead else None
        bare = _ARTICLE.sub("", plain)
        if self.topic is not None:
            if _same(bare, self._title):
                return self.topic
            opens = self.text.topic is not None and sentence.text == self.text.topic.opening
            if opens and bare.split()[:1] == self._title.split()[:1]:
                return self.topic  # "Niels Henrik David Bohr" on the page "Niels Bohr"
            if lowered in self._epithets:
                return self.topic
            if self.topic.person and bare in self._title.split()[-1:]:
                return self.topic
        words = TOKEN.findall(bare)
        if not words or _INDEFINITE.match(plain) or not names_something(words, plain):
            return None
        if len(words) == 1 or (len(words) == 2 and words[0].lower() in HONORIFICS):
            return None if plain.startswith("The ") and bare not in PLACES else self._single(words[-1], bare)
        owner = _OWNER.match(bare)
        weak = owner is not None and owner.group(1) not in PLACES
        if plain.startswith("The "):
            return Subject("the " + bare, False, False, weak=weak)
        return Subject(plain, is_person_name(plain), False, weak=weak)

    def _single(self, word: str, bare: str) -> Subject | None:
        """Name a subject of one word: a known place, or a surname whose one full name the document gives."""
        if bare in PLACES:
            return Subject(bare, False, False)
        full = self.text.full_names.get(word, set())
        shortest = min(full, key=lambda name: (len(name), name)) if full else ""
        # One who is named in full only after the bare surname is, as a rule, a relative.
        alone = shortest and word not in self._placed and all(name.endswith(shortest) for name in full)
        titled = shortest.partition(" ")[0].lower() in GENERIC_NAMES  # "Prince Henry" for a Henry who was king
        if alone and not titled and self._introduced(shortest, word):
            return Subject(shortest, True, False)
        if len(word) > 3 and word[0].isupper() and word.lower() not in GENERIC_NAMES:
            common = word.lower() in self._count or f"the {word}" in self._body
            if self._body.count(word) >= 2 and not common:
                return Subject(bare, False, False, weak=True)
        return None

    def _introduced(self, name: str, surname: str) -> bool:
        """Tell whether the first use of a surname is within the full name."""
        start = self._body.find(name)
        return start >= 0 and self._body.find(surname) == start + len(name) - len(surname)


def _same(bare: str, title: str) -> bool:
    one, other = bare.strip('"“”').lower(), title.strip('"“”').lower()
    return one in (other, other.removeprefix("the "))


def names_something(words: list[str], plain: str) -> bool:
    """Tell whether a noun phrase names one thing: a proper noun in it, nothing in it that leans elsewhere."""
    first = words[0].lower()
    ordinal = first in ("first", "second", "third") and plain.startswith("The ")
    if (first in NOT_NAMES and not ordinal) or (first.endswith("ly") and first not in ("sicily", "italy")):
        return False
    if pointing_word(plain) is not None:
        return False
    common = [word for word in words if word[0].islower() and word not in _LINKS]
    if any(word in NOT_NAMES for word in common):
        return False  # "the Japanese nevertheless"
    if common and not plain.startswith("The ") and not is_name(words[-1]):
        return False  # "Boston residents"
    if common and (words[-1] in LEANING or (words[0][0].islower() and not is_name(words[-1]))):
        return False  # "the Danish company", "the large fleet of Japanese aircraft"
    if len(words) > 1 and common and _DEMONYM.match(words[0]) and not any(map(is_name, words[1:])):
        return words[-1] in NATIONAL
    if words[-1] in _LINKS or _verb_inside(words):
        return False
    if len(words) == 2 and words[1].isdigit():
        return False  # "Identity 5"
    # A first word in lower case ("the population of Uganda") leaves the naming to what follows "of".
    return any(
        is_name(word) and not word[0].isdigit() and word.lower() not in GENERIC_NAMES and len(word) > 1
        for word in words
    )


def _verb_inside(words: list[str]) -> bool:
    """Tell whether a word between two names may be a verb we do not know ("Kent State represents ... Ohio")."""
    named = False
    for index, word in enumerate(words):
        if is_name(word):
            named = True
        elif (
            named and word not in _LINKS and word.endswith(("s", "ed", "ing")) and any(map(is_name, words[index + 1 :]))
        ):
            return True
    return False


def _split(body: str) -> tuple[str, str, str, Verb | None, str] | None:
    """Split a clause into subject, auxiliary, adverb, verb and rest; None when it does not begin with a noun phrase."""
    matches = list(itertools.islice(TOKEN.finditer(body), 60))
    index = _subject_end(matches)
    if index is None:
        return None
    end = index
    if matches[end - 1].group() == ",":  # an apposition was skipped
        end = next(i for i, m in enumerate(matches) if m.group() == ",")
    subject = body[: matches[end - 1].end()]
    adverb = ""
    auxiliary = ""
    if matches[index].group() in PRESENTS:
        return subject, "does", "", None, body[matches[index].start() :]
    while index + 1 < len(matches) and matches[index].group() in _ADVERBS:
        if matches[index].group() in _KEPT_ADVERBS:
            adverb = matches[index].group()
        index += 1
    if matches[index].group() in ("was", "were", "is", "are", "has", "had", "have"):
        auxiliary = matches[index].group()
        index += 1
    complement = index
    while index < len(matches) and matches[index].group() in _ADVERBS:
        if matches[index].group() in _KEPT_ADVERBS:
            adverb = matches[index].group()
        index += 1
    if index >= len(matches):
        return None
    word = matches[index].group()
    verb = PARTICIPLES.get(word) if auxiliary in ("was", "were") else PASTS.get(word) if not auxiliary else None
    if verb is not None:
        return subject, auxiliary, adverb, verb, body[matches[index].end() :].strip()
    return (subject, auxiliary, "", None, body[matches[complement].start() :]) if auxiliary else None


def _subject_end(matches: list[re.Match[str]]) -> int | None:
    """Return the index of the token that ends the noun phrase a sentence begins with, a verb, or None."""
    if not matches:
        return None
    lower_run = 0
    for index, match in enumerate(matches[:30]):
        word = match.group()
        adverb = word in _ADVERBS and _verb_follows(matches, index)
        if index and (adverb or word in _VERBS or word in PRESENTS):
            return index
        if word == ",":
            return _after_apposition(matches, index) if index else None
        if index == 0 and word in ("The", "A", "An", "He", "She", "It"):
            continue
        if is_name(word) or word in _LINKS or word == "'s":
            continue
        if word.isalpha() and word not in PREPOSITIONS and word not in CONJUNCTIONS:
            lower_run += 1
            if lower_run <= 6:
                continue
        return None
    return None


def _verb_follows(matches: list[re.Match[str]], index: int) -> bool:
    following = [match.group() for match in matches[index + 1 : index + 3]]
    return any(word in _VERBS for word in following)


def _after_apposition(matches: list[re.Match[str]], comma: int) -> int | None:
    """Return the index of the verb after ", a ... ," or None when what follows the comma is not an apposition."""
    if comma + 1 >= len(matches) or matches[comma + 1].group() not in _APPOSITION:
        return None
    for index in range(comma + 2, min(comma + 20, len(matches) - 1)):
        if matches[index].group() == ",":
            word = matches[index + 1].group()
            return index + 1 if word in _VERBS else None
    return None
