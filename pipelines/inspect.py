"""`webscale-rl inspect`: a pair's whole life in the terminal, from its document to the door it left by."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from apache_beam.io.filesystem import BeamIOError
from rich import markup
from rich.console import Console

from pipelines.found import Door, config_of, doors, searched
from pipelines.life import KEPT, Exchange, Life, Step, document_of
from pipelines.options import Parser, UsageError
from schemas.config import RunConfig
from schemas.records import Document
from transforms.llm.cache import CacheError, Entry, ResponseCache, open_cache

DONE: Final = 0
_COMMANDS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Characters by which a text could command a terminal, or turn round what it shows."""
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
        epilog="Start it where the run was started: the corpus, prompt files, indexes and cache are looked for as the"
        " run named them. A document's id shows the document's own stages, and lists its pairs.",
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
    console = console or Console(highlight=False, soft_wrap=True, emoji=False)
    ended = False
    for run in searched(options.directory):
        if found := doors(run, options.name):
            _print(console, run.directory, options, found)
            ended = True
    if ended:
        return DONE
    raise UsageError(
        f"{options.directory} has no pair or document {options.name}; ids are in the column `id` of qa/, in"
        " `pair_id` and `doc_id` of rejected/ and errors/, and in the corpus's own of documents/"
    )


def _print(console: Console, run: str, options: InspectOptions, found: Sequence[Door]) -> None:
    config = config_of(run)
    of_pair = [door for door in found if door.pair_id == options.name]
    shown = of_pair or found
    known = next((door for door in shown if door.source is not None), None)
    if known is None or known.source is None:
        _title(console, "document", options.name)
        console.print("[bold]No row says where the corpus has it:[/] the request that waits has its text.")
    else:
        _print_document(console, config, known.source, known.document, options.name if of_pair else None, options.full)
    for door in shown:
        _title(console, "where it ended", door.place)
        _fields(console, door.fields)


def _print_document(
    console: Console,
    config: RunConfig,
    source: Mapping[str, Any],
    document: Document | None,
    pair_id: str | None,
    full: bool,
) -> None:
    _title(console, "document", str(source["doc_id"]))
    _fields(console, {name: source[name] for name in ("dataset", "url", "license", "path", "row_group", "row")})
    try:
        document = document or document_of(config, source)
    except (OSError, ValueError, LookupError, BeamIOError, pa.ArrowException) as error:
        console.print(f"[bold]The corpus does not have it:[/] {escape(' '.join(str(error).split()))}")
    else:
        _text(console, document.text, full)
        if config.asked:
            _print_steps(console, config, document, pair_id, full)


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
