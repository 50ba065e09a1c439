"""What a change of settings or prompts would make anew in a root, and about what that costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydantic import JsonValue

from pipelines.inputs import plan_of
from pipelines.options import UsageError
from schemas.answers import Stage
from schemas.catalog import Asked, Catalog
from schemas.config import MODEL_STAGES, RunConfig
from transforms.catalog import Part

_NOTHING: Final = Asked(requests=0, usd=0.0)
_ASKED_BY: Final[Mapping[str, tuple[Stage, ...]]] = {
    "filters": (),
    "dedup": (),
    "checks": (),
    "closed_book": ("closed_book",),
    "decontaminate": ("decontaminate",),
}
"""The stages that a key has a say in what they ask; the first three decide who gets there alone. Others are all's."""
_LATER: Final = ("round_trip", "closed_book", "decontaminate")
_NEXT: Final = {"classify": ("generate", "judge", *_LATER), "generate": ("judge", *_LATER)}
"""The stages that ask about what a stage was answered."""


def check_settings(root: str, catalog: Catalog, part: Part, config: RunConfig) -> None:
    """Check that a run decides as those did that it goes on from.

    Raises:
      UsageError: it does not; the message says what making all anew would take.
    """
    differences = changes(catalog, part.settings, part.prompts)
    if differences:
        rows, files = plan_of(config).rows, len(catalog.files)
        raise UsageError(
            f"{root} was made with other settings ({', '.join(differences)}){_left_out(catalog, part)}: --full makes it"
            " anew with these,"
            f" {rows:,} documents of the corpus in place of {files:,} files that were read so far;"
            f" {cost_words(catalog, differences)}"
        )


def _left_out(catalog: Catalog, part: Part) -> str:
    """Return which settings of a catalogue's runs are not given any more: likely forgotten."""
    gone = sorted(key for key in catalog.settings if key not in part.settings and key != "models")
    return f"; give {', '.join(gone)} again to go on as before" if gone else ""


def changes(catalog: Catalog, settings: Mapping[str, JsonValue], prompts: Mapping[str, str]) -> list[str]:
    """Return the settings and prompts that are not those of a catalogue's runs, by their keys; none where it is new."""
    if not catalog.runs:
        return []
    found = [f"prompts.{stage}" for stage in MODEL_STAGES if catalog.prompts.get(stage) != prompts.get(stage)]
    for key in sorted(catalog.settings.keys() | settings.keys()):
        if key == "models":
            before, now = catalog.settings.get(key), settings.get(key)
            found += [f"models.{stage}" for stage in MODEL_STAGES if _of(before, stage) != _of(now, stage)]
        elif key not in settings or key not in catalog.settings or catalog.settings[key] != settings[key]:
            found.append(key)  # null may be a setting, and what is left out is as it is by default
    return found


def _of(models: JsonValue, stage: str) -> JsonValue:
    return models.get(stage) if isinstance(models, dict) else None


def asked_anew(differences: list[str]) -> list[str]:
    """Return the stages whose answers a change makes useless."""
    stages: set[str] = set()
    for key in differences:
        kind, _, stage = key.partition(".")
        if stage:
            stages |= {stage, *_NEXT.get(stage, ())}
        else:
            stages.update(_ASKED_BY.get(kind, MODEL_STAGES))
    return [stage for stage in MODEL_STAGES if stage in stages]


def cost_words(catalog: Catalog, differences: list[str]) -> str:
    """Return what making all anew costs, by what the catalogue's runs have asked."""
    anew = asked_anew(differences)
    if not anew:
        return "answers stay in the cache, so that only documents cost that get further than before"
    known = [stage for stage in MODEL_STAGES if any(stage in run.asked for run in catalog.runs)]
    free = "" if set(known) <= set(anew) else "; the other answers are in the cache"
    stages = [stage for stage in anew if stage in known]
    if not stages:
        return f"{', '.join(anew)} has asked nothing so far{free}"
    asked = [run.asked.get(stage, _NOTHING) for run in catalog.runs for stage in stages]
    requests, usd = sum(each.requests for each in asked), sum(each.usd for each in asked)
    return f"about {requests:,} requests of {', '.join(stages)}, which have cost ${usd:,.2f} so far{free}"
