"""Measures what the free rules of a pair, and models behind them, catch of planted bad pairs and drop of good ones.

    webscale-rl run --input CORPUS --until generate --output RUN
    python -m bench.checks --pairs RUN/pairs --input CORPUS [--judge MODEL] [--round-trip MODEL] [--closed-book MODEL]
    python -m bench.checks --questions answer_equivalence.jsonl.gz --gsm8k gsm8k_test.jsonl.gz

The good pairs are those of a run; pairs/ holds them as they were generated, qa/ those that the rules have let pass, on
which nothing can be wrongly dropped. From them 400 bad ones are made by the templates of `bench.planting`. Some kinds
no free rule can see: a wrong answer that stands in the evidence, a question that anyone can guess. They are for the
stages that ask a model: each is measured on what those before it let pass, only where its model is named. Closed book
drops here what every sample gets right.

Questions that people asked, with people's answers, measure false alarms of the rules that need no document.
"""

from __future__ import annotations

import argparse
import collections
import itertools
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow.dataset as ds

from bench.planting import KINDS, Planted, plant
from bench.rewards import read
from prompts import PromptSet, load_prompts
from schemas.config import ClosedBookSettings
from schemas.config_filters import CheckLimits
from schemas.records import Document, Pair, Slot, Source, text_sha256, to_table
from transforms.checks import reject_reason
from transforms.closed_book import ClosedBook
from transforms.judge import JudgeQA
from transforms.llm.client import ClientSettings
from transforms.llm.requests import Settings
from transforms.llm.shared import SharedClient
from transforms.llm.stage import Rule
from transforms.pairs import to_pair
from transforms.round_trip import RoundTrip

Column = Callable[[Sequence[Planted]], "list[str | None]"]
"""What decides on pairs: for each the reason why it goes, or None."""

_GOOD: Final = "good"
EACH: Final = 50


def rules(pairs: Sequence[Planted]) -> list[str | None]:
    """Decide by the free rules."""
    return [reason and reason[0] for reason in map(_reason, pairs)]


def _reason(pair: Planted) -> tuple[str, str] | None:
    return reject_reason(
        pair.question, pair.answer, pair.answer_type, pair.evidence, pair.document, aliases=pair.aliases
    )


STAGES: Final[dict[str, Callable[[PromptSet], Rule[Any]]]] = {
    "judge": JudgeQA,
    "round_trip": RoundTrip,
    "closed_book": lambda prompts: ClosedBook(prompts, ClosedBookSettings(drop_all_correct=True)),
}
"""The stages behind the rules, by their names, in the order of the figure."""


def asking(rule: Rule[Any], settings: Settings, cache: str) -> Column:
    """Return what decides as a stage does that asks a model; a pair on which it gave no answer stays."""

    def decide(pairs: Sequence[Planted]) -> list[str | None]:
        elements = [_row(pair) if rule.stage == "closed_book" else _document(pair) for pair in pairs]
        client = SharedClient(ClientSettings(models={rule.stage: settings}, cache=cache, concurrency=8))
        try:
            futures = [client.ask_all(rule.requests(element)) for element in elements]
            decisions = [
                rule.decide(element, future.result()) for element, future in zip(elements, futures, strict=True)
            ]
        finally:
            client.close()
        unanswered = sum(len(decision.failed) + len(decision.pending) for decision in decisions)
        print(f"{rule.stage}: {settings.model} left {unanswered} of {len(pairs)} pairs without an answer")
        return [decision.rejected[0].reason if decision.rejected else None for decision in decisions]

    return decide


def _document(pair: Planted) -> Document:
    slot = Slot(pair.key, pair.persona, pair.question, pair.answer, pair.aliases, pair.answer_type, pair.evidence)
    return Document(Source(pair.key, "", text_sha256=text_sha256(pair.document)), pair.document, slots=(slot,))


def _row(pair: Planted) -> dict[str, Any]:
    document = _document(pair)
    (row,) = to_table(Pair, [to_pair(document, document.slots[0])]).to_pylist()
    return dict(row)


def read_pairs(pairs: str, corpus: Sequence[str]) -> list[Planted]:
    """Return the pairs of a run with the texts of their documents, in the order of their ids."""
    rows = ds.dataset(pairs, format="parquet").to_table().to_pylist()
    wanted = {row["source"]["doc_id"] for row in rows}
    texts = {}
    for path in corpus:
        for batch in ds.dataset(path, format="parquet").to_batches(columns=["id", "text"]):
            found = zip(batch["id"].to_pylist(), batch["text"].to_pylist(), strict=True)
            texts.update((name, text) for name, text in found if name in wanted)
    return [
        Planted(
            row["question"], row["answer"], row["answer_type"], tuple(row["aliases"]), row["evidence"],
            texts[row["source"]["doc_id"]], row["persona"], row["id"],
        )
        for row in sorted(rows, key=lambda row: str(row["id"]))
        if row["source"]["doc_id"] in texts
    ]  # fmt: skip


