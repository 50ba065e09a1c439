"""`webscale-rl train-quality`: a fastText classifier from verdicts, and the threshold at which it spares calls."""

from __future__ import annotations

import contextlib
import math
import shutil
import tempfile
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml
from apache_beam.io.filesystem import BeamIOError

from pipelines.labelled import LabelledParquet
from pipelines.options import Parser, UsageError, input_files, suggestion
from pipelines.verdicts import Example, ScreenedRun
from schemas.records import text_sha256
from transforms.fasttext_model import open_classifier
from transforms.files import delete, exists, replacing, write_text
from transforms.quality import (
    KEPT_LABEL,
    OperatingPoint,
    is_held_out,
    precision_recall,
    shown,
    split_line,
    train,
    training_line,
)

_RECALLS: Final = (0.99, 0.98, 0.95, 0.90, 0.80, 0.50)
_DEFAULT_RECALL: Final = 0.95
_LEAST_HELD_OUT: Final = 50
"""Documents of each class on which a threshold must be measured: of 50, a recall of 0.95 is known to 0.06 or so."""
_BUCKETS: Final = 64
_SCORED_AT_ONCE: Final = 1024


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """What `webscale-rl train-quality` was told.

    Attributes:
      source: where the examples are.
      output: the model file to write.
      recall: the share of kept documents that the threshold must let pass.
    """

    source: LabelledParquet | ScreenedRun
    output: str
    recall: float


def parse_train_quality(arguments: Sequence[str]) -> TrainingOptions:
    """Return what the arguments of `webscale-rl train-quality` describe.

    Raises:
      UsageError: an unknown flag, a bad value, a file or directory that is missing.
    """
    parser = Parser(
        prog="webscale-rl train-quality",
        allow_abbrev=False,
        description="Train a fastText classifier on kept and rejected documents, for filters.quality of a run.",
    )
    parser.add_argument("--input", nargs="+", metavar="GLOB", help="Parquet files with a text and a label in each row")
    parser.add_argument("--run", metavar="DIR", help="an earlier run's --output: learn the verdicts of its screen")
    parser.add_argument("--output", metavar="FILE", help="the model file to write")
    parser.add_argument("--text-column", metavar="NAME", help="column of --input that holds the text (default: text)")
    parser.add_argument("--label-column", metavar="NAME", help="column that holds the label (default: label)")
    parser.add_argument("--positive", metavar="VALUE", help="the label to keep, where labels are two strings")
    parser.add_argument(
        "--recall", type=float, default=_DEFAULT_RECALL, help="share of kept documents that must pass (default: 0.95)"
    )
    flags, rest = parser.parse_known_args(list(arguments))
    if rest:
        known = [action.option_strings[-1] for action in parser._actions]
        if not rest[0].startswith("-"):
            raise UsageError(f"unexpected argument {rest[0]!r}; a value belongs behind its flag")
        flag = rest[0].split("=")[0]
        raise UsageError(f"unknown flag {flag}{suggestion(flag, known)}")
    if flags.output is None:
        raise UsageError("--output is missing; name the model file to write")
    if not 0 < flags.recall <= 1:
        raise UsageError(f"--recall {flags.recall} must be above 0 and at most 1")
    _check_output(flags.output)
    return TrainingOptions(_source(flags), flags.output, flags.recall)


def _source(flags: Any) -> LabelledParquet | ScreenedRun:
    if (flags.input is None) == (flags.run is None):
        raise UsageError("name one source: --input GLOB (labelled Parquet) or --run DIR (an earlier run)")
    if flags.run is None:
        columns = flags.text_column or "text", flags.label_column or "label"
        return LabelledParquet(input_files(flags.input), *columns, flags.positive)
    for name in ("text_column", "label_column", "positive"):
        if getattr(flags, name) is not None:
            raise UsageError(f"--{name.replace('_', '-')} belongs to --input; a run knows its columns and verdicts")
    return ScreenedRun(flags.run)


