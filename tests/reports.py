"""What the tests of reports share: runs as they lie on a disk, made without a pipeline."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from schemas.config import RunConfig
from schemas.counts import StageCounts
from schemas.domains import ANSWER_TYPES, DOMAINS
from schemas.records import Difficulty, Pair, Rejected, Source, StageNames, text_sha256, to_table
from tests.support import prose, write_corpus
from transforms.files import ROWS_PER_SHARD, shard_count, shard_path


def pair(number: int, text: str, corpus: str, **changes: Any) -> Pair:
    """Return a pair of the document in a row of a corpus whose row groups have fifty."""
    evidence = text.split(". ")[number % 3]
    fields: dict[str, Any] = {
        "id": hashlib.sha256(str(number).encode()).hexdigest()[:32],
        "question": f"What is told of {' '.join(evidence.split()[-6:])}, number {number}?",
        "answer": evidence.split()[1],
        "aliases": (),
        "answer_type": ANSWER_TYPES[number % len(ANSWER_TYPES)],
        "domain": DOMAINS[number % len(DOMAINS)],
        "persona": f"reader {number % 40}",
        "evidence": evidence,
        "source": source(number, text, corpus),
        "models": StageNames(generate="a-model"),
        "prompts": StageNames(),
        "calls": StageNames(),
        "difficulty": Difficulty("a-policy", 4, number % 5),
    }
    return Pair(**fields | changes)


def source(number: int, text: str, corpus: str) -> Source:
    """Return where the document in a row of a corpus lies."""
    return Source(str(number), corpus, number // 50, number % 50, text_sha256(text))


def rejected(number: int, text: str, corpus: str, **changes: Any) -> Rejected:
    """Return a rejected document."""
    fields: dict[str, Any] = {
        "doc_id": str(number),
        "pair_id": None,
        "stage": "screen",
        "reason": "not_qualified",
        "value": None,
        "source": source(number, text, corpus),
    }
    return Rejected(**fields | changes)


def write_run(
    output: Path, pairs: Sequence[Pair], turned_away: Sequence[Rejected] = (), **changes: Any
) -> dict[str, Any]:
    """Write a run's shards and its manifest, and return that; the corpus must be there already."""
    output.mkdir(exist_ok=True)
    for directory, kind, rows in (("qa", Pair, pairs), ("rejected", Rejected, turned_away)):
        shards = shard_count(len(rows))
        for shard in range(shards):
            path = Path(shard_path(str(output), (directory, shard, shards)))
            path.parent.mkdir(exist_ok=True)
            part = rows[shard * ROWS_PER_SHARD : (shard + 1) * ROWS_PER_SHARD]
            pq.write_table(to_table(kind, part), path, compression="zstd")
    manifest = manifest_of_run(len(pairs), len(turned_away)) | changes
    (output / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return manifest


def manifest_of_run(pairs: int, turned_away: int) -> dict[str, Any]:
    """Return the manifest of a complete run of two stages."""
    screen = StageCounts(
        "screen", "document", pairs + turned_away, pairs, turned_away, 0, 0, {"not_qualified": turned_away}, {}
    )
    questions = StageCounts("questions", "pair", pairs, pairs, 0, 0, 0, {}, {})
    usage = {
        "stage": "screen", "model": "a-model", "requests": 9, "calls": 10, "latency_ms": 4200, "cache_hits": 1,
        "prompt_tokens": 1000, "completion_tokens": 100, "cost_usd": 0.5, "replayed_cost_usd": 0.0,
        "failed_calls": {"timeout": 1},
    }  # fmt: skip
    return {
        "run_id": "20260101T000000Z-0a1b2c3d",
        "started": "2026-01-01T00:00:00+00:00",
        "config": RunConfig(input=["corpus/*.parquet"], output="run").model_dump(mode="json"),
        "complete": True,
        "unfinished": [],
        "until": None,
        "stages": [screen.as_json(), questions.as_json()],
        "usage": [usage],
        "cost": {"usd": 0.5, "replayed_usd": 0.0, "usd_per_kept_pair": 0.5 / pairs if pairs else None},
        "rows": {"errors": 0, "qa": pairs, "rejected": turned_away},
        "wall_seconds": 12.5,
    }


def small_run(tmp_path: Path, name: str = "run", pairs: int = 60, turned_away: int = 30) -> tuple[Path, dict[str, Any]]:
    """Write a corpus and a run of it, and return the run's directory and manifest."""
    texts = [prose(number) for number in range(pairs + turned_away)]
    corpus = write_corpus(tmp_path / f"{name}.parquet", texts, row_group_size=50)
    rows = sorted((pair(i, texts[i], corpus) for i in range(pairs)), key=lambda row: row.id)
    away = [rejected(i, texts[i], corpus) for i in range(pairs, pairs + turned_away)]
    return tmp_path / name, write_run(tmp_path / name, rows, away)
