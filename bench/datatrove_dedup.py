"""MinHash deduplication as datatrove runs it: `PYTHON bench/datatrove_dedup.py CORPUS_DIRECTORY OUTPUT_DIRECTORY`.

`bench.dedup` runs this file with an interpreter that has datatrove; it imports nothing of ours.
"""

from __future__ import annotations

import sys

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import (
    MinhashConfig,
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
    MinhashDedupSignature,
)
from datatrove.pipeline.readers import ParquetReader
from datatrove.pipeline.writers import ParquetWriter


def main(corpus: str, output: str) -> None:
    """Remove the near duplicates of the Parquet files of one directory, into another, in one process."""
    config = MinhashConfig(n_grams=5, num_buckets=14, hashes_per_bucket=8)
    read = ParquetReader(corpus, glob_pattern="*.parquet")
    scratch = f"{output}-scratch"
    stages = [
        ([read, MinhashDedupSignature(f"{scratch}/signatures", config)], 1),
        ([MinhashDedupBuckets(f"{scratch}/signatures", f"{scratch}/buckets", config=config)], config.num_buckets),
        ([MinhashDedupCluster(f"{scratch}/buckets", f"{scratch}/removed", config=config)], 1),
        ([read, MinhashDedupFilter(f"{scratch}/removed"), ParquetWriter(output)], 1),
    ]
    for number, (pipeline, tasks) in enumerate(stages):
        LocalPipelineExecutor(pipeline, tasks=tasks, workers=1, logging_dir=f"{output}-logs/{number}").run()


if __name__ == "__main__":
    main(*sys.argv[1:])
