"""How large the plan is: start-up, network buffers and the time of small runs grow with its stages on every runner."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability import common_urns
from apache_beam.runners.portability.fn_api_runner import translations

from pipelines.doors import Run
from pipelines.inputs import prompts_of
from pipelines.submit import pipeline_of
from schemas.config import RunConfig
from tests.support import write_corpus
from transforms.commit import RunFacts
from transforms.llm.client import ClientSettings
from transforms.read import plan_corpus
from transforms.state import open_state

RUNNERS_OWN = frozenset(
    urn.urn
    for urn in (
        common_urns.primitives.IMPULSE,
        common_urns.primitives.FLATTEN,
        common_urns.primitives.GROUP_BY_KEY,
    )
)


def plan_of(tmp_path: Path, *, state: bool = False, **settings: object) -> Any:
    """Return the pipeline of a run, as a runner is given it."""
    corpus = write_corpus(tmp_path / "corpus.parquet", ["one"])
    config = RunConfig.model_validate({"input": [corpus], "output": str(tmp_path / "run"), **settings})
    earlier = open_state(str(tmp_path / "state"), config.output, 1) if state else None
    facts = RunFacts(config.output, config.stages, config.until, 1, 0.05, time.time(), "run", {}, earlier)
    plan = plan_corpus([corpus], config.columns)
    run = Run(config, plan, prompts_of(config), ClientSettings({}, "", 1), facts)
    return pipeline_of(PipelineOptions([]), run).to_runner_api()


def stages_of(plan: Any) -> list[translations.Stage]:
    """Return what is left to run one after the other once a runner has fused what can be."""
    _, stages = translations.create_and_optimize_stages(
        plan, phases=translations.standard_optimize_phases(), known_runner_urns=RUNNERS_OWN
    )
    return stages


def side_inputs_of(plan: Any) -> list[str]:
    found = []
    for transform in plan.components.transforms.values():
        if transform.spec.urn == common_urns.primitives.PAR_DO.urn and len(transform.inputs) > 1:
            found.append(transform.unique_name)
    return sorted(found)


@pytest.mark.parametrize(
    ("settings", "transforms", "stages", "shuffles"),
    [
        ({}, 165, 52, 15),
        ({"llm_mode": "batch"}, 168, 54, 15),
        ({"until": "filter"}, 73, 31, 5),
        ({"state": True}, 248, 92, 23),
    ],
    ids=lambda value: ",".join(f"{key}={each}" for key, each in value.items()) if isinstance(value, dict) else None,
)
def test_the_plan_stays_small(
    tmp_path: Path, settings: dict[str, object], transforms: int, stages: int, shuffles: int
) -> None:
    plan = plan_of(tmp_path, **settings)
    found = [transform.spec.urn for transform in plan.components.transforms.values()]
    assert len(found) <= transforms
    assert found.count(common_urns.primitives.GROUP_BY_KEY.urn) <= shuffles
    assert len(stages_of(plan)) <= stages


def test_only_the_writer_and_the_last_step_wait_for_a_whole_collection(tmp_path: Path) -> None:
    assert side_inputs_of(plan_of(tmp_path)) == ["CommitRun/Commit", "WriteQA/Split"]
