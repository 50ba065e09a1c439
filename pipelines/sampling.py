"""What the stages before the models make of a sample of the corpus: the real pipeline, in a directory of its own."""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions

from pipelines.doors import Run
from pipelines.inputs import benchmarks_of, check_filters, plan_of, prompts_of
from pipelines.options import UsageError
from pipelines.run import new_run_id
from pipelines.rundir import read_manifest, take_run
from pipelines.runners import LOCAL_RUNNER
from pipelines.submit import pipeline_of
from prompts import PromptSet
from schemas.config import RunConfig
from schemas.records import Document, Source
from transforms.commit import RunFacts
from transforms.documents import VERDICTS
from transforms.files import list_files, open_parquet
from transforms.llm.client import ClientSettings
from transforms.read import draw
from transforms.state import State, StateError, open_state
from transforms.text.cut import cut


@dataclass(frozen=True, slots=True)
class Sample:
    """Some of the documents that a run would read.

    Attributes:
      rows: that the run would read, by the footers.
      drawn: how many of them the sample has.
      stages: the manifest's lines of read, filter and dedup over the sample.
      documents: those that would be given to models, as models would see them.
      prompts: the run's.
    """

    rows: int
    drawn: int
    stages: tuple[Mapping[str, Any], ...]
    documents: tuple[Document, ...]
    prompts: PromptSet


def take_sample(config: RunConfig, documents: int, options: PipelineOptions) -> Sample:
    """Draw documents as `--sample` does and run the stages before the models on them, in this process.

    Args:
      config: of the run; nothing is written to its output, its cache or its state.
      documents: how many to draw; fewer where the run would read fewer.
      options: Beam's, of which the runner is left out.

    Raises:
      UsageError: the corpus, the prompts, the filters or the state cannot be read, or no document is left.
    """
    prompts, plan = prompts_of(config), plan_of(config)
    check_filters(config)
    benchmarks_of(config)
    rows = plan.rows - len(plan.unreadable)
    drawn = dataclasses.replace(plan, sample=draw(int(plan.first_row[-1]), min(documents, rows)))
    options.view_as(StandardOptions).runner = LOCAL_RUNNER
    with tempfile.TemporaryDirectory(prefix="webscale-rl-") as directory:
        early = config.model_copy(update={"until": "dedup"})
        facts = RunFacts(
            output=directory,
            stages=early.stages,
            until="dedup",
            expected_rows=drawn.rows,
            max_error_share=1.0,
            started=time.time(),
            run_id=new_run_id(),
            about={},
            state=_state(config),
        )
        take_run(directory, facts.run_id)
        no_model = ClientSettings({}, "", config.concurrency)
        pipeline_of(options, Run(early, drawn, prompts, no_model, facts)).run().wait_until_finish()
        stages = tuple(read_manifest(directory)["stages"])
        found = tuple(_documents(config, f"{directory}/documents"))
    if not found:
        raise UsageError(_nothing_left(stages, min(documents, rows)))
    return Sample(rows, min(documents, rows), stages, found, prompts)


def _state(config: RunConfig) -> State | None:
    try:
        permutations = config.dedup.bands * config.dedup.rows
        return None if config.state is None else open_state(config.state, config.output, permutations)
    except StateError as error:
        raise UsageError(f"--state: {error}") from None


def _documents(config: RunConfig, directory: str) -> Iterator[Document]:
    names = config.columns
    for path in list_files(f"{directory}/part-*.parquet"):
        with open_parquet(path) as file:
            for row in file.read(columns=[names.id, names.text, VERDICTS]).to_pylist():
                text = row[names.text]
                given = text if config.max_document_tokens is None else cut(text, config.max_document_tokens)
                yield Document(Source(str(row[names.id]), path, text_sha256=row[VERDICTS]["text_sha256"]), given)


def _nothing_left(stages: tuple[Mapping[str, Any], ...], drawn: int) -> str:
    if not drawn:
        return "the input has no rows; there is nothing to estimate"
    reasons = [
        f"{line['stage']}: {name} ({n:,})"
        for line in stages
        for name, n in {**line["reasons"], **line["failures"]}.items()
    ]
    return (
        f"none of {drawn:,} sampled documents gets past deduplication ({', '.join(reasons)}); correct filters in"
        " --config, or raise --documents"
    )
