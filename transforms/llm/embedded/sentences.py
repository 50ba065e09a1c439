"""From raw text to sentences: lines joined, headings told apart, the topic of an encyclopaedic page found."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from transforms.llm.embedded.words import (
    AUXILIARIES,
    CONJUNCTIONS,
    DETERMINERS,
    HONORIFICS,
    NOT_NAMES,
    NOT_PERSONS,
    PASTS,
    PREPOSITIONS,
    word_set,
)

READ_CHARS: Final = 20_000
"""Characters of a document that are read for facts: bounds the time a document can take."""
MAX_SENTENCE_CHARS: Final = 500

_ABBREVIATIONS: Final = word_set(
    """
    mr mrs ms dr st prof rev sr jr inc ltd co corp gen col capt lt sgt gov sen rep no nos vs vol fig figs al ca approx
    est dept univ mt ft e.g i.e etc cf viz jan feb mar apr jun jul aug sep sept oct nov dec op ed eds pp hon maj cmdr
    adm messrs mme mlle bros r c b d fl lit a.k.a
    """
)
_OPENING_MARKS: Final = "\"'“\u2018([«"
_CLOSING_MARKS: Final = "\"'”\u2019)]"
_TERMINATOR: Final = re.compile(rf"[.!?]+[{re.escape(_CLOSING_MARKS)}]*")
_CITATION: Final = re.compile(r"(?::\d[\d\u2013-]*)+(?=\s)")
_LAST_WORD: Final = re.compile(r"[\w.&-]+$")
_WORD: Final = re.compile(r"\w+")
_ASCII_WORD: Final = re.compile(r"[a-z]+")
_BRACKETS: Final = re.compile(r"\s*[(\[][^()\[\]]*[)\]]")
_CARRIED: Final = PREPOSITIONS | CONJUNCTIONS | DETERMINERS
_MARKER: Final = re.compile(r"^(?:[-*•+]|\d{1,2}[.)]) (?=\S)")
_BEGINS: Final = re.compile(r"(?:In [\w ]{3,40}, )?(?:(the|an?) )?[\"“']?", re.IGNORECASE)
_IS_A: Final = re.compile(
    r"(The |An? )?([A-Z][\w\u2019'.-]*(?: (?:[A-Z][\w\u2019'.-]*|of|the|de|la|von|van)){1,5}|"
    r"[A-Z][\w-]*(?:['\u2019]s)? [a-z-]+(?: [a-z-]+)?) (?:is|was|are|were) (?:an?|the|one of the) "
)
_BEGINS_WITH_NAME: Final = re.compile(
    r"(The |An? )?([A-Z][\w\u2019'.-]*(?: (?:[A-Z][\w\u2019'.-]*|of|the|de|la|von|van)){1,5})(?= [a-z])"
)
_QUALIFIER: Final = re.compile(r"^(.{2,80}?) \(([^()]{2,40})\)$")
_PARTICLES: Final = word_set("de von van der den di da al bin ibn el la le du des of")
_PARTICLE: Final = r"(?:de|von|van|der|den|di|da|al|bin|el|la|le|du)(?= (?:[A-ZÀ-Þ]|la |der |den ))"
_FULL_NAME: Final = re.compile(
    rf"\b[A-ZÀ-Þ][\w\u2019'-]{{1,30}}(?: (?:(?:[A-Z]\.){{1,4}}|[A-ZÀ-Þ][\w\u2019'-]{{1,30}}|{_PARTICLE})){{1,4}}"
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence, whitespace collapsed.

    Attributes:
      text: the sentence without Markdown's emphasis.
      quote: the sentence as the document has it.
      block: sentences of one block follow each other without a heading, a paragraph's end or a fragment between them.
      lead: it stands before the first heading of a page that has a title.
    """

    text: str
    quote: str
    block: int
    lead: bool


