"""MinHash and LSH banding over word 5-gram shingles, in numpy.

MinHash: Broder 1997, "On the resemblance and containment of documents". Banding and its S-curve: Leskovec, Rajaraman
and Ullman, "Mining of Massive Datasets", section 3.4. Shingles of five words: Lee et al. 2022 (arXiv 2107.06499),
section 4.2.

The hashes, all of fixed constants, so that two machines agree and signatures can be stored:
  word: the polynomial `sum(T[byte_i] * B**i)` modulo 2**64 over its UTF-8 bytes, T a table of random 64-bit numbers and
    B odd (Karp and Rabin 1987, with a table in place of the byte), mixed by the finaliser of SplitMix64 (Steele, Lea
    and Flood 2014).
  shingle: a sum of its word hashes, each times an odd constant of its position (multilinear hashing, Lemire and Kaser
    2014), mixed the same way.
  permutation k: `a_k * x + b_k` modulo 2**32 with `a_k` odd, of the high half `x` of a shingle (multiply-add hashing,
    Dietzfelbinger et al. 1997): a bijection of 32 bits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]
Minima = npt.NDArray[np.uint32]

SHINGLE_WORDS: Final = 5

_SEED: Final = 0x5765627363616C65
_GOLDEN: Final = 0x9E3779B97F4A7C15  # SplitMix64's increment: 2**64 over the golden ratio, odd
_NOT_WORD: Final = re.compile(r"\W+")
_SPACE: Final = 0x20
# Chunks whose arrays stay within the second-level cache; smaller ones would pay for numpy's calls.
_CHUNK_CHARACTERS: Final = 1 << 17
_CHUNK_BYTES: Final = 1 << 15


def _mixed(values: Hashes) -> Hashes:
    """Return SplitMix64's finaliser of each value: every input bit flips every output bit with probability near 1/2."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


@lru_cache(maxsize=32)
def _constants(stream: int, count: int) -> Hashes:
    """Return `count` random numbers of SplitMix64: ours to fix, where a library's generator may change its stream."""
    steps = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(_GOLDEN)
    constants = _mixed(steps + _mixed(np.array([_SEED + stream], np.uint64)))
    constants.flags.writeable = False
    return constants


def _powers(base: int, count: int) -> Hashes:
    factors = np.full(count, base, np.uint64)
    factors[0] = 1
    return np.cumprod(factors, dtype=np.uint64)


_ODD: Final = np.uint64(1)
_BYTES: Final = _constants(0, 256)
_POSITIONS: Final = _constants(1, SHINGLE_WORDS) | _ODD
_BASE, _NO_WORD = _constants(2, 2).tolist()
_BASE |= 1
_INVERSE: Final = pow(_BASE, -1, 1 << 64)
_BASE_POWERS: Final = _powers(_BASE, 2 * _CHUNK_BYTES)
_INVERSE_POWERS: Final = _powers(_INVERSE, 2 * _CHUNK_BYTES)

_FEW_SEPARATORS: Final = 32
# In ASCII, `\w` is letters, digits and the underscore; translating bytes is ten times as fast as the expression.
_ASCII: Final = bytes(
    ord(chr(code).lower()) if code < 128 and re.match(r"\w", chr(code)) else _SPACE for code in range(256)
)
_UTF_8: Final = _ASCII[:128] + bytes(range(128, 256))


def words(text: str) -> list[str]:
    """Return the words of a text: lower case, every run of `\\W` a separator, empty words dropped."""
    return [word for word in _NOT_WORD.split(text.lower()) if word]


def shingle_hashes(text: str) -> Hashes:
    """Return the sorted, distinct 64-bit hashes of a text's shingles, each five consecutive words.

    A text of fewer words is one shingle of all of them; so is one without any, and all such texts are alike.
    """
    return np.unique(_shingles([text])[0])


def signature(shingles: Hashes, permutations: int) -> Minima:
    """Return the MinHash signature of one set of shingles: its minimum under each permutation.

    Raises:
      ValueError: there is no shingle, or no permutation.
    """
    if not len(shingles):
        raise ValueError("the set has no shingles and so no minimum: shingle_hashes gives every text one or more")
    return _minima(shingles, np.array([0]), permutations)[0]


def band_keys(signature: Minima, bands: int, rows: int) -> Hashes:
    """Return one 64-bit key a band, of `rows` minima each: texts that agree on all minima of a band share its key.

    The band is part of the key, so that keys of different bands meet by chance only.

    Raises:
      ValueError: the signature's length is not `bands * rows`.
    """
    return _keys(signature[np.newaxis], bands, rows)[0]


def band_keys_of(texts: Sequence[str], bands: int, rows: int) -> Hashes:
    """Return the band keys of each text, an array of shape (texts, bands): `band_keys` of its signature, in bulk."""
    keys = [np.empty((0, bands), np.uint64)]
    for chunk in _chunks(texts):
        keys.append(_keys(_minima(*_shingles(chunk), bands * rows), bands, rows))
    return np.concatenate(keys)


def jaccard(a: Hashes, b: Hashes) -> float:
    """Return the Jaccard index of two sets, each a sorted array without repeats; 1.0 for two empty sets."""
    union = len(a) + len(b)
    if not union:
        return 1.0
    both = np.concatenate((a, b))
    both.sort(kind="stable")  # merges two sorted runs
    common = int(np.count_nonzero(both[1:] == both[:-1]))
    return common / (union - common)


def probability(j: float, bands: int, rows: int) -> float:
    """Return the chance that two texts of Jaccard index `j` share a band: the S-curve `1 - (1 - j**rows)**bands`."""
    return 1.0 - (1.0 - j**rows) ** bands


