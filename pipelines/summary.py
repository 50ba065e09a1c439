"""What a person sees at the end of a run: the funnel, three pairs and the places of the files."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any, Final

import pyarrow.parquet as pq

from transforms.files import list_files, open_parquet
from transforms.minhash import probability

_SAMPLE_PAIRS: Final = 3
_SIMILARITIES: Final = (0.5, 0.6, 0.7, 0.8, 0.9)


def funnel(manifest: dict[str, Any]) -> str:
    """Return the stages as a table, each with its most frequent reasons."""
    rows = [f"{'stage':<13}{'in':>9}{'kept':>9}{'rejected':>10}{'errors':>8}{'pending':>9}  most frequent reasons"]
    for stage in manifest["stages"]:
        reasons = {**stage["reasons"], **stage["failures"]}
        named = ", ".join(f"{name} {n}" for name, n in list(reasons.items())[:3])
        rows.append(
            f"{stage['stage']:<13}{stage['in']:>9,}{stage['kept']:>9,}{stage['rejected']:>10,}"
            f"{stage['errors']:>8,}{stage['pending']:>9,}  {named}".rstrip()
        )
    return "\n".join(rows)


def dedup_words(figures: dict[str, int], settings: dict[str, Any]) -> str:
    """Return what near-duplicate removal looked at: its S-curve, its comparisons, and whether the cap left any out.

    Args:
      figures: of the stage, as the manifest has them.
      settings: the configuration `dedup`.
    """
    bands, rows = settings["bands"], settings["rows"]
    curve = ", ".join(f"{j}: {probability(j, bands, rows):.3f}" for j in _SIMILARITIES)
    words = (
        f"dedup, {bands} bands of {rows} rows, finds a pair by its similarity with the probability {curve}.\n"
        f"{figures['comparisons']:,} comparisons among {figures['candidates']:,} documents in"
        f" {figures['components']:,} components, the largest of {figures['largest_component']:,}."
    )
    if figures["capped"]:
        words += (
            f"\n{figures['capped']:,} documents were compared with {settings['max_comparisons']:,} survivors and not"
            " with all that share a band: raise dedup.max_comparisons to miss none."
        )
    return words


def contamination_words(table: list[dict[str, Any]], action: str) -> str:
    """Return how many pairs are of which evaluation sets.

    Args:
      table: `contamination` of the manifest.
      action: what becomes of them, drop or mark.
    """
    items = sum(row["items"] for row in table)
    found = ", ".join(f"{row['benchmark']} {row['pairs']:,}" for row in table if row["pairs"]) or "none"
    done = {"drop": "dropped", "mark": "marked"}[action]
    return f"Compared with {items:,} items of {len(table):,} evaluation sets; {done} as theirs: {found}."


def difficulty_words(figures: dict[str, int]) -> str:
    """Return how a policy did on the questions it was asked.

    Args:
      figures: of the stage closed_book: "passes N" is how many pairs have so many right samples.
    """
    passes = {int(name.removeprefix("passes ")): n for name, n in figures.items() if name.startswith("passes ")}
    pairs, right = sum(passes.values()), sum(number * n for number, n in passes.items())
    spread = ", ".join(f"{number}: {n:,}" for number, n in sorted(passes.items()))
    return (
        f"Closed book, {pairs:,} questions: {passes.get(0, 0) / pairs:.0%} are answered by no sample,"
        f" {right / pairs:.2f} samples a question are right (questions by right samples: {spread})."
    )


def sample_pairs(output: str, directory: str) -> list[dict[str, Any]]:
    """Return up to three pairs of the first shard, of different domains as far as they go."""
    shards = list_files(f"{output}/{directory}/part-*.parquet")
    if not shards:
        return []
    with open_parquet(shards[0]) as file:
        rows = next(_batches(file, ["domain", "persona", "question", "answer", "source"]), [])
    by_domain = {row["domain"]: row for row in reversed(rows)}
    chosen = list(by_domain.values())[:_SAMPLE_PAIRS]
    return chosen + [row for row in rows if row not in chosen][: _SAMPLE_PAIRS - len(chosen)]


def _batches(file: pq.ParquetFile, columns: list[str]) -> Iterator[list[dict[str, Any]]]:
    for batch in file.iter_batches(batch_size=200, columns=columns):
        yield batch.to_pylist()


def summary(output: str, manifest: dict[str, Any]) -> str:
    """Return the closing words of a run."""
    kind = next(name for name in ("qa", "pairs", "documents") if name in manifest["rows"])
    rows = manifest["rows"][kind]
    parts = [funnel(manifest)]
    figures = {stage["stage"]: stage.get("figures") for stage in manifest["stages"]}
    if figures.get("dedup"):
        parts.append(dedup_words(figures["dedup"], manifest["config"]["dedup"]))
    if table := manifest.get("contamination"):
        parts.append(contamination_words(table, manifest["config"]["decontaminate"]["on_contaminated"]))
    if any(name.startswith("passes ") for name in figures.get("closed_book") or ()):
        parts.append(difficulty_words(figures["closed_book"]))
    if not rows:
        parts.append(f"Nothing was kept: {_why_nothing(manifest)}")
    elif kind != "documents":
        parts.extend(_show_pair(pair) for pair in sample_pairs(output, kind))
    if earlier := manifest.get("earlier"):
        parts.append(
            f"Known from {earlier['runs']:,} earlier runs: {earlier['documents']:,} documents,"
            f" {earlier['questions']:,} questions."
        )
    if (gone := manifest["rows"].get("superseded")) and manifest["until"] is None:
        parts.append(f"{gone:,} of them superseded: {output}/superseded has the pairs to take out.")
    if manifest["rows"]["errors"]:
        parts.append(first_error(output).strip())
    usage = manifest["usage"]
    calls, hits = sum(row["calls"] for row in usage), sum(row["cache_hits"] for row in usage)
    parts.append(
        f"{rows:,} {'documents' if kind == 'documents' else 'pairs'} in {output}/{kind}, "
        f"{manifest['rows']['rejected']:,} rejected in {output}/rejected, "
        f"{manifest['rows']['errors']:,} errors in {output}/errors;\n"
        f"counts and configuration in {output}/manifest.json, {_where_to_look(output, manifest)}. "
        f"{calls:,} model calls, {hits:,} answers from the cache, {cost_words(manifest['cost'])},"
        f" {manifest['wall_seconds']:.1f} s."
    )
    if batches := manifest.get("batches"):
        parts.append(
            f"{batches['requests']:,} requests in {batches['batches']:,} batches so far,"
            f" {batches['answered']:,} answered; ${batches['cost_nano_usd'] / 1e9:,.2f}, invalid answers included."
        )
    return "\n\n".join(parts)


def _where_to_look(output: str, manifest: dict[str, Any]) -> str:
    if reason := manifest.get("report_failed"):
        return f"but no report ({reason}): webscale-rl report {output} tries again"
    return f"figures and pairs to look at in {output}/report.html"


def cost_words(cost: dict[str, float | None]) -> str:
    """Return what a run has paid and, where there is any, what its replayed answers had cost and a pair takes.

    Args:
      cost: as the manifest has it.
    """
    words = f"${cost['usd']:,.2f}"
    more = []
    if before := cost["replayed_usd"]:
        more.append(f"${before:,.2f} paid before for answers from the cache")
    if each := cost["usd_per_kept_pair"]:
        more.append(f"${each:,.{2 if each >= 1 else 6}f} a kept pair")
    return f"{words} ({', '.join(more)})" if more else words


def first_error(output: str) -> str:
    """Return a sentence about the first row of `errors/`; none is an empty one."""
    for path in list_files(f"{output}/errors/part-*.parquet"):
        with open_parquet(path) as file:
            for row in next(_batches(file, ["stage", "error", "message", "source"]), []):
                return f"The first error ({row['source']['path']}): {row['stage']}, {row['error']}: {row['message']}. "
    return ""


def _why_nothing(manifest: dict[str, Any]) -> str:
    if not manifest["stages"][0]["in"]:
        return "the input has no rows."
    if manifest["stages"][0]["reasons"].get("unchanged") == manifest["stages"][0]["in"]:
        return "no document is new."
    for stage in manifest["stages"]:
        if not stage["kept"] and stage["pending"]:
            return f"{stage['pending']:,} {stage['unit']}s wait at {stage['stage']}."
        if not stage["kept"]:
            reasons = {**stage["reasons"], **stage["failures"]}
            named = ", ".join(f"{name} ({n})" for name, n in reasons.items()) or "nothing arrived"
            return f"the last {stage['unit']}s ended at {stage['stage']}: {named}."
    return "no stage kept a row."


def _show_pair(pair: dict[str, Any]) -> str:
    question = textwrap.fill(pair["question"], 100, initial_indent="Q  ", subsequent_indent="   ")
    answer = textwrap.fill(pair["answer"], 100, initial_indent="A  ", subsequent_indent="   ")
    return f"{question}\n{answer}\n   {pair['domain']}, for {pair['persona']}; from {pair['source']['doc_id']}"
