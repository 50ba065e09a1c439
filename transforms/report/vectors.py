"""Questions as vectors: by an embedding model where one is configured, else by TF-IDF and a truncated SVD."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from transforms.llm.failures import failure
from transforms.llm.litellm_engine import load_litellm, named_key
from transforms.llm.requests import ModelError, Settings

TERMS: Final = 4096
"""Most frequent words that TF-IDF counts."""
DIMENSIONS: Final = 64
BATCH: Final = 100
"""Questions that an embedding model is given in one call."""
TIMEOUT_S: Final = 30.0

Floats = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True, slots=True)
class Vectors:
    """Questions as unit vectors.

    Attributes:
      vectors: float32[n, d].
      method: how they were made, as the page says it.
      note: why it was not the embedding model that was asked for, null where it was or none was.
      weights: float32[n, terms], their TF-IDF, by which clusters are named.
      terms: its words.
    """

    vectors: Floats
    method: str
    note: str | None
    weights: Floats
    terms: tuple[str, ...]


def vectors_of(questions: Sequence[str], embedding: dict[str, Any] | None) -> Vectors:
    """Return questions as vectors whose cosines say how alike they are.

    Args:
      embedding: `report.embedding` of the configuration, as JSON, null for TF-IDF.
    """
    weights, terms = tf_idf(questions)
    note = None
    if embedding is not None:
        settings = Settings(embedding["model"], embedding["api_base"], embedding["api_key_env"])
        try:
            return Vectors(_unit(embed(questions, settings)), f"embeddings by {settings.model}", None, weights, terms)
        except ModelError as error:
            note = f"{settings.model} gave no embeddings: {error}"
    reduced = _unit(reduce(weights, DIMENSIONS))
    method = f"TF-IDF of words, reduced to {reduced.shape[1]} dimensions by a truncated SVD"
    return Vectors(reduced, method, note, weights, terms)


def embed(questions: Sequence[str], settings: Settings) -> Floats:
    """Return a model's embeddings, float32[n, d].

    Raises:
      ModelError: a call failed, or what came is not an embedding of each question; its message is one line.
    """
    found: list[Any] = []
    for start in range(0, len(questions), BATCH):
        batch = list(questions[start : start + BATCH])
        parameters = {"api_base": settings.api_base, "api_key": named_key(settings)}
        given = {name: value for name, value in parameters.items() if value is not None}
        try:
            answer = load_litellm().embedding(
                model=settings.model, input=batch, timeout=TIMEOUT_S, num_retries=0, max_retries=0, **given
            )
            vectors = [entry["embedding"] for entry in sorted(answer.data, key=lambda entry: int(entry["index"]))]
            if len(vectors) != len(batch):
                raise ValueError(f"{len(vectors)} vectors for {len(batch)} questions")
            found.append(np.array(vectors, np.float32))
        except Exception as error:  # litellm's kinds are many
            failed = failure(error, settings, TIMEOUT_S)
        else:
            continue
        raise failed  # here and not above, because what litellm raised holds the key
    return np.concatenate(found)


def tf_idf(questions: Sequence[str]) -> tuple[Floats, tuple[str, ...]]:
    """Return unit rows of (1 + log count) x log(n / documents with the word), and the words, most frequent first."""
    counts = [Counter(re.findall(r"[^\W_]+", question.lower())) for question in questions]
    frequency = Counter(word for count in counts for word in count)
    terms = sorted(frequency, key=lambda word: (-frequency[word], word))[:TERMS]
    place = {word: i for i, word in enumerate(terms)}
    weights = np.zeros((len(questions), len(terms)), np.float32)
    for row, count in zip(weights, counts, strict=True):
        for word, n in count.items():
            if (column := place.get(word)) is not None:
                row[column] = (1 + np.log(n)) * np.log((1 + len(questions)) / frequency[word])
    return _unit(weights), tuple(terms)


def reduce(matrix: Floats, dimensions: int) -> Floats:
    """Return the rows in the leading singular directions, by randomised SVD with two power iterations.

    Halko, Martinsson and Tropp, "Finding structure with randomness" (2011), algorithm 4.4.
    """
    dimensions = min(dimensions, *matrix.shape)
    random = np.random.default_rng(0).standard_normal((matrix.shape[1], dimensions + 10), np.float32)
    basis = np.linalg.qr(matrix @ random)[0]
    for _ in range(2):
        basis = np.linalg.qr(matrix @ np.linalg.qr(matrix.T @ basis)[0])[0]
    left, values, _ = np.linalg.svd(basis.T @ matrix, full_matrices=False)
    return np.asarray((basis @ left * values)[:, :dimensions], np.float32)


def _unit(matrix: Floats) -> Floats:
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    return np.asarray(matrix / np.where(lengths > 0, lengths, 1), np.float32)
