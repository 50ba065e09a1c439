"""Which questions are items of an evaluation set, and by which rule.

Benchmarks' questions are short, so that the usual rule, a run of 13 words in common (Brown et al. 2020, appendix C),
sees few of them; and a benchmark's item is a template now and then, so that runs of words are no proof. Here a question
is contaminated, the strongest rule first, all of them on letters and digits alone (`transforms/text/squeezed.py`):

  exact                 it is the item.
  contained             it has the item in it, of ten words and more, or of four and more where it stands as sentences
                        of its own, as behind a preamble; or it is an end of the item, of one sentence and more or of
                        ten words and more, or a beginning up to the end of a sentence; or it has such an end or
                        beginning in it, between two marks, of ten words and more and no other item's.
  contained_and_answer  the item is in it otherwise ("Who wrote Emma" in "... Emma's sequel?" is not), or would be in
                        many a text ("Which of the following is true?"); or it is an end of the item of five words and
                        more, or has one in it, between two marks; and the answer is the item's, one that no more items
                        have than the square root of their number.
  overlap               of the item's runs of five words, or of its own, it shares at least 0.8, each weighed by
                        log(1 + items / items that have it), and six at least, ten words that is, lest a phrase count.
  overlap_and_answer    it shares from 0.5 to 0.8, or 0.8 of a shorter item's, the less the rarer the answer, which is
                        the item's: one that half the benchmark has, such as yes, proves next to nothing.

Between two words of an item and of a question anything may stand; but where an item begins and ends in a question, so
do words, and numbers (`Gap`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas.records import Contamination, Pair, arrow_schema
from transforms.benchmarks.ends import (
    LEAST_TAIL_WORDS,
    OWN_WORDS,
    TAIL_CHARACTERS,
    TAIL_WORDS_WITH_ANSWER,
    final_answers,
    says_something,
)
from transforms.benchmarks.index import GRAM_WORDS, WINDOWS, Index
from transforms.benchmarks.lists import spread
from transforms.text.hashes import Hashes
from transforms.text.squeezed import Gap, Places, Squeezed, marks_hash, marks_of, span_hashes, squeeze

Shares = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

THRESHOLD: Final = 0.8
THRESHOLD_WITH_RAREST_ANSWER: Final = 0.5
OWN_GRAMS: Final = OWN_WORDS - GRAM_WORDS + 1
"""Runs that a question and an item must share where no answer says that it is the item."""

CONTAMINATIONS: Final = arrow_schema(Pair).field("contamination").type
RULES: Final = ("exact", "contained", "contained_and_answer", "overlap", "overlap_and_answer")
"""The strongest first."""
_EXACT, _CONTAINED, _CONTAINED_AND_ANSWER, _OVERLAP, _OVERLAP_AND_ANSWER = range(5)
_RARE: Final = 64
"""Items that may have a run of words which brings a question near them: one that more have is a template's."""
_OWN_ANSWER: Final = 0.5  # the rarity of an answer that as many items have as the square root of their number
_PASSAGE_MARKS: Final = 8  # between the beginning of a passage that is looked for and its end


class Asked(NamedTuple):
    """Questions as the rules see them.

    Attributes:
      marked: the numbers of those that have few letters or none; marks: the hashes of them with their marks.
      answers: the hash of each one's answer; answered: whether it has one.
    """

    texts: Squeezed
    marked: Places
    marks: Hashes
    answers: Hashes
    answered: Flags


class Matches(NamedTuple):
    """Questions and the items that they match, each with the number of the rule in `RULES` and its score."""

    questions: Places
    items: Places
    rules: Places
    scores: Shares


def contaminations(
    indexes: Sequence[Index], questions: pa.StringArray | pa.ChunkedArray, answers: pa.StringArray | pa.ChunkedArray
) -> dict[int, tuple[Contamination, ...]]:
    """Return what contaminates each question that is contaminated, by its number: for each benchmark the strongest.

    Args:
      questions: strings of valid UTF-8; a null, or one of spaces alone, is never contaminated.
      answers: as many; a null is none.
    """
    hashes, lengths = span_hashes(final_answers(answers))
    found: dict[int, tuple[Contamination, ...]] = {}
    first = 0
    for texts in squeeze(questions):
        said = slice(first, first + len(texts))
        asked = Asked(texts, *_marked(texts, questions[said]), hashes[said], lengths[said] > 0)
        for index in indexes:
            matches = matched(index, asked)
            for number, items in _strongest(index, matches):
                found[first + number] = (*found.get(first + number, ()), *items)
        first += len(texts)
    return found


def contamination_column(found: Mapping[int, tuple[Contamination, ...]], rows: int) -> pa.Array:
    """Return what contaminates each of some rows as a column of `CONTAMINATIONS`."""
    return pa.array([[asdict(item) for item in found.get(row, ())] for row in range(rows)], CONTAMINATIONS)


