"""What the READMEs of deploy/ do: their commands, given to programs that only write down what they were told."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest

pytest.importorskip("kubernetes_validate", reason="what judges deploy/ is not installed here: make test-deploy")

ROOT: Final = Path(__file__).parents[2]
DEPLOY: Final = ROOT / "deploy"
READMES: Final = tuple(sorted(path.parent.name for path in DEPLOY.glob("*/README.md")))
PROGRAMS: Final = ("airflow", "docker", "gcloud", "helm", "kubectl", "make", "pip", "sudo", "webscale-rl")
"""All that a command of a README may call, beside what every system has and envsubst."""

# `describe` finds nothing, so that what is made when it is missing is made.
_STUB: Final = """#!{python} -SE
import json, os, sys
with open(os.environ["TOLD"], "a") as told:
    print(json.dumps([[os.path.basename(sys.argv[0]), *sys.argv[1:]], sys.stdin.read()]), file=told)
sys.exit("describe" in sys.argv)
"""


@dataclass(frozen=True)
class Command:
    """A command that was given: its words, and what it was to read."""

    words: tuple[str, ...]
    read: str

    def flag(self, name: str) -> str:
        """Return the value of a flag, given as one word or as two."""
        for word, following in zip(self.words, (*self.words[1:], ""), strict=True):
            if word == name:
                return following
            if word.startswith(f"{name}="):
                return word.partition("=")[2]
        raise AssertionError(f"{' '.join(self.words)}: no {name}")


@dataclass(frozen=True)
class Told:
    """What a README did.

    Attributes:
      commands: in their order.
      dag: the file in Airflow's directory of DAGs, empty where there is none.
    """

    commands: tuple[Command, ...]
    dag: str

    def of(self, *words: str) -> list[Command]:
        """Return the commands that begin so."""
        return [command for command in self.commands if command.words[: len(words)] == words]


def blocks(readme: str) -> list[str]:
    """Return the commands of a directory's README, a block each."""
    text = (DEPLOY / readme / "README.md").read_text(encoding="utf-8")
    return re.findall(r"^```bash\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


@cache
def told(readme: str) -> Told:
    """Return what the commands of a directory's README do, block after block."""
    assert shutil.which("envsubst"), "install envsubst (Debian: apt-get install gettext-base)"
    with TemporaryDirectory() as scratch:
        home, record = Path(scratch), Path(scratch) / "told.jsonl"
        (home / "bin").mkdir()
        (home / "dags").mkdir()
        for program in PROGRAMS:
            stub = home / "bin" / program
            stub.write_text(_STUB.format(python=sys.executable), encoding="utf-8")
            stub.chmod(0o755)
        environment = {
            "PATH": f"{home}/bin:{os.environ['PATH']}",
            "TOLD": str(record),
            "AIRFLOW_HOME": str(home),
            "SMTP_CONNECTION": "smtp://mail.example.org",
        }
        for block in blocks(readme):
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", block],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 0, done.stderr
        lines = record.read_text(encoding="utf-8").splitlines()
        commands = tuple(Command(tuple(words), read) for words, read in map(json.loads, lines))
        dags = [path.read_text(encoding="utf-8") for path in (home / "dags").iterdir()]
    return Told(commands, "".join(dags))


@cache
def units() -> dict[str, dict[tuple[str, str], list[str]]]:
    """Return systemd's units by their names: what each says under (section, key), which may be said again."""
    found: dict[str, dict[tuple[str, str], list[str]]] = {}
    for command in told("cron").of("sudo", "tee"):
        directory, _, name = command.words[2].rpartition("/")
        assert directory == "/etc/systemd/system"
        section, found[name] = "", {}
        for line in command.read.splitlines():
            if line.startswith("["):
                section = line.strip("[]")
            elif line and not line.startswith("#"):
                key, _, value = line.partition("=")
                found[name].setdefault((section, key), []).append(value)
    return found


@cache
def values() -> dict[str, str]:
    """Return what `values.env` defines."""
    names = re.findall(r"^(\w+)=", (DEPLOY / "values.env").read_text(encoding="utf-8"), re.MULTILINE)
    script = "set -a; . deploy/values.env; exec env -0"
    done = subprocess.run(["bash", "-c", script], cwd=ROOT, env={}, capture_output=True, text=True, check=True)
    defined = dict(line.split("=", 1) for line in done.stdout.split("\0") if line)
    return {name: defined[name] for name in names}