@dataclass(frozen=True, slots=True)
class Topic:
    """What a page is about: its title and how its first sentence names it.

    Attributes:
      name: the title without its parenthesis.
      qualifier: the parenthesis of the title ("album"), or empty.
      article: "the", "a", "an" or empty, as the first sentence has it.
      opening: the first sentence.
    """

    name: str
    qualifier: str
    article: str
    opening: str


@dataclass(frozen=True, slots=True)
class Text:
    """A document as the rules read it.

    Attributes:
      paragraphs: hard-wrapped lines joined, whitespace collapsed.
      sentences: full sentences in order.
      topic: what the page is about, where that is clear.
      words: how often each lower-cased ASCII word occurs.
      full_names: last word of a personal name -> the full names that end with it.
    """

    paragraphs: tuple[str, ...]
    sentences: tuple[Sentence, ...]
    topic: Topic | None
    words: Counter[str]
    full_names: dict[str, set[str]]


def _ends_sentence(text: str, match: re.Match[str]) -> bool:
    """Tell whether the punctuation of `match` ends a sentence, by the word before and the character after it."""
    after = text[match.end() : match.end() + 12].lstrip()
    if after and not (after[0].isupper() or after[0].isdigit() or after[0] in _OPENING_MARKS):
        return False
    if not match.group().startswith(".") or match.group().startswith(".."):
        return True
    word = _LAST_WORD.search(text, max(0, match.start() - 20), match.start())
    if word is None:
        return True
    last = word.group()
    if last.lower().lstrip(".") in _ABBREVIATIONS:
        return False
    if len(last) == 1 and last.isupper() and last != "I":
        return False
    # "U.S. Army" goes on; "in the U.S. The" does not.
    return not ("." in last and len(last) <= 5 and not re.match(r"(?:The|In|It|He|She|This)\b", after))


def split_sentences(paragraph: str) -> Iterator[str]:
    """Yield the sentences of one paragraph; what follows the last terminator is yielded too."""
    start = 0
    for match in _TERMINATOR.finditer(paragraph):
        end = match.end()
        citation = _CITATION.match(paragraph, end)
        if citation is not None:
            resume = citation.end()
        elif end == len(paragraph) or paragraph[end].isspace():
            resume = end
        else:
            continue
        if match.start() >= start and (citation is not None or _ends_sentence(paragraph, match)):
            yield paragraph[start:end].strip()
            start = resume
    tail = paragraph[start:].strip()
    if tail:
        yield tail


def _paragraphs(lines: list[str]) -> Iterator[str]:
    """Join hard-wrapped lines: one without terminator goes on if long, if "the" ends it, or before lower case."""
    current = ""
    for line in [*lines, ""]:
        open_ended = current and line and current[-1] not in '.!?:"”' and current[0] != "#" and not _MARKER.match(line)
        if open_ended and (line[0].islower() or len(current) >= 60 or current.rsplit(" ", 1)[-1] in _CARRIED):
            current += " " + line
            continue
        if current:
            yield current
        current = line


def _unmarked(text: str) -> str:
    """Take out Markdown's bold and code marks."""
    return text.replace("**", "").replace("`", "")


def _is_heading(paragraph: str) -> bool:
    if paragraph.startswith("#"):
        return True
    words = paragraph.split()
    if len(words) > 8 or not words:
        return False
    return not any(word.lower() in AUXILIARIES or word in PASTS for word in words)


def is_full(sentence: str) -> bool:
    """Tell whether a string looks like a whole sentence: a capital, a terminator, three words or more."""
    if not 12 <= len(sentence) <= MAX_SENTENCE_CHARS or sentence.count(" ") < 2:
        return False
    first = sentence.lstrip(_OPENING_MARKS)[:1]
    return (first.isupper() or first.isdigit()) and sentence.rstrip(_CLOSING_MARKS).endswith((".", "!", "?"))


def _topic(paragraphs: list[str]) -> Topic | None:
    """Return what a page is about: a title taken up by the next sentence, or what an opening "X is a" introduces."""
    title = paragraphs[0].lstrip("# ").replace("**", "") if paragraphs else ""
    titled = bool(title) and len(title) <= 100 and len(title.split()) <= 12 and title[-1] not in ".!?:;,"
    opening = next(split_sentences(_unmarked("".join(paragraphs[titled : titled + 1]))), "")
    if not is_full(opening):
        return None
    return (_titled(title, opening) if titled else None) or _introduced(opening, title if titled else "")


