"""From a run's directory to its report, and from two to their comparison."""

from __future__ import annotations

import logging
import posixpath
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from transforms.files import write_text
from transforms.llm.failures import mask
from transforms.output import REPORT
from transforms.report.diversity import cluster, diversity
from transforms.report.layout import lay_out
from transforms.report.page import Rows, page
from transforms.report.rows import Sample, Tally, read_pairs, read_rejected
from transforms.report.sources import Excerpts, add_excerpts
from transforms.report.vectors import vectors_of

KEPT: Final = 20_000
REJECTED: Final = 10_000
"""Rows that can be looked at in a report."""
OF_A_KIND: Final = 200
"""Of them, those that a domain or a reason has at least, where it has so many."""
POINTS: Final = 2_000
"""Questions on the map, of both runs together where two are compared."""
_LOG: Final = logging.getLogger(__name__)
_QUESTION: Final = 300
"""Characters of a question on the map."""
_CUT: Final = {
    "question": 1000, "answer": 300, "persona": 200, "evidence": 1000, "value": 500, "thought": 1000,
}  # fmt: skip
_SOURCE: Final = ("doc_id", "dataset", "url", "license", "path", "row_group", "row")


@dataclass(frozen=True, slots=True)
class Gathered:
    """What a report has of one run: the name it goes by, its manifest, and what its shards say.

    `tally` and `pairs` are null where a run has kept documents and no pairs.
    """

    name: str
    manifest: dict[str, Any]
    kind: str
    tally: Tally | None
    pairs: Sample | None

    @property
    def questions(self) -> list[dict[str, Any]]:
        """The sampled pairs that have a question, in the order of their ids, which is none."""
        rows = self.pairs.rows() if self.pairs else []
        return [row for row in sorted(rows, key=lambda row: str(row["id"])) if row["question"]]


def write_report(output: str, manifest: dict[str, Any], path: str | None = None) -> str:
    """Write the report of a run and return its path.

    Args:
      output: the run's directory; its shards are all written.
      manifest: as in `manifest.json`, which need not be there yet.
      path: where to write; null for `report.html` in the run's directory.

    Raises:
      OSError, BeamIOError, StorageError: shards cannot be read or the file not be written. That the corpus cannot be
        read again, or the embedding model not be asked, is said on the page.
      ShardError: a shard lacks a column.
    """
    run = _gather(output, manifest, KEPT)
    sampled = run.pairs.rows() if run.pairs else []
    rejected = read_rejected(f"{output}/rejected", REJECTED, OF_A_KIND).rows()
    excerpts = add_excerpts([*sampled, *rejected], manifest["config"])
    drawn, figures = _map([run])
    data = {"runs": [_run(run, figures[0])], "map": drawn, "excerpts": _excerpt_words(excerpts)}
    totals = manifest["rows"]
    rows = {
        "kept": Rows(totals[run.kind] if run.pairs else 0, [_row(row) for row in sampled]),
        "rejected": Rows(totals["rejected"], [_row(row) for row in rejected]),
    }
    target = path or f"{output}/{REPORT}"
    write_text(target, page(f"Report of {run.name}", data, rows))
    return target


def compare_runs(runs: Sequence[tuple[str, str, dict[str, Any]]], path: str) -> None:
    """Write a page with the figures of two runs beside each other.

    Their questions are drawn in equal number, and embedded and clustered together, so that the figures compare; where
    one has none, the other's are drawn alone.

    Args:
      runs: (name, directory, manifest) of each.

    Raises:
      OSError, BeamIOError, StorageError, ShardError: as `write_report`.
    """
    gathered = [_gather(output, manifest, POINTS, name) for name, output, manifest in runs]
    drawn, figures = _map(gathered)
    personas = {persona for run in gathered if run.tally for persona in run.tally.frequent_personas()}
    data = {
        "runs": [_run(run, figure, personas) for run, figure in zip(gathered, figures, strict=True)],
        "map": drawn,
        "excerpts": [],
    }
    write_text(path, page(f"{gathered[0].name} and {gathered[1].name}", data, {}))


def report_or_reason(output: str, manifest: dict[str, Any]) -> str | None:
    """Write a run's report; return why that failed, in one line, where it did.

    What has been paid for is not lost for want of a page: whoever calls this goes on.
    """
    try:
        write_report(output, manifest)
    except Exception as error:  # whatever it is
        reason = mask(" ".join(f"{type(error).__name__}: {error}".split())[:500])
        _LOG.warning("no report of %s was made: %s", output, reason, exc_info=error)
        return reason
    return None


