"""The rooms' dependency rule, and that the wheel holds the rooms and nothing else."""

from __future__ import annotations

import ast
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("schemas", "prompts", "rewards", "transforms", "pipelines")
MAY_IMPORT = {
    "schemas": {"schemas"},
    "prompts": {"prompts", "schemas"},
    "rewards": {"rewards"},
    "transforms": {"transforms", "rewards", "prompts", "schemas"},
    "pipelines": {"pipelines", "transforms", "rewards", "prompts", "schemas"},
}
STAGES = {
    "read", "heuristics", "dedup", "spill", "documents", "screen", "classify", "generate", "checks", "judge", "pairs",
    "questions", "round_trip", "closed_book", "decontaminate", "remember", "unchanged", "write", "commit", "lineage",
}  # fmt: skip
SHARED = {
    "benchmarks", "catalog", "exports", "fasttext_model", "files", "language", "ledger", "llm", "lock", "minhash",
    "near_duplicates", "output", "pair_rows", "pair_rules", "probe", "quality", "report", "state", "storage", "swap",
    "text", "unionfind", "versions",
}  # fmt: skip


def modules(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
    return found


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_import_only_what_lies_below_them(room: str) -> None:
    for path in modules(room):
        ours = {name.split(".")[0] for name in imports(path)} & {*ROOMS, "tests", "bench"}
        assert ours <= MAY_IMPORT[room], f"{path.relative_to(ROOT)} imports {sorted(ours - MAY_IMPORT[room])}"


@pytest.mark.parametrize("room", ["schemas", "prompts", "rewards"])
def test_the_lower_rooms_know_no_beam_and_no_client(room: str) -> None:
    for path in modules(room):
        foreign = {name.split(".")[0] for name in imports(path)}
        assert not foreign & {"apache_beam", "litellm", "argparse"}, path


def test_stages_never_import_each_other() -> None:
    names = {path.relative_to(ROOT / "transforms").with_suffix("").parts[0] for path in modules("transforms")}
    names.remove("__init__")
    assert names == STAGES | SHARED, "a new module of transforms is either a stage or shared: say which, here"
    for path in modules("transforms"):
        ours = {name.split(".")[1] for name in imports(path) if name.startswith("transforms.")}
        assert ours & STAGES == set(), f"{path.name} imports the stages {sorted(ours & STAGES)}"


def test_only_the_pipelines_read_arguments() -> None:
    for path in modules("transforms"):
        assert "argparse" not in imports(path), path


def test_the_wheel_holds_the_rooms_and_nothing_else(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    wanted = {
        path.relative_to(ROOT).as_posix()
        for room in ROOMS
        for path in (ROOT / room).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert packed == wanted