def _titled(title: str, opening: str) -> Topic | None:
    matched = _QUALIFIER.match(title)
    name, qualifier = (matched.group(1), matched.group(2)) if matched else (title, "")
    head = without_brackets(opening)
    begins = _BEGINS.match(head)
    article = (begins.group(1) or "").lower() if begins else ""
    rest = head[begins.end() :] if begins else head
    wanted, given = _WORD.findall(name.lower()), _WORD.findall(rest[: len(name) + 60].lower())
    if given[: len(wanted)] == wanted:
        longer = re.match(rf"{re.escape(name)} [A-Z]", rest)  # "The Cessna Aircraft Company" on the page "Cessna"
        return Topic(name, qualifier, "" if longer else article, opening)
    # "Niels Bohr" is taken up as "Niels Henrik David Bohr".
    if len(wanted) > 1 and name[0].isupper() and given[:1] == wanted[:1] and wanted[-1] in given[:6]:
        return Topic(name, qualifier, article, opening)
    return None


def _introduced(opening: str, title: str) -> Topic | None:
    """Find the name an opening sentence begins with, if it says what that is, or the title has the name within it."""
    head = without_brackets(opening)
    found = _IS_A.match(head) or _BEGINS_WITH_NAME.match(head)
    if found is None or found.group(2).split()[0].lower() in NOT_NAMES:
        return None
    if found.re is _BEGINS_WITH_NAME and not re.search(rf"\b{re.escape(found.group(2))}\b", title):
        return None
    return Topic(found.group(2), "", (found.group(1) or "").strip().lower(), opening)


def is_person_name(name: str) -> bool:
    """Tell whether a capitalised name has no word that speaks against a person."""
    if any(not word[0].isupper() and word not in _PARTICLES for word in name.split()):
        return False
    words = [word.lower() for word in name.split()]
    if words and words[0] in HONORIFICS:
        words = words[1:]
    return (
        len(words) >= 2
        and words[0] != "the"
        and words[0] not in NOT_NAMES
        and not any(word.strip(".") in NOT_PERSONS for word in words)
    )


def without_brackets(text: str) -> str:
    """Take out brackets, their content, and the space and comma they leave behind."""
    if "(" not in text and "[" not in text:
        return text
    for _ in range(2):
        text = _BRACKETS.sub("", text)
    return text.replace(" ,", ",").replace("  ", " ")


def balanced(text: str) -> bool:
    """Tell whether quotes and brackets come in pairs."""
    pairs = (("(", ")"), ("[", "]"), ("“", "”"))
    return text.count('"') % 2 == 0 and all(text.count(a) == text.count(b) for a, b in pairs)


def read(document: str) -> Text:
    """Split the first `READ_CHARS` characters of a document into sentences and find its topic."""
    lines = [" ".join(line.split()) for line in document[:READ_CHARS].splitlines()]
    paragraphs = list(_paragraphs(lines))
    topic = _topic(paragraphs)
    sentences: list[Sentence] = []
    lead = topic is not None
    block = 0
    for index, paragraph in enumerate(paragraphs):
        block += 1
        if _is_heading(paragraph):
            lead = lead and index == 0
            continue
        for quote in split_sentences(_MARKER.sub("", paragraph)):
            text = _unmarked(quote)
            if is_full(text):
                sentences.append(Sentence(text, quote, block, lead))
            else:
                block += 1
    names: dict[str, set[str]] = {}
    for name in _FULL_NAME.findall("\n".join(lines)):
        if is_person_name(name):
            names.setdefault(name.split()[-1], set()).add(name)
    words = Counter(_ASCII_WORD.findall(" ".join(paragraphs).lower()))
    return Text(tuple(paragraphs), tuple(sentences), topic, words, names)
