"""`webscale-rl export`: the pairs of a run or a root as a trainer reads them, its reward beside them."""

from __future__ import annotations

import argparse
import importlib.metadata
import math
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
from apache_beam.io.filesystem import BeamIOError

from pipelines.ending import DONE
from pipelines.exported import Exported, exported
from pipelines.options import Parser, UsageError, refuse_occupied, suggestion
from schemas.domains import ANSWER_TYPES, DOMAINS
from transforms.exports import selection as selecting
from transforms.exports.card import EXAMPLES, card
from transforms.exports.readme import README, Made, counts, left_out, readme, unsafe
from transforms.exports.selection import UNKNOWN, Selection, Tally
from transforms.exports.shards import ChangedError, Shards
from transforms.exports.source import SourceError, tables
from transforms.exports.target import SIDES, TRAIN, VALIDATION, Pair, Place, Target
from transforms.exports.targets import TARGETS
from transforms.exports.vendored import files
from transforms.files import write_text
from transforms.state import absolute

_SHARE: Final = 0.02


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What `webscale-rl export` was told.

    Attributes:
      directory: of a run, or of a root.
      target: whom it is for.
      output: a new directory.
      selection: which pairs go along.
      incomplete: whether a run will do that is not complete.
    """

    directory: str
    target: Target
    output: str
    selection: Selection
    incomplete: bool = False


def parse_export(arguments: Sequence[str]) -> ExportOptions:
    """Return what the arguments of `webscale-rl export` describe.

    Raises:
      UsageError: an unknown flag, target, domain or type of answer; a bad share; an output that is there, or that
        commands cannot carry.
    """
    flags = _parser().parse_args(list(arguments))
    output = flags.output.rstrip("/") or "/"
    selection = Selection(
        flags.split,
        _known("--domains", flags.domains, DOMAINS),
        _known("--answer-types", flags.answer_types, ANSWER_TYPES),
        flags.max_pass_rate,
    )
    if (character := unsafe(absolute(output))) is not None:
        raise UsageError(
            f"--output {absolute(output)!r} has {character!r}, which the commands for trainers cannot carry; name a"
            " directory of letters, digits and / . _ + -, with spaces only between them"
        )
    refuse_occupied(output, "name a new directory")
    return ExportOptions(flags.directory.rstrip("/") or "/", TARGETS[flags.to], output, selection, flags.incomplete)


def _parser() -> Parser:
    parser = Parser(
        prog="webscale-rl export",
        allow_abbrev=False,
        description="Write the pairs of a run as a trainer reads them, its reward and the commands beside them.",
        epilog=f"Domains are {', '.join(DOMAINS)}; types of answers {', '.join(ANSWER_TYPES)}. In a shell, quote names"
        " with spaces.",
    )
    parser.add_argument("directory", metavar="DIR", help="a run's --output, or the --root of refreshes")
    parser.add_argument("--to", required=True, choices=list(TARGETS), help="the trainer; hf is a dataset to publish")
    parser.add_argument("--output", required=True, metavar="DIR", help="new directory")
    parser.add_argument(
        "--split",
        type=_below_one,
        default=_SHARE,
        metavar="N",
        help=f"share of the documents whose pairs are for validation (default: {_SHARE:g})",
    )
    parser.add_argument("--domains", nargs="+", metavar="NAME", help="pairs of these domains alone")
    parser.add_argument("--answer-types", nargs="+", metavar="TYPE", help="pairs with answers of these types alone")
    parser.add_argument(
        "--max-pass-rate",
        type=_share,
        metavar="N",
        help="pairs that the closed_book model got right in at most this share of its samples, none it was not asked",
    )
    parser.add_argument(
        "--incomplete",
        action="store_true",
        help="take a run, too, that is not complete; not one that stopped at --until, which has no qa/",
    )
    return parser


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 <= share <= 1:  # nor is nan
        raise argparse.ArgumentTypeError(f"{text} must be a share, from 0 to 1: write 2 % as 0.02")
    return share


def _below_one(text: str) -> float:
    share = _share(text)
    if share == 1:
        raise argparse.ArgumentTypeError(f"{text} leaves nothing to train on; 0.02 is usual")
    return share


def _known(flag: str, names: Sequence[str] | None, known: Sequence[str]) -> tuple[str, ...] | None:
    if names is None:
        return None
    for name in names:
        if name not in known:
            raise UsageError(f"{flag}: unknown {name!r}{suggestion(name, known)}")
    return tuple(dict.fromkeys(names))


def export(options: ExportOptions) -> int:
    """Write the export and print what is in it; return 0.

    Raises:
      UsageError: there is nothing to export, or it cannot be read or written.
    """
    source = exported(options.directory, incomplete=options.incomplete)
    try:
        made = _made(source, options)
        _check(made, options)
        examples = _write_rows(source, options, made.tally)
        _write_beside(options, made, examples)
    except (SourceError, ChangedError) as error:
        raise UsageError(str(error)) from None
    except (OSError, BeamIOError, pa.ArrowException) as error:
        raise UsageError(
            f"export to {options.output}: {type(error).__name__}: {' '.join(str(error).split())}"
        ) from None
    _tell(options, made)
    return DONE


def _made(source: Exported, options: ExportOptions) -> Made:
    """Count what a selection finds: a first pass, over few columns, so that files can have their names at once."""
    tally = Tally()
    for read, table in tables(source.parts, selecting.COLUMNS):
        if superseded := read - table.num_rows:
            tally.pairs += superseded
            tally.dropped["superseded or forgotten"] += superseded
        tally.add(table, options.selection)
    runs = tuple(part.run_id for part in source.parts)
    return Made(
        importlib.metadata.version("webscale-rl"), runs, source.manifests, options.selection, tally, source.complete
    )


def _check(made: Made, options: ExportOptions) -> None:
    tally = made.tally
    if not tally.pairs:
        raise UsageError(f"{options.directory} has no pairs; webscale-rl check-run {options.directory} shows why")
    if options.selection.max_pass_rate is not None and not tally.rated:
        raise UsageError(
            f"--max-pass-rate: no pair of {options.directory} has a difficulty; run it with a model for closed_book, or"
            " leave the flag out"
        )
    if not tally.kept:
        raise UsageError(f"no pair of {options.directory} is left ({left_out(tally)}); ask for more")
    if not made.rows[TRAIN]:
        raise UsageError(
            f"all {tally.kept:,} pairs are of documents for validation; make --split smaller than"
            f" {options.selection.share:g}"
        )


def _write_rows(source: Exported, options: ExportOptions, tally: Tally) -> list[Pair]:
    """Write the rows of both sides; returns the first pairs of different domains, for a card."""
    target, examples = options.target, dict[str, Pair]()
    with ExitStack() as stack:
        sides = [
            stack.enter_context(Shards(options.output, target, side, tally.rows[number]))
            for number, side in enumerate(SIDES)
        ]
        for _, table in tables(source.parts):
            for number, pair in zip(options.selection.sides(table)[0].tolist(), table.to_pylist(), strict=True):
                if number < 0:
                    continue
                if len(examples) < EXAMPLES:
                    examples.setdefault(pair["domain"], pair)
                shards = sides[number]
                shards.add(target.row(pair, Place(SIDES[number], shards.written)))
    return list(examples.values())


def _write_beside(options: ExportOptions, made: Made, examples: Sequence[Pair]) -> None:
    target = options.target
    beside: dict[str, str] = {}
    if target.rewarded:
        beside |= {f"{target.within}{path}": content for path, content in files().items()}
    beside |= target.beside(made.rows, made.tally.licenses)
    for path, content in beside.items():
        write_text(f"{options.output}/{path}", content)
    text = readme(target, absolute(options.output), made) if target.rewarded else card(target, made, examples)
    write_text(f"{options.output}/{README}", text)  # last: what has it is whole


def _tell(options: ExportOptions, made: Made) -> None:
    print(counts(made))
    if made.tally.dropped[UNKNOWN]:
        print("Pairs that the closed_book model was not asked about have no pass rate, so --max-pass-rate drops them.")
    if options.selection.share and not made.rows[VALIDATION]:
        print("No document falls on the validation side, there are too few: raise --split, or train without.")
    print(f"Written for {options.target.title} to {options.output}; its {README} has the commands.")