def compare(pairs: Sequence[Planted], columns: dict[str, Column]) -> None:
    """Print what each column in turn catches of what those before it let pass."""
    planted = [(_GOOD, pair) for pair in pairs] + list(plant(pairs, EACH))
    totals = collections.Counter(kind for kind, _ in planted)
    caught: dict[str, dict[str, collections.Counter[str]]] = {}
    rest = planted
    for name, decide in columns.items():
        reasons = decide([pair for _, pair in rest])
        caught[name] = collections.defaultdict(collections.Counter)
        for (kind, _), reason in zip(rest, reasons, strict=True):
            if reason is not None:
                caught[name][kind][reason] += 1
        rest = [one for one, reason in zip(rest, reasons, strict=True) if reason is None]
    print(f"{'':24} {'pairs':>5}  " + "  ".join(f"{name:>11}" for name in columns) + "  by")
    for kind in (*KINDS, _GOOD):
        counts = [caught[name][kind] for name in columns]
        by = ", ".join(f"{reason} {count}" for counter in counts for reason, count in counter.most_common())
        shares = "  ".join(f"{counter.total():>11}" for counter in counts)
        print(f"{kind:24} {totals[kind]:>5}  {shares}  {by or '-'}")


def asked_by_people(path: Path) -> Iterator[Planted]:
    """Yield the questions of rows with question and references, each once; the evidence is the answer alone.

    Types are not known there, so an answer is a phrase, or a number where it is digits. The question mark, which people
    leave out, is added.
    """
    seen = set()
    for row in read(path):
        if row["question"] in seen:
            continue
        seen.add(row["question"])
        first, *others = row["references"]
        kind = "number" if first.isdecimal() else "phrase"
        yield Planted(f"{row['question'].rstrip(' ?')}?", first, kind, tuple(others), first, first)


def schoolbook(path: Path) -> Iterator[Planted]:
    """Yield the problems of GSM8K, whose final answer stands behind ####."""
    for row in read(path):
        answer = row["answer"].rpartition("####")[2].strip()
        yield Planted(row["question"], answer, "number", (), answer, answer)


def alarms(name: str, pairs: Iterable[Planted], shown: int) -> None:
    """Print what the rules say against pairs that are right, limits on length set aside."""
    limits = CheckLimits(max_answer_words=None, max_answer_characters=None, min_question_words=None)
    found: dict[str, list[str]] = collections.defaultdict(list)
    times = []
    for pair in pairs:
        start = time.thread_time_ns()
        reason = reject_reason(
            pair.question, pair.answer, pair.answer_type, pair.evidence, pair.document, limits, pair.aliases
        )
        times.append((time.thread_time_ns() - start) / 1000)
        if reason is not None:
            found[reason[0]].append(f"{pair.question} | {pair.answer} {list(pair.aliases)} | {reason[1]}")
    if not times:
        print(f"{name}: no pairs")
        return
    dropped = sum(map(len, found.values()))
    print(
        f"{name}: {len(times)} pairs, {dropped} dropped ({dropped / len(times):.2%});"
        f" {statistics.median(times):.0f} us a pair (median), {max(times):.0f} us (worst)"
    )
    for rule, examples in sorted(found.items(), key=lambda item: -len(item[1])):
        print(f"  {rule:28} {len(examples)}")
        for example in itertools.islice(examples, shown):
            print(f"    {example}")


def main() -> None:
    """Print the tables that the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", help="pairs/ or qa/ of a run")
    parser.add_argument("--input", nargs="+", default=[], help="the corpus that the run has read")
    for stage in STAGES:
        flag = f"--{stage.replace('_', '-')}"
        parser.add_argument(flag, metavar="MODEL", help=f"the model of {stage}, as litellm names it")
    parser.add_argument("--api-base", metavar="URL", help="where the models are served")
    parser.add_argument("--questions", type=Path, help="JSON Lines of question and references, by people")
    parser.add_argument("--gsm8k", type=Path, help="JSON Lines of GSM8K")
    parser.add_argument("--show", type=int, default=0, help="pairs to print a rule that drops what people asked")
    arguments = parser.parse_args()
    if arguments.pairs:
        pairs = read_pairs(arguments.pairs, arguments.input)
        with tempfile.TemporaryDirectory() as cache:
            columns: dict[str, Column] = {"rules": rules}
            for stage, rule in STAGES.items():
                if model := getattr(arguments, stage):
                    columns[stage] = asking(rule(load_prompts()), Settings(model, arguments.api_base), cache)
            compare(pairs, columns)
        alarms("good pairs", pairs, arguments.show)
    if arguments.questions:
        alarms("questions by people", asked_by_people(arguments.questions), arguments.show)
    if arguments.gsm8k:
        alarms("GSM8K", schoolbook(arguments.gsm8k), arguments.show)


if __name__ == "__main__":
    main()
