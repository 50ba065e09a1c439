"""Bad pairs of eight kinds, made from good ones over the same documents by fixed templates: what checks must catch.

Nothing here is random, and nothing here knows the rules that are measured: a template is picked by the place of a pair,
and its words are such as generators write, not such as a rule looks for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple


class Planted(NamedTuple):
    """A pair with the document it claims to be from.

    Attributes:
      question: the question.
      answer: its answer.
      answer_type: as the generator declared it.
      aliases: other ways to say the answer.
      evidence: what is quoted as the proof.
      document: the text of the document.
      persona: whom the question is for.
      key: the id of the pair.
    """

    question: str
    answer: str
    answer_type: str
    aliases: tuple[str, ...]
    evidence: str
    document: str
    persona: str = ""
    key: str = ""


Template = Callable[[Planted], "Planted | None"]
"""A bad pair from a good one; None where the good one lacks what the template needs."""

_SENTENCE: Final = re.compile(r"[^.!?\n]{20,400}[.!?](?=\s|$)")
_NUMBER: Final = re.compile(r"(?<![\w.,-])\d+(?:[.,]\d+)*(?![\w])")
_NAME: Final = re.compile(r"(?<=[a-z,] )[A-Z][a-z]+(?: [A-Z][a-z]+)*")
_WORD: Final = re.compile(r"[^\W\d_]{6,}")


def _sentences(text: str) -> list[str]:
    return [match.strip() for match in _SENTENCE.findall(text)]


def _values(pair: Planted, text: str) -> list[str]:
    """Return what of the pair's kind of answer stands in a text, but for the answer."""
    pattern = _NUMBER if any(map(str.isdigit, pair.answer)) else _NAME if pair.answer[:1].isupper() else _WORD
    found = dict.fromkeys(pattern.findall(text))
    said = " ".join((pair.answer, *pair.aliases, pair.question)).lower()
    return [value for value in found if value.lower() not in said and pair.answer.lower() not in value.lower()]


def _asked(pair: Planted) -> str:
    """Return the question as it stands behind a comma."""
    first, _, rest = pair.question.partition(" ")
    return f"{first.lower() if first.isalpha() and not first.isupper() else first} {rest}"


def _with_question(pair: Planted, question: str) -> Planted:
    return pair._replace(question=question)


def _other_in_evidence(pair: Planted) -> Planted | None:
    found = _values(pair, pair.evidence)
    return pair._replace(answer=found[0], aliases=()) if found else None


def _other_sentence(pair: Planted) -> Planted | None:
    for sentence in _sentences(pair.document):
        if sentence not in pair.evidence and (found := _values(pair, sentence)):
            return pair._replace(answer=found[-1], aliases=(), evidence=sentence)
    return None


