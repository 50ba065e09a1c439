"""fastText classifiers: a model file, checked and loaded once a process, and the probabilities of its labels.

fastText (Joulin et al. 2016, arXiv 1607.01759) reads one line of text and splits it at ASCII whitespace and null bytes.
"""

from __future__ import annotations

import functools
import hashlib
import mmap
import shutil
import struct
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, Final

import fasttext
from apache_beam.io.filesystems import FileSystems

from transforms.files import reading
from transforms.storage import StorageError

LABEL_PREFIX: Final = "__label__"
"""What marks a word of a training line as a label."""

_END_OF_LINE: Final = "</s>"
_MAGIC: Final = 793712314
_SUPERVISED: Final = 3
_CENTROIDS: Final = 256
_LOCK: Final = threading.Lock()
_REMEDY: Final = "name a fastText classifier (.bin or .ftz), whole and readable"


class ModelFileError(ValueError):
    """A model file cannot be used as the configuration asks; one line that names the path and the remedy."""


class Classifier:
    """A loaded model. Threads may share it; it cannot be pickled, so it is loaded where it is used.

    Attributes:
      labels: the model's labels without their prefix, in its order.
      sha256: of the model's file, in hexadecimal.
    """

    def __init__(self, model: Any, sha256: str) -> None:
        self._model = model
        self.sha256 = sha256
        self.labels = tuple(label.removeprefix(LABEL_PREFIX) for label in model.get_labels())

    def best(self, lines: Sequence[str]) -> list[tuple[str, float]]:
        """Return the most probable label of each line and its probability.

        A line without a known word gets what the model expects of any text, or ("unknown", 0.0) where it expects
        nothing.

        Args:
          lines: texts as `one_line` returns them.
        """
        return [
            (names[0].removeprefix(LABEL_PREFIX), _probability(shares[0])) if names else ("unknown", 0.0)
            for names, shares in zip(*self._model.predict(list(lines), k=1), strict=True)
        ]

    def probabilities(self, lines: Sequence[str], label: str) -> list[float]:
        """Return the probability of one label for each line; 0.0 where the model has none.

        Args:
          lines: texts as `one_line` returns them.
          label: one of `labels`.
        """
        found = []
        for names, shares in zip(*self._model.predict(list(lines), k=-1), strict=True):
            by_name = {name.removeprefix(LABEL_PREFIX): share for name, share in zip(names, shares, strict=True)}
            found.append(_probability(by_name.get(label, 0.0)))
        return found


def _probability(share: float) -> float:
    # fastText's softmax adds 1e-5 before it takes the logarithm. What is no number compares false and becomes 0.
    return min(1.0, max(0.0, float(share)))


def one_line(text: str, characters: int | None = None) -> str:
    """Return a text as the one line fastText reads: line feeds become spaces.

    What fastText would obey becomes a space too: its end-of-line word, behind which it reads nothing, and the label
    prefix, with which a document could name its own class in training.

    Args:
      text: any string that UTF-8 can hold; it may be empty or full of null bytes.
      characters: how many are read, from the beginning; null reads all.
    """
    return text[:characters].replace("\n", " ").replace(_END_OF_LINE, " ").replace(LABEL_PREFIX, " ")


def load_classifier(path: str, sha256: str | None = None) -> Classifier:
    """Return the classifier of a model file; each file is loaded once a process.

    Args:
      path: a local path, or one of any filesystem that Beam opens (`gs://...`), which is copied to this machine first.
      sha256: what the file must have, in hexadecimal; null takes any.

    Raises:
      ModelFileError: the file is missing, unreadable, cut off, no fastText classifier, or another one than it was.
    """
    with _LOCK:  # so that threads that start together wait for one loading
        classifier = _load(path)
    if sha256 is not None and classifier.sha256 != sha256:
        raise ModelFileError(
            f"{path} is not the file with which the run began (its sha256 is {classifier.sha256}, it was {sha256});"
            " give every worker that one, under a name of its own, and run again"
        )
    return classifier


