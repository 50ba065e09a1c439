"""Where an answer or a quotation stands in a text, but for typography."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from rewards.quantities import only_quantity, quantities, readable

# Typography that a model changes when it quotes: it says nothing about what is quoted.
_FOLDS: Final = str.maketrans(
    dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u02bc\u0060\u00b4", "'")
    | dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"')
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d", "-")
    | {"\u2026": "..."}
    | dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\ufeff")  # soft hyphen and characters of no width
)
OUTER: Final = " .,;:!?\"'"
_ARTICLE: Final = re.compile(r"^(?:the|an?) (?=.)")
_THOUSANDS: Final = re.compile(
    r"(?<![\d.,])\d{1,3}(?:,\d{2,3})*,\d{3}(?!\d|,\d)"  # 1,234,567 and 12,34,567
    r"|(?<![\d.,])\d{1,3}(?:[ ']\d{3})+(?!\d)"  # 1 234 567 and 1'234'567
)
_SEPARATORS: Final = str.maketrans("", "", ", '")
# Scripts that put no spaces between words, and Hangul, where particles are written onto the word.
_UNSPACED: Final = re.compile(
    "[\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]"
)


def folded(text: str) -> str:
    """Return a text in Unicode form C, its quotes and dashes in ASCII, every run of whitespace one space."""
    return " ".join(unicodedata.normalize("NFC", text).translate(_FOLDS).split())


def word_count(text: str) -> int:
    """Return how many words a text has; each character of a script without spaces is one."""
    spaced = _UNSPACED.sub(r" \g<0> ", text)
    return sum(any(map(str.isalnum, word)) for word in spaced.split())


def quoted(evidence: str, document: str) -> bool:
    """Return whether a quotation stands in a document, but for whitespace and the shapes of quotes and dashes."""
    # Folding a document costs more than all the other rules together, and a faithful quotation needs none.
    quotation = folded(evidence)
    return bool(quotation) and (evidence in document or quotation in folded(document))


def _core(answer: str, answer_type: str) -> str:
    """Return the answer as it is looked for. An expression keeps its marks: `n!` is not `n`."""
    text = folded(answer).casefold()
    if answer_type == "expression":
        return text.strip(" $")
    return _ARTICLE.sub("", text.strip(OUTER))


def _ungrouped(text: str) -> str:
    return _THOUSANDS.sub(lambda match: match[0].translate(_SEPARATORS), text)


def holds(text: str, answer: str, answer_type: str) -> bool:
    """Return whether a text has the answer as whole words. An answer without content is nowhere."""
    core, place = _core(answer, answer_type), folded(text).casefold()
    if not core:
        return False
    if answer_type == "expression":
        spaced = re.compile(r" ?".join(re.escape(mark) for mark in core.replace(" ", "")))
        return any(_whole(place, *match.span()) for match in spaced.finditer(place))
    return found(place, core) or found(_ungrouped(place), _ungrouped(core))


_PROBLEM: Final = 3  # numbers of a question
_PART: Final = re.compile(r"\b(?:half|halves|twice|double|thrice|triple|thirds?|quarters?)\b")
_SHARE: Final = re.compile(r"\d+/\d+|\d+(?:\.\d+)? ?%")  # whose figures are no numbers of their own
_LONG_TERM: Final = 5  # letters of a term that is recognised in its plural
_READ: Final = 4000  # characters of a question in which numbers and plurals are looked for


def states(question: str, answer: str, answer_type: str) -> bool:
    """Return whether a question gives an answer away: as `holds`, a number also spelled, a term also in the plural.

    A question with three numbers states a problem, whose solution may be one of them by chance. "X or Y?" offers its
    answer, and gives nothing away.
    """
    if _one_of_two(question[:_READ], answer):
        return False
    if answer_type == "number" and (ours := only_quantity(answer)) is not None:
        text = readable(question[:_READ])
        given = [one.quantity for one in quantities(text)]
        if len(given) + len(_PART.findall(text)) >= _PROBLEM:
            return False
        if ours.low not in (0, 1) and ours in given:
            return True
        question = _SHARE.sub(" ", question)
    if holds(question, answer, answer_type):
        return True
    if answer_type != "phrase":
        return False
    term = _singulars(answer)
    return len(term) > _LONG_TERM and f" {term} " in f" {_singulars(question[:_READ])} "


def _one_of_two(question: str, answer: str) -> bool:
    """Return whether an answer stands on either side of an "or" of the question, which names what else it could be."""
    place = folded(question).casefold()
    core = re.escape(_core(answer, "phrase")) if " or " in place else ""
    beside = rf"(?<!\w){core},? or (?!another|other|else|any|some)|\bor (?:the |an? )?{core} ?[?;:]"
    return bool(core) and re.search(beside, place) is not None


def _singulars(text: str) -> str:
    """Return the words of a text in the singular, as far as their endings tell."""
    return " ".join(map(_singular, re.findall(r"[^\W_]+", _ARTICLE.sub("", folded(text).casefold()))))


def _singular(word: str) -> str:
    if len(word) < 4 or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-2] if word.endswith(("sses", "shes", "ches", "xes")) else word.removesuffix("s")


def found(text: str, words: str) -> bool:
    """Return whether words stand in a text as they are written, as whole words."""
    start = text.find(words)
    while start != -1:
        if _whole(text, start, start + len(words)):
            return True
        start = text.find(words, start + 1)
    return False


def _whole(text: str, start: int, end: int) -> bool:
    """Return whether `text[start:end]` is neither part of a longer word nor of a longer or negative number."""
    before, after = text[max(start - 2, 0) : start].rjust(2), text[end : end + 2].ljust(2)
    first, last = text[start], text[end - 1]
    if _joined(before[1], first) or _joined(last, after[0]):
        return False
    if first.isdigit() and (
        (before[1] in ".," and before[0].isdigit()) or (before[1] == "-" and not before[0].isalnum())
    ):
        return False
    return not (last.isdigit() and after[0] in ".," and after[1].isdigit())


def _joined(left: str, right: str) -> bool:
    return left.isalnum() and right.isalnum() and not (_UNSPACED.match(left) or _UNSPACED.match(right))
