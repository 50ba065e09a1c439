"""How questions name the topic of a page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from transforms.llm.embedded.sentences import Topic, without_brackets
from transforms.llm.embedded.words import OCCUPATIONS, WORKS, word_set

_KIND: Final = re.compile(
    r" (?:is|was|are|were) (?:an?|the) ([\w\u2019' -]{3,70}?)(?= (?:(?!speed|bobsled)\w+ed|\w+ly|who|which|that|in|of|"
    r"by|from|for|and|at|on|best|known|with|about|to|written|set|whose|during|is|was)\b|[,.;:\u2013]|$)"
)
_RELATIVE_KIND: Final = re.compile(
    r"^(?:\d{4}|\w+(?:th|st|nd|rd)|second|third|fifth|debut|final|last|latest|upcoming) "
)
_BORN: Final = re.compile(r"[^()]{3,60}\((?:[^()]{0,60}\b)?born\b[^()]*\)")
_PERSON_NOUNS: Final = OCCUPATIONS | word_set(
    "president king queen emperor prince princess pope leader member officer founder minister governor chairman"
)


@dataclass(frozen=True, slots=True)
class Subject:
    """How a question names what a clause is about.

    Attributes:
      name: the words of the question.
      person: it is a person.
      topical: it is the topic of the page.
      kind: its description ("Danish physicist"), where known.
      weak: the name is a surname or possessive that needs another name beside it.
    """

    name: str
    person: bool
    topical: bool
    kind: str = ""
    weak: bool = False


def kind_of(topic: Topic) -> str:
    """Return the short description of a topic: "X is a <Danish physicist> who ...", or an empty string."""
    found = _KIND.search(without_brackets(topic.opening))
    return found.group(1).strip() if found and found.start() <= len(topic.name) + 60 else ""


def _is_person(topic: Topic, kind: str) -> bool:
    """Tell whether the first sentence presents a person: an occupation, or "born" in brackets."""
    words = kind.split()
    if words and words[-1].lower() in _PERSON_NOUNS and len(topic.name.split()) <= 5:
        return True
    return bool(_BORN.match(topic.opening))


def topic_subject(topic: Topic) -> Subject:
    """Return how questions name the topic: a work with its kind, since titles repeat; anything else as its title."""
    kind = kind_of(topic)
    person = _is_person(topic, kind)
    bare = _RELATIVE_KIND.sub("", kind)
    last = bare.split()[-1] if bare else ""
    name, qualifier = topic.name, topic.qualifier
    if last in WORKS and topic.opening.startswith(f"The {name} "):
        name = f"The {name}"
    qualified = qualifier.split()[-1] if qualifier and not any(c.isdigit() for c in qualifier) else ""
    if qualified in WORKS:
        name = f'the {qualifier} "{name}"'
    elif last in WORKS and not person:
        name = f'the {bare} "{name}"'
    elif person:
        name = f"the {qualifier} {name}" if qualified in OCCUPATIONS else name
    elif qualifier:
        name = f"{name} ({qualifier})"
    elif topic.article == "the" and not name.lower().startswith("the "):
        lowered = name[0].lower() + name[1:]
        name = f"the {lowered if lowered in topic.opening else name}"
    return Subject(name, person, True, bare)
