"""What lies beside an export: rewards that work where nothing of ours is installed."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.exports import loaded
from transforms.exports.vendored import files, relative

CALLS = """
import importlib.util, json, pickle, sys, threading
sys.path.insert(0, sys.argv[2])
import rewards
assert rewards.FOREIGN
spec = importlib.util.spec_from_file_location("reward_func", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
info = {"question": "Who discovered polonium?", "answer_type": "name", "aliases": []}
label = json.dumps({**info, "answer": "Marie Curie"})
print(module.compute_score("d", "\\\\boxed{Marie Curie}", "Marie Curie", info))
print(module.accuracy(["p"], ["Bohr"], question=[info["question"]], ground_truth=["Marie Curie"], answer_type=["name"],
                      aliases=[[]], trainer_state=None))
print(module.reward_func(["p Marie Curie"], ["p"], [label])["rewards"])
print(module.reward("What is 2x + 2x?", "4x", "$4x$", "expression"))
print(sorted(name for name in sys.modules if name.split(".")[0] in ("rewards", "transforms", "schemas", "pipelines")))
print(sys.modules["rewards"].__file__ == rewards.__file__)
"""


@pytest.fixture
def export(tmp_path: Path) -> Path:
    for path, content in files().items():
        (tmp_path / "export" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "export" / path).write_text(content, encoding="utf-8")
    return tmp_path / "export"


def test_it_is_loaded_by_path_without_this_package_and_beside_another_of_its_name(export: Path, tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "rewards.py").write_text("FOREIGN = True\n", encoding="utf-8")
    command = [sys.executable, "-I", "-W", "error", "-c", CALLS, str(export / "reward.py"), str(tmp_path / "site")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["1.0", "[0.0]", "[1.0]", "1.0", "['rewards']", "True"]


def test_all_that_is_imported_is_of_python_itself_or_lies_there(export: Path) -> None:
    for path in export.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = {alias.name.split(".")[0] for alias in node.names}
                assert names <= sys.stdlib_module_names, path
            elif isinstance(node, ast.ImportFrom) and not node.level:
                name = (node.module or "").split(".")[0]
                assert name in sys.stdlib_module_names or (path.stem == "symbolic_child" and name in SYMBOLIC), path


SYMBOLIC = frozenset(("math_verify", "latex2sympy2_extended", "sympy"))
"""What the extra `math` installs, and only the process that compares expressions imports."""


def test_imports_of_the_room_become_relative_and_nothing_else_changes() -> None:
    source = "from rewards import typed\nfrom rewards.text import fold\nfrom rewardsome import x\nY = 'from rewards'\n"
    assert relative(source) == (
        "from . import typed\nfrom .text import fold\nfrom rewardsome import x\nY = 'from rewards'\n"
    )


def test_two_exports_of_one_process_are_not_in_each_others_way(export: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    export.rename(other)
    first = loaded(other / "reward.py")
    second = loaded(other / "reward.py", "another")
    pair = json.loads('{"question": "Which year?", "answer": "1898", "response": "1898", "answer_type": "number"}')
    assert first.reward(**pair) == second.reward(**pair) == 1.0


def test_a_room_that_is_damaged_is_told_each_time(export: Path) -> None:
    room = export / "webscale_rewards" / "ladder.py"
    name = next(line for line in (export / "reward.py").read_text().splitlines() if line.startswith("_NAME"))
    (export / "reward.py").write_text(
        (export / "reward.py").read_text().replace(name, '_NAME = "webscale_rewards_damaged"')
    )
    room.unlink()
    for _ in range(2):
        with pytest.raises(ModuleNotFoundError, match="ladder"):
            loaded(export / "reward.py")
