"""MinHash and its bands against datasketch: both must err as chance does, and theirs proposes the bands of ours.

The seeds are fixed, so a run repeats the one before. Every bound is four standard errors of the experiment; half as
many distinct permutations break it.
"""

from __future__ import annotations

from functools import lru_cache
from random import Random
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
from datasketch import MinHash, MinHashLSH

from schemas.config_filters import DedupSettings
from tests.support import hashed_words, words
from transforms.minhash import Minima, band_keys, probability, signature, signatures_of

SETTINGS = DedupSettings()
PERMUTATIONS = SETTINGS.bands * SETTINGS.rows
PAIRS = 800
SIZES = [10, 100, 400, None]  # of the unions of random sets; the last stands for texts
VOCABULARY = [f"{start}{end}" for start in ("re", "Caf\u00e9", "\u6f22", "Un", "x") for end in range(60)]


class Experiment(NamedTuple):
    """Pairs of sets: the Jaccard index of each, and both sides of each in turn, as we and as datasketch sketch them."""

    truth: npt.NDArray[np.float64]
    ours: Minima
    theirs: list[MinHash]

    def estimates(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return what we and what datasketch take for the Jaccard indices."""
        ours = np.mean(self.ours[::2] == self.ours[1::2], axis=1)
        return ours, np.array([a.jaccard(b) for a, b in zip(self.theirs[::2], self.theirs[1::2], strict=True)])


@lru_cache
def of_sets(size: int) -> Experiment:
    """Pairs whose unions have `size` random elements, with indices from 0.2 to 0.9."""
    rng = np.random.default_rng(size)
    sides = []
    for _ in range(PAIRS):
        union = rng.integers(0, 2**64, size, np.uint64)
        alone = size - int(rng.integers(round(0.2 * size), round(0.9 * size), endpoint=True))
        cut = int(rng.integers(0, alone, endpoint=True))
        sides += [union[: size - cut], union[alone - cut :]]
    minima = np.array([signature(side, PERMUTATIONS) for side in sides])
    return of_sides([{element.tobytes() for element in side} for side in sides], minima)


@lru_cache
def of_texts() -> Experiment:
    """Texts of 60 to 300 words beside copies with some words replaced, in capitals and between commas."""
    rng = Random(5)
    texts = []
    for _ in range(PAIRS):
        tokens = rng.choices(VOCABULARY, k=rng.randrange(60, 300))
        copy = list(tokens)
        for place in rng.sample(range(len(copy)), max(1, round(len(copy) * rng.uniform(0.005, 0.12)))):
            copy[place] = "another"
        texts += [" ".join(tokens), ", ".join(copy).upper()]
    sides = []
    for text in texts:
        found = words(text)
        sides.append({" ".join(found[begin : begin + 5]).encode() for begin in range(len(found) - 4)})
    return of_sides(sides, signatures_of(hashed_words(texts), PERMUTATIONS))


def of_sides(sides: list[set[bytes]], minima: Minima) -> Experiment:
    """Return the experiment on the first set and the second, the third and the fourth, and so on."""
    sketches = MinHash.bulk(sides, num_perm=PERMUTATIONS)
    truth = [len(a & b) / len(a | b) for a, b in zip(sides[::2], sides[1::2], strict=True)]
    return Experiment(np.array(truth), minima, sketches)


def experiment(size: int | None) -> Experiment:
    return of_texts() if size is None else of_sets(size)


@pytest.mark.parametrize("size", SIZES)
def test_estimates_err_as_that_many_independent_draws_do_and_no_more_than_datasketchs(size: int | None) -> None:
    """An estimate is the mean of independent draws, so its error over their standard deviation has mean 0, square 1."""
    trial = experiment(size)
    deviation = np.sqrt(trial.truth * (1 - trial.truth) / PERMUTATIONS)
    ours, theirs = ((estimates - trial.truth) / deviation for estimates in trial.estimates())
    for errors in (ours, theirs):
        assert abs(errors.mean()) < 4 / np.sqrt(PAIRS)
        assert abs(np.square(errors).mean() - 1) < 4 * np.sqrt(2 / PAIRS)
    assert np.square(ours).mean() - np.square(theirs).mean() < 4 * np.sqrt(2 * 2 / PAIRS)


@pytest.mark.parametrize(("bands", "rows"), [(SETTINGS.bands, SETTINGS.rows), (8, 15), (40, 3)])
def test_bands_bring_pairs_together_as_often_as_the_s_curve_says_and_datasketchs_do(bands: int, rows: int) -> None:
    truth, ours, theirs = [], [], []
    for trial in map(experiment, SIZES):
        truth.append(trial.truth)
        keys = np.array([band_keys(minima, bands, rows) for minima in trial.ours])
        ours.append((keys[::2] == keys[1::2]).any(axis=1))
        theirs.append(met_in_datasketch(trial.theirs, bands, rows))
    place = (np.concatenate(truth) * 10).astype(int)
    chance = np.array([probability(j, bands, rows) for j in np.concatenate(truth)])
    for tenth in range(2, 9):
        inside = place == tenth
        error = np.sqrt(np.sum(chance[inside] * (1 - chance[inside])))
        for met in (np.concatenate(ours), np.concatenate(theirs)):
            assert abs(met[inside].sum() - chance[inside].sum()) <= 4 * error + 1, (tenth, met[inside].sum())


def met_in_datasketch(sketches: list[MinHash], bands: int, rows: int) -> list[bool]:
    """Return, for each pair, whether a query for its second side finds the first."""
    index = MinHashLSH(num_perm=PERMUTATIONS, params=(bands, rows))
    for number, sketch in enumerate(sketches[::2]):
        index.insert(number, sketch)
    return [number in index.query(sketch) for number, sketch in enumerate(sketches[1::2])]


def test_of_the_same_minima_the_bands_make_exactly_the_pairs_that_datasketch_makes() -> None:
    minima = of_texts().ours
    keys = np.array([band_keys(row, SETTINGS.bands, SETTINGS.rows) for row in minima])
    index = MinHashLSH(num_perm=PERMUTATIONS, params=(SETTINGS.bands, SETTINGS.rows))
    sketches = [MinHash(hashvalues=row, scheme="affine32") for row in minima]
    for number, sketch in enumerate(sketches):
        index.insert(number, sketch)
    found = [set(np.flatnonzero((keys == row).any(axis=1)).tolist()) for row in keys]
    assert found == [set(index.query(sketch)) for sketch in sketches]
    assert PAIRS < sum(map(len, found)) - len(found) < 2 * PAIRS  # each pair that meets counts twice


@pytest.mark.parametrize("miss", [0.9, 0.96])
def test_datasketch_proposes_the_default_bands_where_a_miss_weighs_more_than_a_false_candidate(miss: float) -> None:
    """9 and 24 times more: a false candidate costs one comparison, a miss is a duplicate that is paid for."""
    proposed = MinHashLSH(SETTINGS.threshold, PERMUTATIONS, weights=(1 - miss, miss))
    assert (proposed.b, proposed.r) == (SETTINGS.bands, SETTINGS.rows)
