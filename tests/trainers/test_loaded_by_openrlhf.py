"""OpenRLHF's dataset, executor and flags, on its export."""

from __future__ import annotations

import argparse
import ast
import asyncio
import builtins
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

openrlhf = pytest.importorskip("openrlhf", reason="OpenRLHF is not made for this Python")


def flags_of(arguments: list[str]) -> argparse.Namespace:
    """Return what OpenRLHF's parser makes of a command; it is made where it trains, so it is read off the source."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    source = (Path(openrlhf.__file__).parent / "cli" / "train_ppo_ray.py").read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "add_argument":
            given: dict[str, Any] = {}
            for keyword in node.keywords:
                if keyword.arg == "type" and isinstance(keyword.value, ast.Name):
                    given["type"] = getattr(builtins, keyword.value.id)
                elif keyword.arg in ("action", "nargs", "choices"):
                    given[keyword.arg] = ast.literal_eval(keyword.value)
            names = [name.value for name in node.args if isinstance(name, ast.Constant)]  # others are of its optimizers
            if names:
                parser.add_argument(*names, **given)
    return parser.parse_args(arguments)


def test_its_readme_trains_on_its_rows_by_its_reward(
    exports: dict[str, Path], tokenizer: Any, command_of: Callable[[Path, str], list[str]]
) -> None:
    from openrlhf.datasets.prompts_dataset import PromptDataset
    from openrlhf.datasets.utils import blending_datasets
    from openrlhf.utils.agent import SingleTurnAgentExecutor

    module, *arguments = command_of(exports["openrlhf"], "python3")[1:]
    assert module == "openrlhf.cli.train_ppo_ray"
    flags = vars(flags_of(arguments))
    data = SimpleNamespace(
        **{name: flags[f"data.{name}"] for name in ("input_key", "label_key", "apply_chat_template")}
    )
    strategy = SimpleNamespace(args=SimpleNamespace(data=data, use_ms=False), is_rank_0=lambda: True, print=print)
    executor = SingleTurnAgentExecutor(flags["reward.remote_url"].split(","))
    lengths = []
    for path, split in (("data.prompt_dataset", "data.prompt_split"), ("eval.dataset", "eval.split")):
        rows = blending_datasets(flags[path], None, strategy, dataset_split=flags[split])
        prompts = PromptDataset(rows, tokenizer, strategy)
        lengths.append(len(prompts))
        _, prompt, label, _ = prompts[0]
        assert prompt.endswith("<|im_start|>assistant\n")
        tokens = tokenizer(prompt)["input_ids"]
        for answer, reward in ((_answer(label), 1.0), ("Zanzibar 7", 0.0)):
            said = tokenizer(f"\\boxed{{{answer}}}<|im_end|>")["input_ids"]
            query = tokenizer.decode(tokens + said, skip_special_tokens=False)
            (got,) = asyncio.run(executor._fetch_rewards_via_func([query], [prompt], [label]))
            assert got["rewards"].tolist() == got["scores"].tolist() == [reward]
    assert lengths[0] > lengths[1] > 0


def _answer(label: str) -> str:
    import json

    return str(json.loads(label)["answer"])
