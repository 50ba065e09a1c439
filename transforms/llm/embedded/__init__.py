"""The model `embedded/extractive`: question-answer pairs by rule, for runs without a model server."""

from __future__ import annotations

from transforms.llm.embedded.engine import EmbeddedEngine, answer

__all__ = ["EmbeddedEngine", "answer"]
