"""The quality of a document, by a fastText classifier, and how such a classifier is trained.

DCLM (Li et al. 2024, arXiv 2406.11794, section 4.4) filters with a classifier of word bigrams. Trained on the screen's
own verdicts it says cheaply what the screen would say, which spares calls for documents that have no chance.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import fasttext
import numpy as np

from schemas.config_filters import QualitySettings
from transforms.fasttext_model import LABEL_PREFIX, Classifier, ModelFileError, load_classifier, one_line
from transforms.ledger import Reason

QUALITY_CHARACTERS: Final = 4000
"""How much of a text is read, in training and after. It bounds what a long document costs (about 60 us).

On 11,060 web documents with verdicts, held-out classifiers of 500, 1,000, 2,000, 4,000 and all characters had an area
under the ROC curve of 0.84, 0.87, 0.885, 0.884 and 0.884. 2,000 would do; 4,000 hold nine of ten such documents
whole, so that a model trained elsewhere on whole documents sees what it was trained on.
"""
KEPT_LABEL: Final = "hq"
DROPPED_LABEL: Final = "lq"

_SIGNIFICANT_DIGITS: Final = 4
_SHOWN_LABELS: Final = 16
_HELD_OUT: Final = 5


@dataclass(frozen=True)
class QualityRule:
    """Keeps a document whose label has at least the threshold's probability."""

    settings: QualitySettings
    sha256: str | None = None

    def pinned(self) -> QualityRule:
        """Return this rule for the model as it is now: on a worker that finds another file `setup` fails."""
        return replace(self, sha256=self._classifier().sha256)

    def setup(self) -> None:
        """Load the model, once a process.

        Raises:
          ModelFileError: the model file is missing or no classifier.
        """
        self._classifier()

    def check(self) -> None:
        """Check, before a run starts, that the model is there and has the label.

        Raises:
          ModelFileError: as `setup`; or the label is none of the model's.
        """
        known = self._classifier().labels
        if self.settings.label not in known:
            more = ", ..." if len(known) > _SHOWN_LABELS else ""
            raise ModelFileError(
                f"{self.settings.model} has no label {self.settings.label!r}; name one that it has with"
                f" filters.quality.label: {', '.join(known[:_SHOWN_LABELS])}{more}"
            )

    def reasons(self, texts: Sequence[str]) -> list[Reason | None]:
        """Return, for each text, null to keep it, or ("quality", the label's probability: "0.1234")."""
        lines = [one_line(text, QUALITY_CHARACTERS) for text in texts]
        return [
            # Rounded down, so that what is shown of a rejected document never reaches the threshold.
            None if probability >= self.settings.threshold else ("quality", shown(rounded_down(probability)))
            for probability in self._classifier().probabilities(lines, self.settings.label)
        ]

    def _classifier(self) -> Classifier:
        return load_classifier(self.settings.model, self.sha256)


def shown(probability: float) -> str:
    """Return a probability's digits, none of them as an exponent."""
    return str(np.format_float_positional(probability, trim="-"))


def rounded_down(value: float) -> float:
    """Return a probability cut off after four significant digits."""
    if value <= 0:
        return 0.0
    scale = 10.0 ** (_SIGNIFICANT_DIGITS - 1 - math.floor(math.log10(value)))
    return math.floor(value * scale) / scale


def is_held_out(text_sha256: str) -> bool:
    """Return whether a text belongs to the fifth on which a classifier is measured; equal texts share a side.

    Args:
      text_sha256: in hexadecimal.
    """
    return int(text_sha256[:8], 16) % _HELD_OUT == 0


def training_line(text: str, *, kept: bool) -> bytes:
    """Return a document as a line of fastText's training file, with its line feed."""
    label = KEPT_LABEL if kept else DROPPED_LABEL
    return f"{LABEL_PREFIX}{label} {one_line(text, QUALITY_CHARACTERS)}\n".encode()


def split_line(line: bytes) -> tuple[str, bool]:
    """Return what a training line says: the line that fastText reads, and whether the document was kept."""
    label, text = line.decode().removesuffix("\n").split(" ", 1)
    return text, label == f"{LABEL_PREFIX}{KEPT_LABEL}"


def train(lines: str, model: str) -> None:
    """Train a classifier and write its file. The same lines give the same file.

    Args:
      lines: path of a file of `training_line`s, well mixed: fastText takes them as they come, and what comes last
        weighs most.
      model: path to write.
    """
    # Word bigrams as in DCLM, in a table of 200,000 rows instead of 2,000,000 and 16 dimensions instead of 100: on
    # 11,060 documents the larger ones cost 150 MB and change the area under the ROC curve by less than 0.001. A second
    # thread would make the result depend on the clock.
    trained = fasttext.train_supervised(
        lines, lr=0.5, epoch=5, dim=16, wordNgrams=2, bucket=200_000, thread=1, seed=1, verbose=0
    )
    trained.save_model(model)


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """What a threshold does on held-out documents: those with at least its probability pass.

    Attributes:
      recall: the share of the kept documents that pass.
      precision: the share of kept documents among those that pass.
      below: the share of all documents that do not pass.
    """

    threshold: float
    recall: float
    precision: float
    below: float


def precision_recall(
    scores: np.ndarray[Any, np.dtype[np.float64]],
    kept: np.ndarray[Any, np.dtype[np.bool_]],
    recalls: Iterable[float],
) -> list[OperatingPoint]:
    """Return, for each wanted recall, the highest threshold of four significant digits that reaches it.

    Args:
      scores: float64[n], the probabilities of the kept label.
      kept: bool[n], whether each document was kept; at least one was.
      recalls: each above 0 and at most 1.
    """
    ranked = np.sort(scores[kept])[::-1]
    points = []
    for recall in recalls:
        threshold = rounded_down(float(ranked[math.ceil(recall * len(ranked)) - 1]))
        passing = scores >= threshold
        points.append(
            OperatingPoint(
                threshold=threshold,
                recall=float(passing[kept].mean()),
                precision=float(kept[passing].mean()),
                below=float(1 - passing.mean()),
            )
        )
    return points
