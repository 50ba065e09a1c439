"""What near-duplicate removal costs beside its peers, and what it finds: `python -m bench.dedup --input 'x/*.parquet'`.

Compared are whole commands that read the same Parquet files, remove near duplicates by MinHash over word 5-grams and
write what is left, each in one process:

- webscale-rl: `webscale-rl run --config examples/dedup.yaml --until dedup`: 20 bands of 6, every removal verified;
- datatrove: `bench/datatrove_dedup.py`, its four stages with 14 buckets of 8, nothing verified; the interpreter needs
  datatrove, spacy, regex, tokenizers and xxhash below 4;
- text-dedup: `bench/text_dedup_minhash.py`, its MinHash command with 14 bands of 8, clusters verified. It
  writes Arrow files, and fails on a corpus without rows, so its start is taken on one document twice;
- gaoya: `bench/gaoya_dedup.py`, its index with 14 bands of 8, verified by signatures; it needs gaoya and pyarrow.

Seconds are those of a command and its children, less those of the same command on a corpus without rows. Ours and all
starts are the median of three runs, a peer's corpus is run once. Peak memory is of the largest process.

`--pairs` names a Parquet file of all true pairs of the corpus: `a` and `b`, ids, and `j`, the Jaccard index of their
word 5-grams. A pair is found when one of its members or both are gone.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bench.measure import (
    OURS,
    REPOSITORY,
    Contender,
    Result,
    corpus_files,
    lay_out,
    peer,
    results,
    webscale_rl,
)
from schemas.config_filters import DedupSettings

_BINS: Final = ((0.9, 1.0), (0.8, 0.9), (0.75, 0.8), (0.7, 0.75))
_SHINGLE_WORDS: Final = 5

Pairs = Sequence[tuple[str, str, float]]


def lay_out_twins(path: str, scratch: Path) -> None:
    """Lay out the smallest corpus with a duplicate, one document twice, in a directory `twins`."""
    (scratch / "twins").mkdir()
    document = next(pq.ParquetFile(path).iter_batches(batch_size=1))
    pq.write_table(pa.Table.from_batches([document, document]), scratch / "twins" / "twins.parquet")


def ids_in(paths: Iterable[Path | str]) -> set[str]:
    """Return the ids of some Parquet or Arrow files."""
    found: set[str] = set()
    for path in paths:
        if str(path).endswith(".arrow"):
            with pa.memory_map(str(path)) as source, pa.ipc.open_stream(source) as stream:
                found.update(stream.read_all()["id"].cast(pa.string()).to_pylist())
        else:
            found.update(pq.read_table(path, columns=["id"])["id"].cast(pa.string()).to_pylist())
    return found


def read_pairs(path: str, ids: set[str]) -> Pairs:
    """Return (a, b, j) of every true pair; one of another corpus ends the program."""
    rows = pq.read_table(path, columns=["a", "b", "j"]).to_pylist()
    strange = next((row[side] for row in rows for side in ("a", "b") if row[side] not in ids), None)
    if strange is not None:
        raise SystemExit(
            f"--pairs {path} names a document {strange!r} that --input lacks: name the pairs of this corpus"
        )
    return [(row["a"], row["b"], row["j"]) for row in rows]


def recall(pairs: Pairs, removed: set[str]) -> list[tuple[int, int]]:
    """Return (pairs found, pairs) for each bin of the Jaccard index, the upper edge of the first in it."""
    found = []
    for low, high in _BINS:
        inside = [(a, b) for a, b, j in pairs if low <= j < high or j == high == 1.0]
        found.append((sum(a in removed or b in removed for a, b in inside), len(inside)))
    return found


def shingles(text: str) -> set[tuple[str, ...]]:
    """Return a text's word 5-grams by the definition; all words of a shorter text are one."""
    words = [word for word in re.split(r"\W+", text.lower()) if word]
    last = max(1, len(words) - _SHINGLE_WORDS + 1)
    return {tuple(words[start : start + _SHINGLE_WORDS]) for start in range(last)}


