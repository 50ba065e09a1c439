"""MinHash and LSH: exact sets, stable hashes, independent permutations, bounds."""

from __future__ import annotations

import subprocess
import sys
import time
from random import Random

import numpy as np
import pytest
from pydantic import ValidationError

from schemas.config_filters import DedupSettings
from tests.support import hashed_words, words
from transforms.minhash import (
    FINGERPRINT,
    band_keys,
    band_keys_of,
    jaccard,
    probability,
    shingle_hashes,
    signature,
)

SETTINGS = DedupSettings()
TEXTS = [
    "",
    "!!! \u2026",
    "one",
    "one two three four",
    "one two three four five",
    "The quick brown fox -- jumps over the lazy dog; the QUICK brown fox jumps!",
    "Stra\u00dfe caf\u00e9 na\u00efve \u6f22\u5b57 \u0130stanbul snake_case 3.14 x\u00b2 \ud800 \0 end",
    "word " * 50,
    "x" * 100_000 + " tail of a few more words",
]


def reference(text: str) -> set[tuple[str, ...]]:
    """The shingles of a text as a set of tuples."""
    tokens = words(text)
    return {tuple(tokens[i : i + 5]) for i in range(max(1, len(tokens) - 4))}


def edited(rng: Random, tokens: list[str], edits: int) -> list[str]:
    """A copy with some words replaced."""
    copy = list(tokens)
    for place in rng.sample(range(len(copy)), edits):
        copy[place] = f"new{rng.random()}"
    return copy


def pairs(count: int, edits: range) -> list[tuple[str, str]]:
    """Texts of 200 words beside edited copies."""
    rng = Random(7)
    out = []
    for _ in range(count):
        tokens = [f"w{rng.randrange(50_000)}" for _ in range(200)]
        out.append((" ".join(tokens), " ".join(edited(rng, tokens, rng.choice(edits)))))
    return out


@pytest.mark.parametrize("text", TEXTS)
def test_there_is_one_hash_a_distinct_shingle_in_order(text: str) -> None:
    hashes = shingle_hashes(text)
    assert hashes.dtype == np.uint64
    assert len(hashes) == len(reference(text))
    assert (hashes[1:] > hashes[:-1]).all()


def test_texts_share_a_hash_where_they_share_a_shingle() -> None:
    for a in TEXTS:
        for b in TEXTS:
            common = np.intersect1d(shingle_hashes(a), shingle_hashes(b))
            assert len(common) == len(reference(a) & reference(b)), (a[:40], b[:40])


def test_order_case_and_boundaries_of_words_count_as_they_should() -> None:
    assert shingle_hashes("a b c d e").tolist() == shingle_hashes("\tA,b-C   d\u2014E.").tolist()
    different = [
        "a b c d e",
        "b a c d e",
        "a b c d f",
        "ab c d e",
        "a b c d",
        "a b c de",
        "e d c b a",
        "abcde",
        "a b c d \u00e9",
    ]
    assert len({shingle_hashes(text).tobytes() for text in different}) == len(different)
    assert shingle_hashes("").tolist() == shingle_hashes("?!").tolist() != shingle_hashes("a").tolist()


def test_a_word_has_one_hash_in_ascii_and_in_unicode_text_and_across_pieces() -> None:
    plain = "alpha beta gamma delta epsilon"
    assert np.isin(shingle_hashes(plain), shingle_hashes(plain + " \u00e9")).all()
    # Long enough to be hashed in several pieces, at every offset of the words to the pieces' bounds.
    for shift in range(7):
        assert np.isin(shingle_hashes(plain), shingle_hashes("x" * shift + " padded" * 10_000 + " " + plain)).all()


def test_hashes_are_those_of_every_other_process_and_release() -> None:
    assert [f"{h:016x}" for h in shingle_hashes("one two three four five").tolist()] == ["0d215656516bb015"]
    assert [f"{k:016x}" for k in band_keys_of(hashed_words(["one two three four five"]), 2, 3)[0].tolist()] == [
        "66e61c73fbe80808",
        "1ab27507204b7b56",
    ]
    program = "from transforms.minhash import *; print(shingle_hashes('caf\u00e9 au lait').tolist())"
    out = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, env={"PYTHONHASHSEED": "5"}
    )
    assert out.stdout.strip() == str(shingle_hashes("caf\u00e9 au lait").tolist())


def test_the_fingerprint_is_pinned_because_signatures_are_stored() -> None:
    """Who changes a hash on purpose changes this too, and signatures of earlier runs are then not compared."""
    assert FINGERPRINT == "a8098c80aedb7b00"


def test_jaccard_is_exact() -> None:
    for a, b in pairs(40, range(60)):
        left, right = reference(a), reference(b)
        assert jaccard(shingle_hashes(a), shingle_hashes(b)) == len(left & right) / len(left | right)
    empty = np.array([], np.uint64)
    assert jaccard(empty, empty) == 1.0
    assert jaccard(empty, shingle_hashes("a")) == 0.0


