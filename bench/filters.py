"""What filtering costs beside its peers: `python -m bench.filters --input 'corpus/*.parquet'`.

Compared are whole commands that read the same Parquet files, apply FineWeb's filters (Gopher repetition, C4 without the
rule of terminal punctuation, Gopher quality, FineWeb; all with their published thresholds) and write what is left:

- webscale-rl: `webscale-rl run --config examples/fineweb.yaml --until filter`;
- datatrove: `bench/datatrove_filters.py`, the same four filters between its Parquet reader and writer, one task, with
  the interpreter `--datatrove` names (`make parity` makes one);
- dolma, with the interpreter `--dolma` names: `dolma tag` with the taggers gopher_v1 and c4_v2 alone. It reads gzipped
  JSON, whose making is not counted, splits words at whitespace, computes no rule of FineWeb's and drops nothing.

Processor seconds are of a command and its children, less those of the same command on a corpus without rows (which
datatrove ends before it loads spaCy: a second that counts against it). Ours and all starts are the median of three
runs, a peer's corpus is run once. Peak memory is of the largest process.
"""

from __future__ import annotations

import argparse
import gzip
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow.parquet as pq

from bench.measure import (
    OURS,
    REPOSITORY,
    ROUNDS,
    Command,
    Contender,
    Result,
    corpus_files,
    lay_out,
    median,
    peer,
    results,
    webscale_rl,
)


def dolma(python: str) -> Command:
    """Return dolma's command in an interpreter that has it."""

    def command(corpus: Path, output: Path) -> list[str]:
        documents = f"--documents {corpus}/*.jsonl.gz --destination {output}/attributes --processes 1"
        work = f"--work_dir.input {output}/in --work_dir.output {output}/out"
        return [str(Path(python).with_name("dolma")), "tag", *f"{documents} --taggers gopher_v1 c4_v2 {work}".split()]

    return command


def double(paths: Sequence[str], scratch: Path) -> None:
    """Lay the corpus out twice over, in a directory `doubled`."""
    (scratch / "doubled").mkdir()
    for number, path in enumerate(paths):
        for copy in range(2):
            (scratch / "doubled" / f"{number:05}-{copy}.parquet").symlink_to(Path(path).resolve())


def compress(paths: Sequence[str], scratch: Path) -> None:
    """Lay the corpus out as dolma reads it, beside the Parquet files of `all` and `empty`."""
    for number, path in enumerate(paths):
        with gzip.open(scratch / "all" / f"{number:05}.jsonl.gz", "wt", encoding="utf-8") as out:
            for batch in pq.ParquetFile(path).iter_batches(columns=["id", "text"]):
                for row in batch.to_pylist():
                    if row["text"]:
                        out.write(json.dumps({"id": f"{row['id']}", "text": row["text"], "source": ""}) + "\n")
    gzip.open(scratch / "empty" / "none.jsonl.gz", "wb").close()


def compare(paths: Sequence[str], contenders: Mapping[str, Contender], scratch: Path) -> None:
    """Measure every command, ours first, and print a line for each as soon as there is one."""
    documents = lay_out(paths, scratch)
    double(paths, scratch)
    if "dolma" in contenders:
        compress(paths, scratch)
    print(f"{documents:,} documents; processor seconds without start-up\n")
    print(
        "               start-up s    CPU s   s / 1,000 documents   documents / s   ratio   peak MB      kept",
        flush=True,
    )
    found: dict[str, Result] = {}
    for name, result in results(contenders, scratch):
        found[name] = result
        kept = sum(pq.read_metadata(path).num_rows for path in result.output.glob(contenders[name].kept or "none"))
        cpu = result.used.cpu
        print(
            f"{name:14} {result.start.cpu:10.2f} {cpu:8.2f} {1000 * cpu / documents:21.3f} {documents / cpu:15,.0f}"
            f" {cpu / found[OURS].used.cpu:7.1f} {result.used.peak / 1e6:9,.0f} {kept or '-':>9}",
            flush=True,
        )
    peak = found[OURS].used.peak
    twice, _ = median(contenders[OURS].command, scratch / "doubled", ROUNDS)
    print(
        f"\npeak memory of webscale-rl: {peak / 1e6:,.0f} MB, on the corpus doubled {twice.peak / 1e6:,.0f} MB:"
        f" {twice.peak / peak:.2f} times"
    )


def main() -> None:
    """Read the flags, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    # The example corpus is no default: of a hundred documents start-up is all one would measure, and a corpus repeated
    # flatters whoever remembers words.
    parser.add_argument("--input", required=True, nargs="+", metavar="GLOB", help="Parquet files with id and text")
    parser.add_argument("--datatrove", default=f"{REPOSITORY}/.venv-parity/bin/python", metavar="PYTHON")
    parser.add_argument("--dolma", metavar="PYTHON")
    flags = parser.parse_args()
    paths = corpus_files(parser, flags.input)
    if not Path(flags.datatrove).exists():
        parser.error(f"there is no {flags.datatrove}: run make parity, or name an interpreter with --datatrove")
    contenders = {
        OURS: Contender(
            webscale_rl(f"--config {REPOSITORY}/examples/fineweb.yaml --until filter"), "documents/*.parquet"
        ),
        "datatrove": Contender(peer("datatrove_filters.py", flags.datatrove), "*.parquet"),
    }
    if flags.dolma:
        contenders["dolma"] = Contender(dolma(flags.dolma), "")
    with tempfile.TemporaryDirectory() as name:
        compare(paths, contenders, Path(name))


if __name__ == "__main__":
    main()
