"""Rows of a dataset that is published: the pair with all that was decided about it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa

from schemas.records import Pair as Record
from schemas.records import arrow_schema
from transforms.exports.target import Pair, Place, Target

_KEPT_OF_SOURCE: Final = ("doc_id", "text_sha256", "url", "license", "dataset")
"""The others are places in the storage of whoever made the dataset, and nobody else's business."""
_PATH: Final = re.compile(r"(?:^|/)(?:/|~[^/]*/|\.\.?/)|\\")
_PAIR: Final = arrow_schema(Record)
_SOURCE: Final = _PAIR.field("source").type
_SCHEMA: Final = pa.schema(
    [
        pa.field("source", pa.struct([_SOURCE.field(name) for name in _KEPT_OF_SOURCE]))
        if field.name == "source"
        else field
        for field in _PAIR
        if field.name != "calls"  # keys of the cache, which stays where it is
    ]
)


def _row(pair: Pair, place: Place) -> dict[str, Any]:
    difficulty = pair["difficulty"]
    changed = {
        "source": {name: pair["source"][name] for name in _KEPT_OF_SOURCE},
        "models": {stage: name and model_name(name) for stage, name in pair["models"].items()},
        "difficulty": difficulty and {**difficulty, "model": model_name(difficulty["model"])},
    }
    return {name: changed.get(name, pair[name]) for name in _SCHEMA.names}


def model_name(name: str) -> str:
    """Return a model's name, of one that is a path in its maker's storage the last part alone."""
    return re.split(r"[/\\]", name.rstrip("/\\"))[-1] if _PATH.search(name) else name


def _launch(directory: str, rows: Mapping[str, int]) -> str:
    return 'from datasets import load_dataset\n\ndataset = load_dataset(".")    # or its name on a hub'


HF: Final = Target(
    name="hf",
    title="datasets",
    version="5.2.0",
    schema=_SCHEMA,
    row=_row,
    columns={
        "id": "a hash of document and persona",
        "question, answer": "the pair",
        "aliases": "other ways to say the answer",
        "answer_type": "number, date, name, phrase, boolean, choice or expression: by which rule a response is right",
        "domain": "one of ten",
        "persona": "the reader for whom the question was asked",
        "evidence": "the sentence of the source that proves the answer",
        "source": "the document: `doc_id`, `text_sha256`, and `url`, `license` and `dataset` where the corpus has them",
        "models, prompts": "by stage: the model that was asked, and the fingerprint of its prompt",
        "checks": "the judge's verdict: `has_context`, `answer_correct`, `leaks_answer`",
        "contamination": "overlaps with evaluation sets that were marked and not dropped",
        "difficulty": "how often a policy was right without the source: `model`, `samples`, `passes`; or null",
    },
    launch=_launch,
    rewarded=False,
)
