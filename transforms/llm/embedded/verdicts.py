"""The engine's rules for screening, classifying and judging. Each answer's `thought` names the rule that decided."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from schemas.domains import DOMAINS, MAX_PERSONAS, Domain
from transforms.llm.embedded.candidates import Candidate, normal
from transforms.llm.embedded.lexicon import BOILERPLATE, DOMAIN_WEIGHTS, PERSONAS
from transforms.llm.embedded.references import missing_context
from transforms.llm.embedded.sentences import Text
from transforms.llm.embedded.words import (
    AUXILIARIES,
    CONJUNCTIONS,
    DETERMINERS,
    MONTHS,
    NUMBER_WORDS,
    PREPOSITIONS,
    PRONOUNS,
    WEEKDAYS,
)

SCRIPT_CHARS: Final = 2_000
"""Characters by which a document's script is told."""
MAX_FURNITURE: Final = 0.75
"""Share of a page's words that may stand in short lines without sentence punctuation."""
MAX_STOCK: Final = 0.12
"""Share of a page's words that may be stock words of menus, accounts and legal notices."""
MIN_WORDS: Final = 12
MIN_SENTENCES: Final = 2
MIN_SENTENCES_CUT: Final = 5
"""Words and full sentences asked of a document; more sentences of one that begins in the middle of one."""
MIN_DOMAIN_SCORE: Final = 2.0
"""Least weight of a domain's words per 100 words; below it the domain is Other."""

_LATIN: Final = re.compile(r"[A-Za-zÀ-ɏ]")
_WORD: Final = re.compile(r"[a-z]+")
_FUNCTION: Final = (
    AUXILIARIES | CONJUNCTIONS | DETERMINERS | PREPOSITIONS | PRONOUNS | {"what", "name", "called", "not"}
)
_SENTENCE_MARKS: Final = '.!?:;,"”…'
_BOOLEANS: Final = frozenset(("yes", "no", "true", "false"))


@dataclass(frozen=True, slots=True)
class Screened:
    """Whether a document qualifies, and the rule that said so."""

    qualified: bool
    thought: str


@dataclass(frozen=True, slots=True)
class Classified:
    """The domain of a document and its readers, one for each pair the document can give (at least one)."""

    domain: Domain
    personas: tuple[str, ...]
    thought: str


@dataclass(frozen=True, slots=True)
class Judged:
    """What the rules say of a pair."""

    has_context: bool
    answer_correct: bool
    leaks_answer: bool
    thought: str


def screen(text: Text, pairs: Sequence[Candidate]) -> Screened:
    """Reject other scripts, fragments, page furniture and documents without a fact to ask for; qualify all else."""
    reason = _why_unqualified(text, len(pairs))
    if reason is not None:
        return Screened(False, f"Rule: {reason}")
    return Screened(
        True, f"No rule against it; {len(pairs)} of its {len(text.sentences)} sentences can be asked about."
    )


def _why_unqualified(text: Text, pairs: int) -> str | None:
    """Return the rule, by name and with its figures, that rejects a document, or None."""
    sample = "".join(text.paragraphs)[:SCRIPT_CHARS]
    letters, latin = sum(map(str.isalpha, sample)), len(_LATIN.findall(sample))
    if latin < 0.5 * letters:
        return f"language. {latin} of {letters} letters are Latin; the rules read English."
    words, full = sum(len(part.split()) for part in text.paragraphs), len(text.sentences)
    if words < MIN_WORDS:
        return f"fragment. Words: {words}; {MIN_WORDS} are asked."
    furniture = sum(len(part.split()) for part in text.paragraphs if _is_furniture(part))
    if furniture > MAX_FURNITURE * words:
        return f"boilerplate. {furniture} of {words} words stand in short lines without sentences."
    stock = sum(text.words[word] for word in BOILERPLATE)
    if stock > MAX_STOCK * words:
        return f"boilerplate. {stock} of {words} words are those of menus, accounts and legal notices."
    if full < MIN_SENTENCES and not pairs:
        return f"fragment. Full sentences: {full}; {MIN_SENTENCES} are asked."
    if text.paragraphs[0][0].islower() and full < MIN_SENTENCES_CUT:
        return f"fragment. It begins inside a sentence, with {full} full ones; {MIN_SENTENCES_CUT} are asked of such."
    return None if pairs else "no checkable fact. No sentence fits a question this engine is sure of."


def _is_furniture(paragraph: str) -> bool:
    """Tell whether a paragraph looks like a menu entry, a button or a heading: short, no sentence punctuation."""
    return len(paragraph) < 60 and paragraph[-1] not in _SENTENCE_MARKS


