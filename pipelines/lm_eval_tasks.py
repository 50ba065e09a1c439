"""The items of lm-eval's tasks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def task_items(task: str) -> Iterator[Mapping[str, Any]]:
    raise NotImplementedError
