"""What the tests of exports share: runs of any size made without a pipeline, and exports of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow.parquet as pq

from schemas.domains import ANSWER_TYPES, DOMAINS
from schemas.records import Difficulty, Pair, Source, StageNames, Verdict, pair_id, text_sha256, to_table
from tests.support import webscale_rl
from transforms.files import ROWS_PER_SHARD, shard_count

NAMES = StageNames(screen="m", classify="m", generate="m", judge="m")


def pair(number: int, document: int | None = None, **changes: Any) -> Pair:
    """Return a pair; those of one `document` share it."""
    doc_id = f"doc-{number // 3 if document is None else document}"
    made = Pair(
        id=pair_id(doc_id, "text", f"reader {number}"),
        question=f"In which year was the {number}th bridge built?",
        answer=f"{1000 + number}",
        aliases=(),
        answer_type=ANSWER_TYPES[number % 2],
        domain=DOMAINS[number % len(DOMAINS)],
        persona=f"reader {number}",
        evidence=f"The {number}th bridge was built in {1000 + number}, which was late. " * 3,
        source=Source(
            doc_id=doc_id,
            path="/home/maker/corpus.parquet",
            row_group=0,
            row=number,
            text_sha256=text_sha256(doc_id),
            license="CC-BY-4.0",
            dataset="bridges",
        ),
        models=NAMES,
        prompts=NAMES,
        calls=NAMES,
        checks=Verdict(True, True, False),
    )
    return replace(made, **changes)


def rated(number: int, passes: int | None, samples: int = 4) -> Pair:
    """Return a pair with a difficulty; `passes` null for none."""
    return pair(number, difficulty=None if passes is None else Difficulty("policy", samples, passes))


def manifest(pairs: int, **changes: Any) -> dict[str, Any]:
    """Return the manifest of a run that kept some pairs."""
    stage = {"stage": "questions", "unit": "pair", "in": pairs + 1, "kept": pairs, "rejected": 1, "errors": 0}
    return {
        "run_id": "20260101T000000Z-00000000",
        "config": {"models": {"judge": {"model": "openai/some-model"}}, "filters": {}},
        "prompts": {"judge": "0123456789abcdef"},
        "until": None,
        "unfinished": [],
        "stages": [{**stage, "pending": 0, "reasons": {"duplicate_question": 1}, "failures": {}}],
        "rows": {"qa": pairs, "rejected": 1, "errors": 0},
        **changes,
    }


def lay_run(directory: Path, pairs: Iterator[Pair] | list[Pair], count: int | None = None, **changes: Any) -> Path:
    """Write a complete run whose pairs are in shards, in the order given, and return its directory."""
    if isinstance(pairs, list):
        count, pairs = len(pairs), iter(sorted(pairs, key=lambda each: each.id))
    assert count is not None
    shards = shard_count(count)
    (directory / "qa").mkdir(parents=True)
    for shard in range(shards):
        rows = [next(pairs) for _ in range(min(ROWS_PER_SHARD, count - shard * ROWS_PER_SHARD))]
        pq.write_table(to_table(Pair, rows), directory / "qa" / f"part-{shard:05d}-of-{shards:05d}.parquet")
    (directory / "manifest.json").write_text(json.dumps(manifest(count, **changes)), encoding="utf-8")
    (directory / "_SUCCESS").touch()
    return directory


def exported(run: Path, target: str, output: Path, *flags: str) -> Path:
    """Export a run and return the directory, whose place is as good as any."""
    assert webscale_rl("export", str(run), "--to", target, "--output", str(output), *flags) == 0
    return output


def data_of(output: Path) -> Path:
    """Return where the rows of an export are."""
    return output / "resources_servers" / "webscale_rl" if (output / "resources_servers").exists() else output


def rows_of(output: Path, side: str) -> list[dict[str, Any]]:
    """Return the rows of one side of an export, file after file."""
    rows: list[dict[str, Any]] = []
    for path in sorted((data_of(output) / "data").glob(f"{side}-*")):
        if path.suffix == ".jsonl":
            rows += [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
        else:
            rows += pq.read_table(path).to_pylist()
    return rows


def ids_of(target: str, rows: list[dict[str, Any]]) -> list[str]:
    """Return the ids of the pairs of an export's rows."""
    places: Mapping[str, Any] = {
        "verl": lambda row: row["extra_info"]["id"],
        "openrlhf": lambda row: json.loads(row["label"])["id"],
    }
    return [places.get(target, lambda row: row["id"])(row) for row in rows]


def loaded(path: Path, name: str = "reward") -> ModuleType:
    """Load a module by its path, as trainers do."""
    import importlib.util

    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