def _marked(texts: Squeezed, questions: pa.StringArray | pa.ChunkedArray) -> tuple[Places, Hashes]:
    few = np.flatnonzero((texts.lengths < TAIL_CHARACTERS) | (texts.word_counts < LEAST_TAIL_WORDS))
    marks = {number: marks_of(questions[number].as_py() or "") for number in few.tolist()}
    numbers = [number for number, text in marks.items() if says_something(text) or (text and not texts.lengths[number])]
    hashes = np.array([marks_hash(marks[number]) for number in numbers], np.uint64)
    return np.array(numbers, np.int64), hashes


def matched(index: Index, asked: Asked) -> Matches:
    """Return all matches of some questions with the items of an index."""
    parts = [*_whole(index, asked), *_passages(index, asked), *_holding(index, asked), *_overlapping(index, asked)]
    none = np.empty(0, np.int64)
    columns = zip(Matches(none, none, none, np.empty(0)), *parts, strict=True)
    questions, items, rules, scores = map(np.concatenate, columns)
    return Matches(questions, items, rules, scores)


def _strongest(index: Index, matches: Matches) -> Iterator[tuple[int, tuple[Contamination, ...]]]:
    """Yield (question, its contaminations by one index)."""
    benchmarks = index.benchmark[matches.items]
    order = np.lexsort((-matches.scores, matches.rules, benchmarks, matches.questions))
    ranked = np.stack((matches.questions[order], benchmarks[order]))
    first = np.ones(len(order), bool)
    first[1:] = (ranked[:, 1:] != ranked[:, :-1]).any(axis=0)
    groups: dict[int, list[Contamination]] = {}
    for place in order[first].tolist():
        one = Contamination(
            index.names[benchmarks[place]], RULES[matches.rules[place]], round(float(matches.scores[place]), 4)
        )
        groups.setdefault(int(matches.questions[place]), []).append(one)
    yield from ((number, tuple(items)) for number, items in groups.items())


def _matches(questions: Places, items: Places, rules: Places | int, scores: Shares | float = 1.0) -> Matches:
    count = len(questions)
    return Matches(questions, items, np.broadcast_to(rules, count), np.broadcast_to(scores, count))


def _whole(index: Index, asked: Asked) -> Iterator[Matches]:
    """Yield the questions that are an item, and those that are an end or a beginning of one."""
    texts = asked.texts
    lettered = np.flatnonzero(texts.lengths)
    hashes = np.concatenate((texts.spans(texts.starts[lettered], texts.starts[lettered + 1]), asked.marks))
    questions = np.concatenate((lettered, asked.marked))
    for which, items in index.whole.find(hashes):
        yield _matches(questions[which], items, _EXACT)
    for which, tails in index.tails.find(hashes):
        items, alone = index.tail_items[tails], index.alone[tails]
        match = alone | (_rarity(index, questions[which], items, asked) >= _OWN_ANSWER)
        rules = np.where(alone, _CONTAINED, _CONTAINED_AND_ANSWER)
        yield _matches(questions[which[match]], items[match], rules[match])


def _passages(index: Index, asked: Asked) -> Iterator[Matches]:
    """Yield the questions in which an end of an item stands between two marks, long enough to mean it."""
    texts = asked.texts
    owner = np.repeat(np.arange(len(texts)), texts.word_counts)
    marks = np.flatnonzero(texts.gaps[:-1] >= Gap.MARK)
    # The marks of a text are its start, those within it and its end, which is the start of the next one.
    edges = np.append(texts.words[marks], texts.words[-1])
    numbers = np.append(marks, len(owner))
    for reach in range(1, min(_PASSAGE_MARKS, len(marks)) + 1):
        first = np.flatnonzero(numbers[reach:] - numbers[:-reach] >= TAIL_WORDS_WITH_ANSWER)
        questions = owner[numbers[first]]
        begins, ends = edges[first], edges[first + reach]
        whole = (begins == texts.starts[questions]) & (ends == texts.starts[questions + 1])  # has been looked for
        first = first[(ends <= texts.starts[questions + 1]) & ~whole]
        questions, begins, ends = owner[numbers[first]], edges[first], edges[first + reach]
        long = numbers[first + reach] - numbers[first] >= OWN_WORDS
        for which, tails in index.tails.find(texts.spans(begins, ends)):
            items, alone = index.tail_items[tails], long[which] & ~index.shared[tails]
            known = index.ends[tails] & (_rarity(index, questions[which], items, asked) >= _OWN_ANSWER)
            match = alone | known  # a short beginning is a phrase: "In what year, ..."
            rules = np.where(alone, _CONTAINED, _CONTAINED_AND_ANSWER)
            yield _matches(questions[which[match]], items[match], rules[match])


