"""Whether a response gives several answers, so that one of them may be right."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from rewards.names import REGION
from rewards.runs import is_run, leaves_open, with_commas
from rewards.text import FUNCTION_WORDS, asked_in, fold, stems_of, stems_of_part

# What is rare comes first, so that the engine may skip to it.
_SENTENCES: Final = re.compile(
    r"(?:[?!]|[.](?:(?<=[^\W_]{2}.)|(?<=[+#].)))(?<![DMSdms][rt].)[.!?]{0,3}(?=\s|$)"
    r"|\.(?=\s(?:It|The answer|Answer|Some|Or|And|Maybe|Also)\b)"
    r"|[;\n]+|[-*](?<!\w.)(?=\s)"
)
_MARKERS: Final = re.compile(r"(?<!\w)(?:\(?[A-Ha-h1-9]\)|[1-9]\.)(?=\s)")
_LETTERED: Final = re.compile(r"(?<![\w.])A[.:] (?=.*(?<![\w.])B[.:] )|(?<![\w.])[B-H][.:] ")
_LEAD: Final = re.compile(
    r"^\W*(?:(?:well|so|therefore|thus|hence|also|and|or|maybe|perhaps|possibly|either|both|probably|likely"
    r"|then|finally"
    r"|even|for example|as an example|e\.g\.|such as|all of|any of)\b\W*)*"
    r"(?:(?:i|we|(?:(?:some|other|many|most) )?(?:some|others?|many|most|people|sources))(?: would)?"
    r" (?:think|believe|guess|say|argue|claim|suggest|mean)s?"
    r"(?: that)?\s+|i'd say )?"
    r"(?:(?:it|this|that|they|he|she|these|there"
    r"|(?:the |my |your |some |its )?(?:final |correct |other |first |second |third |next |last |possible |potential "
    r"|plausible |likely |best |alternative )*"
    r"(?:answers?|options?|choices?|guess(?:es)?|candidates?|possibility|possibilities"
    r"|alternatives?)(?: \d)?)\s*"
    r"(?:(?:could|might|may|would|can|must) (?:also )?be|is|was|are|were|'s|:|includes?|would include)?\s+"
    r"(?:also )?(?:either |both |called )?)?(?:one of (?:these|them|the following)?\W*)?",
    re.IGNORECASE,
)
_QUOTED: Final = re.compile(r'"[^"]{1,200}"')
_DAY_COMMA: Final = re.compile(r"\d(?:st|nd|rd|th)?,")
_DATE_COMMA: Final = re.compile(
    r"(?:\b(?:mon|tues|wednes|thurs|fri|satur|sun)day, )?"
    r"(\b(?:jan|feb|mar|apr|may|jun|jul|aug|sept?|oct|nov|dec)[a-z]*\.? \d{1,2}(?:st|nd|rd|th)?),?",
    re.IGNORECASE,
)
_EITHER: Final = re.compile(r"[/|]|[-=]>|\b(?:or|otherwise|unless|if not)\b", re.IGNORECASE)
_ITEMS: Final = re.compile(
    r"(?<!\d),|,(?!\d)|(?<!\d)/|/(?!\d)|[|&]|[-=]>|\s[-+]\s"
    r"|\b(?:or|and|maybe|perhaps|possibly|otherwise|alternatively|then|unless|if not|as well as|plus|vs\.?|versus)\b",
    re.IGNORECASE,
)
_IDLE: Final = frozenset(
    "ok okay sure yes certainly thank thanks hope help let me know i am you final answer confident sorry of "
    "course here "
    "it is this that so well done i'm i\u2019m not but think hard difficult to say don't know".split()
)
_COPULAS: Final = FUNCTION_WORDS | frozenset(
    "a an the does do did can could may might would will include called".split()
)
_BE: Final = frozenset("is was are were be been being".split())
_PREPOSITIONS: Final = FUNCTION_WORDS - _BE
_BEFORE_ITEMS: Final = FUNCTION_WORDS | {"the", "also", "either", "both"}
_SENTENCE: Final = 6  # words of a sentence that does no more than name an answer
_FRAME: Final = 4  # words around an answer: "it could also be"
_ITEM: Final = 4  # words of an answer in a list, or one more than the reference has


def contradicts(
    text: str, said: Sequence[str], says: Callable[[str], bool], references: tuple[str, ...], question: str
) -> bool:
    """Return whether a response lists another answer beside the reference.

    Only a list that stands for the answer counts, alone or behind the words of the question: prose may mention what it
    likes. No other answer is what repeats the question or a part of the reference ("Paris, the capital of France"), the
    country of a place, and what only describes a name or a number. Where several of a list are right, twice as
    many may be wrong: their question asks for some of many.

    Args:
      text: the response.
      said: its words.
      says: whether a text says a reference.
      references: all of them.
      question: the question.
    """
    proper, longest, run = _shape(references)
    if is_run(text, said, references, question) or ("or" in said and leaves_open(text, references)):
        return True
    text = with_commas(text, references)
    if not _may_list(text, said, longest, run, question):
        return False
    asked = asked_in(question)
    items = _items(_whole(text, references), longest, run, asked, proper)
    if len(items) < 2:
        return False
    known = FUNCTION_WORDS.union(asked, *map(stems_of, references))
    right = [item for item in items if says(item)]
    other = [
        item
        for item in items
        if item not in right and not all(word in known for word in stems_of(item)) and not (proper and _describes(item))
    ]
    return bool(other) and (len(right) < 2 or len(other) > 2 * len(right))


@functools.lru_cache(maxsize=16384)
def _shape(references: tuple[str, ...]) -> tuple[bool, int, int]:
    """Return whether references are names or numbers, how many words an item has, and how many a name."""
    longest = max(len(reference.split()) for reference in references)
    return any(map(_is_proper, references)), max(_ITEM, longest + 1), longest + _MIDDLE


@functools.lru_cache(maxsize=16384)
def _separated(references: tuple[str, ...]) -> tuple[str, ...]:
    """Return the references that have separators themselves, in small letters: "breast or lower chest"."""
    return tuple(reference.lower() for reference in references if _SEPARATOR.search(reference))


def _whole(text: str, references: tuple[str, ...]) -> str:
    """Return a text whose titles in quotes, and references, are items each: without what separates items."""
    text = _QUOTED.sub(lambda match: _SEPARATOR.sub(" ", match[0]), text) if '"' in text else text
    for reference in _separated(references):
        place = text.lower().find(reference)
        if place != -1:
            end = place + len(reference)
            text = text[:place] + " ".join(_SEPARATOR.sub(" ", text[place:end]).split()) + text[end:]
    return text


_MIDDLE: Final = 2  # words that a name may have beyond the reference


_JOINED: Final = re.compile(r" (?:and|or) ")
# A set of characters comes first, so that the engine may skip to it.
_QUICK: Final = re.compile(r"[,;\n/|&.?!)=(+-](?:(?<=[,;\n/|&])|(?<=[.?!)]) |(?<=[-=])> |(?<=\()or |(?<= [-+]) )")
_JOINERS: Final = {
    word: (f" {word} ",) for word in "or and maybe perhaps plus versus then unless otherwise".split()
} | {"vs": (" vs ", " vs. "), "well": (" as well as ",), "not": (" if not ",)}
"""What else stands between answers, by a word of it."""

_JOINING: Final = frozenset(_JOINERS)

_LEADING: Final = frozenset(stem for word in re.findall("[a-z]+", _LEAD.pattern) for stem in stems_of(word))


def _may_list(text: str, said: Iterable[str], longest: int, run: int, question: str) -> bool:
    """Return whether a text is in parts as short as answers are, behind the question's words: no rule, but quick."""
    for word in _JOINING.intersection(said):
        for joiner in _JOINERS[word]:
            text = text.replace(joiner, " ,")
    parts = _QUICK.split(text, 2)
    if len(parts) == 1:
        return _runs(text, run)
    if len(parts) == 3:
        if parts[1].count(" ") > longest + _FRAME:
            return False  # as of prose
        parts[2:] = _QUICK.split(parts[2])
    for part in parts[1:]:
        if part.count(" ") > longest + _FRAME:
            return False
    first = parts[0]
    if first.count(" ") < longest:
        return True
    asked = asked_in(question)
    # Behind the question's words no more may follow than an item: the last that must be one of them is looked at first.
    for part in reversed(first.split()[:-longest]):
        for word in stems_of_part(part):
            if word not in _COPULAS and word not in asked and word not in _LEADING:
                return False
    return len(_subject(_unled(first), asked)[1].split()) <= longest


