"""`webscale-rl inspect`: a pair's whole life in the terminal, from its document to the door it left by."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from apache_beam.io.filesystem import BeamIOError
from pydantic import ValidationError
from rich import markup
from rich.console import Console

from pipelines.life import KEPT, Exchange, Life, Step, document_of
from pipelines.options import Parser, UsageError
from pipelines.roots import opened, run_directory
from pipelines.rundir import read_manifest
from schemas.config import RunConfig
from schemas.records import Document
from transforms.catalog import CATALOG
from transforms.files import exists, list_files, open_parquet
from transforms.llm.cache import CacheError, Entry, ResponseCache, open_cache
from transforms.output import MANIFEST

DONE: Final = 0
_ROWS: Final = ("qa", "pairs", "rejected", "errors")
"""Directories whose rows are of pairs or documents, in the order in which they are looked through."""
_CONFIG: Final = (
    "columns", "filters", "checks", "models", "closed_book", "decontaminate", "calls", "prompts", "cache",
    "max_document_tokens", "until",
)  # fmt: skip
"""Keys of a run's configuration that its prompts and answers depend on."""
_COMMANDS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Characters by which a text could command a terminal."""
_EXCERPT: Final = 1_500  # characters of a document that are shown where not all of it is asked for


@dataclass(frozen=True, slots=True)
class InspectOptions:
    """What `webscale-rl inspect` was told.

    Attributes:
      directory: a run's output, or a root.
      name: the id of a pair or of a document.
      full: show the document and the prompts whole.
    """

    directory: str
    name: str
    full: bool


def parse_inspect(arguments: Sequence[str]) -> InspectOptions:
    """Return what the arguments of `webscale-rl inspect` describe. Raises `UsageError`."""
    parser = Parser(
        prog="webscale-rl inspect",
        allow_abbrev=False,
        description="Show a pair's whole life: document, prompts, answers, checks, judge, and where it ended.",
        epilog="Start it where the run was started: the corpus, prompt files and cache are looked for as the run named"
        " them. A document's id shows the document's own stages, and lists its pairs.",
    )
    parser.add_argument("directory", metavar="DIR", help="a run's --output, or a --root")
    parser.add_argument("name", metavar="ID", help="of a pair, in qa/, pairs/, rejected/ or errors/, or of a document")
    parser.add_argument("--full", action="store_true", help="show the document and each prompt whole")
    flags = parser.parse_args(list(arguments))
    return InspectOptions(flags.directory.rstrip("/"), flags.name, flags.full)


def inspect(options: InspectOptions, console: Console | None = None) -> int:
    """Print the life of a pair or a document.

    Raises:
      UsageError: there is no run, or nothing of that id in it.
    """
    console = console or Console(highlight=False, soft_wrap=True)
    runs = _runs(options.directory)
    for run in runs:
        found = [(directory, row) for directory in _ROWS for row in _rows(run, directory, options.name)]
        if found:
            _print(console, run, options, found)
            return DONE
    raise UsageError(
        f"{options.directory} has no pair or document {options.name}; ids are in the column `id` of qa/, and in"
        " `pair_id` and `doc_id` of rejected/ and errors/"
    )


def _runs(directory: str) -> list[str]:
    """Return a run's directory, or those of a root's runs, the latest first."""
    if exists(f"{directory}/{CATALOG}"):
        return [run_directory(directory, run) for run in reversed(opened(directory).run_ids)]
    if not exists(f"{directory}/{MANIFEST}"):
        raise UsageError(f"{directory} holds no run that has ended ({MANIFEST}); name a run's --output, or a --root")
    return [directory]


def _rows(run: str, directory: str, name: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of a run's directory that are of a pair or a document."""
    for path in list_files(f"{run}/{directory}/part-*.parquet"):
        with open_parquet(path) as file:
            pair = "id" if "id" in file.schema_arrow.names else "pair_id"
            for number in range(file.num_row_groups):
                ids = file.read_row_group(number, columns=[pair, "source.doc_id"])
                doc_ids = pc.struct_field(ids["source"], "doc_id")
                wanted = pc.or_kleene(pc.equal(ids[pair], name), pc.equal(doc_ids, name))
                rows = pc.indices_nonzero(wanted.combine_chunks().fill_null(False))
                if len(rows):
                    yield from file.read_row_group(number).take(rows).to_pylist()


