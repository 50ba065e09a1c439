"""Rows as OpenRLHF's `PromptDataset` reads them: a prompt, and a label that is handed on to the reward."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa

from transforms.exports.prompt import prompt
from transforms.exports.target import DATA_SOURCE, TRAIN, VALIDATION, Pair, Place, Target, batch

_SCHEMA: Final = pa.schema([("prompt", pa.string()), ("label", pa.string()), ("datasource", pa.string())])


def _row(pair: Pair, place: Place) -> dict[str, Any]:
    # The label goes as it is through data loader, Ray and HTTP: a string survives them all.
    label = {name: pair[name] for name in ("question", "answer", "answer_type", "aliases", "domain", "id")}
    return {
        "prompt": prompt(pair["question"]),
        "label": json.dumps(label, ensure_ascii=False),
        "datasource": DATA_SOURCE,
    }


def _launch(directory: str, rows: Mapping[str, int]) -> str:
    validation = f' \\\n  --eval.dataset "$DATA" --eval.split {VALIDATION} --eval.steps 100' if rows[VALIDATION] else ""
    size = batch(rows[TRAIN], 128)
    return f"""DATA={directory}
python3 -m openrlhf.cli.train_ppo_ray \\
  --actor.model_name_or_path Qwen/Qwen3-8B \\
  --data.prompt_dataset "$DATA" --data.prompt_split train \\
  --data.input_key prompt --data.label_key label --data.apply_chat_template \\
  --reward.remote_url "$DATA"/reward.py \\
  --algo.advantage.estimator group_norm --rollout.n_samples_per_prompt 8 \\
  --data.max_len 6144 --rollout.max_new_tokens 4096 \\
  --rollout.batch_size {size} --train.batch_size {8 * size} \\
  --ref.num_nodes 1 --ref.num_gpus_per_node 8 \\
  --actor.num_nodes 1 --actor.num_gpus_per_node 8 \\
  --vllm.num_engines 8 --vllm.tensor_parallel_size 1 \\
  --train.colocate_all --vllm.enable_sleep --ds.enable_sleep \\
  --ckpt.output_dir trained{validation}"""


OPENRLHF: Final = Target(
    name="openrlhf",
    title="OpenRLHF",
    version="0.11.2",
    schema=_SCHEMA,
    row=_row,
    columns={
        "prompt": "the question, and how to mark the answer; `--data.apply_chat_template` makes a chat of it",
        "label": "what the reward is given, as JSON: question, answer, answer_type, aliases; domain and id",
        "datasource": f"`{DATA_SOURCE}`, by which OpenRLHF groups its metrics",
    },
    launch=_launch,
)