def true_similarities(paths: Sequence[str], rejected: Path) -> list[float]:
    """Return the Jaccard index of each document that is gone with the survivor that it is said to duplicate."""
    pairs = pq.read_table(
        rejected, columns=["doc_id", "duplicate_of"], filters=pc.field("stage") == "dedup"
    ).to_pylist()
    wanted = pa.array({name for pair in pairs for name in pair.values()}, pa.string())
    sets: dict[str, set[tuple[str, ...]]] = {}
    for path in paths:
        for batch in pq.ParquetFile(path).iter_batches(columns=["id", "text"]):
            ids = batch.column("id").cast(pa.string())
            for row in batch.filter(pc.is_in(ids, wanted)).to_pylist():
                sets[f"{row['id']}"] = shingles(row["text"])
    sides = [(sets[pair["doc_id"]], sets[pair["duplicate_of"]]) for pair in pairs]
    return [len(a & b) / len(a | b) for a, b in sides]


def compare(contenders: Mapping[str, Contender], documents: int, scratch: Path) -> dict[str, Result]:
    """Measure every command, ours first, and print a line for each as soon as there is one."""
    print(f"{documents:,} documents; seconds without start-up\n")
    print("               start-up s    CPU s   wall s   documents / CPU s   ratio   peak MB", flush=True)
    found: dict[str, Result] = {}
    for name, result in results(contenders, scratch):
        found[name] = result
        start, used = result.start, result.used
        print(
            f"{name:14} {start.cpu:10.2f} {used.cpu:8.2f} {used.wall:8.2f} {documents / used.cpu:19,.0f}"
            f" {used.cpu / found[OURS].used.cpu:7.1f} {used.peak / 1e6:9,.0f}",
            flush=True,
        )
    return found


def report_removals(ids: set[str], pairs: Pairs, outputs: Mapping[str, set[str]]) -> None:
    """Print how many documents each contender removed and which share of the true pairs it found."""
    print("\n                 removed" + "".join(f"{f'{low} <= J':>18}" for low, _ in _BINS if pairs))
    for name, kept in outputs.items():
        removed = ids - kept
        cells = [f"{found} of {all_} = {found / max(1, all_):.3f}" for found, all_ in recall(pairs, removed)]
        print(f"{name:14} {len(removed):9,}" + "".join(f"{cell:>18}" for cell in cells if pairs))


def report_precision(similarities: Sequence[float], threshold: float) -> None:
    """Print which share of our removals the texts do not bear out."""
    wrong = sum(similarity < threshold for similarity in similarities)
    print(
        f"\nremoved by webscale-rl with a true Jaccard index below {threshold} to the survivor named:"
        f" {wrong} of {len(similarities)}; the least is {min(similarities, default=1.0):.4f}"
    )


def main() -> None:
    """Read the flags, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    # The example corpus is no default: of a hundred documents start-up is all one would measure.
    parser.add_argument("--input", required=True, nargs="+", metavar="GLOB", help="Parquet files with id and text")
    parser.add_argument("--pairs", metavar="FILE", help="the true pairs of the corpus")
    for name in ("datatrove", "text-dedup", "gaoya"):
        parser.add_argument(f"--{name}", metavar="PYTHON", help=f"an interpreter with {name}; left out without")
    flags = parser.parse_args()
    paths = corpus_files(parser, flags.input)
    contenders = {
        OURS: Contender(webscale_rl(f"--config {REPOSITORY}/examples/dedup.yaml --until dedup"), "documents/*.parquet")
    }
    if flags.datatrove:
        contenders["datatrove"] = Contender(peer("datatrove_dedup.py", flags.datatrove), "*.parquet")
    if flags.text_dedup:
        contenders["text-dedup"] = Contender(peer("text_dedup_minhash.py", flags.text_dedup), "*.arrow", "twins")
    if flags.gaoya:
        contenders["gaoya"] = Contender(peer("gaoya_dedup.py", flags.gaoya), "*.parquet")
    ids = ids_in(paths)
    pairs = read_pairs(flags.pairs, ids) if flags.pairs else []
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        documents = lay_out(paths, scratch)
        lay_out_twins(paths[0], scratch)
        found = compare(contenders, documents, scratch)
        kept = {name: ids_in(found[name].output.glob(contenders[name].kept)) for name in found}
        report_removals(ids, pairs, kept)
        report_precision(true_similarities(paths, found[OURS].output / "rejected"), DedupSettings().threshold)


if __name__ == "__main__":
    main()
