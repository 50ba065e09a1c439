"""Beam's counters and distributions, which dashboards show, say what the manifest says, wherever the workers are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest

from tests.model_server import Behaviour, ModelServer
from tests.support import manifest_of, prose, webscale_rl, write_corpus
from transforms.ledger import NAMESPACE

DOORS = ("in", "kept", "rejected", "errors", "pending", "fan_out")
PROCESSES = ["--direct_num_workers=2", "--direct_running_mode=multi_processing"]


def counters_of(manifest: dict[str, Any]) -> dict[str, int]:
    """Return the counters, none of them 0, that a manifest asks for."""
    counters = {f"{stage['stage']}/{door}": stage.get(door, 0) for stage in manifest["stages"] for door in DOORS}
    for row in manifest["usage"]:
        fields = {name: n for name, n in row.items() if name not in ("stage", "model", "cost_usd", "failed_calls")}
        fields["cost_nano_usd"] = round(row["cost_usd"] * 1e9)
        fields |= {f"failed_{kind}": n for kind, n in row["failed_calls"].items()}
        counters |= {f"{row['stage']}/{name}": n for name, n in fields.items()}
    return {name: n for name, n in counters.items() if n}


def distributions_of(manifest: dict[str, Any]) -> dict[str, int]:
    """Return how many values each distribution must have, where all that fails brings no completion."""
    usage = manifest["usage"]
    every = {f"{row['stage']}/call_ms": row["calls"] for row in usage}
    return every | {
        f"{row['stage']}/completion_tokens_per_call": row["calls"] - sum(row["failed_calls"].values()) for row in usage
    }


def at(model: str, server: ModelServer) -> list[str]:
    return ["--model", model, "--api-base", server.base_url]


@pytest.mark.parametrize(
    ("model", "flags"),
    [("openai/gpt-4.1-mini", []), ("hosted_vllm/test", PROCESSES)],
    ids=["priced, here", "free, in two processes"],
)
def test_dashboards_say_what_the_manifest_says(
    tmp_path: Path, model: str, flags: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    results: list[Any] = []
    start = beam.Pipeline.run
    monkeypatch.setattr(beam.Pipeline, "run", lambda pipeline: results.append(start(pipeline)) or results[-1])
    texts = [*map(prose, range(20)), prose(0), "", "Too short to be of use."]
    corpus, output = write_corpus(tmp_path / "corpus.parquet", texts, row_group_size=10), tmp_path / "run"
    with ModelServer(Behaviour(faults={"500": 0.1})) as server:
        assert webscale_rl("run", "--input", corpus, "--output", output, *at(model, server), *flags) == 0
    manifest = manifest_of(output)
    metrics = results[-1].metrics().query(beam.metrics.MetricsFilter().with_namespace(NAMESPACE))

    counters: dict[str, int] = {}
    for found in metrics["counters"]:
        counters[found.key.metric.name] = counters.get(found.key.metric.name, 0) + found.result
    assert counters == counters_of(manifest)
    assert {"read/rejected", "dedup/rejected", "classify/fan_out", "screen/failed_transient"} <= set(counters)
    assert ("screen/cost_nano_usd" in counters) is model.startswith("openai/")

    values = {found.key.metric.name: found.result for found in metrics["distributions"]}
    assert {name: value.count for name, value in values.items()} == distributions_of(manifest)
    for row in manifest["usage"]:
        assert values[f"{row['stage']}/completion_tokens_per_call"].sum == row["completion_tokens"]
        assert 0 <= values[f"{row['stage']}/call_ms"].min <= values[f"{row['stage']}/call_ms"].max < 60_000
    assert [name for name in metrics if metrics[name] and name not in ("counters", "distributions")] == []

    progress = [line for line in capsys.readouterr().err.splitlines() if line.startswith("[")]
    assert progress
    for line in progress[:-1]:
        elsewhere = re.fullmatch(r"\[ +[0-9.]+ s\] progress is in the runner's counters \(webscale_rl\)", line)
        assert bool(elsewhere) is bool(flags), line
    asked = sum(row["prompt_tokens"] for row in manifest["usage"])
    assert "read 23 > filter 22 > dedup 21 > screen 20 > " in progress[-1] and f"{asked:,} tokens in" in progress[-1]