def _print(console: Console, run: str, options: InspectOptions, found: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    config = _config(run)
    of_pair = [(directory, row) for directory, row in found if _pair_id(row) == options.name]
    directory, row = (of_pair or found)[0]
    pair_id = options.name if of_pair else None
    source = row["source"]
    _title(console, "document", str(source["doc_id"]))
    _fields(console, {name: source[name] for name in ("dataset", "url", "license", "path", "row_group", "row")})
    try:
        document = document_of(config, source)
    except (OSError, ValueError, LookupError, BeamIOError, pa.ArrowException) as error:
        console.print(f"[bold]The corpus does not have it:[/] {escape(' '.join(str(error).split()))}")
    else:
        _text(console, document.text, options.full)
        _print_steps(console, config, document, pair_id, options.full)
    for directory, row in of_pair or found:
        _title(console, "where it ended", f"{run}/{directory}")
        _fields(console, {name: value for name, value in row.items() if name != "source"})


def _print_steps(console: Console, config: RunConfig, document: Document, pair_id: str | None, full: bool) -> None:
    cache = _opened(config.cache_directory)
    if cache is None:
        console.print(f"[bold]There is no cache[/] at {escape(config.cache_directory)}: no prompt or answer is shown.")
        return
    try:
        life = Life(config, cache)
        for step in life.steps(document, pair_id):
            _print_step(console, step if step.decision == KEPT else life.with_invalid(step), full)
    finally:
        cache.close()


def _opened(place: str) -> ResponseCache | None:
    """Return a cache, or null where there is none; opening one that is not there would make it."""
    if "://" not in place and not Path(place).is_dir():
        return None
    try:
        return open_cache(place)
    except CacheError as error:
        raise UsageError(str(error)) from None


def _config(run: str) -> RunConfig:
    manifest = read_manifest(run)
    try:
        given = {key: value for key, value in manifest["config"].items() if key in _CONFIG}
        given["columns"] = {role: name for role, name in given["columns"].items() if role != name}  # those it was told
        return RunConfig.model_validate({"input": ["-"], **given, "output": run})
    except (KeyError, TypeError, AttributeError, ValidationError) as error:
        raise UsageError(
            f"{run}/{MANIFEST} is not of this version ({type(error).__name__}); inspect it with the one that wrote it"
        ) from None


def _pair_id(row: Mapping[str, Any]) -> str | None:
    return row["id"] if "id" in row else row["pair_id"]


def escape(text: str) -> str:
    """Return a text as the terminal is to show it: it may come from anywhere, and neither styles nor commands it."""
    return markup.escape(_COMMANDS.sub("\N{REPLACEMENT CHARACTER}", text))


def _title(console: Console, name: str, more: str) -> None:
    console.print(f"\n── [bold]{escape(name)}[/]  {escape(more)}")


def _fields(console: Console, fields: Mapping[str, Any]) -> None:
    for name, value in fields.items():
        if value not in (None, [], ""):
            shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            console.print(f"[bold]{escape(name)}:[/] {escape(shown)}")


def _text(console: Console, text: str, full: bool) -> None:
    shown = text if full or len(text) <= _EXCERPT else f"{text[:_EXCERPT]}..."
    console.print(escape(shown))
    if shown != text:
        console.print(f"[dim]({len(text):,} characters; --full shows all)[/]")


def _print_step(console: Console, step: Step, full: bool) -> None:
    _title(console, step.stage, step.decision)
    for exchange in step.exchanges:
        _print_exchange(console, exchange, full)


def _print_exchange(console: Console, exchange: Exchange, full: bool) -> None:
    request = exchange.request
    size = "" if full else f" of {request.characters:,} characters (--full shows it)"
    which = f", sample {request.sample}" if request.sample else ""
    console.print(f"[dim]{escape(exchange.model)}, prompt {request.prompt}{size}{which}, answer {exchange.key}[/]")
    for message in request.messages if full else ():
        console.print(f"[bold]{escape(str(message['role']))}:[/] {escape(str(message['content']))}")
    for entry in exchange.answers:
        console.print(f"[bold]{_label(entry)}:[/] {escape(entry.completion.text)}")


def _label(entry: Entry) -> str:
    completion = entry.completion
    tokens = f"{completion.prompt_tokens:,} tokens in, {completion.completion_tokens:,} out"
    return f"answer ({tokens})" if entry.valid else f"invalid answer ({tokens}, ended with {completion.finish_reason})"
