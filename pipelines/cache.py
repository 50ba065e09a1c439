"""`webscale-rl cache`: what a cache of model answers holds, whether it is whole, and how to make it smaller."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from pipelines.options import Parser, UsageError
from transforms.llm.cache import CacheError, Segments, open_segments
from transforms.llm.cache.maintain import damages, holdings, prune
from transforms.output import is_output

Action = Literal["stats", "verify", "prune"]
DONE = 0
DAMAGED = 1


@dataclass(frozen=True, slots=True)
class CacheOptions:
    """What `webscale-rl cache` was told.

    Attributes:
      action: what to do.
      place: a directory, or gs://bucket/prefix.
    """

    action: Action
    place: str


def parse_cache(arguments: Sequence[str]) -> CacheOptions:
    """Return what the arguments of `webscale-rl cache` describe.

    Raises:
      UsageError: an unknown action or flag, or a directory that is missing.
    """
    parser = Parser(
        prog="webscale-rl cache",
        allow_abbrev=False,
        description="Look after a cache of model answers: a run's OUTPUT/cache, or what --cache named.",
        epilog="stats counts answers, tokens and cost. verify reads every line and names the corrupt ones. prune"
        " rewrites the cache without corrupt lines, invalid answers and repetitions; runs may go on meanwhile.",
    )
    parser.add_argument("action", choices=get_args(Action), metavar="stats|verify|prune")
    parser.add_argument("place", metavar="DIR_OR_GS", help="a directory, or gs://BUCKET/PREFIX")
    flags = parser.parse_args(list(arguments))
    if "://" not in flags.place and not Path(flags.place).is_dir():
        raise UsageError(f"there is no directory {flags.place}; name the cache of a run, as in OUTPUT/cache")
    if "://" not in flags.place and is_output(flags.place):
        raise UsageError(f"{flags.place} is a run's --output; name its cache, {flags.place.rstrip('/')}/cache")
    return CacheOptions(flags.action, flags.place)


def cache(options: CacheOptions) -> int:
    """Do what was asked and print what came of it.

    Returns:
      0, or 1 when `verify` found corrupt lines.

    Raises:
      UsageError: the address is none, or there is no access to it.
    """
    try:
        segments = open_segments(options.place)
        if "://" not in options.place and not segments.listed() and any(Path(options.place).iterdir()):
            raise UsageError(f"{options.place} holds no answers and is no cache; name OUTPUT/cache, or ROOT/cache")
        if options.action == "stats":
            return _stats(segments)
        return _verify(segments) if options.action == "verify" else _prune(segments)
    except CacheError as error:
        raise UsageError(str(error)) from None


def _stats(segments: Segments) -> int:
    held = holdings(segments)
    rows = [
        ("stage", "model", "answers", "valid", "invalid", "tokens in", "tokens out", "cost"),
        *((*group, *_cells(counts)) for group, counts in sorted(held.groups.items())),
        ("all", "", *_cells(held.total)),
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        names = [cell.ljust(width) for cell, width in zip(row[:2], widths[:2], strict=True)]
        numbers = [cell.rjust(width) for cell, width in zip(row[2:], widths[2:], strict=True)]
        print("  ".join(names + numbers))
    print(f"\n{held.segments:,} files, {held.bytes:,} bytes, {held.corrupt:,} corrupt lines.")
    return DONE


def _cells(counts: Counter[str]) -> tuple[str, ...]:
    numbers = counts["answers"], counts["valid"], counts["answers"] - counts["valid"]
    tokens = counts["prompt_tokens"], counts["completion_tokens"]
    return (*(f"{n:,}" for n in (*numbers, *tokens)), f"${counts['cost_nano_usd'] / 1e9:.2f}")


def _verify(segments: Segments) -> int:
    found = 0
    for damage in damages(segments):
        found += 1
        print(f"{segments.place}/{damage.segment}: byte {damage.offset}: {damage.what}")
    if not found:
        print(f"{segments.place} is whole.")
        return DONE
    print(f"{found:,} corrupt lines, which no run reads; `webscale-rl cache prune {segments.place}` removes them.")
    return DAMAGED


def _prune(segments: Segments) -> int:
    done = prune(segments)
    print(
        f"{done.kept:,} answers stay; {done.corrupt:,} corrupt lines, {done.invalid:,} invalid answers and"
        f" {done.repeated:,} repetitions went. {done.rewritten:,} files were rewritten,"
        f" {done.bytes_before:,} bytes are {done.bytes_after:,} now."
    )
    if done.in_use:
        print(f"{done.in_use:,} files were left as they are: a run appends to them, or they may not be written.")
    return DONE
