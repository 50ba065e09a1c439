"""`webscale-rl benchmarks`: indexes of evaluation sets, and what of a set of pairs is theirs."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.io.filesystem import BeamIOError

from pipelines.benchmark_files import Source, read_benchmark, source_of
from pipelines.options import Parser, UsageError, input_files, refuse_occupied
from transforms.benchmarks.build import build_index
from transforms.benchmarks.index import MANIFEST, BenchmarkIndexError, Index, open_index
from transforms.benchmarks.rules import CONTAMINATIONS, RULES, contamination_column, contaminations
from transforms.files import BATCH_BYTES, exists, open_parquet, read_batches, replacing
from transforms.storage import StorageError

_COLUMNS: Final = ("id", "question", "answer")
_VERDICTS: Final = "contamination.parquet"
_SCHEMA: Final = pa.schema({"id": pa.string(), "contamination": CONTAMINATIONS})
_ROWS: Final = 20_000  # that are compared at once, and make a row group


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """What `webscale-rl benchmarks build` was told: what to index, where to, and whether the plain text goes along."""

    sources: tuple[Source, ...]
    output: str
    with_questions: bool


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """What `webscale-rl benchmarks check` was told: an index, Parquet files with pairs, the directory to write."""

    index: str
    inputs: tuple[str, ...]
    output: str


def benchmarks(arguments: Sequence[str]) -> int:
    """Run `webscale-rl benchmarks`; return 0.

    Raises:
      UsageError: an argument, a file or an index is not as it must be.
    """
    options = parse_benchmarks(arguments)
    try:
        return build(options) if isinstance(options, BuildOptions) else check(options)
    except (BenchmarkIndexError, StorageError) as error:
        raise UsageError(str(error)) from None


def parse_benchmarks(arguments: Sequence[str]) -> BuildOptions | CheckOptions:
    """Return what the arguments of `webscale-rl benchmarks` describe.

    Raises:
      UsageError: an unknown command or flag, a bad value, an input that is missing, an output that is there.
    """
    flags = _parser().parse_args(list(arguments))
    output = flags.output.rstrip("/") or "/"
    if flags.action == "check":
        refuse_occupied(output, "name a new directory")
        return CheckOptions(flags.index.rstrip("/"), tuple(input_files(flags.input)), output)
    sources = tuple(map(source_of, flags.benchmarks))
    twice = [name for name, count in Counter(source.name for source in sources).items() if count > 1]
    if twice:
        raise UsageError(f"two benchmarks are called {twice[0]}; give each a name of its own")
    if not _is_index(output):
        refuse_occupied(output, "it is no index; name another directory")
    return BuildOptions(sources, output, flags.with_questions)


def _parser() -> Parser:
    parser = Parser(
        prog="webscale-rl benchmarks",
        allow_abbrev=False,
        description="Index evaluation sets as hashes, and find their questions among pairs.",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="build|check")
    building = actions.add_parser(
        "build",
        allow_abbrev=False,
        help="index evaluation sets",
        description="Index evaluation sets. An index that is in the directory already is replaced.",
        epilog="FILE is .jsonl, .jsonl.gz or .parquet, on a disk or a bucket, or lm-eval:TASK where that is installed."
        " Its columns are found by the usual names; NAME=FILE:QUESTION_COLUMN[:ANSWER_COLUMN] names them. How many"
        " answers there are is printed: with its answer less of a question is known.",
    )
    building.add_argument("benchmarks", nargs="+", metavar="NAME=FILE", help="an evaluation set")
    building.add_argument("--output", required=True, metavar="DIR", help="directory of the index")
    building.add_argument(
        "--with-questions", action="store_true", help="write the questions beside it, in plain text, for comparing"
    )
    checking = actions.add_parser(
        "check",
        allow_abbrev=False,
        help="find their questions among pairs",
        description="Write for every pair what contaminates it, and print how many each benchmark has.",
    )
    checking.add_argument("index", metavar="INDEX", help="directory of an index")
    checking.add_argument(
        "--input", nargs="+", required=True, metavar="GLOB", help="Parquet files with id, question and answer"
    )
    checking.add_argument("--output", required=True, metavar="DIR", help=f"new directory, for {_VERDICTS}")
    return parser


def _is_index(directory: str) -> bool:
    try:
        return exists(f"{directory}/{MANIFEST}")
    except (OSError, ValueError, BeamIOError) as error:
        raise UsageError(f"--output {directory} cannot be used: {' '.join(str(error).split())}") from None


def build(options: BuildOptions) -> int:
    """Index evaluation sets and print what is in the index; return 0.

    Raises:
      UsageError: a set cannot be read, or the index not written.
    """
    sets = [read_benchmark(source) for source in options.sources]
    earlier = ", in place of the one before" if _is_index(options.output) else ""
    try:
        built = build_index(sets, options.output, with_questions=options.with_questions)
    except OSError as error:
        raise UsageError(f"cannot write to --output {options.output}: {' '.join(str(error).split())}") from None
    rows = [(one.name, f"{one.items:,}", f"{one.distinct:,}", f"{one.answers:,}") for one in built]
    _print([("benchmark", "items", "distinct", "answers"), *rows])
    plain = ", with the questions in plain text" if options.with_questions else ", hashes alone"
    print(f"\nThe index is in {options.output}{plain}{earlier}.")
    return 0


def check(options: CheckOptions) -> int:
    """Write what contaminates each pair, in the order of the files, and print the counts; return 0.

    Raises:
      UsageError: a file cannot be read, lacks a column, or has a row without a question.
      BenchmarkIndexError: there is no such index.
    """
    index = open_index(options.index)
    counts: Counter[tuple[str, str]] = Counter()
    pairs = contaminated = 0
    try:
        with (
            replacing(f"{options.output}/{_VERDICTS}") as stream,
            pq.ParquetWriter(stream, _SCHEMA, compression="zstd") as writer,
        ):
            for table in _tables(options.inputs):
                found = contaminations([index], table["question"], table["answer"])
                counts.update((item.benchmark, item.rule) for items in found.values() for item in items)
                pairs, contaminated = pairs + table.num_rows, contaminated + len(found)
                verdicts = contamination_column(found, table.num_rows)
                writer.write_table(pa.table([table["id"], verdicts], schema=_SCHEMA))
    except OSError as error:
        raise UsageError(f"cannot write to --output {options.output}: {' '.join(str(error).split())}") from None
    _print(list(_table(index, counts)))
    share = f" ({contaminated / pairs:.2%})" if pairs else ""
    print(f"\n{contaminated:,} of {pairs:,} pairs{share} are contaminated; by what: {options.output}/{_VERDICTS}")
    return 0


def _tables(paths: Sequence[str]) -> Iterator[pa.Table]:
    """Yield id, question and answer as strings, many rows at a time where they are short.

    Raises:
      UsageError: as `check`.
    """
    waiting: list[pa.RecordBatch] = []
    for batch in itertools.chain.from_iterable(map(_batches, paths)):
        waiting.append(batch)
        if sum(each.num_rows for each in waiting) >= _ROWS or sum(each.nbytes for each in waiting) >= BATCH_BYTES:
            yield pa.Table.from_batches(waiting)
            waiting = []
    if waiting:
        yield pa.Table.from_batches(waiting)


def _batches(path: str) -> Iterator[pa.RecordBatch]:
    row = 0
    try:
        with open_parquet(path) as file:
            _check_columns(path, file.schema_arrow)
            for batch in (
                each for group in range(file.num_row_groups) for each in read_batches(file, group, list(_COLUMNS))
            ):
                strings = pa.record_batch([batch[name].cast(pa.string()) for name in _COLUMNS], names=_COLUMNS)
                if strings["question"].null_count:
                    empty = row + strings["question"].is_null().index(True).as_py() + 1
                    raise UsageError(f"{path}: row {empty} has no question; correct it, or leave it out")
                row += batch.num_rows
                yield strings
    except (OSError, BeamIOError, pa.ArrowException, UnicodeDecodeError) as error:
        said = " ".join(str(error).split())[:200]
        raise UsageError(f"{path} cannot be read: {said}; name readable Parquet files") from None


def _check_columns(path: str, schema: pa.Schema) -> None:
    for name in _COLUMNS:
        if schema.names.count(name) != 1:
            held = ", ".join(schema.names) or "none"
            raise UsageError(f"{path} has no single column {name!r} (it has {held}); rename one that holds it")
        if pa.types.is_nested(schema.field(name).type):
            raise UsageError(f"{path}: column {name!r} is {schema.field(name).type}, not a string; name other files")


def _table(index: Index, counts: Counter[tuple[str, str]]) -> Iterator[tuple[str, ...]]:
    yield "benchmark", "items", *RULES, "pairs"
    for name, items in zip(index.names, index.counts, strict=True):
        of_rules = [counts[name, rule] for rule in RULES]
        yield name, f"{items:,}", *(f"{count:,}" for count in (*of_rules, sum(of_rules)))


def _print(rows: Sequence[tuple[str, ...]]) -> None:
    """Print a table whose first column is of names, the others of numbers."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, *numbers in rows:
        cells = [number.rjust(width) for number, width in zip(numbers, widths[1:], strict=True)]
        print("  ".join([name.ljust(widths[0]), *cells]))
