"""What near-duplicate removal takes as a corpus grows: `python -m bench.scale --input 'x/*.parquet' --copies 1 4 16`.

The command is `webscale-rl run --config examples/dedup.yaml --until dedup`, on the corpus and on several copies of it.
Each copy's words end in a letter of its own, so that a document has its duplicates within its copy and none in another.
Seconds of processors are less those of the same command on a corpus without rows; they and the peak of memory are the
median of three runs. What is shuffled is by Beam's own figures: how many elements go into a grouping, times the mean
size of those it has sampled.
"""

from __future__ import annotations

import argparse
import re
import string
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.metrics import monitoring_infos
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability.common_urns import primitives

from bench.measure import REPOSITORY, ROUNDS, corpus_files, lay_out, median, webscale_rl
from pipelines.runners import LOCAL_RUNNER
from schemas.config import Columns
from schemas.config_filters import DedupSettings
from transforms.dedup import DropNearDuplicates
from transforms.read import ReadCorpus, plan_corpus

COMMAND: Final = webscale_rl(f"--config {REPOSITORY}/examples/dedup.yaml --until dedup")
# One letter, so that a copy's texts are hardly longer.
_SUFFIXES: Final = ("", *string.ascii_lowercase)
_WORD: Final = re.compile(r"\w+")


def lay_out_copies(paths: Sequence[str], sizes: Sequence[int], scratch: Path) -> None:
    """Lay the corpus out several times over, in directories `times-1`, `times-2` and so on, one for each size."""
    for times in sizes:
        (scratch / f"times-{times}").mkdir()
    for number, path in enumerate(paths):
        for copy in range(max(sizes)):
            made = scratch / f"copy-{copy}-{number:05}.parquet"
            rewrite(path, made, _SUFFIXES[copy])
            for times in sizes:
                if copy < times:
                    (scratch / f"times-{times}" / made.name).symlink_to(made)


def rewrite(path: str, made: Path, suffix: str) -> None:
    """Write a corpus file again, row group by row group, a suffix on every id and every word."""
    file = pq.ParquetFile(path)
    with pq.ParquetWriter(made, file.schema_arrow, compression="zstd") as writer:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group)
            for name in ("id", "text"):
                texts = [
                    text and _WORD.sub(rf"\g<0>{suffix}", text) for text in table[name].cast(pa.string()).to_pylist()
                ]
                table = table.set_column(table.schema.get_field_index(name), name, pa.array(texts, pa.string()))
            writer.write_table(table.cast(file.schema_arrow))


def shuffled(paths: Sequence[str]) -> Mapping[str, float]:
    """Remove the near duplicates of a corpus; return the bytes that each grouping took in, by its name in the DAG."""
    plan = plan_corpus(paths, Columns())
    pipeline = beam.Pipeline(runner=LOCAL_RUNNER, options=PipelineOptions([]))
    _ = (pipeline | "ReadCorpus" >> ReadCorpus(plan)).kept | DropNearDuplicates(plan, DedupSettings())
    transforms = pipeline.to_runner_api().components.transforms.values()
    result = pipeline.run()
    result.wait_until_finish()
    counts: dict[str, int] = {}
    means: dict[str, float] = {}
    for info in result.monitoring_infos():
        collection = info.labels.get("PCOLLECTION", "")
        if info.urn == monitoring_infos.ELEMENT_COUNT_URN:
            counts[collection] = monitoring_infos.extract_counter_value(info)
        elif info.urn == monitoring_infos.SAMPLED_BYTE_SIZE_URN:
            samples, total, _, _ = monitoring_infos.extract_distribution(info)
            means[collection] = total / max(1, samples)
    return {
        transform.unique_name: counts.get(collection, 0) * means.get(collection, 0.0)
        for transform in transforms
        if transform.spec.urn == primitives.GROUP_BY_KEY.urn
        for collection in transform.inputs.values()
    }


def report(documents: int, sizes: Sequence[int], scratch: Path) -> None:
    """Measure and print the command at each size."""
    start, _ = median(COMMAND, scratch / "empty", ROUNDS)
    print(f"without rows: {start.cpu:.2f} CPU s, {start.wall:.2f} wall s, peak {start.peak / 1e6:,.0f} MB\n")
    print("documents    CPU s   wall s   CPU s / million   peak MB   shuffled MB   bytes / document", flush=True)
    peaks, groupings = [], {}
    for times in sizes:
        corpus = scratch / f"times-{times}"
        used, _ = median(COMMAND, corpus, ROUNDS)
        groupings[times] = shuffled(sorted(str(path) for path in corpus.iterdir()))
        peaks.append(used.peak)
        total, cpu = sum(groupings[times].values()), used.cpu - start.cpu
        print(
            f"{times * documents:9,} {cpu:8.2f} {used.wall - start.wall:8.2f} {cpu / (times * documents) * 1e6:17.0f}"
            f" {used.peak / 1e6:9,.0f} {total / 1e6:13.1f} {total / (times * documents):18.0f}",
            flush=True,
        )
    if len(sizes) > 1:
        more = (peaks[-1] - peaks[0]) / ((sizes[-1] - sizes[0]) * documents)
        print(f"\npeak memory of each further document: {more:,.0f} bytes")
    print(f"\nbytes a document into each grouping, {sizes[-1] * documents:,} documents:")
    for name, size in sorted(groupings[sizes[-1]].items(), key=lambda item: -item[1]):
        print(f"{size / (sizes[-1] * documents):8.1f}  {name}")


def main() -> None:
    """Read the flags, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", required=True, nargs="+", metavar="GLOB", help="Parquet files with id and text")
    most = len(_SUFFIXES)
    note = f"how many times over, 1 to {most} (default: 1 2 4)"
    parser.add_argument(
        "--copies", nargs="+", type=int, choices=range(1, most + 1), default=[1, 2, 4], metavar="N", help=note
    )
    flags = parser.parse_args()
    sizes = sorted(set(flags.copies))
    paths = corpus_files(parser, flags.input)
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        documents = lay_out(paths, scratch)
        lay_out_copies(paths, sizes, scratch)
        report(documents, sizes, scratch)


if __name__ == "__main__":
    main()
