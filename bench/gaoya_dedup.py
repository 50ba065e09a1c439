"""Near-duplicate removal with gaoya's MinHash index: `PYTHON bench/gaoya_dedup.py CORPUS_DIRECTORY OUTPUT_DIRECTORY`.

`bench.dedup` runs this file with an interpreter that has gaoya and pyarrow; it imports nothing of ours. A document goes
when the index finds one like it among those kept so far, by the similarity of their signatures.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow.parquet as pq
from gaoya.minhash import MinHashStringIndex


def main(corpus: str, output: str) -> None:
    """Remove the near duplicates of the Parquet files of one directory, into another, in one process."""
    index = MinHashStringIndex(
        hash_size=32,
        jaccard_threshold=0.7,
        num_bands=14,
        band_size=8,
        analyzer="word",
        lowercase=True,
        ngram_range=(5, 5),
        id_container="smallvec",
    )
    number = 0
    Path(output).mkdir(parents=True)
    for path in sorted(Path(corpus).glob("*.parquet")):
        file = pq.ParquetFile(path)
        with pq.ParquetWriter(f"{output}/{path.name}", file.schema_arrow, compression="zstd") as writer:
            for batch in file.iter_batches(batch_size=1024):
                kept = []
                for row, text in enumerate(batch.column("text").to_pylist()):
                    if not index.query(text):
                        index.insert_document(number, text)
                        number += 1
                        kept.append(row)
                writer.write_batch(batch.take(kept))


if __name__ == "__main__":
    main(*sys.argv[1:])