@functools.cache
def _load(path: str) -> Classifier:
    if FileSystems.get_scheme(path) is None:
        return open_classifier(path)
    with tempfile.TemporaryDirectory(prefix="webscale-rl-") as directory:
        copy = str(Path(directory) / "model")
        try:
            with reading(path) as stream, Path(copy).open("wb") as file:
                shutil.copyfileobj(stream, file)
        except StorageError as error:
            raise ModelFileError(str(error)) from None
        except (OSError, ValueError) as error:  # the latter where Beam does not know the filesystem
            raise ModelFileError(f"{path} cannot be read: {' '.join(str(error).split())}; {_REMEDY}") from None
        return open_classifier(copy, shown=path)


def open_classifier(path: str, shown: str | None = None) -> Classifier:
    """Load a classifier from a local file.

    Args:
      path: the file.
      shown: the name for it in an error; null takes `path`.

    Raises:
      ModelFileError: as `load_classifier`.
    """
    shown = shown or path
    try:
        with Path(path).open("rb") as file:
            problem = _problem(file)
            file.seek(0)
            sha256 = _sha256(file)
        if problem is None:
            classifier = Classifier(fasttext.load_model(path), sha256)
            classifier.best([""])
            return classifier
    except OSError as error:
        raise ModelFileError(f"{shown} cannot be read: {error.strerror}; {_REMEDY}") from None
    except (ValueError, RuntimeError, MemoryError) as error:
        problem = " ".join(str(error).split())
    raise ModelFileError(f"{shown} is no usable fastText classifier: {problem}; {_REMEDY}")


def _sha256(file: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(1 << 20):
        digest.update(chunk)
    return digest.hexdigest()


def _problem(file: IO[bytes]) -> str | None:
    """Return what is wrong with a model file, or null.

    fastText believes the sizes in a file: on one that is cut off it divides by zero, which kills the process, allocates
    for ever, or loads what there is and answers nonsense. So the sizes are added up first.
    """
    if not file.read(1):
        return "the file is empty"
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return _Walk(data).problem()


class _Walk:
    """A walk through a model file as fastText's `saveModel` writes it (format versions 11 and 12)."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._place = 0

    def problem(self) -> str | None:
        """Return what is wrong with the file, or null."""
        try:
            if self._take("2i")[0] != _MAGIC:
                return "it has another format"
            arguments = self._take("12id")
            if arguments[7] != _SUPERVISED:
                return "it holds word vectors and no labels"
            self._skip_dictionary()
            quantized = self._skip_matrix(quantized=None)
            self._skip_matrix(quantized=quantized)
        except (struct.error, EOFError):
            return "the file is cut off"
        return None if self._place == len(self._data) else "there is more in the file than a model"

    def _take(self, layout: str) -> tuple[Any, ...]:
        values = struct.unpack_from(f"<{layout}", self._data, self._place)
        self._place += struct.calcsize(f"<{layout}")
        return values

    def _skip(self, size: int) -> None:
        if not 0 <= size <= len(self._data) - self._place:
            raise EOFError
        self._place += size

    def _skip_dictionary(self) -> None:
        entries, _, _, _, pruned = self._take("3i2q")
        for _ in range(entries):  # a word that ends in a null byte, a count of eight bytes and a type of one
            end = self._data.find(b"\0", self._place)
            self._skip(end + 10 - self._place)
        self._skip(max(0, pruned) * 8)

    def _skip_matrix(self, *, quantized: bool | None) -> bool:
        """Pass one of the two matrices; the second is quantized only where the first, `quantized`, is."""
        (flag,) = self._take("?")
        if not flag or quantized is False:
            rows, columns = self._take("2q")
            self._skip(rows * columns * 4)
            return False
        (norms,) = self._take("?")
        rows, _, codes = self._take("2qi")
        self._skip(codes)
        self._skip_quantizer()
        if norms:
            self._skip(rows)
            self._skip_quantizer()
        return True

    def _skip_quantizer(self) -> None:
        dimension, *_ = self._take("4i")
        self._skip(dimension * _CENTROIDS * 4)
