"""The clients that litellm makes of the package openai, closed by the test that made them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest import mock

import openai

from transforms.llm.litellm_engine import load_litellm


@contextlib.contextmanager
def closing_clients() -> Iterator[None]:
    """Close the clients that the block's calls of litellm's batch API leave to the garbage collector."""
    made: list[openai.OpenAI] = []

    class Client(openai.OpenAI):
        def __init__(self, **arguments: Any) -> None:
            super().__init__(**arguments)
            made.append(self)

    load_litellm()
    with mock.patch("litellm.llms.openai.openai.OpenAI", Client):
        try:
            yield
        finally:
            for client in made:
                client.close()
