"""Some steps of GRPO on the export, by the command of its README, with a model that is made here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import load_dataset
from transformers import LlamaConfig, LlamaForCausalLM

STEPS = 3
_REPLACED = ("--model_name_or_path", "--num_generations", "--max_completion_length", "--per_device_train_batch_size",
             "--gradient_accumulation_steps", "--output_dir", "--eval_steps", "--vllm_mode")  # fmt: skip


def model_of(tokenizer: Any) -> LlamaForCausalLM:
    """Return a tiny model with random weights, always the same."""
    torch.manual_seed(0)
    tokens = {"bos_token_id": None, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    sizes = {"hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4}
    return LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), max_position_embeddings=1024, **sizes, **tokens))


def memorize(model: LlamaForCausalLM, tokenizer: Any, rows: Any) -> None:
    """Teach a model the right responses to some questions, by heart."""
    chats = [[*row["prompt"], {"role": "assistant", "content": f"\\boxed{{{row['ground_truth']}}}"}] for row in rows]
    texts = [tokenizer.apply_chat_template(chat, tokenize=False).rstrip("\n") for chat in chats]
    batch = tokenizer(texts, return_tensors="pt", padding=True, padding_side="right")
    labels = batch["input_ids"].clone()
    for number, row in enumerate(rows):
        asked = tokenizer.apply_chat_template(row["prompt"], tokenize=False, add_generation_prompt=True)
        labels[number, : len(tokenizer(asked)["input_ids"])] = -100
    labels[batch["attention_mask"] == 0] = -100
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for _ in range(300):
        loss = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if loss.item() < 0.01:
            return


def mean_rewards(command: list[str], model: Path, output: Path, export: Path) -> list[float]:
    """Return the mean reward of each step of a training by `trl grpo`."""
    kept: list[str] = []
    for flag, value in zip(command, [*command[1:], ""], strict=True):
        if flag.startswith("--") and flag not in (*_REPLACED, "--use_vllm"):
            kept += [flag] if value.startswith("--") else [flag, value]
    ours = {
        "model_name_or_path": model, "output_dir": output, "max_steps": STEPS, "num_generations": 4,
        "per_device_train_batch_size": 8, "max_completion_length": 48, "use_cpu": True, "logging_steps": 1,
        "report_to": "none", "eval_steps": STEPS, "save_steps": STEPS, "temperature": 0.7, "bf16": False,
        "gradient_checkpointing": False,
    }  # fmt: skip
    flags = [part for name, value in ours.items() for part in (f"--{name}", str(value))]
    run = [sys.executable, "-m", "trl.scripts.grpo", *kept, *flags]
    environment = {**os.environ, "PYTHONPATH": ""}
    done = subprocess.run(run, cwd=export, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    (state,) = output.glob("checkpoint-*/trainer_state.json")
    history = json.loads(state.read_text(encoding="utf-8"))["log_history"]
    assert any("eval_reward" in line for line in history), "the validation side is rewarded too"
    return [line["rewards/accuracy/mean"] for line in history if "rewards/accuracy/mean" in line]


@pytest.mark.timeout(900)  # a minute where nothing else is at work
def test_grpo_is_rewarded_as_the_model_deserves(
    exports: dict[str, Path], tokenizer: Any, command_of: Callable[[Path, str], list[str]], tmp_path: Path
) -> None:
    program, *command = command_of(exports["trl"], "trl")
    assert program == "grpo"
    model = model_of(tokenizer)
    means = {}
    for name in ("random", "knowing"):
        if name == "knowing":
            memorize(model, tokenizer, list(load_dataset(str(exports["trl"]), split="train")))
        model.save_pretrained(tmp_path / name)
        tokenizer.save_pretrained(tmp_path / name)
        means[name] = mean_rewards(command, tmp_path / name, tmp_path / f"trained-{name}", exports["trl"])
        print(f"mean reward of {STEPS} steps, {name} model: {sum(means[name]) / STEPS:.3f}")
        assert len(means[name]) == STEPS
    assert sum(means["random"]) == 0.0, "nobody who says random letters is right"
    assert sum(means["knowing"]) / STEPS > 0.5, "who knows the answers is"
