"""The room `rewards`, copied to where a trainer loads it from a path, without this package."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import rewards

REWARD: Final = "reward.py"
_ROOM: Final = "webscale_rewards"
_IMPORT: Final = re.compile(r"^from rewards(?:\.(\w+))? import ", re.MULTILINE)

_LOADER: Final = '''"""Rewards of this export: 1.0 for a right response, 0.0 for any other.

A trainer loads this file by its path. It needs the directory __ROOM__ beside it and no package; with math-verify
installed, expressions are compared symbolically too. The room is loaded under a name of its own, so that another
package called `rewards`, or another export, is not in its way. Apache-2.0, as webscale-rl, which has written it.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path

_DIRECTORY = Path(__file__).resolve().parent / "__ROOM__"
_NAME = "__ROOM_____HASH__"


def _trainers():
    if _NAME not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            _NAME, _DIRECTORY / "__init__.py", submodule_search_locations=[str(_DIRECTORY)]
        )
        room = importlib.util.module_from_spec(spec)
        sys.modules[_NAME] = room
        try:
            spec.loader.exec_module(room)
        except BaseException:
            del sys.modules[_NAME]
            raise
    return importlib.import_module(_NAME + ".trainers")


def compute_score(data_source, solution_str, ground_truth, extra_info=None, **more):
    """verl: the reward of one response."""
    return _trainers().compute_score(data_source, solution_str, ground_truth, extra_info, **more)


def accuracy(prompts, completions, question, ground_truth, answer_type, aliases, **more):
    """TRL: the rewards of a batch."""
    return _trainers().accuracy(prompts, completions, question, ground_truth, answer_type, aliases, **more)


def reward_func(queries, prompts, labels, **more):
    """OpenRLHF: the rewards of a batch."""
    return _trainers().reward_func(queries, prompts, labels, **more)


def reward(question, answer, response, answer_type, aliases=None):
    """Any other trainer: the reward of one response."""
    return _trainers().reward(question, answer, response, answer_type, aliases)


_trainers()  # now, in one thread; trainers score in many
'''


def files() -> Mapping[str, str]:
    """Return `reward.py` and the room beside it, by their paths.

    Imports within the room become relative ones, so that it works under any name.
    """
    room = Path(rewards.__file__).parent
    modules = {path.name: relative(path.read_text(encoding="utf-8")) for path in sorted(room.glob("*.py"))}
    content = hashlib.sha256("\0".join(part for item in modules.items() for part in item).encode("utf-8")).hexdigest()
    loader = _LOADER.replace("__ROOM__", _ROOM).replace("__HASH__", content[:12])
    return {REWARD: loader} | {f"{_ROOM}/{name}": text for name, text in modules.items()}


def relative(source: str) -> str:
    """Return a module of the room with its imports from the room made relative."""
    return _IMPORT.sub(lambda found: f"from .{found[1] or ''} import ", source)
