"""What an operator expects of a run, and where a run differs: read off its manifest, when nobody watches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Band:
    """The band that a run's figures should stay in; null expects nothing.

    Attributes:
      min_yield, max_yield: pairs kept for each document that was new, in [0, inf).
      max_error_share: share of a stage's input that ended as errors, in [0, 1].
    """

    min_yield: float | None = None
    max_yield: float | None = None
    max_error_share: float | None = None


def outside(band: Band, manifest: Mapping[str, Any]) -> list[str]:
    """Return where a run left its band, a sentence with the remedy each.

    New is a document that could be read and was not known. A run without one has no yield, and is in any band of it.

    Args:
      manifest: the content of `manifest.json`.
    """
    return [*_yield_outside(band, manifest), *_errors_outside(band, manifest)]


def _yield_outside(band: Band, manifest: Mapping[str, Any]) -> list[str]:
    if band.min_yield is None and band.max_yield is None:
        return []
    pairs = manifest["rows"].get("qa")
    if pairs is None:
        return [f"yield: the run ends with {manifest['until']} and makes no qa/; expect one of whole runs alone"]
    read = manifest["stages"][0]
    documents = read["in"] - read["reasons"].get("unchanged", 0) - read["errors"]  # of damage no pair can come
    if not documents:
        return []
    found = f"yield: {pairs:,} pairs of {documents:,} new documents, {pairs / documents:.3g} of each"
    if band.min_yield is not None and pairs < band.min_yield * documents:
        return [f"{found}, less than {band.min_yield:g}; the funnel has the stage and its reasons, rejected/ the rows"]
    if band.max_yield is not None and pairs > band.max_yield * documents:
        return [f"{found}, more than {band.max_yield:g}; read some of qa/: a judge or a rule may let everything pass"]
    return []


def _errors_outside(band: Band, manifest: Mapping[str, Any]) -> list[str]:
    share = band.max_error_share
    if share is None:
        return []
    return [
        f"{stage['stage']}: {stage['errors']:,} of {stage['in']:,} ended as errors, more than {share:.3%};"
        " errors/ has their messages"
        for stage in manifest["stages"]
        if stage["errors"] > share * stage["in"]
    ]
