"""Measures how the rules of rewards/ agree with people on whether an answer is right, beside the usual metrics.

    python -m bench.rewards --input answer_equivalence.jsonl.gz

The input is JSON Lines, gzip or not, with question, references (a list), prediction, label (what people said), source.
Types of answers are not known there, so every pair is scored as a phrase, which reads numbers, dates and names too. The
first reference is the ground truth, the others are aliases.

The pairs are scored in several passes, each in a process of its own, so that nothing is kept from the one before. The
time of a pair is the least of its passes, as what else runs on a machine only adds to it; the median of each pass by
itself is printed too.
"""

from __future__ import annotations

import argparse
import collections
import gc
import gzip
import importlib.util
import json
import multiprocessing
import re
import statistics
import string
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from rewards import score

Row = dict[str, Any]
Metric = Callable[[Row], bool]


class Agreement(NamedTuple):
    """How a metric agrees with people on pairs of one source."""

    precision: float
    recall: float
    kappa: float


def agreement(pairs: Iterable[tuple[bool, bool]]) -> Agreement:
    """Return precision, recall and Cohen's kappa of (what a metric said, what people said); nan where undefined."""
    counts = collections.Counter(pairs)
    hits, wrong = counts[True, True], counts[True, False]
    missed, rest = counts[False, True], counts[False, False]
    total = hits + wrong + missed + rest
    chance = ((hits + wrong) * (hits + missed) + (missed + rest) * (wrong + rest)) / total**2
    return Agreement(
        hits / (hits + wrong) if hits + wrong else float("nan"),
        hits / (hits + missed) if hits + missed else float("nan"),
        ((hits + rest) / total - chance) / (1 - chance) if chance < 1 else float("nan"),
    )


def _squad(text: str) -> str:
    """Normalise as SQuAD's evaluation does: lower case, no punctuation, no articles, single spaces."""
    plain = "".join(character for character in text.lower() if character not in string.punctuation)
    return " ".join(re.sub(r"\b(?:a|an|the)\b", " ", plain).split())


def ours(row: Row) -> bool:
    """Decide by rules alone."""
    first, *others = row["references"]
    return score(row["question"], first, row["prediction"], "phrase", others).score == 1


def exact_match(row: Row) -> bool:
    """Decide as SQuAD's exact match."""
    return _squad(row["prediction"]) in map(_squad, row["references"])


def containment(row: Row) -> bool:
    """Decide by whether the response has a reference, both normalised as for SQuAD, as whole words."""
    said = f" {_squad(row['prediction'])} "
    return any(f" {_squad(reference)} " in said for reference in row["references"])


def math_verify(row: Row) -> bool:
    """Decide as a trainer that hands text to math-verify does."""
    from math_verify import parse, verify

    said = parse(row["prediction"], parsing_timeout=2)
    return any(verify(parse(reference, parsing_timeout=2), said, timeout_seconds=2) for reference in row["references"])


METRICS: Final[dict[str, Metric]] = {
    "webscale-rl": ours,
    "SQuAD exact match": exact_match,
    "containment": containment,
    "math-verify": math_verify,
}


def read(path: Path) -> Iterator[Row]:
    """Yield the pairs of a file."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, filter(str.strip, lines))


PASSES: Final = 5


class Scored(NamedTuple):
    """What one pass of a metric said of each pair, and the microseconds that it took for each."""

    said: list[bool]
    times: list[float]


def _pass(name: str, path: Path) -> Scored:
    rows = list(read(path))
    gc.collect()
    gc.freeze()  # what the pairs take is no part of a metric
    metric, verdicts, times = METRICS[name], [], []
    for row in rows:
        start = time.perf_counter_ns()
        said = metric(row)
        times.append((time.perf_counter_ns() - start) / 1000)
        verdicts.append(said)
    return Scored(verdicts, times)


def _compare(name: str, path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        passes = [pool.apply(_pass, (name, path)) for _ in range(PASSES)]
    times = [min(of_a_pair) for of_a_pair in zip(*(scored.times for scored in passes), strict=True)]
    medians = [statistics.median(scored.times) for scored in passes]
    print(
        f"{name}: {statistics.median(times):.1f} us a pair (median), {max(times):.0f} us (worst); "
        f"the median of a pass: {min(medians):.1f} to {max(medians):.1f} us"
    )
    verdicts: dict[str, list[tuple[bool, bool]]] = collections.defaultdict(list)
    for row, said in zip(read(path), passes[0].said, strict=True):
        verdicts[row["source"]].append((said, row["label"]))
    for source, pairs in verdicts.items():
        found = agreement(pairs)
        print(
            f"  {source:12} {len(pairs):6} pairs   precision {found.precision:.3f}   recall {found.recall:.3f}"
            f"   kappa {found.kappa:.3f}"
        )


def main() -> None:
    """Print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", type=Path, required=True, help="pairs that people have labelled")
    path = parser.parse_args().input
    for name in METRICS:
        if name == "math-verify" and importlib.util.find_spec("math_verify") is None:
            print("math-verify: not installed (pip install 'webscale-rl[math]')")
            continue
        _compare(name, path)


if __name__ == "__main__":
    main()
