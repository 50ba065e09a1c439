"""Tokens counted offline: which tokenizer a name stands for, and that none is ever fetched."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from transforms.llm.tokens import count_tokens, encoding_of, is_exact

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("model", "encoding", "exact"),
    [
        ("openai/gpt-4.1-mini", "o200k_base", True),
        ("gpt-4o", "o200k_base", True),
        ("openrouter/openai/GPT-5-nano", "o200k_base", True),
        ("openai/o3-mini", "o200k_base", True),
        ("azure/gpt-oss-120b", "o200k_base", True),
        ("openai/gpt-4-turbo", "cl100k_base", True),
        ("azure/gpt-35-turbo", "cl100k_base", True),
        ("meta-llama/Llama-3.1-8B", "cl100k_base", False),
        ("ollama/olmo2", "cl100k_base", False),
        ("gpt-4ohm", "cl100k_base", False),
        ("o1fish", "cl100k_base", False),
        ("", "cl100k_base", False),
    ],
)
def test_the_name_alone_chooses_the_tokenizer(model: str, encoding: str, exact: bool) -> None:
    assert (encoding_of(model), is_exact(model)) == (encoding, exact)


def test_messages_are_counted_with_what_frames_them() -> None:
    one = [{"role": "user", "content": "hello world"}]
    assert count_tokens(one, "gpt-4.1") == 3 + 4 + 2
    assert count_tokens([*one, {"role": "user", "content": ""}], "gpt-4.1") == 3 + 4 + 2 + 4
    assert count_tokens([], "gpt-4.1") == 3


def test_the_tokenizers_differ_and_text_that_looks_like_a_marker_is_text() -> None:
    text = [{"role": "user", "content": "Die Brücke über den Fluss wurde 1931 eröffnet. <|endoftext|>"}]
    assert count_tokens(text, "gpt-4.1") < count_tokens(text, "gpt-4") < 40


def test_a_strange_name_counts_without_a_network_and_leaves_the_environment_alone(tmp_path: Path) -> None:
    script = (
        "import os, socket\n"
        "def refuse(*args, **kwargs): raise SystemExit('reached for the network')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "from transforms.llm.tokens import count_tokens\n"
        "for model in ('meta-llama/Llama-3-8B', 'gpt-4.1'):\n"
        "    print(count_tokens([{'role': 'user', 'content': 'hello world'}], model))\n"
        "print(os.environ.get('TIKTOKEN_CACHE_DIR'))\n"
    )
    for given in (None, str(tmp_path)):
        environment = {name: value for name, value in os.environ.items() if name != "TIKTOKEN_CACHE_DIR"}
        environment |= {"PYTHONPATH": str(ROOT)} | ({} if given is None else {"TIKTOKEN_CACHE_DIR": given})
        done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
        assert done.stdout.split() == ["9", "9", str(given)], done.stderr
    assert list(tmp_path.iterdir()) == []