def _other_in_document(pair: Planted) -> Planted | None:
    found = [value for value in _values(pair, pair.document) if value not in pair.evidence]
    return pair._replace(answer=found[len(found) // 2], aliases=()) if found else None


def _altered(pair: Planted) -> Planted | None:
    digits = re.search(r"\d(?=\D*$)", pair.answer)
    if digits:
        changed = f"{pair.answer[: digits.start()]}{(int(digits[0]) + 3) % 10}{pair.answer[digits.end() :]}"
        return pair._replace(answer=changed, aliases=())
    return pair._replace(answer=f"{pair.answer} Junior", aliases=()) if pair.answer_type == "name" else None


def _appositive(pair: Planted) -> Planted:
    return _with_question(pair, f"{pair.question.rstrip('? ')}, {pair.answer} being the candidate most people name?")


def _topic(pair: Planted) -> Planted:
    return _with_question(pair, f"On the subject of {pair.answer}: {pair.question}")


def _shouted(pair: Planted) -> Planted:
    return _with_question(pair, f"{pair.question.rstrip('? ')} (it is not far from {pair.answer.upper()}'s sense)?")


_UNITS: Final = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen".split()


def _respelled(pair: Planted) -> Planted | None:
    """Give the answer away in another form: a number in letters, a name by its last word, a term in the plural."""
    if pair.answer.isdecimal() and int(pair.answer) < len(_UNITS):
        hint = _UNITS[int(pair.answer)]
    elif pair.answer_type == "name" and " " in pair.answer:
        hint = pair.answer.split()[-1]
    elif pair.answer.isalpha():
        hint = pair.answer.lower() + "s"
    else:
        return None
    return _with_question(pair, f"Thinking of {hint}, {_asked(pair)}")


def _behind(words: str) -> Template:
    return lambda pair: _with_question(pair, words.format(question=pair.question, asked=_asked(pair)))


def _instead(**questions: str) -> Template:
    """Ask what any document might be asked; the answer's type picks the words."""
    return lambda pair: _with_question(pair, questions.get(pair.answer_type, questions["phrase"]))


def _whole_evidence(pair: Planted) -> Planted:
    return pair._replace(answer=pair.evidence, answer_type="phrase", aliases=())


def _explained(pair: Planted) -> Planted:
    words = f"{pair.answer}, which can be concluded from the fact that {pair.evidence[:1].lower()}{pair.evidence[1:]}"
    return pair._replace(answer=words)


def _two_sentences(pair: Planted) -> Planted | None:
    sentences = _sentences(pair.document)
    place = next((place for place, text in enumerate(sentences) if text in pair.evidence), None)
    if place is None or place + 1 == len(sentences):
        return None
    both = f"{sentences[place]} {sentences[place + 1]}"
    return pair._replace(answer=both, evidence=both, answer_type="phrase", aliases=())


def _declared(pair: Planted) -> Planted | None:
    """Declare a type that the answer is not of."""
    if any(map(str.isdigit, pair.answer)):
        other = "boolean"
    elif pair.answer_type in ("name", "phrase"):
        other = "number"
    else:
        return None
    return pair._replace(answer_type=other)


def _undeclared(pair: Planted) -> Planted | None:
    """Answer with something of another type and declare that one."""
    if any(map(str.isdigit, pair.answer)):
        found, other = _NAME.findall(pair.evidence), "name"
    else:
        found, other = _NUMBER.findall(pair.evidence), "number"
    found = [value for value in found if value.lower() not in pair.question.lower()]
    return pair._replace(answer=found[0], answer_type=other, aliases=()) if found else None


def _yes(pair: Planted) -> Planted:
    """Answer a question for a value with yes."""
    return pair._replace(answer="Yes", answer_type="boolean", aliases=())


def _loose_words(pair: Planted) -> Planted | None:
    """Answer with words of the evidence that are no value at all."""
    found = [word for word in _WORD.findall(pair.evidence) if word.islower() and word not in pair.question.lower()]
    if not found or pair.answer_type not in ("number", "date", "name"):
        return None
    return pair._replace(answer=found[0], answer_type="phrase", aliases=())


def _shortened(pair: Planted) -> Planted | None:
    """Quote without some words in the middle."""
    parts = pair.evidence.split()
    kept = [part for place, part in enumerate(parts) if place % 5 != 3 or part in pair.answer]
    return pair._replace(evidence=" ".join(kept)) if len(kept) < len(parts) else None


def _reported(pair: Planted) -> Planted:
    return pair._replace(evidence=f"Sources agree that {pair.evidence[:1].lower()}{pair.evidence[1:]}")


def _made_up(pair: Planted) -> Planted:
    return pair._replace(evidence=f"It has long been established that the right value here is {pair.answer}.")


def _turned_around(pair: Planted) -> Planted | None:
    first, comma, rest = pair.evidence.rstrip(".").partition(", ")
    return pair._replace(evidence=f"{rest[:1].upper()}{rest[1:]}, {first}.") if comma else None


def _tautology(pair: Planted) -> Planted:
    claim = pair.evidence.rstrip(".!? ")
    return pair._replace(
        question=f"Would it be correct to hold that {claim[:1].lower()}{claim[1:]}?",
        answer="Yes",
        answer_type="boolean",
        aliases=(),
    )


def _absurd_options(pair: Planted) -> Planted:
    question = f"{pair.question.rstrip('? ')}: {pair.answer}, a purple bicycle or seventeen spoons of soup?"
    return pair._replace(question=question, answer_type="choice")


def _first_letters(pair: Planted) -> Planted:
    hint = pair.answer[: max(1, len(pair.answer) - 2)]
    question = f'{pair.question.rstrip("? ")} (it has {len(pair.answer)} characters and begins with "{hint}")?'
    return pair._replace(question=question)


KINDS: Final[dict[str, tuple[Template, ...]]] = {
    "wrong answer": (_other_in_evidence, _other_sentence, _other_in_document, _altered),
    "leaking question": (_appositive, _topic, _shouted, _respelled),
    "needs the text": (
        _behind("Going by the lines quoted here, {asked}"),
        _behind("As the writer puts it, {asked}"),
        _behind("In the story you have just read, {asked}"),
        _behind("From the reading material, {asked}"),
        _behind("{question} Use the second sentence."),
        _behind("In the study described, {asked}"),
        _behind("As seen in the table, {asked}"),
        _behind("In this section, {asked}"),
        _behind("The report mentions it only once: {asked}"),
        _behind("Considering the given scenario, {asked}"),
    ),
    "vague": (
        _instead(
            number="How many of them were there in total?",
            date="In which year did the event take place?",
            name="Who was responsible for what happened?",
            phrase="What was the most important aspect of all?",
        ),
        _instead(
            number="What was the final figure that came out?",
            date="When did the whole thing begin?",
            name="What is the name of the person?",
            phrase="What is the key point to remember?",
        ),
        _instead(
            number="By how much did the value change?",
            date="On which day did they decide it?",
            name="Which organization took part in the project?",
            phrase="What did the team find out in the end?",
        ),
        _instead(
            number="How large was the number of participants?",
            date="When was the work completed?",
            name="Which place played the central role?",
            phrase="What was the main reason for the change?",
        ),
        _instead(
            number="What percentage was reached overall?",
            date="What date is relevant in this context?",
            name="Who made the decision about the matter?",
            phrase="Which term best describes the concept?",
        ),
    ),
    "long answer": (_whole_evidence, _explained, _two_sentences),
    "wrong type": (_declared, _undeclared, _yes, _loose_words),
    "evidence not in source": (_shortened, _reported, _made_up, _turned_around),
    "trivially guessable": (_tautology, _absurd_options, _first_letters),
}
"""The templates of each kind, taken in turn."""


def plant(pairs: Sequence[Planted], each: int) -> Iterator[tuple[str, Planted]]:
    """Yield bad pairs with the name of their kind, `each` of every kind as far as the good pairs suffice.

    A kind takes the good pairs from another place each, and its templates in turn; a pair that a template cannot
    use is passed over.
    """
    for number, (kind, templates) in enumerate(KINDS.items()):
        start = number * len(pairs) // len(KINDS)
        made = 0
        for pair in (*pairs[start:], *pairs[:start]):
            bad = templates[made % len(templates)](pair)
            if made == each:
                break
            if bad is not None:
                made += 1
                yield kind, bad
