"""Questions on terms that a sentence defines: "An orrery is a model that ...", "... is called a nuclide"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from transforms.llm.embedded.candidates import Candidate
from transforms.llm.embedded.references import TOKEN, pointing_word
from transforms.llm.embedded.sentences import without_brackets
from transforms.llm.embedded.words import CONJUNCTIONS, POINTERS, PREPOSITIONS, word_set

_DEFINITION: Final = (
    r"(?:(In [a-z][a-z ,]{2,40}), )?(?:(?:The|the|An?|an?) )?\"?(%s)\"?,? (?:is|are) (an?|the) (.{30,190})$"
)
_DEFINED: Final = re.compile(
    r"(?:In [a-z ,]{3,40}, )?(?:(?:An?|an?) ([A-Z]?[a-z][a-z-]*(?: [a-z][a-z-]*){0,2})|([A-Z]\w+['\u2019]s "
    r"(?:rule|theorem|law|method|principle|paradox|effect|equation|formula|algorithm|constant|test|model|disease|"
    r"syndrome|lemma|conjecture|inequality|number))) is an? "
)
_NO_TERMS: Final = word_set(
    """
    example result consequence effect advantage disadvantage problem feature aspect factor part reason case way key
    difference exception alternative version variant variation copy member number lot question issue concern approach
    solution step point fact idea thing theme goal aim challenge drawback benefit study survey report
    """
)
_DISTINCTIVE: Final = re.compile(
    r"\b(?:that|which|who|whose|where|used (?:to|in|for|by|as)|characteri[sz]ed by|consisting of|caused by|designed to|"
    r"concerned with|(?:study|science|set|branch|process|practice) of)\b"
)
# "A medication used to treat ..." has many names.
_MANY_NAMES: Final = re.compile(
    r"(?:[\w-]+ ){0,3}(?:name|term|word|member|species|genus|variety|medication|drug|antibiotic|protein|gene|enzyme|"
    r"compound|chemical|plant|tree|fish|bird|animal|insect|dog|breed|language|city|town|village|software|program|company|"
    r"band|game|dish|command|module|site)\b"
)
# So has "a type of rock" unless much is said of it.
_CLASS_NOUN: Final = re.compile(
    r"(?:[\w-]+ ){0,3}(?:type|kind|form|sort|mineral|rock|element|tool|style|function|class|method|object)\b"
)
_GLOSS_END: Final = re.compile(r"[;:]|, (?=(?:and|but|which|with|such|as|for|including|especially|e\.g|i\.e)\b)")
# In a relative clause "its" means the thing defined.
_RELATIVE: Final = re.compile(r"\b(?:that|which|who|where|whose|when)\b|(?<= )(?:its|his|her|their)(?= [a-z])")
_NO_ENDS: Final = PREPOSITIONS | CONJUNCTIONS | {"a", "an", "the"}
_CALLED: Final = re.compile(
    r"((?:A|An|The) [^,;:]{12,110}|[A-Z][a-z]+ing [^,;:]{8,110}) (is|are) (?:called|termed|known as) "
    r"(?:an? |the )?\"?([a-z][a-z -]{2,40})\"?$"
)
_VAGUE: Final = re.compile(
    r"(?:An?|The) (?:more|less|certain|special|particular|similar|common|typical|type|kind|form)\b"
)
_FINITE: Final = re.compile(r"(?<!\bthat )(?<!\bwhich )(?<!\bwho )\b(?:is|are|be|was|were)\b")


def term_questions(sentence: str) -> Iterator[Candidate]:
    """Ask for a term: "An orrery is a mechanical model that ..." or "... is called a nuclide"."""
    body = without_brackets(sentence).rstrip(". ")
    defined = _DEFINED.match(body)
    term = (defined.group(1) or defined.group(2)) if defined else ""
    if term and not _NO_TERMS & set(term.split()):
        yield from definition_question(sentence, term, 58)
    called = _CALLED.match(body)
    if called is None:
        return
    phrase, be, answer = called.groups()
    described, named = phrase.lower().split(), answer.split()
    if {word[:5] for word in described} & {word[:5] for word in named} or len(described) < 4 or len(named) > 4:
        return
    plain = _RELATIVE.sub("", phrase)
    if _VAGUE.match(phrase) or pointing_word(plain) or _FINITE.search(phrase):
        return
    if not set(named) & (PREPOSITIONS | CONJUNCTIONS | POINTERS):
        question = f"What {be} {phrase[0].lower()}{phrase[1:]} called?"
        yield Candidate(question, answer, sentence, "phrase", (), "called by a term", 58)


def definition_question(sentence: str, term: str, score: int) -> Iterator[Candidate]:
    """Ask for a term by its definition: "Syntax is the set of rules that ..." -> "What is the term for the set?"."""
    body = without_brackets(sentence).rstrip(". ")
    found = re.match(_DEFINITION % re.escape(term), body, re.IGNORECASE)
    if found is None or any(word[0].isupper() for word in found.group(2).split()[1:]):
        return
    gloss, *tail = _GLOSS_END.split(found.group(4))
    gloss = gloss.strip()
    if _is_gloss(gloss, term) and not ("," in gloss and tail and tail[0].startswith("and ")):
        lead = f"{found.group(1)}, what" if found.group(1) else "What"
        question = f"{lead} is the term for {found.group(3).lower()} {gloss}?"
        yield Candidate(question, found.group(2), sentence, "phrase", (), "term of a definition", score)


def _is_gloss(gloss: str, term: str) -> bool:
    """Tell whether a definition fits one term, stands by itself and does not use the term's own words."""
    words = [word.lower() for word in TOKEN.findall(gloss)]
    own = {word.lower()[:5] for word in TOKEN.findall(term) if len(word) > 2}
    if not 7 <= len(words) <= 26 or own & {word[:5] for word in words} or words[-1] in _NO_ENDS:
        return False
    if pointing_word(_RELATIVE.sub("", gloss)) or gloss.count('"') % 2:
        return False
    if _MANY_NAMES.match(gloss) or (_CLASS_NOUN.match(gloss) and (len(words) < 12 or not _RELATIVE.search(gloss))):
        return False
    return bool(_DISTINCTIVE.search(gloss))
