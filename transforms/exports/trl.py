"""Rows as TRL's `GRPOTrainer` reads them: a conversational prompt, and columns that reach the reward as lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa

from transforms.exports.prompt import messages
from transforms.exports.target import MESSAGES, TRAIN, VALIDATION, Pair, Place, Target, batch

_SCHEMA: Final = pa.schema(
    [
        ("prompt", MESSAGES),
        ("question", pa.string()),
        ("ground_truth", pa.string()),
        ("answer_type", pa.string()),
        ("aliases", pa.list_(pa.string())),
        ("domain", pa.string()),
        ("id", pa.string()),
    ]
)


def _row(pair: Pair, place: Place) -> dict[str, Any]:
    same = {name: pair[name] for name in ("question", "answer_type", "aliases", "domain", "id")}
    return {"prompt": messages(pair["question"]), "ground_truth": pair["answer"], **same}


def _launch(directory: str, rows: Mapping[str, int]) -> str:
    validation = (
        f" \\\n  --dataset_test_split {VALIDATION} --eval_strategy steps --eval_steps 100" if rows[VALIDATION] else ""
    )
    steps = max(batch(rows[TRAIN], 64) // 8, 1)  # on each of up to 8 GPUs, of one question each
    return f"""cd {directory}    # trl imports reward.py from where it is started
trl grpo \\
  --model_name_or_path Qwen/Qwen3-8B \\
  --dataset_name "$PWD" --dataset_train_split train \\
  --reward_funcs reward.accuracy \\
  --num_generations 8 --max_completion_length 4096 \\
  --per_device_train_batch_size 8 --gradient_accumulation_steps {steps} \\
  --learning_rate 1e-6 --use_vllm --vllm_mode colocate \\
  --output_dir trained{validation}"""


TRL: Final = Target(
    name="trl",
    title="TRL",
    version="1.16.0",
    schema=_SCHEMA,
    row=_row,
    columns={
        "prompt": "a chat of one message: the question, and how to mark the answer",
        "question, ground_truth, answer_type, aliases": "what the reward is given; `ground_truth` is always a string",
        "domain, id": "for metrics of yours",
    },
    launch=_launch,
)