def _holding(index: Index, asked: Asked) -> Iterator[Matches]:
    """Yield the questions that have an item in them."""
    texts = asked.texts
    gaps = np.full(len(texts.sums), Gap.WITHIN, np.int8)
    gaps[texts.words] = texts.gaps
    for size in WINDOWS:
        if not len(index.windows[size].items):
            continue
        hashes, places = texts.windows(size)
        for which, items in index.windows[size].find(hashes):
            begins = places[which] - index.offsets[items]
            ends = begins + index.lengths[items]
            questions = np.searchsorted(texts.starts, places[which], side="right") - 1
            inside = np.flatnonzero((begins >= texts.starts[questions]) & (ends <= texts.starts[questions + 1]))
            begins, ends, items, questions = begins[inside], ends[inside], items[inside], questions[inside]
            same = texts.spans(begins, ends) == index.hashes[items]
            same &= (gaps[begins] > Gap.WITHIN) & (gaps[ends] > Gap.WITHIN)
            apart = (gaps[begins] >= Gap.MARK) & (gaps[ends] >= Gap.SENTENCE)
            alone = ~index.generic[items] & (apart | (index.words[items] >= OWN_WORDS))
            same &= alone | (_rarity(index, questions, items, asked) >= _OWN_ANSWER)
            rules = np.where(alone, _CONTAINED, _CONTAINED_AND_ANSWER)
            yield _matches(questions[same], items[same], rules[same])


def _rarity(index: Index, questions: Places, items: Places, asked: Asked) -> Shares:
    return np.where(asked.answered[questions], index.rarity(items, asked.answers[questions]), -1.0)


def _overlapping(index: Index, asked: Asked) -> Iterator[Matches]:
    """Yield the questions that share enough of the weight of an item's runs of words, or of their own."""
    texts = asked.texts
    hashes, owner = texts.grams(GRAM_WORDS)
    which, grams = index.grams.keys.find(hashes)
    if not len(which):
        return
    known = np.bincount(owner[which], minlength=len(texts))
    hits = np.unique(owner[which] * len(index.gram_weights) + grams)  # a run that a question repeats counts once
    asking, grams = np.divmod(hits, len(index.gram_weights))
    weights = index.gram_weights[grams]
    unseen = np.bincount(owner, minlength=len(texts)) - known
    own = np.bincount(asking, weights, minlength=len(texts)) + unseen * index.unseen_weight
    for questions, items in _candidates(index, asking, grams, own):
        shared, count = _shared(index, hits, questions, items)
        theirs = shared / index.weights[items]
        enough = count >= OWN_GRAMS
        scores = np.minimum(np.maximum(theirs, np.where(enough, shared / own[questions], 0.0)), 1.0)
        rarity = _rarity(index, questions, items, asked)
        needed = THRESHOLD - np.maximum(rarity, 0) * (THRESHOLD - THRESHOLD_WITH_RAREST_ANSWER)
        alone = enough & (scores >= THRESHOLD)
        match = (alone | ((scores >= needed) & (enough | (rarity >= _OWN_ANSWER)))) & ~index.generic[items]
        rules = np.where(alone, _OVERLAP, _OVERLAP_AND_ANSWER)
        yield _matches(questions[match], items[match], rules[match], scores[match])


def _candidates(index: Index, asking: Places, grams: Places, own: Shares) -> Iterator[tuple[Places, Places]]:
    """Yield (questions, items) that share a rare run, and may share half of the weight of one of them."""
    counts = index.grams.starts[grams + 1] - index.grams.starts[grams]
    rare = counts <= _RARE
    common = np.bincount(asking[~rare], index.gram_weights[grams[~rare]], minlength=len(own))
    asking, grams, counts = asking[rare], grams[rare], counts[rare]
    items = index.grams.items[spread(index.grams.starts[grams], counts)]
    pairs, place = np.unique(np.repeat(asking, counts) * len(index) + items, return_inverse=True)
    shared = np.bincount(place, np.repeat(index.gram_weights[grams], counts), minlength=len(pairs))
    questions, items = np.divmod(pairs, len(index))
    most = shared + common[questions]
    near = most >= THRESHOLD_WITH_RAREST_ANSWER * np.minimum(index.weights[items], own[questions]) - 1e-9
    yield questions[near], items[near]


def _shared(index: Index, hits: Places, questions: Places, items: Places) -> tuple[Shares, Places]:
    """Return the weight and the number of the runs that each question shares with its item.

    Args:
      hits: the runs that the questions have, as numbers that tell both, sorted.
    """
    counts = index.gram_starts[items + 1] - index.gram_starts[items]
    pair = np.repeat(np.arange(len(items)), counts)
    grams = index.item_grams[spread(index.gram_starts[items], counts)]
    wanted = questions[pair] * len(index.gram_weights) + grams
    there = hits[np.minimum(np.searchsorted(hits, wanted), len(hits) - 1)] == wanted
    weights = np.bincount(pair[there], index.gram_weights[grams[there]], minlength=len(items))
    return weights.astype(np.float64), np.bincount(pair[there], minlength=len(items))
