"""How many went where. A count is data: stages emit counters, and the manifest is made of their sum."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from schemas.config import DOCUMENT_STAGES

Counts = Counter[tuple[str, ...]]
"""Keys are (stage, door), (stage, "reason", NAME), (stage, "failure", CLASS), (stage, "waiting", CAUSE),
(stage, "fan_out"), (stage, "figure", NAME) or (stage, "usage", MODEL, FIELD)."""

DOORS: Final = ("kept", "rejected", "errors", "pending")
"""By exactly one of these every input of a stage leaves."""


def metric_name(key: tuple[str, ...]) -> str | None:
    """Return a count's name on dashboards, "STAGE/COUNT" as the manifest calls it, a stage's models added up.

    Reasons, failures and figures have none: dashboards pay by the name, and the manifest has them.
    """
    if len(key) == 2:
        return "/".join(key)
    return f"{key[0]}/{key[3]}" if key[1] == "usage" else None


def key_of(name: str) -> tuple[str, ...]:
    """Return the key of a count by its name on dashboards; a usage has no model there."""
    stage, _, count = name.partition("/")
    return (stage, count) if count in ("in", *DOORS, "fan_out") else (stage, "usage", "", count)


def merge(parts: Any) -> Counts:
    """Add up an iterable of `Counts`: a combiner, so in any order and grouping; nothing gives an empty counter."""
    total: Counts = Counter()
    for part in parts:
        total.update(part)
    return total


@dataclass(frozen=True, slots=True)
class StageCounts:
    """One stage's line of the manifest.

    `fan_out` is the number of pairs that the kept documents will become, `figures` what else the stage counted.
    """

    stage: str
    unit: str
    arrived: int
    kept: int
    rejected: int
    errors: int
    pending: int
    reasons: dict[str, int]
    failures: dict[str, int]
    waiting: dict[str, int] = field(default_factory=dict)
    fan_out: int | None = None
    figures: dict[str, int] = field(default_factory=dict)

    @property
    def leaves(self) -> int:
        """What the next stage must find on arrival."""
        return self.kept if self.fan_out is None else self.fan_out

    @property
    def balanced(self) -> bool:
        """Whether every input left by exactly one door."""
        return self.arrived == self.kept + self.rejected + self.errors + self.pending

    def as_json(self) -> dict[str, Any]:
        """Return the stage's entry in `manifest.json`."""
        entry: dict[str, Any] = {
            "stage": self.stage,
            "unit": self.unit,
            "in": self.arrived,
            "kept": self.kept,
            "rejected": self.rejected,
            "errors": self.errors,
            "pending": self.pending,
            "reasons": self.reasons,
            "failures": self.failures,
        }
        if self.waiting:
            entry["waiting"] = self.waiting
        if self.fan_out is not None:
            entry["fan_out"] = self.fan_out
        if self.figures:
            entry["figures"] = self.figures
        return entry


def stage_counts(counts: Counts, stage: str) -> StageCounts:
    """Return one stage's line from the run's counts; reasons and failures are sorted by number, then by name."""

    def by_name(kind: str) -> dict[str, int]:
        named = {key[2]: n for key, n in counts.items() if key[:2] == (stage, kind)}
        return dict(sorted(named.items(), key=lambda item: (-item[1], item[0])))

    return StageCounts(
        stage=stage,
        unit="document" if stage in DOCUMENT_STAGES else "pair",
        arrived=counts[stage, "in"],
        kept=counts[stage, "kept"],
        rejected=counts[stage, "rejected"],
        errors=counts[stage, "errors"],
        pending=counts[stage, "pending"],
        reasons=by_name("reason"),
        failures=by_name("failure"),
        waiting=by_name("waiting"),
        fan_out=counts[stage, "fan_out"] if stage == "classify" else None,
        figures={key[2]: n for key, n in sorted(counts.items()) if key[:2] == (stage, "figure")},
    )


def imbalances(lines: list[StageCounts], expected_rows: int, written: int) -> list[str]:
    """Return what does not add up, a sentence each: documents lost, made from nothing, or counted twice.

    Args:
      lines: the stages that ran, in the order of the figure.
      expected_rows: rows by the files' footers (and one for each file without a readable footer).
      written: rows found in the shards of the last stage's output.
    """
    problems = [
        f"{line.stage}: {line.arrived} in, but {line.kept} kept + {line.rejected} rejected + {line.errors} errors"
        f" + {line.pending} pending"
        for line in lines
        if not line.balanced
    ]
    due = expected_rows
    for line in lines:
        if line.arrived != due:
            problems.append(f"{line.stage}: {due} {line.unit}s were due, {line.arrived} arrived")
        due = line.leaves
    kept = lines[-1].kept
    if written != kept:
        problems.append(f"write: {kept} rows were due, {written} were written")
    return problems
