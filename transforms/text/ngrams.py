"""Word n-grams that repeat themselves within a document.

Rae et al. 2021 (arXiv 2112.11446), appendix A1.1, table A1, as datatrove counts them: shares are of the text's
characters; the top n-gram counts with the spaces between its words, every time it occurs, overlapping or not;
duplicates are counted from left to right without overlap.

Counting every n-gram of every document would cost more than all other rules together. But no n-gram occurs more often
than the most frequent 2-gram in it, and one of five words or more repeats only where its 5-grams do. So two sorts over
many documents give each an upper bound, and few are left to count.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from schemas.config_filters import GopherRepetitionLimits

Integers = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.int32]
Keys = npt.NDArray[np.uint64]

TOP_SIZES: Final = (2, 3, 4)
DUPLICATE_SIZES: Final = (5, 6, 7, 8, 9, 10)
# A share that no n-gram reaches: each character is in as many of them as they have words, at most.
_OFF: Final = 100.0
_KEYS: Final = {size: f"max_top_{size}_gram" for size in TOP_SIZES} | {
    size: f"max_duplicate_{size}_grams" for size in DUPLICATE_SIZES
}
# A key holds a document's number, a hash of an n-gram, and where it stands; a longer document is counted for certain.
_PLACE_BITS: Final = np.uint64(20)
_DOCUMENT_BITS: Final = 12
# Tokens counted together: their arrays stay in the processor's cache.
_BLOCK_TOKENS: Final = 1 << 15
_FACTOR: Final = np.uint64(0x9E3779B97F4A7C15)  # 2**64 over the golden ratio: spreads sums over the high bits


def could_break(
    tokens: npt.NDArray[Any],
    lengths: npt.NDArray[Any],
    starts: Integers,
    characters: Integers,
    limits: GopherRepetitionLimits,
) -> npt.NDArray[np.bool_]:
    """Return which documents could break a limit: every one that does, and few that do not.

    Args:
      tokens: int[n], token numbers of some documents, one after the other.
      lengths: int[n], characters of each token.
      starts: int64[documents + 1], where each document's tokens start.
      characters: int64[documents], of each whole text.
      limits: the bounds.
    """
    could = np.ones(len(starts) - 1, bool)
    for first, last in _blocks(starts):
        inside = slice(starts[first], starts[last])
        if inside.stop - inside.start < 1 << int(_PLACE_BITS):
            could[first:last] = _could_break(
                tokens[inside], lengths[inside], np.diff(starts[first : last + 1]), characters[first:last], limits
            )
    return could


def _blocks(starts: Integers) -> Iterator[tuple[int, int]]:
    """Yield runs of documents that have `_BLOCK_TOKENS` together, or are one that has more."""
    first = 0
    while first < len(starts) - 1:
        fitting = int(np.searchsorted(starts, starts[first] + _BLOCK_TOKENS, side="right")) - 1
        last = min(max(fitting, first + 1), first + (1 << _DOCUMENT_BITS) - 1)
        yield first, last
        first = last


def _could_break(
    tokens: npt.NDArray[Any],
    lengths: npt.NDArray[Any],
    sizes: Integers,
    characters: Integers,
    limits: GopherRepetitionLimits,
) -> npt.NDArray[np.bool_]:
    document_of = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
    words = tokens.astype(np.uint64) * _FACTOR
    could = _covered(words, document_of, lengths, len(sizes)) > _least(limits, DUPLICATE_SIZES) * characters
    most = np.full(len(sizes), len(tokens))
    for size in TOP_SIZES:
        # What is left to count shrinks from size to size: a longer n-gram is no more frequent than its beginning.
        bound = _least(limits, (size,)) * characters
        inside = (most * _longest(size, lengths, sizes) > bound)[document_of]
        counts, top = _top_at_most(words[inside], document_of[inside], lengths[inside], size, len(sizes))
        most = np.where(counts > 0, counts, most)
        could |= top > bound
    return could


def _least(limits: GopherRepetitionLimits, sizes: Sequence[int]) -> float:
    """Return the lowest limit on n-grams of some sizes."""
    found = [getattr(limits, _KEYS[size]) for size in sizes]
    return min((limit for limit in found if limit is not None), default=_OFF)


def _ends(lengths: npt.NDArray[Any]) -> Integers:
    """Return how many characters stand before each word, and in all."""
    return np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))


def _hashes(words: Keys, size: int) -> Keys:
    """Return a hash of the n-gram that starts at each word that has enough words behind it."""
    count = max(0, len(words) - size + 1)
    hashes = words[:count].copy()
    for place in range(1, size):
        hashes = ((hashes << np.uint64(23) | hashes >> np.uint64(41)) + words[place : place + count]) * _FACTOR
    return hashes


def _keys(words: Keys, document_of: Numbers, size: int) -> Keys:
    """Return (document, hash, place) of every n-gram, from the high bits to the low.

    One that reaches into the next document counts too: it can only raise a bound.
    """
    places = np.arange(max(0, len(words) - size + 1), dtype=np.uint64)
    hashes = _hashes(words, size) >> np.uint64(_DOCUMENT_BITS)
    documents = document_of[: len(places)].astype(np.uint64) << np.uint64(64 - _DOCUMENT_BITS)
    return (documents | hashes) >> _PLACE_BITS << _PLACE_BITS | places


def _top_at_most(
    words: Keys, document_of: Numbers, lengths: npt.NDArray[Any], size: int, documents: int
) -> tuple[Integers, Integers]:
    """Return how often the most frequent n-gram of each document occurs, and at most how many characters that makes.

    Both are 0 for a document that has none.
    """
    most, top = np.zeros(documents, np.int64), np.zeros(documents, np.int64)
    keys = np.sort(_keys(words, document_of, size))
    if len(keys):
        firsts = np.flatnonzero(np.concatenate(([True], keys[1:] >> _PLACE_BITS != keys[:-1] >> _PLACE_BITS)))
        counts = np.diff(np.append(firsts, len(keys)))
        owners, places = _unpacked(keys)
        ends = _ends(lengths)
        # The longest of a class stands for it, so that two n-grams that share a hash can only raise the bound.
        sizes = np.maximum.reduceat(ends[places + size] - ends[places], firsts) + size - 1
        owners = owners[firsts]
        starts = np.flatnonzero(np.diff(owners, prepend=-1))
        most[owners[starts]] = np.maximum.reduceat(counts, starts)
        top[owners[starts]] = np.maximum.reduceat(counts * sizes, starts)
    return most, top


def _unpacked(keys: Keys) -> tuple[Integers, Integers]:
    """Return the documents and the places of some keys."""
    places = keys & ((np.uint64(1) << _PLACE_BITS) - np.uint64(1))
    return (keys >> np.uint64(64 - _DOCUMENT_BITS)).astype(np.int64), places.astype(np.int64)


def _longest(size: int, lengths: npt.NDArray[Any], sizes: Integers) -> Integers:
    """Return at least the characters of the longest n-gram of each document, with the spaces between its words."""
    ends = _ends(lengths)
    characters = ends[size:] - ends[:-size] + size - 1
    if not len(characters):
        return np.zeros(len(sizes), np.int64)
    return np.maximum.reduceat(characters, np.minimum(np.cumsum(sizes) - sizes, len(characters) - 1))


def _covered(words: Keys, document_of: Numbers, lengths: npt.NDArray[Any], documents: int) -> Integers:
    """Return the characters of the words within 5-grams that have occurred before."""
    size = DUPLICATE_SIZES[0]
    keys = np.sort(_keys(words, document_of, size))
    _, places = _unpacked(keys[1:][keys[1:] >> _PLACE_BITS == keys[:-1] >> _PLACE_BITS])
    inside = np.unique((places[:, np.newaxis] + np.arange(size)).ravel())
    return np.bincount(document_of[inside], lengths[inside], documents).astype(np.int64)


def broken_rules(
    tokens: npt.NDArray[Any], lengths: npt.NDArray[Any], characters: int, limits: GopherRepetitionLimits
) -> Iterator[tuple[str, float]]:
    """Yield (key of the limit, share) of each rule that one document breaks, shorter n-grams first.

    Args:
      tokens: int[n], its token numbers.
      lengths: int[n], characters of each token.
      characters: of the whole text.
      limits: the bounds.
    """
    ends = _ends(lengths)
    ids = tokens.astype(np.int64)
    grams, words = ids, int(ids.max(initial=0)) + 1
    for size, key in _KEYS.items():
        if size > len(tokens):
            return
        # An n-gram is the pair of an (n-1)-gram's number and a word's: exact, where a hash could collide.
        first, grams, counts = _numbered(grams[:-1] * words + ids[size - 1 :])
        limit: float | None = getattr(limits, key)
        if limit is None:
            continue
        sizes = ends[size:] - ends[:-size]
        if size in TOP_SIZES:
            found = _top(first, counts, sizes + size - 1)
        elif int(sizes.sum() - sizes[first].sum()) <= limit * characters:
            continue  # not even with every overlap
        else:
            found = _duplicates(grams, sizes, size)
        if found / characters > limit:
            yield key, found / characters


def _numbered(keys: Integers) -> tuple[npt.NDArray[np.intp], Integers, Integers]:
    """Return where each distinct key occurs first, the number of every key's class, and the size of each class."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    new = np.concatenate(([True], ordered[1:] != ordered[:-1]))
    numbers = np.empty(len(keys), np.int64)
    numbers[order] = np.cumsum(new) - 1
    return order[new], numbers, np.diff(np.append(np.flatnonzero(new), len(keys)))


def _top(first: npt.NDArray[np.intp], counts: Integers, sizes: Integers) -> int:
    """Return the characters of all occurrences of the most frequent n-gram, the first of several."""
    most = int(counts.max())
    return most * int(sizes[first[counts == most].min()])


def _duplicates(grams: Integers, sizes: Integers, size: int) -> int:
    """Return the characters of the n-grams that have occurred before, from left to right without overlap."""
    seen: set[int] = set()
    total = place = 0
    numbers = grams.tolist()
    while place < len(numbers):
        if numbers[place] in seen:
            total += int(sizes[place])
            place += size
        else:
            seen.add(numbers[place])
            place += 1
    return total