def _check_output(output: str) -> None:
    if "://" not in output and not Path(output).absolute().parent.is_dir():
        raise UsageError(f"--output {output}: there is no directory {Path(output).parent}; make it first")
    probe = f"{_absolute(output)}-{uuid.uuid4().hex}"
    try:
        taken = exists(_absolute(output))
        write_text(probe, "")
        delete([probe])
    except (OSError, ValueError, BeamIOError) as error:
        raise UsageError(f"cannot write to --output {output}: {' '.join(str(error).split())}") from None
    if taken:
        raise UsageError(f"--output {output} exists already; name another file, or delete it")


def _absolute(path: str) -> str:
    return path if "://" in path else str(Path(path).absolute())


def train_quality(options: TrainingOptions) -> int:
    """Train, write the model and print how it does on documents that it has not seen.

    Returns:
      0.

    Raises:
      UsageError: the examples cannot be read, or are too few or of one class.
    """
    with tempfile.TemporaryDirectory(prefix="webscale-rl-") as directory:
        examples = Examples(Path(directory))
        examples.add_all(options.source.examples())
        _check_enough(examples)
        print(_counted(examples), flush=True)
        model = str(Path(directory) / "model.bin")
        train(examples.mixed(), model)
        scores, kept = _score(model, examples)
        with replacing(_absolute(options.output)) as stream, Path(model).open("rb") as file:
            shutil.copyfileobj(file, stream)
    print(_report(options, examples.total, scores, kept))
    return 0


class Examples:
    """Documents on their way to fastText, as training lines in files: four fifths to learn from, a fifth held out.

    The held-out fifth is chosen by the hash of the text, so that equal texts never stand on both sides. fastText takes
    lines as they come, so the others are mixed: put into files by that hash, each small enough to be sorted in memory.
    The result does not depend on the order of the input.
    """

    def __init__(self, directory: Path) -> None:
        """
        Args:
          directory: an empty one; what is written there is as large as the texts' first 4,000 characters.
        """
        self._directory = directory
        self.counts: Counter[tuple[str, bool]] = Counter()
        self.passed_over = 0

    @property
    def total(self) -> int:
        """Documents learnt from or held out."""
        return self.counts.total()

    def add_all(self, examples: Iterable[Example]) -> None:
        """Write documents down; those without a label or a text that is more than whitespace are passed over."""
        with contextlib.ExitStack() as stack:
            held_out = stack.enter_context(self._held_out.open("wb"))
            buckets = [stack.enter_context(self._bucket(number).open("wb")) for number in range(_BUCKETS)]
            for text, kept in examples:
                if text is None or kept is None or not text.strip():
                    self.passed_over += 1
                    continue
                sha256 = text_sha256(text)
                line = training_line(text, kept=kept)
                if is_held_out(sha256):
                    self.counts["held out", kept] += 1
                    held_out.write(line)
                else:
                    self.counts["training", kept] += 1
                    buckets[int(sha256[-2:], 16) % _BUCKETS].write(f"{sha256} ".encode() + line)

    def mixed(self) -> str:
        """Return the path of the training lines, in an order that the texts' hashes give."""
        path = self._directory / "training.txt"
        with path.open("wb") as file:
            for number in range(_BUCKETS):
                bucket = self._bucket(number)
                lines = bucket.read_bytes().split(b"\n")[:-1]
                file.writelines(line.split(b" ", 1)[1] + b"\n" for line in sorted(lines))
                bucket.unlink()
        return str(path)

    def held_out(self) -> Iterator[list[tuple[str, bool]]]:
        """Yield the held-out documents in bounded batches, as the line that fastText reads and whether it was kept."""
        batch: list[tuple[str, bool]] = []
        with self._held_out.open("rb") as file:
            for line in file:
                batch.append(split_line(line))
                if len(batch) == _SCORED_AT_ONCE:
                    yield batch
                    batch = []
        if batch:
            yield batch

    @property
    def _held_out(self) -> Path:
        return self._directory / "held-out.txt"

    def _bucket(self, number: int) -> Path:
        return self._directory / f"bucket-{number}.txt"


