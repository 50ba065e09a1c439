"""What no answer may be: several at once, taken back, or addressed to whoever grades it."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Collection, Iterable
from typing import Final

from rewards.names import REGION
from rewards.text import FUNCTION_WORDS, fold, stems_of, stems_of_part, words

_TO_THE_GRADER: Final = re.compile(
    r"\b(?:ignore|disregard|forget|override)\b.{0,40}"
    r"\b(?:instruction|prompt|rubric|rule|reference|ground truth|guideline)"
    r"|\b(?:mark|grade|score|rate|judge|count|accept|treat)\b.{0,30}\b(?:this|it|me|my|response|answer)\b.{0,30}"
    r"\b(?:correct|right|true|1|one|full|pass|maximum)\b"
    r"|\b(?:give|assign|award|output|return|print)\b.{0,30}\b(?:score|reward|grade|verdict|full marks|full credit)\b"
    r"|\b(?:score|reward|verdict|grade|is_correct|correct)\W{1,4}(?:1(?:\.0)?|true|correct|pass|yes)\b(?=\W*$|\W*[}\n])"
    r"|\b(?:system|assistant|grader|judge|user)\s*:\s|<\|?(?:im_start|system|endoftext)|\[/?INST\]"
    r"|\bas the (?:grader|judge)\b|\bthis (?:answer|response) is (?:correct|right|true)\b",
    re.IGNORECASE | re.DOTALL,
)


_TRIGGERS: Final = frozenset(
    "ignore disregard forget override mark rate count accept treat system: assistant: grader: judge: user:".split()
)
_TRIGGERING: Final = (
    "correct", "verdict", "score", "reward", "grade", "judge", "full marks", "full credit", "<|", "[inst", "[/inst",
    "answer is ", "response is ",
)  # fmt: skip
"""Words, and parts of a text, without one of which nothing below is found."""


def to_the_grader(text: str) -> bool:
    """Return whether a response speaks to whoever grades it instead of answering."""
    lower = text.lower()
    triggered = not _TRIGGERS.isdisjoint(lower.split())
    for trigger in _TRIGGERING:
        triggered = triggered or trigger in lower
    return triggered and bool(_TO_THE_GRADER.search(text))


_NEGATIONS: Final = frozenset(
    "not never neither nor cannot without incorrect wrong false untrue except unlike no".split()
)
_MAY_NEGATE: Final = re.compile(
    r"n['\u2019]t\b|\b(?:not|never|neither|nor|cannot|without|incorrect|wrong|false|untrue|except|unlike|no)\b"
    r"|\b(?:instead of|rather than|other than|anything but|as opposed to|than|excluding)\b|\?\s*no\b",
    re.IGNORECASE,
)
_STOPS: Final = r"[;!?\n]|\.(?=\s|$)|(?<!anything )\bbut\b|\b(?:however|although|though|until)\b"
_CLAUSE: Final = re.compile(rf"(?<!\d),(?!\d)|,(?=\s)|{_STOPS}", re.IGNORECASE)
_LONG_CLAUSE: Final = re.compile(_STOPS, re.IGNORECASE)
_NOT: Final = re.compile(
    r"\b(?:(?:is|was|are|were|do|does|did|has|have|had|can|could|would|should|will|wo)n['\u2019]t|not|never|neither|nor"
    r"|cannot|without|except|unlike|instead of|rather than|other than|anything but|as opposed to|excluding"
    r"|(?<!more )(?<!less )(?<!fewer )than|no(?=\s+\w))\b(?!\s+(?:only|just|sure|certain|to mention)\b)",
    re.IGNORECASE,
)
_DENIED: Final = re.compile(
    r"\b(?:is|was|are|were|'s|would be|'re)(?:n['\u2019]t| not| never)\s+"
    r"(?:it\b|right|true|correct|the (?:right|correct|answer)|an? answer)"
    r"|\b(?:is|was|are|were)(?:n['\u2019]t| not)\s*(?:[.!]|$)"
    r"|\b(?:is|was|are|were|be|seems?)\s+(?:\w+ly\s+)?(?:incorrect|wrong|false|untrue)\b"
    r"|^\s*(?:incorrect|wrong|false|not)\b(?! (?:only|just))",
    re.IGNORECASE,
)


def affirmed(text: str, question: str = "", commas: bool = True) -> str:
    """Return a text without what it denies: from a negation to the end of its clause, or a clause that is denied whole.

    "It is not Paris" leaves "It is", "Paris is wrong" nothing, "not only Paris" all. Where the question itself denies
    something, so does an answer that repeats it, and all stays. A comma ends a clause, but not where answers have
    commas themselves (`commas`).
    """
    if not _MAY_NEGATE.search(text) or _MAY_NEGATE.search(question):
        return text
    kept: list[str] = []
    for clause in (_CLAUSE if commas else _LONG_CLAUSE).split(text):
        if re.fullmatch(r"\s*(?:no|nope|wrong|not really|false)\W*", clause, re.IGNORECASE):
            kept = kept[:-1]  # "Paris? No."
        elif not _DENIED.search(clause):
            match = _NOT.search(clause)
            kept.append(clause[: match.start()] if match else clause)
    return "; ".join(clause.strip() for clause in kept if clause and not clause.isspace())


def may_deny(known: Iterable[str]) -> bool:
    """Return whether the words of a text have one that `affirmed` looks for."""
    return not _DENYING.isdisjoint(known)


_DENYING: Final = _NEGATIONS | frozenset("t than instead rather other but opposed excluding".split())


def may_take_back(known: Iterable[str]) -> bool:
    """Return whether the words of a text have one that `not_taken_back` looks for."""
    return not _RETRACTING.isdisjoint(known)


_RETRACTING: Final = frozenset("no wait actually sorry correction thought scratch hmm rather mean".split())


def denies(text: str) -> bool:
    """Return whether a text has a word that denies, as a reference may."""
    return not _NEGATIONS.isdisjoint(words(text))


_RETRACTION: Final = re.compile(
    r"(?:^|[.!?;,\n]|\.\.\.|\u2026|\u2014|-)\s{0,4}(?:no|wait|actually|sorry|correction|on second thought|scratch that|hmm"
    r"|rather|i mean|or rather)\s{0,4}[,.:!\u2014-]{1,4}\s{0,4}(?:no[,.]\s{0,4})?(?=\S)",
    re.IGNORECASE,
)


def not_taken_back(text: str) -> str:
    """Return what follows the last correction of a response ("Paris. No, wait: London"), or all of it."""
    ends = [match.end() for match in _RETRACTION.finditer(text) if match.start() > 0]
    return text[ends[-1] :] if ends else text


# What is rare comes first, so that the engine may skip to it.
_SENTENCES: Final = re.compile(
    r"[.!?](?<=[^\W_]{2}.)(?<![DMSdms][rt].)(?=\s|$)|\.(?=\s(?:It|The answer|Or|And|Maybe|Also)\b)"
    r"|[;\n]+|[-*\u2022](?<!\w.)(?=\s)"
)
_MARKERS: Final = re.compile(r"(?<!\w)(?:\(?[A-Ha-h1-9]\)|[1-9]\.)(?=\s)")
_LETTERED: Final = re.compile(r"(?<![\w.])A[.:] (?=.*(?<![\w.])B[.:] )|(?<![\w.])[B-H][.:] ")
_LEAD: Final = re.compile(
    r"^\W*(?:(?:well|so|therefore|thus|hence|also|and|or|maybe|perhaps|possibly|either|both|probably|likely"
    r"|then|finally"
    r"|even)\b\W*)*"
    r"(?:i (?:think|believe|guess|would say|'d say)(?: that)?\s+)?"
    r"(?:(?:it|this|that|they|he|she|these|there"
    r"|(?:the |my |your )?(?:final |correct |other |second )?(?:answers?|options?|choices?))\s*"
    r"(?:(?:could|might|may|would|can|must) (?:also )?be|is|was|are|were|'s|:)\s+"
    r"(?:also )?(?:either |both |called )?)?(?:one of (?:these|them|the following)\W*)?",
    re.IGNORECASE,
)
_DAY_COMMA: Final = re.compile(r"\d(?:st|nd|rd|th)?,")
_DATE_COMMA: Final = re.compile(
    r"(?:\b(?:mon|tues|wednes|thurs|fri|satur|sun)day, )?"
    r"(\b(?:jan|feb|mar|apr|may|jun|jul|aug|sept?|oct|nov|dec)[a-z]*\.? \d{1,2}(?:st|nd|rd|th)?),?",
    re.IGNORECASE,
)
_EITHER: Final = re.compile(r"[/|]|\bor\b", re.IGNORECASE)
_ITEMS: Final = re.compile(
    r"(?<!\d),|,(?!\d)|(?<!\d)/|/(?!\d)|[|&]|\s[-+]\s"
    r"|\b(?:or|and|maybe|perhaps|possibly|otherwise|alternatively|as well as|plus|vs\.?|versus)\b",
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


def contradicts(text: str, says: Callable[[str], bool], references: tuple[str, ...], asked: Collection[str]) -> bool:
    """Return whether a response lists another answer beside the reference.

    Only a list that stands for the answer counts, alone or behind the words of the question: prose may mention what it
    likes. No other answer is what repeats the question or a part of the reference ("Paris, the capital of France"), the
    country of a place, and what only describes a name or a number. Where several of a list are right, twice as
    many may be wrong: their question asks for some of many.

    Args:
      text: the response.
      says: whether a text says a reference.
      references: all of them.
      asked: the stems of the question.
    """
    proper, longest = _shape(references)
    if not _may_list(text, longest, asked):
        return False
    items = _items(text, longest, asked, proper)
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
def _shape(references: tuple[str, ...]) -> tuple[bool, int]:
    """Return whether references are names or numbers, and how many words an answer in their place may have."""
    longest = max(len(reference.split()) + 1 for reference in references)
    return any(map(_is_proper, references)), max(_ITEM, longest)


_JOINED: Final = re.compile(r" (?:and|or) ")
_QUICK: Final = re.compile(r"[,;\n/|&\u2022]|[.?!)] | (?:or|and|maybe|perhaps|plus|as well as|vs\.?|versus|[-+]) ")


def _may_list(text: str, longest: int, asked: Collection[str]) -> bool:
    """Return whether a text is in parts as short as answers are, behind the question's words: no rule, but quick."""
    parts = _QUICK.split(text)
    if len(parts) == 1:
        return _runs(text, longest)
    if any(part.count(" ") > longest + _FRAME for part in parts[1:]):
        return False
    return parts[0].count(" ") < longest or len(_subject(_LEAD.sub("", parts[0], count=1), asked)[1].split()) <= longest


