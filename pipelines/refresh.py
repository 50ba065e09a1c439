"""`webscale-rl refresh`: what is new or changed in a corpus becomes a further run of a root, night by night."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.due import Due, Listed, due_files, heirs_of_superseded
from pipelines.ending import DONE
from pipelines.inputs import NothingReadableError, fingerprints, index_digests, prompts_of
from pipelines.options import (
    Parser,
    RunOptions,
    UsageError,
    add_work_flags,
    input_updates,
    merge_flags,
    parse_beam,
    read_yaml,
    validate,
)
from pipelines.redo import check_settings
from pipelines.roots import carry, check_root, clear, live_pairs, locked, opened, run_directory, told
from pipelines.run import new_run_id, redacted, run
from pipelines.rundir import deciding
from pipelines.takedown import read_ids, remember, sweep
from schemas.catalog import Catalog
from schemas.config import RunConfig
from transforms.catalog import CACHE, RUNS, STATE, Part, change_catalog, noted_in
from transforms.state import absolute

_DECIDED: Final = {
    "output": "the root decides where a run lies",
    "state": "the root has one of its own",
    "cache": "the root has one of its own",
    "until": "a refresh adds whole runs",
    "sample": "a refresh reads whole files",
    "overwrite": "--full makes everything anew",
    "retry-errors": "a refresh retries errors by itself",
}
"""What `run` is told and a refresh is not, and why."""
_NOT_SETTINGS: Final = {"input", "state", "prompts"}
"""Keys that say where things are: files are known one by one, and prompts by their fingerprints."""


@dataclass(frozen=True, slots=True)
class RefreshOptions:
    """What `webscale-rl refresh` was told.

    Attributes:
      root: the directory of the dataset.
      config: of its runs, whose output is to be set; null to forget and read nothing.
      beam: the options left for Beam.
      wait, no_wait: as of `RunOptions`.
      full: make everything anew.
      forget: a Parquet file of ids to forget, or null.
    """

    root: str
    config: RunConfig | None
    beam: PipelineOptions
    wait: bool = False
    no_wait: bool = False
    full: bool = False
    forget: str | None = None


def parse_refresh(arguments: Sequence[str]) -> RefreshOptions:
    """Return what the arguments of `webscale-rl refresh` describe.

    Raises:
      UsageError: as of `webscale-rl run`; or what the root decides is given.
    """
    parser = Parser(
        prog="webscale-rl refresh",
        allow_abbrev=False,
        description="Add what is new or changed in a corpus to a dataset that grows night by night.",
        epilog="Takes what `webscale-rl run` takes, but for what the root decides (--output, --state, --cache). Every"
        " other flag goes to Apache Beam.",
    )
    add_work_flags(parser)
    parser.add_argument("--root", metavar="DIR", help="the dataset: a directory or gs://bucket/prefix of its own")
    parser.add_argument("--full", action="store_true", help="make everything anew; answers in the cache are free")
    parser.add_argument(
        "--forget", metavar="FILE", help="Parquet whose column `id` names documents to take out for good"
    )
    for name in _DECIDED:
        _refuse(name, any(each == f"--{name}" or each.startswith(f"--{name}=") for each in arguments), "--")
    flags, rest = parser.parse_known_args(list(arguments))
    known = [action.option_strings[0] for action in parser._actions if action.option_strings]
    beam = parse_beam(rest, known)
    if not flags.root:
        raise UsageError("--root is missing; name the directory of the dataset, or gs://bucket/prefix")
    content = {} if flags.config is None else read_yaml(flags.config)
    for name in _DECIDED:
        _refuse(name, name.replace("-", "_") in content, "")
    root, config = flags.root.rstrip("/"), merge_flags(content, flags)
    if not (flags.forget and not config.get("input")):
        return _with_config(root, validate(_placed(config, root), flags.config), beam, flags)
    if flags.full:
        raise UsageError("--full wants --input; without it --forget reads no corpus")
    return RefreshOptions(root, None, beam, forget=flags.forget)


def _with_config(root: str, config: RunConfig, beam: PipelineOptions, flags: Any) -> RefreshOptions:
    if (config.llm_mode == "batch") != flags.wait:
        raise UsageError("a refresh ends when its run is complete: --llm-mode batch and --wait belong together")
    if flags.no_wait and flags.wait:
        raise UsageError("--no-wait: rounds of batches need a client that goes on; leave it out, or ask online")
    return RefreshOptions(root, config, beam, flags.wait, flags.no_wait, flags.full, flags.forget)


def _refuse(name: str, given: bool, dashes: str) -> None:
    if given:
        raise UsageError(f"{dashes}{name} is not for a refresh: {_DECIDED[name]}; leave it out")


def _placed(config: Mapping[str, Any], root: str) -> dict[str, Any]:
    # A file is known by its path, however --input names it.
    if isinstance(patterns := config.get("input"), list):
        config = {**config, "input": [absolute(each) if isinstance(each, str) else each for each in patterns]}
    return {**config, "output": f"{root}/{RUNS}", "state": f"{root}/{STATE}", "cache": f"{root}/{CACHE}"}


def refresh(options: RefreshOptions) -> int:
    """Forget what is to be forgotten, then add runs until nothing is due.

    Returns:
      0, or 3 when a run is not complete, and so not part of the dataset.

    Raises:
      UsageError: the root, the corpus or the settings are of no use, or somebody else is at work there.
    """
    corpus = {} if options.config is None else input_updates(options.config.input)
    check_root(options.root, list(corpus), there=options.config is None)
    if options.forget is not None:
        _forget(options.root, read_ids(options.forget))
    if options.config is None:
        return DONE
    night = new_run_id()
    code, again = _round(options, options.config, corpus, night, first=True)
    while again and code == DONE:
        code, again = _round(options, options.config, corpus, night, first=False)
    return code


def _forget(root: str, ids: list[str]) -> None:
    name = new_run_id()
    with locked(root, name):
        catalog, known = sweep(root, remember(root, opened(root), name, ids))
        _, unfinished = clear(root, catalog)
    here = len(known.intersection(ids))  # a takedown that died before has been taken up as well
    print(f"{here:,} of {len(ids):,} documents were in {root}; none of the {len(ids):,} comes back.")
    for place in unfinished:
        print(
            f"But {place} may hold what was sent of them until its batches are over and a refresh has collected them;"
            " what they answer about it is dropped.",
            file=sys.stderr,
        )


def _round(options: RefreshOptions, config: RunConfig, corpus: Listed, night: str, *, first: bool) -> tuple[int, bool]:
    """Add a run of what is due.

    Args:
      night: names the first round of the refresh, which alone makes everything anew, and tries errors again.

    Returns:
      The exit code, and whether there may be more to do.
    """
    root, run_id, full = options.root, night if first else new_run_id(), first and options.full
    with locked(root, run_id) as lock:
        catalog, _ = sweep(root, opened(root))
        catalog, unfinished = clear(root, catalog)
        catalog = _settled(root, catalog)
        due = due_files(catalog, corpus, errors=first, full=full)
        part = _part(root, run_id, night, catalog, corpus, due, config, full=full)
        if not full:
            check_settings(root, catalog, part, config)
        if not due.paths:
            print(f"{'Nothing is due: ' if first else ''}{_holdings(root, catalog)}")
            return DONE, False
        output = run_directory(root, run_id)
        carry(unfinished, output)
        print(f"Run {run_id} reads {len(due.paths):,} corpus files: {due}.", flush=True)
        if full and (left_out := catalog.files.keys() - corpus.keys()):
            print(f"{len(left_out):,} files of earlier runs are not in --input: what came of them goes.", flush=True)
        placed = config.model_copy(update={"output": output})
        try:
            code = run(RunOptions(placed, options.beam, wait=options.wait, no_wait=options.no_wait), part)
        except NothingReadableError as error:
            if len(due.errors) < len(due.paths):
                raise
            print(f"No run: {error}, as before.")
            return DONE, False
        lock.left = options.no_wait
    return code, code == DONE and not options.no_wait


def _settled(root: str, catalog: Catalog) -> Catalog:
    """Return the catalogue once the duplicates of what its runs superseded are due."""
    if all(run.settled for run in catalog.runs):
        return catalog
    with told():
        heirs = heirs_of_superseded(root, catalog)
        return change_catalog(root, lambda before: before.settled(heirs))


def _part(
    root: str, run_id: str, night: str, catalog: Catalog, corpus: Listed, due: Due, config: RunConfig, *, full: bool
) -> Part:
    settings = deciding(redacted(config.model_dump(mode="json", exclude_defaults=True)))
    if digests := index_digests(config):
        settings["decontaminate"]["benchmarks"] = digests
    return Part(
        root=root,
        run_id=run_id,
        night=night,
        generation=catalog.generation,
        runs=() if full else catalog.run_ids,
        files={path: corpus[path] for path in due.paths},
        known_errors=sum(
            catalog.files[path].errors for path in due.paths if path not in due.new and path not in due.changed
        ),
        forgotten=tuple(noted_in(root, takedown.id) for takedown in catalog.forgotten),
        settings={key: value for key, value in settings.items() if value != {} and key not in _NOT_SETTINGS},
        prompts=fingerprints(prompts_of(config), config),
        full=full,
    )


def _holdings(root: str, catalog: Catalog) -> str:
    """Return a sentence on what a root has, once its takedowns are swept."""
    pairs = _number(live_pairs(root, catalog), "pair")
    runs, files = _number(len(catalog.runs), "run"), _number(len(catalog.files), "corpus file")
    return f"{root} has {pairs} in {runs} over {files}."


def _number(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
