"""The heuristic filters count whole columns at once; here they are counted one document at a time, word by word."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from schemas import config_filters
from schemas.config_filters import FilterSettings, GopherRepetitionLimits
from transforms.heuristics import reject_reasons
from transforms.text.c4 import clean
from transforms.text.ngrams import broken_rules, could_break
from transforms.text.vocabulary import STOP_WORDS, SYMBOLS, TERMINAL_MARKS, Vocabulary
from transforms.text.words import SPECIAL, tokens

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)
WORDS = (
    "the and that with word Word. Mr. a. don't end. (see it.) 1914, 10km $5. well-known x-x-x-x javascript citation[3]"
)
MARKS = "# ... … - • { 9 漢字。 \0 😀😀 [12]"
BREAKS = ["\n", "\n\n", "\n\n\n", " ", "\t", "\r\n", "\u2028"]
PHRASES = ["use cookies", "lorem ipsum", "[citation needed]"]
PIECES = st.sampled_from([*WORDS.split(), *MARKS.split(), *BREAKS, *PHRASES])
DOCUMENT = st.one_of(
    TEXT,
    st.lists(PIECES, max_size=60).map(" ".join),
    st.lists(PIECES, max_size=60).map("".join),
    st.lists(st.sampled_from("abc\n"), min_size=20, max_size=60).map(" ".join),
)
BOUNDS = st.sampled_from([0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0]) | st.none()


def bounds(group: str, counted: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any] | None]:
    """Settings of a group, each rule at any bound; those of `counted` are numbers of something."""
    fields = getattr(config_filters, group).model_fields
    switches = {name: st.booleans() for name, field in fields.items() if field.annotation is bool}
    numbers = {name: st.integers(0, 8) for name in counted}
    shares = {name: BOUNDS for name in fields if name not in switches and name not in numbers}
    return st.fixed_dictionaries(switches | numbers | shares) | st.none()


SETTINGS = st.fixed_dictionaries(
    {
        "min_tokens": st.integers(0, 10) | st.none(),
        "gopher_repetition": bounds("GopherRepetitionLimits", ()),
        "c4": bounds("C4Limits", ("min_line_words", "max_word_characters", "min_sentences")),
        "gopher_quality": bounds("GopherQualityLimits", ("min_words", "min_mean_word_length", "min_stop_words")).map(
            lambda group: group and group | {"max_words": 60, "max_mean_word_length": 9}
        ),
        "fineweb": bounds("FineWebLimits", ("short_line_characters",)),
    }
).map(FilterSettings.model_validate)


def split(text: str) -> list[str]:
    return [token for piece in text.split() for token in tokens(piece)]


def sentences(line: str) -> int:
    """A sentence starts with the line, and with what is no mark of punctuation behind a terminal mark."""
    count, ended = 0, False
    for number, token in enumerate(split(line)):
        punctuation = all(unicodedata.category(c)[0] == "P" for c in token)
        if number == 0 or (ended and not punctuation and token not in TERMINAL_MARKS):
            count += 1
        if token in TERMINAL_MARKS:
            ended = True
        elif not punctuation:
            ended = False
    return count


def over(group: Any, name: str, value: float) -> bool:
    limit = getattr(group, name)
    return limit is not None and (value < limit if name.startswith("min_") else value > limit)


def repeats(blocks: list[str]) -> tuple[int, int]:
    again = [block for number, block in enumerate(blocks) if block in blocks[:number]]
    return len(again), sum(map(len, again))


def repetition(text: str, group: Any) -> Iterator[str]:
    for name, blocks in (("paragraph", re.split(r"\n{2,}", text.strip())), ("line", re.split(r"\n+", text))):
        count, characters = repeats(blocks)
        if over(group, f"max_duplicate_{name}s", count / len(blocks)):
            yield f"max_duplicate_{name}s"
        if over(group, f"max_duplicate_{name}_characters", characters / len(text)):
            yield f"max_duplicate_{name}_characters"
    words = split(text)
    for size in range(2, 11):
        grams = [tuple(words[place : place + size]) for place in range(len(words) - size + 1)]
        if size < 5 and grams:
            gram, count = Counter(grams).most_common(1)[0]
            if over(group, f"max_top_{size}_gram", len(" ".join(gram)) * count / len(text)):
                yield f"max_top_{size}_gram"
        if size >= 5:
            seen, place, characters = set(), 0, 0
            while place < len(grams):
                again = grams[place] in seen
                seen.add(grams[place])
                characters += len("".join(grams[place])) if again else 0
                place += size if again else 1
            if over(group, f"max_duplicate_{size}_grams", characters / len(text)):
                yield f"max_duplicate_{size}_grams"


def quality(text: str, group: Any) -> Iterator[str]:
    words, lines = split(text), text.splitlines()
    real = [word for word in words if not SYMBOLS.issuperset(word)]
    ellipses = (text.count("...") + text.count("…")) / len(words)
    mean = sum(map(len, real)) / max(1, len(real))
    values = {
        "min_words": len(real),
        "max_words": len(real),
        "min_mean_word_length": mean,
        "max_mean_word_length": mean,
        "max_hash_ratio": text.count("#") / len(words),
        "max_ellipsis_ratio": ellipses,
        "max_bullet_lines": sum(line.lstrip().startswith(("•", "-")) for line in lines) / len(lines),
        "max_ellipsis_lines": sum(line.rstrip().endswith(("...", "…")) for line in lines) / len(lines),
        "min_alphabetic_words": sum(any(c.isalpha() for c in word) for word in words) / len(words),
        "min_stop_words": len(set(STOP_WORDS) & set(words)),
    }
    yield from (name for name, value in values.items() if over(group, name, value))


def fineweb(text: str, group: Any) -> Iterator[str]:
    lines = [line for line in text.split("\n") if line.strip()]
    values = {
        "min_terminal_punctuation_lines": sum(line[-1] in TERMINAL_MARKS for line in lines) / len(lines),
        "max_short_lines": sum(len(line) <= group.short_line_characters for line in lines) / len(lines),
        "max_duplicate_line_characters": repeats(lines)[1] / len(text.replace("\n", "")),
        "max_newlines_per_word": text.count("\n") / len(split(text)),
    }
    yield from (name for name, value in values.items() if over(group, name, value))


def c4(text: str, group: Any) -> tuple[str, str | None]:
    """What C4 leaves, and the rule that drops the document."""
    left, count = [], 0
    for line in map(str.strip, text.splitlines()):
        words = line.split()
        if group.max_word_characters is not None and any(len(word) > group.max_word_characters for word in words):
            continue
        if group.citations:
            line = re.sub(r"\[\d*\]|\[edit\]|\[citation needed\]", "", line)
        if group.terminal_punctuation and (not re.search(r"[.?!\"']$", line) or line.endswith("...")):
            continue
        if len(words) < (group.min_line_words or 0) or not words:
            continue
        if group.lorem_ipsum and "lorem ipsum" in line.lower():
            return text, "lorem_ipsum"
        if group.javascript_lines and "javascript" in line.lower():
            continue
        if group.curly_bracket and "{" in line:
            return text, "curly_bracket"
        if group.policy_lines and re.search("(terms of use|(privacy|cookie) policy|uses? (of )?cookies)", line.lower()):
            continue
        count += sentences(line) + line.isspace()
        left.append(line)
    dropped = group.min_sentences is not None and count < group.min_sentences
    return "\n".join(left).strip(), "min_sentences" if dropped else None


def plain_reasons(text: str, settings: FilterSettings) -> Iterator[str]:
    if not text.split():
        yield "empty_text"
    if settings.min_tokens is not None and len(text.split()) < settings.min_tokens:
        yield "min_tokens"
    if settings.gopher_repetition is not None:
        yield from (f"gopher_repetition.{name}" for name in repetition(text, settings.gopher_repetition))
    if settings.c4 is not None:
        text, dropped = c4(text, settings.c4)
        if dropped:
            yield f"c4.{dropped}"
        if not text and (settings.gopher_quality or settings.fineweb or settings.c4):
            yield "empty_text"
    if settings.gopher_quality is not None:
        yield from (f"gopher_quality.{name}" for name in quality(text, settings.gopher_quality))
    if settings.fineweb is not None:
        yield from (f"fineweb.{name}" for name in fineweb(text, settings.fineweb))


@given(st.lists(DOCUMENT, max_size=6), SETTINGS)
def test_columns_are_judged_as_documents_one_by_one(texts: list[str], settings: FilterSettings) -> None:
    found = reject_reasons(texts, settings)
    assert [reason and reason[0] for reason in found] == [next(plain_reasons(text, settings), None) for text in texts]
    assert all(reason is None or reason[1] for reason in found)


@given(DOCUMENT, SETTINGS.filter(lambda settings: settings.c4 is not None))
def test_a_cleaned_text_is_what_the_rules_behind_c4_saw(text: str, settings: FilterSettings) -> None:
    assert settings.c4 is not None
    left, dropped = c4(text, settings.c4)
    if dropped is None:
        assert clean(text, settings.c4) == left


@given(st.lists(DOCUMENT, min_size=1, max_size=8))
def test_words_of_columns_are_words_of_pieces(texts: list[str]) -> None:
    lines = [" ".join(text.split()) for text in texts]
    vocabulary = Vocabulary()
    for _ in range(2):  # the second time from memory
        found = vocabulary.read(lines)
        lengths = found.lengths.tolist()
        expected = [split(line) for line in lines]
        assert lengths == [len(token) for line in expected for token in line]
        assert np.diff(found.starts).tolist() == list(map(len, expected))
        assert found.pieces.tolist() == [len(line.split()) for line in lines]
        assert found.longest.tolist() == [max(map(len, line.split()), default=0) for line in lines]
        numbers = dict(zip(found.tokens.tolist(), [token for line in expected for token in line], strict=True))
        assert [numbers[number] for number in found.tokens.tolist()] == [t for line in expected for t in line]
        assert len(set(numbers.values())) == len(numbers)


PARTS = [*"a é 漢 7 10 km Ab Mr can't 's ..".split(), *".,;:!?'\"()[]-/–…$%#&*+’_"]  # noqa: RUF001
PIECE = st.one_of(
    st.text(st.characters(exclude_categories=["Cs", "Z", "Cc"]), min_size=1, max_size=20),
    st.lists(st.sampled_from(PARTS), min_size=1).map("".join),
    st.sampled_from(sorted(SPECIAL)),
)


@given(PIECE)
def test_tokens_join_to_their_piece(piece: str) -> None:
    found = tokens(piece)
    assert "".join(found) == piece
    assert all(found)


# Word numbers, some of which a hash that adds and shifts would confuse with others.
NUMBERS = st.sampled_from([0, 1, 2, 3, 500, 501, 628, 756, 99_000, 99_128])


@given(st.lists(st.lists(NUMBERS, max_size=40), min_size=1, max_size=5), st.floats(0, 1))
def test_what_breaks_an_n_gram_rule_is_never_passed_over(documents: list[list[int]], bound: float) -> None:
    limits = GopherRepetitionLimits(**dict.fromkeys(GopherRepetitionLimits.model_fields, bound))
    starts = np.cumsum([0, *map(len, documents)])
    numbers = [np.array(words, np.int32) for words in documents]
    sizes = [np.array([1 + word % 9 for word in words], np.int32) for words in documents]
    characters = np.array([sum(size) + len(size) for size in sizes]) + 1
    could = could_break(np.concatenate(numbers), np.concatenate(sizes), starts, characters, limits)
    for place, (ids, size) in enumerate(zip(numbers, sizes, strict=True)):
        assert could[place] or not list(broken_rules(ids, size, int(characters[place]), limits))
