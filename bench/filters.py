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
import functools
import glob
import gzip
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

_REPOSITORY = Path(__file__).parents[1]
_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Contender:
    """Who filters.

    Attributes:
      command: the command that filters the files of one directory into another.
      kept: the Parquet files in the latter that hold what is left, by a glob; empty for one that drops nothing.
    """

    command: Callable[[Path, Path], list[str]]
    kept: str


@dataclass(frozen=True, slots=True)
class Usage:
    """What a command took: processor seconds and the bytes its largest process held."""

    cpu: float
    peak: float


def measure(command: list[str], log: Path) -> Usage:
    """Run a command to its end, its output in `log`."""
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, cwd=_REPOSITORY)
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        tail = log.read_text(encoding="utf-8", errors="replace")[-2000:]
        raise SystemExit(f"{tail}\n{' '.join(command)} ended with {process.returncode}")
    return Usage(used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


def ours(corpus: Path, output: Path) -> list[str]:
    """Return this package's command."""
    script = Path(sys.executable).with_name("webscale-rl")
    flags = f"--input {corpus}/*.parquet --output {output} --config {_REPOSITORY}/examples/fineweb.yaml --until filter"
    return [str(script), "run", *flags.split()]


def datatrove(python: str, corpus: Path, output: Path) -> list[str]:
    """Return datatrove's command in an interpreter that has it."""
    return [python, str(Path(__file__).with_name("datatrove_filters.py")), str(corpus), str(output)]


def dolma(python: str, corpus: Path, output: Path) -> list[str]:
    """Return dolma's command in an interpreter that has it."""
    documents = f"--documents {corpus}/*.jsonl.gz --destination {output}/attributes --processes 1"
    work = f"--work_dir.input {output}/in --work_dir.output {output}/out"
    return [str(Path(python).with_name("dolma")), "tag", *f"{documents} --taggers gopher_v1 c4_v2 {work}".split()]


def lay_out(paths: list[str], scratch: Path, gzipped: bool) -> int:
    """Lay the corpus out as `all`, `empty` and `doubled`, in the formats the commands read; return its documents."""
    documents = 0
    for name in ("all", "empty", "doubled"):
        (scratch / name).mkdir()
    for number, path in enumerate(paths):
        for directory, copy in (("all", 0), ("doubled", 0), ("doubled", 1)):
            (scratch / directory / f"{number:05}-{copy}.parquet").symlink_to(Path(path).resolve())
        file = pq.ParquetFile(path)
        documents += file.metadata.num_rows
        if gzipped:
            with gzip.open(scratch / "all" / f"{number:05}.jsonl.gz", "wt", encoding="utf-8") as out:
                for batch in file.iter_batches(columns=["id", "text"]):
                    for row in batch.to_pylist():
                        if row["text"]:
                            out.write(json.dumps({"id": f"{row['id']}", "text": row["text"], "source": ""}) + "\n")
    pq.write_table(pq.read_schema(paths[0]).empty_table(), scratch / "empty" / "none.parquet")
    gzip.open(scratch / "empty" / "none.jsonl.gz", "wb").close()
    return documents


def median(contender: Contender, corpus: Path, rounds: int) -> tuple[Usage, int]:
    """Run a command several times, each into a new directory; return its median usage and the rows it kept."""
    runs = []
    for _ in range(rounds):
        output = Path(tempfile.mkdtemp(dir=corpus.parent)) / "output"
        runs.append(measure(contender.command(corpus, output), output.with_name("log")))
    kept = sum(pq.read_metadata(path).num_rows for path in output.glob(contender.kept or "none"))
    return Usage(statistics.median(run.cpu for run in runs), statistics.median(run.peak for run in runs)), kept


def compare(paths: list[str], contenders: dict[str, Contender], scratch: Path) -> None:
    """Measure every command, ours first, and print a line for each as soon as there is one."""
    documents = lay_out(paths, scratch, gzipped="dolma" in contenders)
    print(f"{documents:,} documents; processor seconds without start-up\n")
    print(
        "               start-up s    CPU s   s / 1,000 documents   documents / s   ratio   peak MB      kept",
        flush=True,
    )
    used: dict[str, Usage] = {}
    for name, contender in contenders.items():
        start, _ = median(contender, scratch / "empty", _ROUNDS)
        whole, kept = median(contender, scratch / "all", 1 if used else _ROUNDS)
        used[name] = Usage(whole.cpu - start.cpu, whole.peak)
        cpu = used[name].cpu
        print(
            f"{name:14} {start.cpu:10.2f} {cpu:8.2f} {1000 * cpu / documents:21.3f} {documents / cpu:15,.0f}"
            f" {cpu / used['webscale-rl'].cpu:7.1f} {whole.peak / 1e6:9,.0f} {kept or '-':>9}",
            flush=True,
        )
    peak = used["webscale-rl"].peak
    twice, _ = median(contenders["webscale-rl"], scratch / "doubled", _ROUNDS)
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
    parser.add_argument("--datatrove", default=f"{_REPOSITORY}/.venv-parity/bin/python", metavar="PYTHON")
    parser.add_argument("--dolma", metavar="PYTHON")
    flags = parser.parse_args()
    paths = sorted(path for pattern in flags.input for path in glob.glob(pattern))  # noqa: PTH207
    if not paths:
        parser.error(f"no file matches --input {' '.join(flags.input)}")
    if not Path(flags.datatrove).exists():
        parser.error(f"there is no {flags.datatrove}: run make parity, or name an interpreter with --datatrove")
    contenders = {
        "webscale-rl": Contender(ours, "documents/*.parquet"),
        "datatrove": Contender(functools.partial(datatrove, flags.datatrove), "*.parquet"),
    }
    if flags.dolma:
        contenders["dolma"] = Contender(functools.partial(dolma, flags.dolma), "")
    with tempfile.TemporaryDirectory() as name:
        compare(paths, contenders, Path(name))


if __name__ == "__main__":
    main()
