"""CommitRun: the last step of the DAG checks that every input is accounted for; then manifest and `_SUCCESS` follow."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import apache_beam as beam

from schemas.config import STAGES
from schemas.counts import Counts, StageCounts, imbalances, merge, stage_counts
from transforms.catalog import Part, enter
from transforms.files import delete, delete_tree, read_json, write_text
from transforms.ledger import WAITING
from transforms.llm.usage import FIELDS, Field
from transforms.lock import release
from transforms.output import MANIFEST, OWNER, SCRATCH, SUCCESS, has_ended, unnamed_files
from transforms.report import report_or_reason
from transforms.state import State, confirm, lay_down

STATE: Final = "state"
"""Directory within scratch where what the run leaves for later ones waits for its end."""


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What is known before the run starts and belongs into its manifest.

    Attributes:
      output: the run's directory.
      stages: those that the run goes through, in the order of the figure.
      until: the last of them where the run was told to stop there, or null.
      expected_rows: rows that reading must account for.
      max_error_share: share of a stage's input that may end as errors.
      started: seconds since the epoch.
      run_id: the run's name.
      state: what earlier runs left, to which this one adds once it is complete; null for a run on its own.
      about: the run's configuration, versions and prompt fingerprints, as JSON values.
      part: what it adds to the catalogue of a root, whose lock its last step gives up; null for a run outside of one.
      benchmarks: how many items each evaluation set has that the pairs are compared with.
      signed: files by which a client that does not wait keeps others out; they go with the run's end.
    """

    output: str
    stages: tuple[str, ...]
    until: str | None
    expected_rows: int
    max_error_share: float
    started: float
    run_id: str
    about: Mapping[str, Any]
    state: State | None = None
    part: Part | None = None
    signed: tuple[str, ...] = ()
    benchmarks: Mapping[str, int] = field(default_factory=dict)

    @property
    def known_errors(self) -> int:
        """How many rows of the input ended as errors before, so that they are no news."""
        return self.part.known_errors if self.part else 0

    @property
    def scratch(self) -> str:
        """The run's own directory for what it needs until its end."""
        return f"{self.output}/{SCRATCH}/{self.run_id}"


def unfinished(lines: list[StageCounts], max_error_share: float, known_errors: int = 0) -> list[str]:
    """Return why a run is not complete, a sentence each: pending work, or too many errors in a stage.

    Args:
      known_errors: how many may come again beside the share.
    """
    reasons = [f"{line.stage}: {line.pending} pending ({', '.join(line.waiting)})" for line in lines if line.pending]
    reasons.extend(
        f"{line.stage}: {line.errors} of {line.arrived} ended as errors, more than {max_error_share:.0%}"
        for line in lines
        if line.errors > max_error_share * line.arrived + known_errors
    )
    return reasons


def usage_table(counts: Counts) -> list[dict[str, Any]]:
    """Return calls, tokens and cost per stage and model, in the order of the stages."""
    table = []
    for stage, model in sorted({(key[0], key[2]) for key in counts if key[1] == "usage"}, key=_figure_order):
        own = {key[3]: n for key, n in counts.items() if key[:3] == (stage, "usage", model)}
        spent = {str(field): own.get(field, 0) for field in FIELDS}
        dollars = {f"{prefix}cost_usd": spent.pop(f"{prefix}cost_nano_usd") / 1e9 for prefix in ("", "replayed_")}
        failed = {name.removeprefix("failed_"): n for name, n in sorted(own.items()) if name.startswith("failed_")}
        table.append({"stage": stage, "model": model, **spent, **dollars, "failed_calls": failed})
    return table


def cost(counts: Counts, pairs: int | None) -> dict[str, float | None]:
    """Return what a run has paid, what its answers from the cache had cost before, and both per pair that it kept.

    Answers that earlier runs paid for and discarded are in none of them, only in the cache.

    Args:
      pairs: how many it kept, null where it makes none.
    """

    def nano(field: Field) -> int:
        return sum(n for key, n in counts.items() if key[1] == "usage" and key[3] == field)

    paid, replayed = nano("cost_nano_usd"), nano("replayed_cost_nano_usd")
    return {
        "usd": paid / 1e9,
        "replayed_usd": replayed / 1e9,
        "usd_per_kept_pair": (paid + replayed) / 1e9 / pairs if pairs else None,
    }


def contamination(benchmarks: Mapping[str, int], lines: Sequence[StageCounts]) -> list[dict[str, Any]]:
    """Return how many pairs were found to be of each evaluation set, by which rules, whatever became of them."""
    figures = next((line.figures for line in lines if line.stage == "decontaminate"), {})
    table = []
    for name, items in benchmarks.items():
        rules = {key.rpartition("/")[2]: n for key, n in figures.items() if key.rpartition("/")[0] == name}
        table.append({"benchmark": name, "items": items, "pairs": sum(rules.values()), "rules": rules})
    return table


def _figure_order(place: tuple[str, str]) -> tuple[int, str]:
    return STAGES.index(place[0]), place[1]