def _unled(part: str) -> str:
    """Return a part of a response without what leads to an answer: "or maybe it was"."""
    lead = _LEAD.match(part)
    return part[lead.end() :] if lead else part


def _runs(text: str, run: int) -> bool:
    """Return whether a text is a run of numbers, or of more names than one answer has, with nothing between them."""
    parts = text.split()
    if all(part.strip(".").isdigit() for part in parts):
        return len(parts) > 1
    return len(parts) > run and all(map(_is_proper, parts))


def _is_proper(text: str) -> bool:
    start = fold(text).lstrip(" \"'([$")[:1]
    return start.isupper() or start.isdigit()


def _items(text: str, longest: int, run: int, asked: frozenset[str], proper: bool) -> list[str]:
    """Return the distinct answers that a response lists side by side; one or none where it is prose."""
    if _DAY_COMMA.search(text):
        text = _DATE_COMMA.sub(r"\1", text)
    if text.count(",") == 1 and not _JOINED.search(text):
        text = REGION.sub("", text)
    sentences = [part for part in _SENTENCES.split(_unmarked(text)) if not part.isspace() and part]
    if len(sentences) > 1 and max(len(part.split()) for part in sentences) > 2 * max(_SENTENCE, longest):
        return []
    parts = [_unled(part) for part in sentences]
    parts = [part for part in parts if _says_something(part)]
    if len(parts) > 1 and any(len(part.split()) > max(_SENTENCE, longest) for part in parts):
        return []
    items: list[str] = []
    for part in parts:
        subject, predicate = _subject(part, asked)
        # "Written by A and B" names one group of people, "is A and B" gives two answers.
        group = subject and subject[-1].lower() in _PREPOSITIONS
        separators = _EITHER if subject and (group or not proper) else _ITEMS
        listed = separators.split(predicate)
        if any(item.count(" ") > longest + _FRAME for item in listed):
            return []
        listed = [_unled(item).strip(" .?!\"'*()") for item in listed]
        if len(listed) == 1 and _runs(listed[0], run):
            listed = listed[0].split()
        if subject and proper and not all(_is_proper(_without_preposition(item)) for item in listed if item):
            return []
        items += [item for item in listed if _says_something(item)]
    return list(dict.fromkeys(items)) if all(len(item.split()) <= longest for item in items) else []