def _check_enough(examples: Examples) -> None:
    of_class = {kept: sum(n for (_, label), n in examples.counts.items() if label is kept) for kept in (True, False)}
    if not all(of_class.values()):
        raise UsageError(
            f"the source has {of_class[True]:,} kept and {of_class[False]:,} rejected documents with a text; a"
            " classifier learns from both"
        )
    for kept, name in ((True, "kept"), (False, "rejected")):
        held_out = examples.counts["held out", kept]
        if held_out < _LEAST_HELD_OUT:
            raise UsageError(
                f"of {of_class[kept]:,} {name} documents {held_out} are held out, too few to choose a threshold;"
                f" {_LEAST_HELD_OUT} are needed, so give about {6 * _LEAST_HELD_OUT} documents of each class"
            )


def _score(model: str, examples: Examples) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return the held-out documents' probabilities, float64[n], and whether each was kept, bool[n]."""
    classifier = open_classifier(model)
    scores: list[float] = []
    kept: list[bool] = []
    for batch in examples.held_out():
        scores.extend(classifier.probabilities([line for line, _ in batch], KEPT_LABEL))
        kept.extend(label for _, label in batch)
    return np.array(scores), np.array(kept)


def _counted(examples: Examples) -> str:
    parts = []
    for part in ("training", "held out"):
        kept, rejected = examples.counts[part, True], examples.counts[part, False]
        parts.append(f"{part:<9}{kept:>9,} kept {rejected:>9,} rejected")
    if examples.passed_over:
        parts.append(f"{examples.passed_over:,} rows without a text or a label are passed over")
    return "\n".join(parts)


def _report(options: TrainingOptions, total: int, scores: np.ndarray[Any, Any], kept: np.ndarray[Any, Any]) -> str:
    *table, chosen = precision_recall(scores, kept, [*_RECALLS, options.recall])
    lines = [f"{'recall':>8}{'threshold':>12}{'precision':>11}{'below it':>10}"]
    lines += [
        f"{recall:>8.2f}{shown(point.threshold):>12}{point.precision:>11.3f}{point.below:>10.1%}"
        for recall, point in zip(_RECALLS, table, strict=True)
    ]
    settings = {"filters": {"quality": {"model": options.output, "threshold": chosen.threshold}}}
    return "\n\n".join(
        [
            f"\nOn the {len(kept):,} held-out documents; 'below it' is the share of them that the screen would not"
            " see:",
            "\n".join(lines),
            _chosen(options, chosen, total, int(kept.sum())),
            f"The model is in {options.output}. To filter with it, put into the --config of a run:",
            yaml.safe_dump(settings, sort_keys=False).rstrip(),
        ]
    )


def _chosen(options: TrainingOptions, chosen: OperatingPoint, total: int, kept: int) -> str:
    if isinstance(options.source, ScreenedRun):
        calls, whose = options.source.calls, "screen calls of that run"
    else:
        calls, whose = total, "documents of the input from the screen"
    # Two standard errors of a share of so many documents: the threshold fits them, and new ones will differ. Where all
    # of them pass, the rule of three.
    margin = max(2 * math.sqrt(chosen.recall * (1 - chosen.recall) / kept), 3 / kept)
    return (
        f"Threshold {shown(chosen.threshold)}, the highest with a recall of {options.recall:g}:"
        f" {chosen.recall:.3f} of the {kept:,} held-out kept documents pass\n"
        f"(it was chosen on them; expect a recall within {margin:.3f} on others). By the held-out share it would have\n"
        f"spared {chosen.below:.1%} of the {calls:,} {whose}: {chosen.below * calls:,.0f}."
    )
