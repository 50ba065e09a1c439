"""The image: what hadolint says, and that what is copied is what is let through and made."""

from __future__ import annotations

import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.deploy.commands import DEPLOY, ROOT, told, values
from transforms.llm.failures import mask, names_secret

TEXT = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")


def test_hadolint_finds_nothing() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run(
        [hadolint, "--failure-threshold", "style", DEPLOY / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == ""


def test_the_context_lets_through_what_is_copied_and_nothing_else() -> None:
    copied = {word for line in re.findall(r"^COPY (?!--from)(.*) \S+$", TEXT, re.M) for word in line.split()}
    lines = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").split()
    assert lines[0] == "*"
    let_through = {line.removeprefix("!") for line in lines[1:]}
    assert copied == {"requirements-image.lock", "dist/webscale_rl-*.whl"}
    for pattern in copied:
        assert any(fnmatch(pattern, allowed) for allowed in let_through)
    assert len(let_through) == len(copied)
    assert (ROOT / "requirements-image.lock").is_file()


def test_the_image_is_built_of_our_wheel_and_pushed_before_the_template_names_it() -> None:
    words = [" ".join(command.words) for command in told("dataflow").commands]
    image = values()["IMAGE"]
    steps = [
        "make wheel",
        f"docker build --file deploy/Dockerfile --tag {image} .",
        f"docker push {image}",
        next(one for one in words if "flex-template build" in one),
    ]
    assert [one for one in words if one in steps] == steps


def secrets_in(text: str) -> list[str]:
    """Return what a Dockerfile would bake into the image of what opens something."""
    named = re.findall(r"(?:^(?:ENV|ARG)|\\\n) +(\w+)", text, re.M)
    found = [name for name in named if names_secret(name)]
    return found + [line for line in text.splitlines() if mask(line) != line or re.search(r"\.env\b|\.json\b", line)]


@pytest.mark.parametrize(
    "planted",
    [
        "ENV OPENAI_API_KEY=x",
        "ARG HF_TOKEN",
        "ENV PIP_NO_CACHE_DIR=1 \\\n    VERTEX_PASSWORD=x",
        "COPY keys.env /etc/",
        "COPY account.json /etc/",
        "RUN pip install --index-url https://user:word@host/simple x",
        "RUN echo sk-0123456789",
    ],
)
def test_a_secret_in_the_image_would_be_seen(planted: str) -> None:
    assert secrets_in(f"{TEXT}\n{planted}\n")


def test_no_secret_is_baked_in() -> None:
    assert not secrets_in(TEXT)
