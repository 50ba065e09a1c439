"""The items of lm-eval's tasks, where that package is installed and the data sets can be reached."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.options import UsageError, suggestion


def task_items(task: str) -> Iterator[Mapping[str, Any]]:
    """Yield the items that lm-eval asks a model for a task, or for all tasks of a group, as the data set has them.

    Raises:
      UsageError: lm-eval is not installed, or too old, has no such task, or cannot get its data set.
    """
    try:
        from lm_eval.tasks import TaskManager
    except ImportError as error:
        raise UsageError(
            f"lm-eval:{task} needs lm-eval, which cannot be imported ({error}); pip install 'lm-eval>=0.4.13', or name"
            " a file"
        ) from None
    manager = TaskManager()
    if not hasattr(manager, "load"):
        raise UsageError(f"lm-eval:{task}: this lm-eval is too old; pip install 'lm-eval>=0.4.13'")
    if task not in manager.all_tasks:
        raise UsageError(f"lm-eval has no task {task}{suggestion(task, manager.all_tasks)}")
    try:
        for each in manager.load(task)["tasks"].values():
            yield from each.eval_docs
    except Exception as error:  # whatever the data set's loader, its host and its script raise
        said = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise UsageError(
            f"lm-eval:{task} cannot be loaded ({said}); look at its access and the network, or name a file"
        ) from None
