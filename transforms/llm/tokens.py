"""How many tokens a prompt has, counted offline with the tokenizers of OpenAI that litellm brings along.

Other models have tokenizers of their own, which would have to be downloaded; they are counted as if they were OpenAI's
older ones, and `is_exact` says so.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    import tiktoken

Encoding = Literal["o200k_base", "cl100k_base"]

_O200K: Final = re.compile(r"(gpt-4o|chatgpt-4o|gpt-4\.[15]|gpt-[5-9]|gpt-oss|o[1-9])(?![a-z0-9])")
_CL100K: Final = re.compile(r"gpt-(4|3\.?5)(?![a-z0-9.])")
_A_MESSAGE: Final = 4
_A_REPLY: Final = 3
"""What frames a message, its role included, and what opens the reply, as OpenAI's cookbook counts chat completions."""


def encoding_of(model: str) -> Encoding:
    """Return the tokenizer by which a model's prompts are counted, chosen by its name alone."""
    return "o200k_base" if _O200K.match(_name(model)) else "cl100k_base"


def is_exact(model: str) -> bool:
    """Return whether that is the model's own tokenizer."""
    name = _name(model)
    return bool(_O200K.match(name) or _CL100K.match(name))


def count_tokens(messages: Sequence[Mapping[str, str]], model: str) -> int:
    """Return the tokens of a chat's messages. The schema of the answer, which some providers count too, is left out."""
    encoding = _load(encoding_of(model))
    return _A_REPLY + sum(_A_MESSAGE + len(encoding.encode_ordinary(message["content"])) for message in messages)


def _name(model: str) -> str:
    return model.rpartition("/")[2].lower()


@functools.cache
def _load(name: Encoding) -> tiktoken.Encoding:
    """Load a tokenizer from litellm's files, without importing litellm; tiktoken would download others."""
    import tiktoken

    spec = importlib.util.find_spec("litellm")
    assert spec is not None and spec.origin is not None
    variable, before = "TIKTOKEN_CACHE_DIR", os.environ.get("TIKTOKEN_CACHE_DIR")
    os.environ[variable] = str(Path(spec.origin).parent / "litellm_core_utils" / "tokenizers")
    try:
        return tiktoken.get_encoding(name)
    finally:
        if before is None:
            del os.environ[variable]
        else:
            os.environ[variable] = before