def test_the_minima_of_a_set_are_spread_evenly() -> None:
    """Over sets of n hashes the minimum of a permutation is about 1/(n + 1) of the range, for each permutation."""
    rng = np.random.default_rng(3)
    minima = np.array([signature(rng.integers(0, 2**64, 99, np.uint64), 120) for _ in range(400)]) / 2**32
    assert minima.mean() == pytest.approx(0.01, rel=0.03)
    assert minima.mean(axis=0) == pytest.approx(np.full(120, 0.01), rel=0.25)


@pytest.mark.parametrize("size", [3, 30, 1000])
def test_estimates_have_no_bias_and_the_variance_of_independent_draws(size: int) -> None:
    rng = np.random.default_rng(size)
    shared, rounds = size * 3 // 4, 400
    truth = shared / (2 * size - shared)
    estimates = np.empty(rounds)
    for number in range(rounds):
        union = rng.integers(0, 2**64, 2 * size - shared, np.uint64)
        estimates[number] = np.mean(signature(union[:size], 120) == signature(union[-size:], 120))
    variance = truth * (1 - truth) / 120
    assert abs(estimates.mean() - truth) < 4 * np.sqrt(variance / rounds)
    assert 0.75 < estimates.var() / variance < 1.3


def test_permutations_are_independent() -> None:
    rng = np.random.default_rng(4)
    minima = np.array([signature(rng.integers(0, 2**64, 50, np.uint64), 120) for _ in range(1000)])
    correlation = np.corrcoef(minima.T.astype(float))[~np.eye(120, dtype=bool)]
    assert abs(correlation).max() < 0.25
    assert abs(correlation.mean()) < 0.005


def test_texts_below_the_curve_are_rarely_candidates() -> None:
    rng = Random(1)
    tokens = [[f"w{rng.randrange(50_000)}" for _ in range(200)] for _ in range(400)]
    texts = [" ".join(part) for part in tokens]
    keys = band_keys_of(hashed_words(texts), SETTINGS.bands, SETTINGS.rows)
    assert len(np.unique(keys)) == keys.size


def test_keys_in_bulk_are_those_one_by_one_in_order() -> None:
    texts = TEXTS + [a for pair in pairs(60, range(1, 3)) for a in pair]
    keys = band_keys_of(hashed_words(texts), SETTINGS.bands, SETTINGS.rows)
    assert keys.dtype == np.uint64
    assert keys.shape == (len(texts), SETTINGS.bands)
    for text, row in zip(texts, keys, strict=True):
        assert band_keys(signature(shingle_hashes(text), 120), SETTINGS.bands, SETTINGS.rows).tolist() == row.tolist()
    assert band_keys_of(hashed_words([]), 20, 6).shape == (0, 20)


def test_a_band_is_keyed_by_all_of_its_minima_and_by_its_number() -> None:
    minima = np.arange(12, dtype=np.uint32)
    keys = band_keys(minima, 3, 4)
    for place in range(12):
        changed = minima.copy()
        changed[place] += 1
        assert (band_keys(changed, 3, 4) != keys).tolist() == [band == place // 4 for band in range(3)]
    assert len(set(band_keys(np.zeros(12, np.uint32), 3, 4).tolist())) == 3
    swapped = minima[[1, 0, *range(2, 12)]]
    assert band_keys(swapped, 3, 4)[0] != keys[0]


def test_a_signature_is_the_same_whatever_the_order_and_longer_ones_begin_alike() -> None:
    shingles = shingle_hashes(TEXTS[5])
    assert signature(shingles[::-1], 30).tolist() == signature(shingles, 120)[:30].tolist()
    assert signature(shingles, 30).dtype == np.uint32


def test_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"119 minima cannot be cut into 20 bands of 6 rows.*permutations = 120"):
        band_keys(np.zeros(119, np.uint32), 20, 6)
    with pytest.raises(ValueError, match="no shingles"):
        signature(np.array([], np.uint64), 120)
    with pytest.raises(ValueError, match="permutations = 0"):
        signature(shingle_hashes("a"), 0)


def test_the_s_curve() -> None:
    assert probability(0.0, 20, 6) == 0.0
    assert probability(1.0, 20, 6) == 1.0
    assert probability(0.5, 1, 1) == 0.5
    assert probability(0.8, 20, 6) == pytest.approx(1 - (1 - 0.262144) ** 20)


def test_hostile_texts_take_bounded_time() -> None:
    start = time.process_time()
    texts = ["x" * 5_000_000, "y " * 500_000, "\u6f22" * 1_000_000, "\0" * 1_000_000, "\u00e9 " * 300_000]
    # Each of the next has a lower case of another length in UTF-8, or one that depends on what is around.
    texts += ["\u023a" * 1_000_000, "\u03a3" * 1_000_000, "\u0130 " * 300_000]
    keys = band_keys_of(hashed_words([*texts, *[""] * 100_000]), 20, 6)
    assert keys.shape == (100_008, 20)
    assert time.process_time() - start < 8


def test_defaults_and_their_bounds() -> None:
    assert SETTINGS.model_dump() == {"bands": 20, "rows": 6, "threshold": 0.7, "max_comparisons": 100}
    for wrong in ({"bands": 0}, {"rows": 0}, {"threshold": 1.1}, {"max_comparisons": 0}, {"permutations": 128}):
        with pytest.raises(ValidationError, match=next(iter(wrong))):
            DedupSettings(**wrong)