def classify(text: Text, pairs: Sequence[Candidate]) -> Classified:
    """Choose the domain whose words weigh most, and the readers whose words occur most."""
    found = text.words
    total = sum(found.values()) or 1
    scores: dict[Domain, float] = dict.fromkeys(DOMAINS, 0.0)
    for word, count in found.items():
        # The third use of a word says little more than the second.
        for domain, weight in DOMAIN_WEIGHTS.get(word, ()):
            scores[domain] += weight * min(count, 3)
    domain = max(DOMAINS, key=lambda name: (scores[name], -DOMAINS.index(name)))
    share = 100 * scores[domain] / total
    if share < MIN_DOMAIN_SCORE:
        domain = "Other"
    personas = _personas(domain, found, text.paragraphs, min(MAX_PERSONAS, max(1, len(pairs))))
    return Classified(domain, personas, f"Rule: lexicon. {domain} weighs {share:.1f} per 100 words.")


def _personas(domain: Domain, found: Counter[str], paragraphs: Sequence[str], count: int) -> tuple[str, ...]:
    """Return the readers whose cue words occur most; a hash of the document breaks ties, so that they vary."""
    seed = hashlib.sha256("\n".join(paragraphs).encode("utf-8", "replace")).digest()

    def rank(persona: tuple[str, str]) -> tuple[int, bytes]:
        name, cues = persona
        return -sum(min(found[cue], 3) for cue in cues.split()), hashlib.sha256(seed + name.encode()).digest()

    return tuple(name for name, _ in sorted(PERSONAS[domain], key=rank)[:count])


def judge(document: str, question: str, answer: str, evidence: str) -> Judged:
    """Check a pair, of whatever model, against its document without understanding it.

    Context: no dangling reference. Correct: the evidence stands in the document (whitespace aside), the answer in the
    evidence, question and evidence share content words, and the answer is of the kind the question word asks for. Leak:
    the answer's words stand in the question (yes/no answers, and options that a question lists, do not count).
    """
    reference = missing_context(question)
    wrong = _why_wrong(document, question, answer, evidence)
    spoken = normal(answer)
    listed = bool(re.search(r"\b(?:or|which of|options?)\b", question, re.IGNORECASE))
    leaks = spoken.strip() not in _BOOLEANS and bool(spoken.strip()) and spoken in normal(question) and not listed
    notes = [note for note in (reference, wrong, "the answer stands in the question" if leaks else None) if note]
    thought = "Rules: " + ("; ".join(notes) if notes else "context, evidence and answer hold") + "."
    return Judged(reference is None, wrong is None, leaks, thought)


def _why_wrong(document: str, question: str, answer: str, evidence: str) -> str | None:
    """Return why a pair's answer is not supported, or None."""
    proof = " ".join(evidence.split())
    if not proof or (evidence not in document and proof not in " ".join(document.split())):
        return "the evidence does not occur in the document"
    spoken = normal(answer)
    boolean = spoken.strip() in _BOOLEANS
    if not boolean and not _occurs(answer, proof):
        return "the answer does not occur in the evidence"
    asked = _content(question)
    # A sentence with a pronoun leans on the title and the sentence that opens the page.
    shared, framed = asked & _content(proof), asked & _content(proof + " " + document.lstrip()[:300])
    if not shared or len(framed) < min(2, len(asked)) or len(framed) < 0.3 * len(asked):
        return "question and evidence share too few words"
    return None if boolean else _wrong_kind(question, answer)


def _occurs(answer: str, evidence: str) -> bool:
    """Tell whether an answer stands in the evidence: its words in a row, or the same number written otherwise."""
    if normal(answer) in normal(evidence) or (answer.strip() and answer.casefold().strip() in evidence.casefold()):
        return True
    bare = answer.replace(",", "").strip()
    if bare in evidence.replace(",", "").split():
        return True
    number = NUMBER_WORDS.get(answer.lower().strip(), None)
    if number is None:
        return any(bare == str(NUMBER_WORDS[word]) for word in _WORD.findall(evidence.lower()) if word in NUMBER_WORDS)
    return f" {number} " in normal(evidence)


def _content(text: str) -> set[str]:
    """Return the content words of a text, cut to six letters so that "founded" meets "founder"."""
    return {word[:6] for word in re.findall(r"\w+", text.lower()) if word not in _FUNCTION and len(word) > 1}


def _wrong_kind(question: str, answer: str) -> str | None:
    """Return why an answer cannot be of the kind its question asks for, or None."""
    asked = question.lower()
    digits = any(c.isdigit() for c in answer)
    dated = digits or any(name.lower() in answer.lower() for name in MONTHS + WEEKDAYS)
    if re.search(r"\b(?:(?:what|which) (?:year|date|day|month))\b", asked) and not dated:
        return "the question asks for a date and the answer has none"
    counted = digits or any(word in NUMBER_WORDS for word in _WORD.findall(answer.lower()))
    if re.search(r"\bhow many\b", asked) and not counted and answer.lower() not in ("a", "an", "no", "none"):
        return "the question asks for a number and the answer has none"
    if asked.startswith(("who ", "whom ")) and not any(c.isupper() for c in answer) and answer.isascii() and digits:
        return "the question asks for a person and the answer is a number"
    return None
