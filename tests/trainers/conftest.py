"""Exports of the demo's run, for the trainers' own loaders, in an environment that has these and nothing of ours.

`make test-trainers` says by WEBSCALE_RL_PYTHON which Python has this package.
"""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}

ROOT = Path(__file__).parents[2]
TARGETS = ("verl", "trl", "openrlhf", "nemo-gym", "hf")
_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_RECORD = "#!{python}\nimport json, sys\nopen({file!r}, 'a').write(json.dumps(sys.argv) + '\\n')\n"


@pytest.fixture(scope="session")
def exports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the exports of the demo's run by target."""
    place = tmp_path_factory.mktemp("exports")
    ours(["run", "--input", "examples/corpus/*.parquet", "--output", str(place / "run")])
    for target in TARGETS:
        ours(["export", str(place / "run"), "--to", target, "--output", str(place / target), "--split", "0.2"])
    return {target: place / target for target in TARGETS}


def ours(arguments: list[str]) -> None:
    """Run our command in the environment that has it."""
    command = [os.environ["WEBSCALE_RL_PYTHON"], "-c", "import sys; from pipelines.cli import main; sys.exit(main())"]
    done = subprocess.run([*command, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(autouse=True, scope="session")
def caches(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep what libraries cache out of the home directory."""
    import datasets

    datasets.config.HF_DATASETS_CACHE = tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def tokenizer(exports: dict[str, Path]) -> Any:
    """Return a tokenizer with a chat template, made of the questions and answers since nothing is downloaded."""
    from datasets import load_dataset
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    rows = load_dataset(str(exports["trl"]), split="train")
    texts = [text for row in rows for text in (row["prompt"][0]["content"], f"\\boxed{{{row['ground_truth']}}}")]
    special, alphabet = ["<|im_start|>", "<|im_end|>"], pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        texts,
        trainers.BpeTrainer(vocab_size=1000, special_tokens=special, initial_alphabet=alphabet, show_progress=False),
    )
    tokens = {"eos_token": "<|im_end|>", "pad_token": "<|im_end|>", "additional_special_tokens": ["<|im_start|>"]}
    return PreTrainedTokenizerFast(tokenizer_object=made, chat_template=_TEMPLATE, **tokens)


@pytest.fixture
def command_of(tmp_path: Path) -> Callable[[Path, str], list[str]]:
    """Return what reads an export's README as a shell does, and returns the arguments of one of its commands."""

    def read(export: Path, program: str) -> list[str]:
        block = re.search(r"\n```\n(.*?)\n```\n", (export / "README.md").read_text(encoding="utf-8"), re.DOTALL)
        assert block is not None
        said, stub = tmp_path / "said", tmp_path / "bin" / program
        stub.parent.mkdir(exist_ok=True)
        stub.write_text(_RECORD.format(python=sys.executable, file=str(said)), encoding="utf-8")
        stub.chmod(stub.stat().st_mode | stat.S_IXUSR)
        environment = {**os.environ, "PATH": f"{stub.parent}:{os.environ['PATH']}"}
        subprocess.run(["bash", "-euo", "pipefail", "-c", block[1]], check=True, env=environment, cwd=tmp_path)
        (line,) = said.read_text(encoding="utf-8").splitlines()
        return list(json.loads(line)[1:])

    return read
