"""What a run is told by a configuration is read and checked here: the corpus, the prompts, the models of filters."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator

from pipelines.options import UsageError, input_files
from pipelines.rundir import check_apart
from prompts import PromptFiles, PromptSet, load_prompts
from schemas.answers import task_of
from schemas.config import DOCUMENT_STAGES, RunConfig
from schemas.elements import CorpusPlan
from transforms.benchmarks.index import BenchmarkIndexError, digest, open_indexes
from transforms.benchmarks.nearest import open_neighbours
from transforms.catalog import Part
from transforms.fasttext_model import ModelFileError
from transforms.files import list_files, read_bytes
from transforms.language import LanguageRule
from transforms.quality import QualityRule
from transforms.read import CorpusError, UnreadableError, plan_corpus
from transforms.storage import StorageError


class NothingReadableError(UsageError):
    """None of the input files can be read."""


def prompts_of(config: RunConfig) -> PromptSet:
    """Return the prompts that a run will use. Raises `UsageError`."""
    try:
        return load_prompts(None if config.prompts is None else prompt_files(config.prompts))
    except (OSError, ValueError) as error:
        raise UsageError(f"prompts: {' '.join(str(error).split())}") from None


def prompt_files(directory: str) -> PromptFiles:
    """Read the prompt files of a directory: all texts and JSON Lines in it and in the directories just below.

    Raises:
      OSError: they cannot be read.
    """
    directory = directory.rstrip("/")
    names = [path.removeprefix(f"{directory}/") for path in list_files(f"{directory}/**")]
    wanted = [name for name in names if name.endswith((".txt", ".jsonl")) and name.count("/") <= 1]
    return PromptFiles(directory, {name: read_bytes(f"{directory}/{name}") for name in wanted})


def plan_of(config: RunConfig, part: Part | None = None) -> CorpusPlan:
    """Return which rows of which files a run will read. Raises `NothingReadableError`, or another `UsageError`."""
    paths = input_files(config.input) if part is None else list(part.files)
    check_apart(config.output.rstrip("/"), paths)
    try:
        plan = plan_corpus(paths, config.columns, config.sample, whole=config.until in DOCUMENT_STAGES)
    except UnreadableError as error:
        raise NothingReadableError(str(error)) from None
    except (CorpusError, StorageError) as error:
        raise UsageError(str(error)) from None
    return dataclasses.replace(plan, clean=config.filters.cleaning, forgotten=part.forgotten if part else ())


def fingerprints(prompts: PromptSet, config: RunConfig) -> dict[str, str]:
    """Return the fingerprint of the prompt of each stage that has a model."""
    return {stage: prompts.fingerprint(task_of(stage, config.calls)) for stage in config.models.called()}


def benchmarks_of(config: RunConfig) -> dict[str, int]:
    """Return how many items each evaluation set has that the pairs are compared with.

    Raises:
      UsageError: an index cannot be used, or lacks the questions that a model is to compare with.
    """
    if config.decontaminate is None:
        return {}
    with _told():
        indexes = open_indexes(config.decontaminate.benchmarks)
        if config.models.decontaminate is not None:
            for path in config.decontaminate.benchmarks:
                open_neighbours(path)
    return {name: count for index in indexes for name, count in zip(index.names, index.counts, strict=True)}


def index_digests(config: RunConfig) -> list[str]:
    """Return what the indexes of evaluation sets are known by, wherever they lie. Raises `UsageError`."""
    if config.decontaminate is None:
        return []
    with _told():
        return sorted(map(digest, config.decontaminate.benchmarks))


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Turn what is wrong with an index into a `UsageError`."""
    try:
        yield
    except (BenchmarkIndexError, StorageError) as error:
        raise UsageError(f"--benchmarks: {error}") from None


def check_filters(config: RunConfig) -> None:
    """Check that the models of filters are there. Raises `UsageError`."""
    filters = config.filters
    try:
        if filters.language is not None:
            LanguageRule(filters.language).check()
        if filters.quality is not None:
            QualityRule(filters.quality).check()
    except ModelFileError as error:
        raise UsageError(f"filters: {error}") from None