def _runs(text: str, longest: int) -> bool:
    """Return whether a text is a run of numbers, or of more names than one answer has, with nothing between them."""
    parts = text.split()
    if all(part.strip(".").isdigit() for part in parts):
        return len(parts) > 1
    return len(parts) > longest and all(map(_is_proper, parts))


def _is_proper(text: str) -> bool:
    start = fold(text).lstrip(" \"'([$")[:1]
    return start.isupper() or start.isdigit()


def _items(text: str, longest: int, asked: Collection[str], proper: bool) -> list[str]:
    """Return the distinct answers that a response lists side by side; one or none where it is prose."""
    if _DAY_COMMA.search(text):
        text = _DATE_COMMA.sub(r"\1", text)
    if text.count(",") == 1 and not _JOINED.search(text):
        text = REGION.sub("", text)
    sentences = [part for part in _SENTENCES.split(_unmarked(text)) if not part.isspace() and part]
    if len(sentences) > 1 and max(len(part.split()) for part in sentences) > 2 * max(_SENTENCE, longest):
        return []
    parts = [_LEAD.sub("", part, count=1) for part in sentences]
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
        listed = [_LEAD.sub("", item, count=1).strip(" .\"'*") for item in listed]
        if len(listed) == 1 and _runs(listed[0], longest):
            listed = listed[0].split()
        if subject and proper and not all(_is_proper(_without_preposition(item)) for item in listed if item):
            return []
        items += [item for item in listed if _says_something(item)]
    return list(dict.fromkeys(items)) if all(len(item.split()) <= longest for item in items) else []


def _unmarked(text: str) -> str:
    """Return a list with its numbers or letters ("A) Paris B) London") as lines."""
    if ") " in text or text[:2] in ("A.", "A:", "1."):
        text = (_LETTERED if _LETTERED.match(text) else _MARKERS).sub("\n", text)
    return text


def _subject(sentence: str, asked: Collection[str]) -> tuple[list[str], str]:
    """Return the words that a sentence begins with and the question has, and the rest: "The capital is", "Paris"."""
    parts, told = sentence.split(), False
    for place, part in enumerate(parts):
        said = stems_of_part(part)
        if not all(word in _COPULAS or word in asked for word in said):
            return (parts[:place], " ".join(parts[place:])) if told else ([], sentence)
        told = told or any(word not in _COPULAS for word in said)
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
