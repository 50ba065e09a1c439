"""text-dedup's MinHash command: `PYTHON bench/text_dedup_minhash.py CORPUS_DIRECTORY OUTPUT_DIRECTORY`.

`bench.dedup` runs this file with an interpreter that has text-dedup; it imports nothing of ours. The command takes its
configuration from a file alone and `datasets` keeps every step for the next run, so both get a directory of their own.
Its candidates are verified, because version 0.4.1 otherwise leaves no document of a cluster.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

_CONFIGURATION = """
[input]
input_type = "local_files"
file_type = "parquet"
read_arguments = {{path = "parquet", data_files = "{corpus}/*.parquet", split = "train", cache_dir = "{scratch}/cache"}}

[algorithm]
algorithm_name = "minhash"
text_column = "text"
ngram_size = 5
num_perm = 112
bands = 14
rows = 8
threshold = 0.7
min_length = 1
check_false_positive = true
num_proc = 1

[output]
output_dir = "{output}"

[debug]
"""


def main(corpus: str, output: str) -> None:
    """Become text-dedup's command, over the Parquet files of one directory and into another, in one process."""
    scratch = Path(f"{output}-scratch")
    scratch.mkdir()
    (scratch / "config.toml").write_text(_CONFIGURATION.format(corpus=corpus, output=output, scratch=scratch))
    os.chdir(scratch)
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": f"{scratch}/home"}
    os.execve(sys.executable, [sys.executable, "-m", "text_dedup.minhash"], environment)


if __name__ == "__main__":
    main(*sys.argv[1:])
