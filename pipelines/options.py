"""From flags and a YAML file to one validated `RunConfig`; what is wrong is one line that names it and the remedy."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn, get_args

import yaml
from apache_beam.io.filesystem import BeamIOError
from apache_beam.options.pipeline_options import PipelineOptions, _BeamArgumentParser
from pydantic import BaseModel, ValidationError

from pipelines.runners import examples, runner_of
from schemas.answers import Calls
from schemas.config import Models, RunConfig, Until
from transforms.files import list_files, list_updates, read_bytes
from transforms.llm.failures import mask
from transforms.storage import StorageError


class UsageError(ValueError):
    """The command line or the configuration is wrong; the message is for the user, one line."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What `webscale-rl run` was told.

    Attributes:
      config: the run.
      beam: the options left for Beam, each of them known to it.
      overwrite: start again in a directory that holds a complete run, keeping its cache.
      retry_errors: reopen a complete run for its errors.
      wait: send what is pending as batches, wait for their answers, and go on until nothing is.
      no_wait: submit the job and leave it to its runner.
    """

    config: RunConfig
    beam: PipelineOptions
    overwrite: bool = False
    retry_errors: bool = False
    wait: bool = False
    no_wait: bool = False


class Parser(argparse.ArgumentParser):
    """A parser that raises `UsageError` where argparse would print and exit."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see {self.prog} --help")


_FLAGS: Final = (
    "input", "output", "cache", "state", "llm_mode", "budget_usd", "calls", "concurrency", "limiter",
    "num_workers_hint", "until", "sample",
)  # fmt: skip
"""Flags that set the key of the same name in the configuration."""


