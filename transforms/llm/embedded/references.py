"""When a question can be understood without its document. One rule for writing questions, a milder one for judging."""

from __future__ import annotations

import re
from typing import Final

from transforms.llm.embedded.words import (
    AUXILIARIES,
    CONJUNCTIONS,
    DETERMINERS,
    NUMBER_WORDS,
    PASTS,
    POINTERS,
    PREPOSITIONS,
    PRONOUNS,
    word_set,
)

TOKEN: Final = re.compile(
    r"\"[^\"]{1,80}\"|“[^”]{1,80}”|(?:[A-Z]\.)+(?=\W|$)"
    r"|(?:St|Dr|Mr|Mrs|Ms|Jr|Sr|Mt|Ft|Lt|Gen|Col|Capt|Rev|Inc|Ltd|Co)\.(?=\s|,)"
    r"|\d+(?:[.,]\d+)*\w*|\w+(?:[\u2019'&./\u2013-]\w+)*|[^\w\s]"
)
"""Words, quoted titles, initials, numbers and single punctuation marks."""

_SOURCE_WORDS: Final = word_set(
    "passage passages text texts article articles author authors document documents excerpt paragraph above below"
)
_SOURCE_PHRASE: Final = re.compile(
    r"\b(?:the|this|that|given|provided)\s+(?:\w+\s+)?(?:passage|text|article|document|author|excerpt|paragraph|"
    r"webpage|page|snippet|source|context|reviewer|narrator)\b"
    r"|\b(?:according to|mentioned|described|discussed|stated|shown|listed)\s+(?:above|below|here)\b"
    r"|\bthe (?:above|following)\b",
    re.IGNORECASE,
)
_UNIQUE: Final = word_set(
    """
    world sun moon earth internet sky ocean sea universe equator solar human most least only first last second third
    fourth fifth sixth seventh eighth ninth tenth highest largest best united poor deaf blind dead law piano violin
    guitar arts sciences
    """
)
# Definite nouns that lean on an earlier sentence unless something after them says which.
LEANING: Final = word_set(
    """
    company team film movie book novel character characters event city town village country study experiment
    protagonist speaker family game match player series show episode album song band group party organization
    organisation school university program programme project product software function method process system patient
    case problem story hero heroine director couple man woman boy girl bridge building house hotel museum castle ship
    island state region river mountain church hospital king queen president government war battle
    """
)
_PHRASE_ENDS: Final = PREPOSITIONS | CONJUNCTIONS | AUXILIARIES
_STRONG_PRONOUNS: Final = word_set("he she they him them his her their hers theirs")


def is_name(token: str) -> bool:
    """Tell whether a token looks like (part of) a name, a quoted title or a number."""
    return token[0].isupper() or token[0].isdigit() or token[0] in '"“'


def pointing_word(text: str) -> str | None:
    """Return the first word of a phrase that leans on something outside it, or None: the rule for what we write.

    Pronouns, demonstratives and words such as "former", "same", "later" lean; so does a definite noun that no name,
    number, ordinal or "of" anchors ("the league", against "the Football League" or "the use of steel").
    """
    words = TOKEN.findall(text)
    for index, word in enumerate(words):
        lowered = word.lower()
        if lowered in POINTERS or lowered in _SOURCE_WORDS:
            return word
        if lowered == "the" and not _anchored(words[index + 1 : index + 9]):
            return " ".join(words[index : index + 2])
    return None


def _anchored(following: list[str]) -> bool:
    """Tell whether what follows "the" says which one it is."""
    for index, word in enumerate(following):
        lowered = word.lower()
        if (
            is_name(word)
            or lowered in _UNIQUE
            or lowered in NUMBER_WORDS
            or (lowered.endswith("est") and len(word) > 5)
        ):
            return True
        if lowered == "of" and index:
            rest = following[index + 1 :]
            return not rest or rest[0].lower() != "the" or _anchored(rest[1:])
        if not word[0].isalpha() or lowered in _PHRASE_ENDS or (index and lowered in PASTS):
            return False
    return False


def missing_context(question: str) -> str | None:
    """Return why a question cannot be understood by itself, or None: the mild rule for questions of any model."""
    source = _SOURCE_PHRASE.search(question)
    if source is not None and not source.group().split()[-1][0].isupper():  # "the Source to Sea Expedition"
        return f"it refers to its source ({source.group()!r})"
    words = TOKEN.findall(question)
    named = introduced = False
    for index, word in enumerate(words):
        lowered = word.lower()
        if lowered in _STRONG_PRONOUNS and not (named or introduced):
            return f"nothing before {word!r} says who or what is meant"
        following = words[index + 1] if index + 1 < len(words) else ""
        if lowered in ("this", "these", "those") and following.isalpha() and index < 7 and not named:
            return f"nothing before '{word} {following}' says which"
        introduced = introduced or lowered in ("a", "an", "the", "each", "every")
        if index and is_name(word) and lowered not in PRONOUNS and lowered not in DETERMINERS:
            named = True
    return None if named else _leaning(words)


def _leaning(words: list[str]) -> str | None:
    """Return the first definite noun that leans on the document, in a question that names nothing."""
    for article, noun, *rest in zip(words, words[1:], [*words[2:], "?"], strict=False):
        after = rest[0].lower()
        if (
            article.lower() == "the"
            and noun.lower() in LEANING
            and after not in ("of", "that", "which", "who", "whose")
        ):
            return f"'{article} {noun}' is not said to be any one in particular"
    return None