def manifest(facts: RunFacts, counts: Counts, written: Mapping[str, int], now: float) -> dict[str, Any]:
    """Return the content of `manifest.json`.

    Raises:
      RuntimeError: documents or pairs were lost or made from nothing; a defect, so the run must not pass for complete.
    """
    lines = [stage_counts(counts, stage) for stage in facts.stages]
    rows = next(written[name] for name in ("qa", "pairs", "documents") if name in written)
    problems = imbalances(lines, facts.expected_rows, rows)
    for directory, door in (("rejected", "rejected"), ("errors", "errors")):
        due = sum(getattr(line, door) for line in lines)
        if written[directory] != due:
            problems.append(f"{directory}/: {due} rows were due, {written[directory]} were written")
    if "pending" in written:
        due = sum(line.figures.get(WAITING, 0) for line in lines)
        if written["pending"] != due:
            problems.append(f"pending/: {due} rows were due, {written['pending']} were written")
    problems += _forgotten(lines, written)
    if problems:
        raise RuntimeError("the run's counts do not add up: " + "; ".join(problems))
    reasons = unfinished(lines, facts.max_error_share, facts.known_errors)
    return {
        "run_id": facts.run_id,
        **facts.about,
        **({} if facts.state is None else {"earlier": facts.state.figures}),
        "until": facts.until,
        "complete": facts.until is None and not reasons,
        "unfinished": reasons,
        "stages": [line.as_json() for line in lines],
        "usage": usage_table(counts),
        **({"contamination": contamination(facts.benchmarks, lines)} if facts.benchmarks else {}),
        "cost": cost(counts, None if "documents" in written else rows),
        "rows": dict(sorted(written.items())),
        "wall_seconds": round(now - facts.started, 3),
    }


def _forgotten(lines: list[StageCounts], written: Mapping[str, int]) -> list[str]:
    """Return how what is left for later runs differs from what the run has decided and superseded."""
    if f"{STATE}/documents" not in written or any(line.pending for line in lines):
        return []  # what is pending is not decided yet, and nothing is laid down
    decided = next(line.kept for line in lines if line.stage == "dedup") + written["superseded"]
    due = {"documents": decided, "questions": written["qa"]}
    return [
        f"state: {rows} {name} were due, {written[f'{STATE}/{name}']} were written"
        for name, rows in due.items()
        if written[f"{STATE}/{name}"] != rows
    ]


class CommitRun(beam.PTransform):
    """Write manifest and `_SUCCESS` once everything else is written.

    Input: a tuple of two PCollections: `Counts` of all stages, and (directory, rows) of all shards.
    Output: one element, the manifest.
    """

    def __init__(self, facts: RunFacts) -> None:
        super().__init__()
        self.facts = facts

    def expand(self, inputs: Any) -> Any:
        counts, shards = inputs
        total = counts | "AddCounts" >> beam.CombineGlobally(merge).without_defaults()
        return (
            total.pipeline
            | "Once" >> beam.Create([None])
            | "Commit"
            >> beam.Map(
                _commit,
                facts=self.facts,
                counts=beam.pvalue.AsSingleton(total, default_value=Counter()),
                shards=beam.pvalue.AsIter(shards),
            )
        )


def _commit(_: None, facts: RunFacts, counts: Counts, shards: Iterable[tuple[str, int]]) -> dict[str, Any]:
    written: dict[str, int] = {}
    for directory, rows in shards:
        written[directory] = written.get(directory, 0) + rows
    if has_ended(facts.output, facts.run_id):  # a runner tries the last step again, and perhaps others before it
        _clear(facts, written, facts.scratch)
        content = dict(read_json(f"{facts.output}/{MANIFEST}"))
        _give_up_lock(facts, content)
        return content
    content = manifest(facts, counts, written, time.time())
    if (reason := report_or_reason(facts.output, content)) is not None:
        content["report_failed"] = reason
    write_text(f"{facts.output}/{MANIFEST}", json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    if content["complete"]:
        if facts.state is not None:
            lay_down(facts.state, facts.run_id, f"{facts.scratch}/{STATE}")
        write_text(f"{facts.output}/{SUCCESS}", "")
        if facts.part is not None:
            enter(facts.part, facts.output, content)
        elif facts.state is not None:
            confirm(facts.state, facts.run_id)
    # First, as what tells that nothing is left to be done; from here on no worker gives a file its name.
    delete([f"{facts.output}/{OWNER}", *facts.signed])
    _clear(facts, written, f"{facts.output}/{SCRATCH}")
    _give_up_lock(facts, content)
    return content


def _clear(facts: RunFacts, written: Mapping[str, int], scratch: str) -> None:
    """Delete what the run needed until its end, and what its workers that died have left beside its shards."""
    delete(unnamed_files(facts.output, written))
    delete_tree(scratch)


def _give_up_lock(facts: RunFacts, content: Mapping[str, Any]) -> None:
    """Let the next refresh of the root begin: here and not in the client, who may be gone.

    But where requests are pending the client waits for batches, and for the round that follows.
    """
    if facts.part is not None and not content["rows"].get("pending"):
        release(facts.part.root, facts.run_id)
