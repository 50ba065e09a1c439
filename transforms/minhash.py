"""MinHash and LSH banding over word 5-gram shingles, in numpy.

MinHash: Broder 1997, "On the resemblance and containment of documents". Banding and its S-curve: Leskovec, Rajaraman
and Ullman, "Mining of Massive Datasets", section 3.4. Shingles of five words: Lee et al. 2022 (arXiv 2107.06499),
section 4.2. The words are those of `text/hashes.py`, where the hash of one is defined too.

The other hashes, all of fixed constants, so that two machines agree and signatures can be stored:
  shingle: a sum of its word hashes, each times an odd constant of its position (multilinear hashing, Lemire and Kaser
    2014), mixed by the finaliser of SplitMix64.
  permutation k: `a_k * x` modulo 2**32 with `a_k` odd, of the high half `x` of a shingle (multiplicative hashing,
    Dietzfelbinger et al. 1997): a bijection of 32 bits. `a_k` is the product of the first k of a row of odd constants.
    Nothing is added, because `x` is random already: over sets of 3 to 1,000 random shingles the estimates of Jaccard
    indices from 0.5 to 0.9 had no bias (below 0.002, the error of the experiment) and the variance of 120 independent
    draws, within 6 %.
`FINGERPRINT` stands for all of these.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from transforms.text.hashes import Hashes, Words, constants, mixed, words_of

Minima = npt.NDArray[np.uint32]
Halves = npt.NDArray[np.uint32]
Places = npt.NDArray[np.int64]

SHINGLE_WORDS: Final = 5

# Chunks whose arrays stay within the second-level cache; smaller ones would pay for numpy's calls.
_CHUNK_WORDS: Final = 1 << 16
_ODD: Final = np.uint64(1)
_HALF: Final = np.uint64(32)
_POSITIONS: Final = constants(1, 3) | _ODD
_NO_WORD: Final = constants(2, 1)[0]


def shingles_of(words: Words) -> list[Hashes]:
    """Return, for each text, the sorted, distinct 64-bit hashes of its shingles, each five consecutive words.

    A text of fewer words is one shingle of all of them; so is one without any, and all such texts are alike.
    """
    found: list[Hashes] = []
    for chunk in _chunks(words):
        shingles, starts = _shingles(chunk)
        found += map(_distinct, np.split(shingles, starts[1:]))
    return found


def shingle_hashes(text: str) -> Hashes:
    """Return `shingles_of` the words of one text."""
    # A lone surrogate, which is no character of UTF-8, ends a word as the question mark in its place does.
    return shingles_of(words_of(pa.array([text.encode("utf-8", "replace")], pa.string())))[0]


def halves(shingles: Hashes) -> Halves:
    """Return the distinct high halves of sorted shingle hashes: what candidates are compared by, and states keep.

    Half the bytes, for an index that is exact but where two different shingles share 32 bits: at 400 shingles a text in
    one of 27,000 pairs, by one shingle.
    """
    return _distinct((shingles >> _HALF).astype(np.uint32))


def signature(shingles: Hashes, permutations: int) -> Minima:
    """Return the MinHash signature of one set of shingles: its minimum under each permutation.

    Raises:
      ValueError: there is no shingle, or no permutation.
    """
    if not len(shingles):
        raise ValueError("the set has no shingles and so no minimum: shingle_hashes gives every text one or more")
    return _minima(shingles, np.zeros(1, np.int64), permutations)[0]


def signatures_of(words: Words, permutations: int) -> Minima:
    """Return the MinHash signature of each text, an array of shape (texts, permutations).

    Raises:
      ValueError: there is no permutation.
    """
    minima = [_minima(*_shingles(chunk), permutations) for chunk in _chunks(words)]
    return np.concatenate([np.empty((0, permutations), np.uint32), *minima])


def band_keys(signatures: Minima, bands: int, rows: int) -> Hashes:
    """Return one 64-bit key a band, of `rows` minima each: texts that agree on all minima of a band share its key.

    The band is part of the key, so that keys of different bands meet by chance only.

    Args:
      signatures: uint32[..., permutations]; the keys are uint64[..., bands].

    Raises:
      ValueError: a signature's length is not `bands * rows`.
    """
    permutations = signatures.shape[-1]
    if permutations != bands * rows:
        raise ValueError(
            f"a signature of {permutations} minima cannot be cut into {bands} bands of {rows} rows: make it with"
            f" permutations = {bands * rows}"
        )
    terms = signatures.reshape(*signatures.shape[:-1], bands, rows) * (constants(5, rows) | _ODD)
    return mixed(terms.sum(axis=-1, dtype=np.uint64) + constants(6, bands))


def band_keys_of(words: Words, bands: int, rows: int) -> Hashes:
    """Return the band keys of each text, an array of shape (texts, bands): `band_keys` of its signature."""
    return band_keys(signatures_of(words, bands * rows), bands, rows)


def jaccard(a: Hashes | Halves, b: Hashes | Halves) -> float:
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


def _chunks(words: Words) -> Iterator[Words]:
    """Yield the texts in runs of `_CHUNK_WORDS` words at most, a longer text by itself."""
    begin = 0
    while begin < len(words):
        end = int(np.searchsorted(words.starts, words.starts[begin] + _CHUNK_WORDS, side="right")) - 1
        end = max(end, begin + 1)
        yield words.between(begin, end)
        begin = end


def _shingles(words: Words) -> tuple[Hashes, Places]:
    """Return the shingle hashes of all texts, one text after the other, and where each text's begin.

    There is one a word, and the last four of a text repeat the one before: sets and minima are the same with them.
    """
    hashes, starts = _filled(words)
    pairs = hashes[:-1] * _POSITIONS[0]
    pairs += hashes[1:]
    fours = pairs[:-2] * _POSITIONS[1]
    fours += pairs[2:]
    shingles = np.empty_like(hashes)
    fives = shingles[: 1 - SHINGLE_WORDS]
    np.multiply(fours[:-1], _POSITIONS[2], out=fives)
    fives += hashes[SHINGLE_WORDS - 1 :]
    mixed(fives)
    ends = starts[1:, np.newaxis]
    shingles[ends - np.arange(1, SHINGLE_WORDS)] = shingles[ends - SHINGLE_WORDS]
    return shingles, starts[:-1]


def _distinct(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the distinct values in order, which takes `np.unique` seven times as long on a few hundred of them."""
    values = np.sort(values)
    return values[np.concatenate(([True], values[1:] != values[:-1]))]


