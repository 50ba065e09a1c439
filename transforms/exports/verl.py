"""Rows as verl's `RLHFDataset` reads them, and as its reward managers hand them on to `compute_score`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa

from transforms.exports.prompt import messages
from transforms.exports.target import DATA_SOURCE, MESSAGES, TRAIN, VALIDATION, Pair, Place, Target, batch

_SCHEMA: Final = pa.schema(
    [
        ("data_source", pa.string()),
        ("prompt", MESSAGES),
        ("ability", pa.string()),
        ("reward_model", pa.struct([("style", pa.string()), ("ground_truth", pa.string())])),
        (
            "extra_info",
            pa.struct(
                [
                    ("index", pa.int64()),
                    ("split", pa.string()),
                    ("id", pa.string()),
                    ("question", pa.string()),
                    ("answer_type", pa.string()),
                    ("aliases", pa.list_(pa.string())),
                    ("domain", pa.string()),
                ]
            ),
        ),
    ]
)


def _row(pair: Pair, place: Place) -> dict[str, Any]:
    extra = {name: pair[name] for name in ("id", "question", "answer_type", "aliases", "domain")}
    return {
        "data_source": DATA_SOURCE,
        "prompt": messages(pair["question"]),
        "ability": pair["domain"],
        "reward_model": {"style": "rule", "ground_truth": pair["answer"]},
        "extra_info": {"index": place.number, "split": place.side, **extra},
    }


def _launch(directory: str, rows: Mapping[str, int]) -> str:
    validation = VALIDATION if rows[VALIDATION] else "train"
    without = "" if rows[VALIDATION] else " \\\n  trainer.val_before_train=False trainer.test_freq=-1"
    size = batch(rows[TRAIN], 512)
    mini = min(size, 128)
    # Paths are in quotes of Hydra's, for which a bare one is a grammar. A micro batch must divide what a GPU has.
    return f"""DATA={directory}
files() {{ printf "'%s'," "$DATA"/data/"$1"-*.parquet | sed 's/,$//'; }}
python3 -m verl.trainer.main_ppo \\
  algorithm.adv_estimator=grpo \\
  data.train_files="[$(files train)]" \\
  data.val_files="[$(files {validation})]" \\
  data.train_batch_size={size} data.max_prompt_length=1024 data.max_response_length=4096 \\
  actor_rollout_ref.model.path=Qwen/Qwen3-8B \\
  actor_rollout_ref.actor.ppo_mini_batch_size={mini} \\
  actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu={min(mini, 4)} \\
  actor_rollout_ref.actor.use_kl_loss=True \\
  actor_rollout_ref.ref.log_prob_micro_batch_size_per_gpu={min(size, 8)} \\
  actor_rollout_ref.rollout.name=vllm actor_rollout_ref.rollout.n=8 \\
  actor_rollout_ref.rollout.log_prob_micro_batch_size_per_gpu={min(size, 8)} \\
  actor_rollout_ref.rollout.tensor_model_parallel_size=1 \\
  reward.custom_reward_function.path="'$DATA/reward.py'" \\
  reward.custom_reward_function.name=compute_score \\
  trainer.n_gpus_per_node=8 trainer.nnodes=1 trainer.total_epochs=1{without}"""


VERL: Final = Target(
    name="verl",
    title="verl",
    version="0.9.1",
    schema=_SCHEMA,
    row=_row,
    columns={
        "data_source": f"`{DATA_SOURCE}`, by which verl groups its metrics",
        "prompt": "a chat of one message: the question, and how to mark the answer",
        "ability": "the domain",
        "reward_model": "`style` rule; `ground_truth`, the answer, always a string",
        "extra_info": "what else the reward is given: `question`, `answer_type`, `aliases`; and what tells rows apart",
    },
    launch=_launch,
)