def _gather(output: str, manifest: dict[str, Any], size: int, name: str | None = None) -> Gathered:
    kind = next(kind for kind in ("qa", "pairs", "documents") if kind in manifest["rows"])
    tally, pairs = (None, None) if kind == "documents" else read_pairs(f"{output}/{kind}", size, OF_A_KIND)
    return Gathered(name or posixpath.basename(output) or output, manifest, kind, tally, pairs)


def _run(run: Gathered, figures: dict[str, Any] | None, personas: Collection[str] = ()) -> dict[str, Any]:
    manifest = run.manifest
    names = ("run_id", "started", "complete", "unfinished", "until", "stages", "usage", "cost", "rows", "wall_seconds")
    return {
        "name": run.name,
        "kind": run.kind,
        **{name: manifest.get(name) for name in names},
        "contamination": manifest.get("contamination"),
        "distributions": run.tally.as_json(personas) if run.tally else None,
        "diversity": figures,
    }


def _map(runs: Sequence[Gathered]) -> tuple[dict[str, Any] | None, list[dict[str, Any] | None]]:
    """Return the map of the runs' questions, as many of each that has any, and the diversity of each run's."""
    asked = {number: rows for number, run in enumerate(runs) if (rows := run.questions)}
    if not asked:
        return None, [None] * len(runs)
    each = min(POINTS // len(asked), *map(len, asked.values()))
    drawn = [(number, row) for number, rows in asked.items() for row in rows[:each]]
    embeddings = [runs[number].manifest["config"].get("report", {}).get("embedding") for number in asked]
    same = all(embedding == embeddings[0] for embedding in embeddings)
    vectors = vectors_of([row["question"] for _, row in drawn], embeddings[0] if same else None)
    clusters = cluster(vectors)
    points = np.round(lay_out(vectors.vectors) * 1000).astype(int).tolist()
    of = np.array([number for number, _ in drawn])
    figures = [
        diversity(vectors.vectors[of == number], clusters.of[of == number], len(clusters.names))
        if number in asked
        else None
        for number in range(len(runs))
    ]
    return {
        "method": vectors.method,
        "note": vectors.note if same else _not_comparable(embeddings),
        "clusters": list(clusters.names),
        "points": [
            {
                "x": x,
                "y": y,
                "run": number,
                "cluster": int(place),
                "domain": row["domain"],
                "question": row["question"][:_QUESTION],
                "answer": (row["answer"] or "")[: _CUT["answer"]],
            }
            for (x, y), (number, row), place in zip(points, drawn, clusters.of, strict=True)
        ],
    }, figures


def _not_comparable(embeddings: Sequence[dict[str, Any] | None]) -> str:
    models = " and ".join(embedding["model"] if embedding else "none" for embedding in embeddings)
    return (
        f"The runs have different report.embedding ({models}), and vectors of two models do not compare: words were"
        " counted."
    )


def _row(row: dict[str, Any]) -> dict[str, Any]:
    """Return what the page shows of a row: what is long is cut, what is empty is left out."""
    shown = {name: value for name, value in row.items() if name not in ("source", "prompts", "calls", "models")}
    for name, length in _CUT.items():
        if shown.get(name) is not None:
            shown[name] = _cut(shown[name], length)
    if shown.get("excerpt") is not None:
        before, evidence, after = shown["excerpt"]
        shown["excerpt"] = [before, _cut(evidence, _CUT["evidence"]), after]
    shown["source"] = {name: row["source"][name] for name in _SOURCE if row["source"][name] is not None}
    if "models" in row:
        shown["models"] = {stage: model for stage, model in row["models"].items() if model is not None}
    return {name: value for name, value in shown.items() if value not in (None, [], {})}


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[:length] + " …"


def _excerpt_words(excerpts: Excerpts) -> list[str]:
    """Return what a reader must know of the documents that are not shown, a sentence each."""
    words = []
    if excerpts.unreadable:
        words.append(f"{_sources(excerpts.unreadable)} could not be read again ({excerpts.reason or 'as others'}).")
    if excerpts.changed:
        words.append(f"{_sources(excerpts.changed)} changed since the run, and cannot be shown.")
    if excerpts.skipped:
        words.append(f"{_sources(excerpts.skipped)} cannot be shown: what a report reads again is bounded.")
    return words


def _sources(n: int) -> str:
    return "The source of one row" if n == 1 else f"The sources of {n:,} rows"