def _filled(words: Words) -> tuple[Hashes, Places]:
    """Return the words' hashes and starts, the texts of less than a shingle filled up with a word that no text has."""
    lacking = np.maximum(SHINGLE_WORDS - words.counts, 0)
    if not lacking.any():
        return words.hashes, words.starts
    starts = words.starts.copy()
    starts[1:] += np.cumsum(lacking)
    return np.insert(words.hashes, np.repeat(words.starts[1:], lacking), _NO_WORD), starts


def _minima(hashes: Hashes, starts: Places, permutations: int) -> Minima:
    """Return, for each run of hashes that begins at one of `starts`, its minimum under each permutation."""
    if permutations < 1:
        raise ValueError(f"permutations = {permutations}: a signature has one minimum or more")
    permuted = (hashes >> _HALF).astype(np.uint32)
    minima = np.empty((permutations, len(starts)), np.uint32)
    # Each permutation is the one before times a constant: one array less to walk through than from the hashes anew.
    for factor, row in zip((constants(3, permutations) >> _HALF | _ODD).astype(np.uint32), minima, strict=True):
        np.multiply(permuted, factor, out=permuted)
        np.minimum.reduceat(permuted, starts, out=row)
    return minima.T


def _fingerprint() -> str:
    """Return what the hashes make of some texts, as hexadecimal digits.

    All but the last are one shingle each, so that there is no word that the keys do not depend on: long and short,
    plain and not, with a lower case of the same length in UTF-8 and of another, and the one that fills a text up.
    """
    texts = (
        "Straßenlaternenfernbedienungen? 7 … ÉTÉ snake_case Ж",
        "İzmir",
        "ΟΔΟΣ",
        "",
        "Six words have two shingles, no?",
    )
    keys = [band_keys(signature(shingle_hashes(text), 6), 2, 3) for text in texts]
    return hashlib.blake2b(np.concatenate(keys).astype("<u8").tobytes(), digest_size=8).hexdigest()


FINGERPRINT: Final = _fingerprint()
"""Changes whenever a hash changes that a stored signature depends on.

What is a letter and which is its lower case are Unicode's, and so the Python version's: two of them may differ on texts
in the few scripts that only the later one knows.
"""