def _normalised(text: str) -> bytes:
    """Return the words of a text as UTF-8, with spaces between, before and after them."""
    if text.isascii():
        return text.encode("ascii").translate(_ASCII)
    text = text.lower()
    # Most texts have few separators beyond ASCII, which are replaced faster one by one.
    separators = [character for character in set(text) if character > "\x7f" and not character.isalnum()]
    if len(separators) > _FEW_SEPARATORS:
        text = _NOT_WORD.sub(" ", text)
    else:
        for character in separators:
            text = text.replace(character, " ")
    # A lone surrogate is no character of UTF-8, but it may stand in a text.
    return text.encode("utf-8", "surrogatepass").translate(_UTF_8)


def _chunks(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield the texts in runs of about `_CHUNK_CHARACTERS`, a longer text by itself."""
    begin = characters = 0
    for end, text in enumerate(texts):
        if end > begin and characters + len(text) > _CHUNK_CHARACTERS:
            yield texts[begin:end]
            begin, characters = end, 0
        characters += len(text)
    if begin < len(texts):
        yield texts[begin:]


def _shingles(texts: Sequence[str]) -> tuple[Hashes, npt.NDArray[np.intp]]:
    """Return the shingle hashes of all texts, one text after the other, and where each text's begin."""
    parts = [_normalised(text) for text in texts]
    hashes, starts = _word_hashes(b" ".join(parts) + b" ")
    ends = np.searchsorted(starts, np.cumsum([len(part) + 1 for part in parts]))
    counts = np.diff(ends, prepend=0)
    # A short text is filled up to one shingle with a word that no text has.
    hashes = np.insert(hashes, np.repeat(ends, np.maximum(SHINGLE_WORDS - counts, 0)), np.uint64(_NO_WORD))
    counts = np.maximum(counts, SHINGLE_WORDS)
    ends = np.cumsum(counts)
    last = len(hashes) - SHINGLE_WORDS + 1
    sums = np.zeros(last, np.uint64)
    for position, factor in enumerate(_POSITIONS):
        sums += hashes[position : last + position] * factor
    whole = np.ones(len(hashes), bool)
    whole[(ends[:, np.newaxis] - np.arange(1, SHINGLE_WORDS)).ravel()] = False  # these reach into the next text
    return _mixed(sums[whole[:last]]), np.cumsum(counts - SHINGLE_WORDS + 1) - (counts - SHINGLE_WORDS + 1)


def _word_hashes(text: bytes) -> tuple[Hashes, npt.NDArray[np.intp]]:
    """Return the hash of every word and where it starts. The text ends with a space."""
    hashes, starts = [], []
    for begin, piece in _pieces(text):
        values, where = _hashed(np.frombuffer(piece, np.uint8))
        hashes.append(values)
        starts.append(where + begin)
    return np.concatenate(hashes), np.concatenate(starts)


def _pieces(text: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield a text in pieces of about `_CHUNK_BYTES`, each ending with a space, and where each begins."""
    begin = 0
    while begin < len(text):
        end = text.index(_SPACE, min(begin + _CHUNK_BYTES, len(text)) - 1) + 1
        yield begin, text[begin:end]
        begin = end


def _hashed(data: npt.NDArray[np.uint8]) -> tuple[Hashes, npt.NDArray[np.intp]]:
    """Return the hashes of a piece's words, by differences of the polynomial's running sum, and where each starts."""
    powers, inverses = _BASE_POWERS, _INVERSE_POWERS
    if len(data) > len(powers):
        powers, inverses = _powers(_BASE, len(data)), _powers(_INVERSE, len(data))
    inside = np.concatenate(([False], data != _SPACE))
    edges = np.flatnonzero(inside[1:] != inside[:-1])
    starts, ends = edges[::2], edges[1::2]
    sums = np.zeros(len(data) + 1, np.uint64)
    np.cumsum(_BYTES[data] * powers[: len(data)], out=sums[1:])
    return _mixed((sums[ends] - sums[starts]) * inverses[starts]), starts


def _minima(hashes: Hashes, starts: npt.NDArray[np.intp], permutations: int) -> Minima:
    """Return, for each run of hashes that begins at one of `starts`, its minimum under each permutation."""
    if permutations < 1:
        raise ValueError(f"permutations = {permutations}: a signature has one minimum or more")
    high = (hashes >> np.uint64(32)).astype(np.uint32)
    factors = (_constants(3, permutations) >> np.uint64(32)).astype(np.uint32) | np.uint32(1)
    offsets = (_constants(4, permutations) >> np.uint64(32)).astype(np.uint32)
    minima = np.empty((permutations, len(starts)), np.uint32)
    permuted = np.empty_like(high)
    for factor, offset, row in zip(factors, offsets, minima, strict=True):
        np.multiply(high, factor, out=permuted)
        np.add(permuted, offset, out=permuted)
        np.minimum.reduceat(permuted, starts, out=row)
    return minima.T


def _keys(minima: Minima, bands: int, rows: int) -> Hashes:
    if minima.shape[1] != bands * rows:
        raise ValueError(
            f"a signature of {minima.shape[1]} minima cannot be cut into {bands} bands of {rows} rows: make it with"
            f" permutations = {bands * rows}"
        )
    terms = minima.reshape(len(minima), bands, rows) * (_constants(5, rows) | _ODD)
    return _mixed(terms.sum(axis=2, dtype=np.uint64) + _constants(6, bands))
