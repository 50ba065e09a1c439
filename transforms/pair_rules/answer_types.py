"""What an answer of each type looks like, and whether it can reply to what a question asks for.

The rules on question words know English only.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from rewards.text import ARTICLES, FUNCTION_WORDS, words
from transforms.pair_rules.grounding import OUTER, folded, found, holds

_NUMBER_WORD: Final = re.compile(
    r"\b(?:zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen"
    r"|seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundreds?|thousands?"
    r"|millions?|billions?|trillions?|dozens?|half|thirds?|quarters?)\b"
)
_MONTH_OR_DAY: Final = re.compile(
    r"\b(?:january|february|march|april|may|june|july|august|september|october|november|december"
    r"|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec"
    r"|(?:mon|tues|wednes|thurs|fri|satur|sun)days?|mon|tues?|wed|thu(?:rs?)?|fri|sat|sun)\b"
)
_OFFERS_OPTIONS: Final = re.compile(
    r"\b(?:or|versus|vs|between)\b|\bwhich (?:one )?of\b|/|\b[a-d1-4][).] |或|还是|または|それとも|또는"
)
_BOOLEANS: Final = frozenset({"yes", "no", "true", "false"})
_COUNTS: Final = frozenset(
    "no none nothing neither nil zero both half double triple twice once single pair couple dozen dozens score quarter "
    "quarters infinity infinite infinitely hundred hundreds thousand thousands million millions billion billions "
    "trillion trillions".split()
)
_TIMES: Final = frozenset(
    "spring summer autumn fall winter midsummer midwinter solstice equinox moon harvest today yesterday tomorrow "
    "midnight noon midday dawn dusk sunrise sunset morning afternoon evening night day days weekend week weeks month "
    "months year years decade decades century centuries millennium millennia era epoch period age ages antiquity "
    "prehistory renaissance enlightenment precambrian cambrian ordovician silurian devonian carboniferous permian "
    "quaternary reign dynasty easter christmas advent lent pentecost whitsun michaelmas epiphany halloween "
    "thanksgiving ramadan eid diwali hanukkah passover purim sukkot nowruz holi vesak carnival yule before after "
    "during since until".split()
)
_PERIOD: Final = re.compile(
    r"\b(?:\w*ocene|\w+ozoic|(?:tri|jur)assic|cretaceous|(?:ne|pala?e)ogene|(?:twen|thir|for|fif|six|seven|eigh|nine)ties)\b"
)
_SMALL: Final = FUNCTION_WORDS | ARTICLES
_SMALL_NAME: Final = 3  # words of a name that is written small throughout


def has_type(answer: str, answer_type: str, question: str) -> bool:
    """Return whether an answer looks like one of its type; of no type but those of `schemas.domains`."""
    lower = answer.casefold()
    if answer_type == "number":
        return _has_digit(answer) or bool(_NUMBER_WORD.search(lower)) or not _COUNTS.isdisjoint(words(lower))
    if answer_type == "date":
        return _has_digit(answer) or _names_a_time(lower)
    if answer_type == "name":
        return any(unicodedata.category(letter) in ("Lu", "Lt", "Lo") for letter in answer) or _written_small(lower)
    if answer_type == "boolean":
        return lower.strip(OUTER) in _BOOLEANS
    if answer_type == "choice":
        return _offered(answer, question)
    return answer_type in ("phrase", "expression")


def _has_digit(answer: str) -> bool:
    return any(map(str.isnumeric, answer))


def _names_a_time(lower: str) -> bool:
    """Return whether an answer is a time by its words: an ordinal, a month, a season, a feast, an age."""
    said = words(lower)
    return (
        any(part[0].isdigit() for part in said)
        or not _TIMES.isdisjoint(said)
        or bool(_MONTH_OR_DAY.search(lower) or _PERIOD.search(lower))
    )


def _written_small(lower: str) -> bool:
    """Return whether an answer may be a name without a capital: "git", "sodium chloride", not "the chemist"."""
    said = lower.split()
    return len(said) <= _SMALL_NAME and any(map(str.isalpha, lower)) and _SMALL.isdisjoint(said)


def _offered(answer: str, question: str) -> bool:
    """Return whether a question offers alternatives, the answer among them."""
    if not _OFFERS_OPTIONS.search(folded(question).casefold()):
        return False
    label = folded(answer).strip(OUTER + "()[]")
    # A single letter keeps its case: the option "A" is not the article.
    return found(folded(question), label) if len(label) == 1 else holds(question, answer, "choice")


_READ: Final = 1000  # characters of a question whose question word is looked for
_HOW_MANY: Final = re.compile(
    r"^(?:(?:in|at|by|for|to|from|of|about|over|after|within) )?how (?:many|much)\b"
    r"(?!.*\band (?:what|which|who|whom|whose|when|where|why|how)\b)"
)
_WHICH_YEAR: Final = re.compile(
    r"^(?:(?:in|on|at|by|since|from|until|during|around|before|after) )?(?:what|which)"
    r" (?:(?:calendar|exact|month and|day and) )?(?:year|century|decade)s?\b(?! of\b)"
)
_WHICH_DATE: Final = re.compile(r"^(?:(?:in|on|by|since|from|until) )?(?:what|which) (?:month|date)s?\b(?! of\b)")
_WHICH: Final = re.compile(r"^(?:(?:in|on|at|by|to|for|from|with|of|under|into) )?(?:what|which|how)\b")
_TRUTH: Final = re.compile(
    r"\b(?:true|false|truth|yes|no|not|booleans?|evaluates?|returns?|prints?|outputs?|values?|results?|answers?|replies"
    r"|statements?|whether|if|say|condition|vote[ds]?)\b"
)
_PERSON: Final = re.compile(r"^(?:(?:by|to|for|with|from|of|under|against|after) )?who(?:m|se)?\b(?! or what\b)")
_AUX: Final = r"(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would|should|must)(?:n't)? "
_OPEN: Final = re.compile(rf"^(?:(?:since|until|by|from) )?(?:why|when|where) {_AUX}")
_WHETHER: Final = re.compile(rf"^{_AUX}")
_NO_PLAIN_WHETHER: Final = re.compile(
    r"^(?:can|could|will|would) you\b|^\w+ there\b|\b(?:what|which|who|whom|whose|when|where|why|how|or)\b|/|:"
)
_AMOUNTS: Final = _COUNTS.union(
    "nobody all every everything some several few fewer many much more most less little lot lots any enough countless "
    "unlimited free plenty majority minority whole entire full part fraction bulk rest bit trace traces pinch same "
    "equal equally per decades centuries generations".split()
)
_AMOUNT: Final = re.compile(
    r"^(?:by )?an? |\w+fold\b|\w+fuls?\b|\b(?:doubl|tripl|trebl|quadrupl|quintupl|halv)(?:ed|es|ing)\b|^as "
)
_DEGREE: Final = re.compile(r"^(?:\w+ )?\w{3,}ly$")
_ROMAN: Final = re.compile(r"[ivxlcdm]+")
_PLAIN_WHETHER_ANSWER: Final = re.compile(
    r"^(?:yes|no|true|false|correct|incorrect|right|wrong|not|never|only|it depends|depends|always|sometimes|often"
    r"|usually|rarely|seldom|hardly|mostly|partly|partially|certainly|probably|possibly|perhaps|maybe|definitely"
    r"|both|neither|none|nobody|(?:it|he|she|they) (?:is|are|was|were|do|does|did|has|have|had|can|could|will|would))\b"
)


def replies(question: str, answer: str, answer_type: str) -> bool:
    """Return whether an answer is of a kind that the question word admits; where that is not sure, it is.

    "How many" and "how much" ask for an amount, "in what year" for something with a numeral, "on what date" for that or
    a month, a season or a feast, "who" for neither a bare number nor a date, "why" and "where" for no date. None of
    these asks for yes or no, and neither do "what", "which" and "how", unless about what is true or what a program
    puts out. "Is", "does" and their like, with no options and no other question word, ask for nothing else.
    """
    asked, lower = folded(question[:_READ]).lower(), folded(answer).casefold().strip(OUTER)
    said = words(lower)
    if not said:
        return True  # signs, or a script that the rules cannot read
    boolean = lower in _BOOLEANS
    if _HOW_MANY.match(asked):
        return not boolean and (_has_numeral(answer, said) or _is_amount(lower, said, "how much" in asked))
    if _WHICH_YEAR.match(asked):
        return not boolean and (_has_numeral(answer, said) or bool(_PERIOD.search(lower)))
    if _PERSON.match(asked):
        return not boolean and answer_type not in ("number", "date") and not all(part.isdecimal() for part in said)
    if _OPEN.match(asked):
        return not boolean and (answer_type != "date" or "when" in asked)
    if _WHICH_DATE.match(asked):
        return not boolean and (_has_numeral(answer, said) or _names_a_day(answer))
    if _WHICH.match(asked):
        return not boolean or bool(_TRUTH.search(asked))
    if _WHETHER.match(asked) and answer_type != "choice" and not _NO_PLAIN_WHETHER.search(asked):
        return bool(_PLAIN_WHETHER_ANSWER.match(lower))
    return True


def _is_amount(lower: str, said: list[str], degree: bool) -> bool:
    """Return whether an answer without a numeral is an amount; of "how much", a degree ("sharply") is one too."""
    return not _AMOUNTS.isdisjoint(said) or bool(_AMOUNT.search(lower)) or (degree and bool(_DEGREE.match(lower)))


def _has_numeral(answer: str, said: list[str]) -> bool:
    return _has_digit(answer) or any(part[0].isdigit() or part == "percent" or _ROMAN.fullmatch(part) for part in said)


def _names_a_day(answer: str) -> bool:
    """Return whether an answer may be a date without a numeral: whatever has a capital may be a feast."""
    return any(map(str.isupper, answer)) or _names_a_time(answer.casefold())