_SEPARATOR: Final = re.compile(r"[,;/|&.!?\n]|\b(?:or|and|then)\b", re.IGNORECASE)


def _unmarked(text: str) -> str:
    """Return a list with its numbers or letters ("A) Paris B) London") as lines."""
    if ") " in text or text[:2] in ("A.", "A:", "1."):
        text = (_LETTERED if _LETTERED.match(text) else _MARKERS).sub("\n", text)
    return text


def _subject(sentence: str, asked: frozenset[str]) -> tuple[list[str], str]:
    """Return the words that a sentence begins with and the question has, and the rest: "The capital is", "Paris"."""
    parts, told = sentence.split(), False
    for place, part in enumerate(parts):
        telling = [word for word in stems_of_part(part) if word not in _COPULAS]
        if not asked.issuperset(telling):
            return (parts[:place], " ".join(parts[place:])) if told else ([], sentence)
        told = told or bool(telling)
    return [], sentence


def _without_preposition(item: str) -> str:
    first, _, rest = item.partition(" ")
    return rest if first.lower() in _BEFORE_ITEMS else item


def _says_something(text: str) -> bool:
    said = text.lower().replace(".", " ").replace("!", " ").split()
    return any(any(map(str.isalnum, word)) and word not in _IDLE for word in said)


_DESCRIBES: Final = re.compile(
    r"(?:an?|the|who|which|where|when|with|as|by|for|during|in|from|at|on|since|born|known|made|written|won"
    r"|built|located"
    r"|\w+ed|\w+ing)\s+\S"
)


def _describes(item: str) -> bool:
    """Return whether an item is no name and no number by itself, but says something of one: "released in 1994"."""
    return bool(_DESCRIBES.match(item)) and not _is_proper(_without_preposition(item))
