"""FineWeb's filters as datatrove runs them: `PYTHON bench/datatrove_filters.py CORPUS_DIRECTORY OUTPUT_DIRECTORY`.

`bench.filters` runs this file with an interpreter that has datatrove; it imports nothing of ours.
"""

from __future__ import annotations

import sys

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
)
from datatrove.pipeline.readers import ParquetReader
from datatrove.pipeline.writers import ParquetWriter


def main(corpus: str, output: str) -> None:
    """Filter the Parquet files of one directory into another, in one process."""
    LocalPipelineExecutor(
        pipeline=[
            ParquetReader(corpus, glob_pattern="*.parquet"),
            GopherRepetitionFilter(),
            C4QualityFilter(filter_no_terminal_punct=False),
            GopherQualityFilter(),
            FineWebQualityFilter(),
            ParquetWriter(output),
        ],
        tasks=1,
        workers=1,
        logging_dir=f"{output}-logs",
    ).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
