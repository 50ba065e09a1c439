"""What a text must have so that another which has it is about the same: words, letters, or marks."""

from __future__ import annotations

import re
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from transforms.text.squeezed import marks_of

LEAST_WORDS: Final = 4
"""Of an item that is looked for within a question, and of the beginning of one that is a question."""
LEAST_TAIL_WORDS: Final = 3
TAIL_CHARACTERS: Final = 8
"""Of a sentence at an item's end that is a question: "Is he right?" says something, "(B) no" does not."""
TAIL_WORDS_WITH_ANSWER: Final = 5
"""Of an end of an item, wherever it begins, that says with an answer of its own that it is the item."""
OWN_WORDS: Final = 10
"""In a row that say by themselves, wherever they begin and end, that a text is an item."""
_MARKS: Final = 3  # that make up for letters: "Input: [ [ <" says something

_WORD: Final = re.compile(r"[^\W_]+")
_SENTENCE: Final = re.compile(r"[.?!:;\u2026]+[\"'\u201d\u2019)\]]*(?:\s+|$)|[\u3002\uff01\uff0e\uff1f]|\n")
_ABBREVIATED: Final = re.compile(
    r"(?:^|[^\w.])(?:(?:\w\.)*\w|mr|mrs|ms|dr|st|jr|sr|inc|ltd|co|corp|vs|etc|no|nos|prof|gen|rev|sen|gov|lt|mt|ft|fig"
    r"|vol|ed|al|approx)\.$",
    re.IGNORECASE,
)
_END: Final = 4000  # characters at the end of an item in which one that is known by its marks begins
_TELLING: Final = 2  # words of its own that a text needs to be about something
_LONGEST_ABBREVIATION: Final = 12  # characters
_LONG: Final = 16  # words from which on their order alone does
# English words that many questions have in common, whatever they are about.
_COMMON: Final = frozenset(
    """a about above after all also am among an and answer answers any are as at be been before below best both but by
    can choice choices choose complete correct correctly could d describe described describes did do does each either
    example few fewer find first following for from get gets give given gives had has have he her him his how i if
    in incorrect into is it its left less likely ll made make makes many may me might more most much must my need needs
    no none not now of on one only option options or other our out per question questions re s say says select she
    should so some statement statements t take takes than that the their them then there these they this those to total
    two under up us use used ve was we were what when where which while who whom whose why will with would yes
    you your""".split()
)


def is_generic(question: str) -> bool:
    """Return whether a text says so little that another which has it need not be about the same.

    "Which of the following is true?" does. A word beyond ASCII counts twice: only English has its common words listed
    here, and in a script without spaces it may be a whole clause.
    """
    words = _WORD.findall(question.casefold())
    own = [word for word in words if word not in _COMMON and (len(word) > 1 or word.isdigit() or not word.isascii())]
    return len(words) < _LONG and sum(1 if word.isascii() else 2 for word in own) < _TELLING


def sentences(text: str) -> list[str]:
    """Return the sentences of a text, which are the text again when they are joined.

    A full stop ends none behind an abbreviation or before a lower-case letter: "the first U.S. president".
    """
    begin, found = 0, []
    for mark in _SENTENCE.finditer(text):
        end = mark.end()
        stop = mark.group().rstrip() == "."
        before = text[max(begin, mark.start() - _LONGEST_ABBREVIATION) : mark.start() + 1]
        if not (stop and (text[end : end + 1].islower() or _ABBREVIATED.search(before))):
            found.append(text[begin:end])
            begin = end
    return [*found, text[begin:]]


def marked_ends(question: str) -> list[str]:
    """Return the ends of a text that have too few letters to be known by, but marks enough, as `marks_of` has them."""
    end = question[-_END:].rstrip()
    words = list(_WORD.finditer(end))
    bare = end[words[-1].end() :] if words else end
    # What follows the last word, with the mark that is written onto it and without.
    ends = [*(end[word.start() :] for word in words[1 - LEAST_TAIL_WORDS :]), bare, bare.lstrip(bare[:1].strip())]
    return [marks for marks in dict.fromkeys(map(marks_of, ends)) if says_something(marks)]


def says_something(marks: str) -> bool:
    """Return whether a text of few letters or none, as `marks_of` has it, has marks enough to be known by."""
    letters = sum(map(str.isalnum, marks))
    return len(marks) - letters >= _MARKS and (letters == 0 or len(marks) >= TAIL_CHARACTERS)


def final_answers(answers: pa.StringArray | pa.ChunkedArray) -> pa.StringArray | pa.ChunkedArray:
    """Return the answers themselves, where GSM8K's way of writing gives the reasoning before `####`."""
    return pc.replace_substring_regex(answers, pattern=r"(?s)^.*####", replacement="")
