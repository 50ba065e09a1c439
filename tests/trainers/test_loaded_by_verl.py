"""verl's dataset, reward manager and configuration, on its export."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("verl", reason="verl is not made for this Python")


def config_of(arguments: list[str]) -> Any:
    """Return the configuration that verl makes of a command's overrides."""
    import verl
    from hydra import compose, initialize_config_dir

    with initialize_config_dir(str(Path(verl.__file__).parent / "trainer" / "config"), version_base=None):
        return compose("ppo_trainer", overrides=arguments)


def test_its_readme_trains_on_its_rows_by_its_reward(
    exports: dict[str, Path], tokenizer: Any, command_of: Callable[[Path, str], list[str]]
) -> None:
    from verl import DataProto
    from verl.trainer.ppo.reward import load_reward_manager
    from verl.utils.dataset.rl_dataset import RLHFDataset

    module, *overrides = command_of(exports["verl"], "python3")[1:]
    assert module == "verl.trainer.main_ppo"
    config = config_of(overrides)
    data = {**config.data, "filter_overlong_prompts_workers": None}
    train, validation = (RLHFDataset(config.data[name], tokenizer, data) for name in ("train_files", "val_files"))
    assert len(train) > len(validation) > 0
    assert len(train) // config.data.train_batch_size >= 1, "what does not fill a batch is dropped"
    manager = load_reward_manager(config, tokenizer)
    for row in (train[0], train[len(train) - 1], validation[0]):
        truth = row["reward_model"]["ground_truth"]
        for answer, reward in ((truth, 1.0), ("Zanzibar 7", 0.0)):
            said = tokenizer(f"\\boxed{{{answer}}}<|im_end|>", return_tensors="pt")["input_ids"]
            batch = DataProto.from_dict(
                tensors={"responses": said, "attention_mask": torch.ones_like(said)},
                non_tensors={
                    name: np.array([row[name]], dtype=object) for name in ("data_source", "reward_model", "extra_info")
                },
            )
            scored = manager.loop.run_until_complete(manager.run_single(batch))
            assert scored["reward_score"] == reward, (truth, answer)
    asked = tokenizer.apply_chat_template(train[0]["raw_prompt"], tokenize=False)
    assert train[0]["extra_info"]["question"] in asked
