"""What the tests of the stages share: small corpora, and a stage run on its own."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.cli import main
from schemas.counts import merge
from transforms.ledger import Doors
from transforms.text.hashes import Words, words_of

RUNNER = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"
_COLLECTED: dict[str, list[Any]] = {}


def write_corpus(path: Path, texts: Sequence[str], *, row_group_size: int | None = None, **columns: list[Any]) -> str:
    """Write texts as a corpus file with ids 0, 1, ... and return its path."""
    ids = columns.pop("id", [f"{path.stem}-{i}" for i in range(len(texts))])
    pq.write_table(pa.table({"id": ids, "text": list(texts), **columns}), path, row_group_size=row_group_size)
    return str(path)


def words(text: str) -> list[str]:
    """Return the words that near-duplicate removal sees in a text, by their definition."""
    return [word for word in re.split(r"\W+", text.lower()) if word]


def hashed_words(texts: Sequence[str]) -> Words:
    """Return the hashed words of some texts; a lone surrogate, which Arrow takes for none, separates them."""
    return words_of(pa.array([text.encode("utf-8", "replace") for text in texts], pa.string()))


def _collect(element: Any, name: str) -> None:
    _COLLECTED[name].append(element)


def collect(build: Callable[[beam.Pipeline], dict[str, Any]]) -> dict[str, list[Any]]:
    """Run what `build` adds to a pipeline in this process and return the elements of each PCollection it names."""
    pipeline = beam.Pipeline(runner=RUNNER, options=PipelineOptions([]))
    outputs = build(pipeline)
    _COLLECTED.clear()
    _COLLECTED.update({name: [] for name in outputs})
    for name, collection in outputs.items():
        collection | f"Collect {name}" >> beam.Map(_collect, name=name)
    pipeline.run().wait_until_finish()
    return dict(_COLLECTED)


def run_doors(build: Callable[[beam.Pipeline], Doors]) -> dict[str, Any]:
    """Run a stage and return its kept elements, its side doors' rows as dicts, and its counts added up."""
    out: dict[str, Any] = collect(
        lambda pipeline: {name: door for name, door in build(pipeline)._asdict().items() if door is not None}
    )
    for door in ("rejected", "errors"):
        out[door] = [row for table in out[door] for row in table.to_pylist()]
    out["counts"] = Counter({key: n for key, n in merge(out["counts"]).items() if n})
    return out


_NOUNS = (
    "harbour bridge valley engine library market orchard glacier museum railway festival reactor archive vineyard "
    "lighthouse turbine monastery aquifer observatory quarry ferry theatre reservoir brewery workshop tower canal "
    "forest station mill garden hospital foundry chapel bakery printer tannery signal tunnel granary dockyard school "
    "fountain barracks windmill"
).split()
_VERBS = "opened closed expanded measured produced employed carried restored surveyed supplied replaced painted".split()
_PLACES = (
    "Arden Belmora Castrel Dunwick Elvara Fenmoor Garsted Holmby Isket Jarrow Kelsund Lorvik Marwen Nortal".split()
)
_SENTENCES = (
    "In {year} the {a} of {place} {verb} {n} wagons beside an old {b}.",
    "{place} lies {n} km north of {other}, where every {a} keeps its own {b} and {c}.",
    "Travellers who have seen the {a} at {other} remember a {b} that {verb} in {year}.",
    "A {a} with {n} rooms was {verb} by masons from {place}; their {b} stood near {other}.",
    "The council of {other} {verb} its {a} to {n} families, and the {b} was sold for a {c}.",
    "Since {year} nobody has {verb} the {a}, although {place} wished to have a {b}.",
)


def prose(number: int, sentences: int = 10) -> str:
    """Return plain English that passes the filters, another text for each number, with dates and quantities in it."""
    random = Random(number)
    lines = []
    for pattern in random.sample(_SENTENCES * 2, k=sentences):
        a, b, c = random.sample(_NOUNS, 3)
        place, other = random.sample(_PLACES, 2)
        year, n, verb = random.randint(1700, 2020), random.randint(11, 990), random.choice(_VERBS)
        lines.append(pattern.format(year=year, n=n, verb=verb, a=a, b=b, c=c, place=place, other=other))
    return " ".join(lines)


def prose_corpus(directory: Path, documents: int, *, first: int = 0) -> str:
    """Write a corpus of `prose` documents in row groups of 50 and return its path."""
    return write_corpus(
        directory / f"prose-{first}-{documents}.parquet",
        [prose(number) for number in range(first, first + documents)],
        row_group_size=50,
    )


def webscale_rl(*arguments: str) -> int:
    """Run the console script in this process and return its exit code."""
    return main([str(argument) for argument in arguments])


def rows_of(output: Path, directory: str) -> list[dict[str, Any]]:
    """Return all rows of an output directory, shard after shard."""
    shards = sorted((output / directory).glob("part-*.parquet"))
    return [row for path in shards for row in pq.read_table(path).to_pylist()]


def manifest_of(output: Path) -> dict[str, Any]:
    """Return a run's manifest."""
    return json.loads((output / "manifest.json").read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def stages_of(output: Path) -> dict[str, dict[str, Any]]:
    """Return the stages of a run's manifest by name."""
    return {stage["stage"]: stage for stage in manifest_of(output)["stages"]}