def add_run_flags(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of `webscale-rl run`."""
    add_work_flags(parser)
    parser.add_argument("--output", metavar="DIR", help="directory of the run")
    parser.add_argument("--cache", metavar="DIR", help="model answers: directory or gs://... (default: OUTPUT/cache)")
    parser.add_argument(
        "--state", metavar="DIR", help="what earlier runs have seen: skip it, compare with it, add to it"
    )
    parser.add_argument("--until", choices=get_args(Until), metavar="STAGE", help=", ".join(get_args(Until)))
    parser.add_argument("--sample", type=int, metavar="N", help="draw N documents, the same ones each time")
    parser.add_argument("--overwrite", action="store_true", help="replace a complete run; its cache is kept")
    parser.add_argument("--retry-errors", action="store_true", help="reopen a complete run for its errors alone")


def add_work_flags(parser: argparse.ArgumentParser) -> None:
    """Declare the flags that say what a run reads and how it works, and not where it writes or how far it goes."""
    parser.add_argument("--input", nargs="+", metavar="GLOB", help="corpus Parquet files")
    parser.add_argument("--config", metavar="FILE", help="YAML configuration; a flag beats it")
    parser.add_argument("--model", metavar="NAME", help="the model of screen, classify, generate and judge")
    parser.add_argument("--api-base", metavar="URL", help="where the models are served (OpenAI-compatible)")
    parser.add_argument(
        "--calls",
        choices=get_args(Calls),
        help="reference: two a document, two a pair; merged: three a document",
    )
    parser.add_argument(
        "--llm-mode",
        choices=("online", "batch"),
        help="batch: call no model; what the cache lacks waits in pending/ for the batch API",
    )
    parser.add_argument(
        "--wait", action="store_true", help="with --llm-mode batch: send, wait, go on until all is done"
    )
    parser.add_argument(
        "--budget-usd", type=float, metavar="USD", help="stop cleanly before models cost more than this"
    )
    parser.add_argument("--concurrency", type=int, metavar="N", help="model requests in flight, all workers together")
    parser.add_argument("--limiter", metavar="URL", help="redis://HOST:PORT/DB by which all workers share rate limits")
    parser.add_argument("--num-workers-hint", type=int, metavar="N", help="worker processes that share the limits")
    parser.add_argument("--benchmarks", nargs="+", metavar="DIR", help="indexes of evaluation sets to keep out of qa/")
    parser.add_argument(
        "--on-contaminated", choices=("drop", "mark"), help="what becomes of their questions (default: drop)"
    )
    parser.add_argument("--text-column", metavar="NAME", help="column that holds the text (default: text)")
    parser.add_argument("--id-column", metavar="NAME", help="column that holds the document id (default: id)")
    parser.add_argument("--languages", metavar="CODES", help="languages to keep, such as en,de (default: any)")
    parser.add_argument(
        "--no-wait", action="store_true", help="submit the job to a cluster, say where to look, and leave it"
    )


def parse_run(arguments: Sequence[str]) -> RunOptions:
    """Return the run that the arguments of `webscale-rl run` describe.

    Raises:
      UsageError: an unknown flag or key, a bad value, a file that is missing or no YAML.
    """
    parser = Parser(
        prog="webscale-rl run",
        allow_abbrev=False,
        description="Turn corpus Parquet into question-answer Parquet.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"Every other flag goes to Apache Beam (--direct_num_workers, ...). On a cluster:\n{examples()}",
    )
    add_run_flags(parser)
    flags, config, beam_options = read_run(parser, arguments)
    if flags.overwrite and flags.retry_errors:
        raise UsageError("--overwrite and --retry-errors exclude each other; choose one")
    if flags.wait and config.llm_mode != "batch":
        raise UsageError("--wait is for --llm-mode batch; an online run waits for its answers anyway")
    given = beam_options.get_all_options()
    left = "--no-wait" if flags.no_wait else runner_of(given).launcher(given)
    if left and config.llm_mode == "batch":
        raise UsageError(f"{left}: rounds of batches need a client that goes on; leave it out, or ask online")
    return RunOptions(config, beam_options, flags.overwrite, flags.retry_errors, flags.wait, left is not None)


def read_run(
    parser: Parser, arguments: Sequence[str], defaults: Mapping[str, Any] | None = None
) -> tuple[argparse.Namespace, RunConfig, PipelineOptions]:
    """Return the flags, the run and Beam's options that arguments give.

    Args:
      parser: with the flags of `add_run_flags`, and perhaps more.
      defaults: keys of the configuration that may be missing.

    Raises:
      UsageError: as `parse_run`.
    """
    flags, rest = parser.parse_known_args(list(arguments))
    known = [action.option_strings[0] for action in parser._actions if action.option_strings]
    beam_options = parse_beam(rest, known)
    content = {} if flags.config is None else read_yaml(flags.config)
    return flags, validate({**(defaults or {}), **merge_flags(content, flags)}, flags.config), beam_options


def parse_beam(arguments: Sequence[str], ours: Sequence[str]) -> PipelineOptions:
    """Return Beam's options, refusing what Beam would only warn about.

    Args:
      arguments: what our parser left over.
      ours: our own flags, for the suggestion.
    """
    parser = _BeamArgumentParser(allow_abbrev=False, add_help=False)
    for options in {str(cls): cls for cls in PipelineOptions.__subclasses__()}.values():
        options._add_argparse_args(parser)
    parser.error = _refuse
    _, unknown = parser.parse_known_args(list(arguments))
    if unknown:
        flag = unknown[0].split("=")[0]
        known = [*ours, *(name for action in parser._actions for name in action.option_strings)]
        if not flag.startswith("-"):
            raise UsageError(f"unexpected argument {flag!r}; a value belongs behind its flag")
        raise UsageError(f"unknown flag {flag}, neither ours nor Beam's{suggestion(flag, known)}")
    return PipelineOptions(list(arguments))


def _refuse(message: str) -> NoReturn:
    raise UsageError(f"{message}; see the options of Apache Beam")


def read_yaml(path: str) -> dict[str, Any]:
    """Return the mapping a YAML file holds; an empty file is an empty one."""
    try:
        content = yaml.safe_load(read_bytes(path).decode("utf-8"))
    except StorageError as error:
        raise UsageError(f"--config: {error}") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"--config {path}: {' '.join(str(error).split())}; name a readable YAML file") from None
    except yaml.YAMLError as error:
        raise UsageError(f"--config {path} is not YAML: {' '.join(str(error).split())}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise UsageError(f"--config {path} holds a {type(content).__name__}; it must be a mapping of keys to values")
    return content


def merge_flags(content: Mapping[str, Any], flags: argparse.Namespace) -> dict[str, Any]:
    """Return the configuration with the flags that were given in their places."""
    merged = dict(content)
    merged |= {name: value for name in _FLAGS if (value := getattr(flags, name, None)) is not None}
    columns = {"text": flags.text_column, "id": flags.id_column}
    _update(merged, "columns", {role: name for role, name in columns.items() if name is not None})
    if flags.languages is not None and isinstance(merged.get("filters") or {}, dict):
        merged["filters"] = dict(merged.get("filters") or {})
        _update(merged["filters"], "language", {"languages": flags.languages.split(",")})
    if flags.on_contaminated is not None and not (flags.benchmarks or merged.get("decontaminate")):
        raise UsageError("--on-contaminated has nothing to compare with: name an index with --benchmarks")
    against = {"benchmarks": flags.benchmarks, "on_contaminated": flags.on_contaminated}
    _update(merged, "decontaminate", {name: value for name, value in against.items() if value is not None})
    model = {"model": flags.model, "api_base": flags.api_base}
    given = {name: value for name, value in model.items() if value is not None}
    if given:
        models = dict(merged["models"]) if isinstance(merged.get("models"), dict) else {}
        for stage in Models().called():
            _update(models, stage, given)
        merged["models"] = models
    if isinstance(merged.get("input"), str):
        merged["input"] = [merged["input"]]
    return merged


def _update(mapping: dict[str, Any], key: str, values: Mapping[str, Any]) -> None:
    """Set some keys of a nested mapping; what is no mapping is left for validation to name."""
    if values and isinstance(mapping.get(key) or {}, dict):
        mapping[key] = {**(mapping.get(key) or {}), **values}


def validate(content: Mapping[str, Any], path: str | None) -> RunConfig:
    """Return the validated configuration."""
    for name in ("input", "output"):
        if not content.get(name):
            raise UsageError(f"--{name} is missing; name it on the command line or as `{name}` in --config")
    try:
        return RunConfig.model_validate(content)
    except ValidationError as error:
        raise UsageError(mask(_first_problem(error, path))) from None


def input_files(patterns: Sequence[str]) -> list[str]:
    """Return the files that the globs of --input match, sorted. Raises `UsageError` as `input_updates`."""
    return list(input_updates(patterns))


def input_updates(patterns: Sequence[str]) -> dict[str, tuple[int, float]]:
    """Return the files that the globs of --input match, sorted, with their sizes and when they were updated.

    Raises:
      UsageError: a glob cannot be listed, matches no file, or is a directory.
    """
    files: dict[str, tuple[int, float]] = {}
    for pattern in patterns:
        try:
            matched = list_updates(pattern)
            directory = Path(pattern).is_dir() or (not matched and list_files(f"{pattern.rstrip('/')}/*"))
        except StorageError as error:
            raise UsageError(f"--input: {error}") from None
        except (OSError, ValueError) as error:
            raise UsageError(f"--input {pattern} cannot be listed: {' '.join(str(error).split())}") from None
        if directory:
            raise UsageError(f"--input {pattern} is a directory; name the files: '{pattern.rstrip('/')}/*.parquet'")
        if not matched:
            raise UsageError(f"--input {pattern} matches no file; check the path, and quote the glob")
        files |= matched
    return dict(sorted(files.items()))


def refuse_occupied(directory: str, remedy: str) -> None:
    """Refuse an --output that holds anything. Raises `UsageError`."""
    try:
        if "://" in directory:
            held = list_files(f"{directory}/**")
        else:
            held = sorted(map(str, Path(directory).iterdir())) if Path(directory).exists() else []
    except (OSError, ValueError, BeamIOError) as error:
        raise UsageError(f"--output {directory} cannot be used: {' '.join(str(error).split())}") from None
    if held:
        raise UsageError(f"--output {directory} holds {held[0].rsplit('/', 1)[-1]} already; {remedy}")


def _first_problem(error: ValidationError, path: str | None) -> str:
    problems = error.errors(include_url=False)
    # A misspelt key is often why another one is missing.
    problem = next((found for found in problems if found["type"] == "extra_forbidden"), problems[0])
    place = [str(part) for part in problem["loc"]]
    where = f"--config {path}: " if path else ""
    if problem["type"] == "extra_forbidden":
        groups = [f"{name}.{place[-1]}" for name in RunConfig.model_fields if place[-1] in _keys_at([name])]
        hint = f"; did you mean {groups[0]}?" if groups and len(place) == 1 else None
        return f"{where}unknown key {'.'.join(place)}{hint or suggestion(place[-1], _keys_at(place[:-1]))}"
    if problem["type"] == "value_error":  # from a validator of ours, which names the value itself
        return where + ": ".join([*([".".join(place)] if place else []), str(problem["ctx"]["error"])])
    if problem["type"] == "missing":
        return f"{where}{'.'.join(place)} is missing"
    value = str(problem["input"])[:80]
    if problem["type"] in ("model_type", "model_attributes_type"):
        return f"{where}{'.'.join(place)} = {value}: must be a mapping, for example {place[-1]}: {{}}"
    return f"{where}{'.'.join(place)} = {value}: {problem['msg']}"


def _keys_at(place: Sequence[str]) -> list[str]:
    model: type[BaseModel] = RunConfig
    for part in place:
        if part not in model.model_fields:
            continue  # the user's own name, in a mapping of models
        annotation = model.model_fields[part].annotation
        models = [kind for kind in (annotation, *get_args(annotation)) if _is_model(kind)]  # `X | None` holds one too
        if not models:
            return []
        (model,) = models
    return list(model.model_fields)


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def suggestion(word: str, known: Sequence[str]) -> str:
    """Return the end of a message about a word that is not known: the nearest one that is, or all of them."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]}?"
    return f"; known are {', '.join(known)}" if len(known) <= 16 and known else "; see webscale-rl run --help"
