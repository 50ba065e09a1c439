"""The map of questions and the figures of their diversity."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from transforms.report import vectors as vectors_module
from transforms.report.diversity import cluster, diversity
from transforms.report.layout import lay_out, neighbours
from transforms.report.vectors import embed, reduce, tf_idf, vectors_of

TOPICS = (
    ["glacier", "moraine", "icefield", "crevasse", "snowline", "meltwater"],
    ["sonata", "orchestra", "violin", "concerto", "conductor", "symphony"],
    ["compiler", "parser", "bytecode", "runtime", "pointer", "closure"],
)


def questions(each: int) -> tuple[list[str], list[int]]:
    random = np.random.default_rng(3)
    asked = [" ".join(random.choice(words, 4)) for words in TOPICS for _ in range(each)]
    return [f"What is said about {words}?" for words in asked], [i for i in range(len(TOPICS)) for _ in range(each)]


def test_questions_of_a_topic_are_neighbours_on_the_map() -> None:
    asked, topics = questions(40)
    points = lay_out(vectors_of(asked, None).vectors)
    assert points.shape == (120, 2) and points.min() == 0 and points.max() == 1
    apart = np.linalg.norm(points[:, None] - points[None], axis=2) + np.eye(120) * 9
    near = np.argsort(apart, axis=1)[:, :5]
    own = (np.array(topics)[near] == np.array(topics)[:, None]).mean()
    assert own > 0.95
    assert np.array_equal(points, lay_out(vectors_of(asked, None).vectors)), "the same each time"


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_a_few_questions_have_places_of_their_own(n: int) -> None:
    points = lay_out(vectors_of([f"question number {i} alone" for i in range(n)], None).vectors)
    assert points.shape == (n, 2) and np.isfinite(points).all()
    assert len({tuple(point) for point in points.tolist()}) == n


@pytest.mark.parametrize("asked", [["the same"] * 30, ["?!"] * 30, ["?!", *["a b c"] * 9]])
def test_questions_that_are_one_or_have_no_words_break_nothing(asked: list[str]) -> None:
    vectors = vectors_of(asked, None)
    assert np.isfinite(lay_out(vectors.vectors)).all()
    assert diversity(vectors.vectors, cluster(vectors).of, 1) is not None


def test_clusters_are_named_by_words_of_their_own() -> None:
    asked, topics = questions(40)
    vectors = vectors_of(asked, None)
    found = cluster(vectors)
    for number, name in enumerate(found.names):
        members = {topics[i] for i in np.flatnonzero(found.of == number)}
        assert len(members) == 1, "no cluster mixes topics"
        assert set(filter(None, name.split(", "))) <= set(TOPICS[members.pop()])


def test_the_same_question_again_is_no_diversity() -> None:
    asked, _ = questions(40)
    vectors = vectors_of([*asked, *["What is said about one glacier?"] * 120], None)
    clusters = cluster(vectors)
    n = len(clusters.names)
    varied = diversity(vectors.vectors[:120], clusters.of[:120], n)
    alike = diversity(vectors.vectors[120:], clusters.of[120:], n)
    assert varied is not None and alike is not None
    assert alike["nearest"]["median"] == 0 and alike["effective_clusters"] == 1
    assert varied["nearest"]["median"] > 0.01 and varied["effective_clusters"] > 3
    assert sum(varied["bars"]) == 120 and diversity(vectors.vectors[:1], clusters.of[:1], n) is None


def test_neighbours_are_those_of_the_largest_cosine() -> None:
    angles = np.array([0.0, 0.1, 0.3, 2.0])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    near, distances = neighbours(vectors, 2)
    assert near.tolist() == [[1, 2], [0, 2], [1, 0], [2, 1]]
    assert distances[0].tolist() == pytest.approx([1 - np.cos(0.1), 1 - np.cos(0.3)], abs=1e-6)


def test_the_reduction_keeps_what_a_full_decomposition_keeps() -> None:
    random = np.random.default_rng(0)
    matrix = (random.normal(size=(80, 6)) @ random.normal(size=(6, 200))).astype(np.float32)
    reduced = reduce(matrix, 6)
    assert np.allclose(reduced @ reduced.T, matrix @ matrix.T, atol=1e-2)


def test_a_rare_word_weighs_more_than_a_common_one() -> None:
    weights, terms = tf_idf(["common rare", "common", "common other"])
    assert terms[0] == "common"
    assert weights[0, terms.index("rare")] > weights[0, 0]
    assert np.allclose(np.linalg.norm(weights, axis=1), 1)


class Answer:
    """What litellm returns for some inputs."""

    def __init__(self, data: list[dict[str, Any]]) -> None:
        self.data = data


def served(monkeypatch: pytest.MonkeyPatch, answer: Any) -> list[dict[str, Any]]:
    """Have an embedding model answer, and return what it is asked."""
    asked: list[dict[str, Any]] = []

    class Litellm:
        @staticmethod
        def embedding(**parameters: Any) -> Answer:
            asked.append(parameters)
            return Answer(answer(parameters["input"]))

    monkeypatch.setattr(vectors_module, "load_litellm", Litellm)
    return asked


EMBEDDING = {"model": "openai/an-embedder", "api_base": "http://localhost:1/v1", "api_key_env": "EMBEDDING_KEY"}


def test_an_embedding_model_is_asked_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMBEDDING_KEY", "a-key")
    asked = served(monkeypatch, lambda some: [{"index": i, "embedding": [3.0, 4.0]} for i in range(len(some))][::-1])
    vectors = vectors_of([f"question {i}" for i in range(120)], EMBEDDING)
    assert [len(each["input"]) for each in asked] == [100, 20]
    assert asked[0]["api_key"] == "a-key" and asked[0]["api_base"] == EMBEDDING["api_base"]
    assert vectors.method == "embeddings by openai/an-embedder" and vectors.note is None
    assert np.allclose(vectors.vectors, [0.6, 0.8])


def test_a_failing_embedding_model_leaves_tf_idf_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMBEDDING_KEY", "sk-a-very-secret-key-1234567890")

    def refuse(some: list[str]) -> Any:
        raise RuntimeError("key sk-a-very-secret-key-1234567890 is not known")

    served(monkeypatch, refuse)
    vectors = vectors_of(["one question", "another question"], EMBEDDING)
    assert vectors.method.startswith("TF-IDF") and vectors.note is not None
    assert "openai/an-embedder gave no embeddings" in vectors.note and "secret" not in vectors.note
    monkeypatch.delenv("EMBEDDING_KEY")
    assert "EMBEDDING_KEY (its key) is not set" in (vectors_of(["a question"], EMBEDDING).note or "")


def test_too_few_embeddings_are_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    from transforms.llm.requests import ModelError, Settings

    served(monkeypatch, lambda some: [{"index": 0, "embedding": [1.0]}])
    with pytest.raises(ModelError, match="1 vectors for 2 questions"):
        embed(["one", "two"], Settings("openai/an-embedder"))
