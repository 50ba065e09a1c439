"""Whether two mathematical expressions are equal, by math-verify in a process that is killed when it takes too long.

math-verify may not return for seconds, and its own time limit rests on signals, which only a main thread gets; trainers
call rewards from other threads. So it runs in one child of each process, behind a pipe.
"""

from __future__ import annotations

import atexit
import json
import os
import queue
import re
import subprocess
import sys
import threading
import warnings
from pathlib import Path
from typing import Final

TIMEOUT_S: Final = 5.0
"""Seconds for one comparison; what takes longer is not equal."""

START_S: Final = 60.0
"""Seconds for the child to import math-verify."""

_LAST_BREATH_S: Final = 1.0  # between the end of a child's output and its own

_MISSING: Final = 3  # the exit status of a child without math-verify, or with another version

LONGEST: Final = 400
"""Characters of an expression that is compared."""

_COMMAND: Final = re.compile(r"\\[a-zA-Z]+")
_FUNCTIONS: Final = re.compile(
    r"\b(?:a?(?:sin|cos|tan|cot|sec|csc)h?|arc(?:sin|cos|tan)|ln|log|exp|sqrt|abs|max|min|gcd|lcm|mod|det|pi|oo|inf|theta|alpha"
    r"|beta|gamma|phi|lambda)(?=\W|\d|_|$)"
)
_TEXT: Final = re.compile(
    r"\\(?:text|mathrm|mbox|textbf)\b|[^\W\d_]{3,}|\b(?:is|it|so|of|or|to|in|as|we|if|by|at|on|no|an|be)\b|\n"
    r"|[^\x00-\x7f\u00b1\u00b7\u00d7\u00f7\u03b1-\u03c9\u2212\u221a\u221e\u2260\u2264\u2265]"
)


def is_mathematical(text: str) -> bool:
    """Return whether a text is an expression and nothing else: a word would be read as a product of its letters."""
    if not 0 < len(text) <= LONGEST or not any(character.isalnum() for character in text):
        return False
    return _TEXT.search(_FUNCTIONS.sub(" ", _COMMAND.sub(_command, text))) is None


def _command(match: re.Match[str]) -> str:
    return match[0] if match[0] in ("\\text", "\\mathrm", "\\mbox", "\\textbf") else " "


class _Child:
    """A process that compares, one pair a line, and a thread that reads what it says."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self.replies: queue.Queue[str] = queue.Queue()
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", str(Path(__file__).with_name("symbolic_child.py"))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, encoding="utf-8",
        )  # fmt: skip
        threading.Thread(target=self._read, args=(self.process, self.replies), daemon=True).start()

    @staticmethod
    def _read(process: subprocess.Popen[str], replies: queue.Queue[str]) -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                replies.put(line)
        replies.put("")

    def ask(self, line: str, timeout_s: float) -> str:
        """Return the child's next line; "" where it ended or took too long."""
        try:
            if line:
                assert self.process.stdin is not None
                self.process.stdin.write(line + "\n")
                self.process.stdin.flush()
            return self.replies.get(timeout=timeout_s).strip()
        except (queue.Empty, OSError, ValueError):
            return ""

    def status(self) -> int | None:
        """Return the exit status of a child that has ended; None where it still runs."""
        try:
            return self.process.wait(timeout=_LAST_BREATH_S)
        except subprocess.TimeoutExpired:
            return None

    def end(self) -> None:
        if self.owner == os.getpid():  # a fork has no child of its own here
            self.process.kill()
            self.process.wait()
            if self.process.stdin is not None:
                self.process.stdin.close()


class _Sandbox:
    """The child of this process, started when it is needed and again after it was killed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: _Child | None = None
        self._missing = False

    def equal(self, reference: str, answer: str, timeout_s: float) -> bool | None:
        with self._lock:
            child = self._ready()
            if child is None:
                return None
            reply = child.ask(json.dumps([reference, answer]), timeout_s)
            if reply not in ("true", "false"):
                self.close()
            return reply == "true"

    def _ready(self) -> _Child | None:
        if self._child is not None and self._child.owner != os.getpid():
            self._child = None
        if self._child is None and not self._missing:
            child = _Child()
            if child.ask("", START_S) == "ready":
                self._child = child
            else:
                self._not_started(child)
        return self._child

    def _not_started(self, child: _Child) -> None:
        """End a child that is not ready; only where math-verify is missing is it the last one."""
        status = child.status()
        child.end()
        self._missing = status == _MISSING
        if self._missing:
            reason = "math-verify 0.9 is not installed (pip install 'math-verify>=0.9,<0.10')"
        elif status is None:
            reason = f"math-verify did not start within {START_S:g} s; the next comparison tries again"
        else:
            reason = f"math-verify's process ended with status {status}; the next comparison tries again"
        warnings.warn(f"expressions are compared as they are written: {reason}", RuntimeWarning, stacklevel=2)

    def close(self) -> None:
        if self._child is not None:
            self._child.end()
            self._child = None


_SANDBOX = _Sandbox()
atexit.register(_SANDBOX.close)
if hasattr(os, "register_at_fork"):
    # A fork may happen while another thread holds the lock, and shares no child.
    os.register_at_fork(after_in_child=lambda: _SANDBOX.__init__())  # type: ignore[misc]


def equal(reference: str, answer: str, timeout_s: float = TIMEOUT_S) -> bool | None:
    """Return whether two expressions are equal; None where math-verify is missing or did not start.

    Args:
      reference: LaTeX, or plain mathematics.
      answer: the same; what is not `is_mathematical` is never equal.
      timeout_s: seconds after which the comparison is ended and they count as different.
    """
    if not (is_mathematical(reference) and is_mathematical(answer)):
        return False
    return _SANDBOX.equal(*_without_constants(reference, answer), timeout_s)


_CONSTANT: Final = re.compile(r"(?P<kept>\\[a-zA-Z]+|\dE[+-]?\d)|[EI]")
_VARIABLES: Final = "KLMQUVWXYZABFGJS"
"""Letters with no meaning of their own to math-verify in either case."""


def _without_constants(reference: str, answer: str) -> tuple[str, str]:
    """Return two expressions with other letters for E and I, an energy and a current.

    math-verify takes I for the imaginary unit and E for Euler's number, which is `e`.
    """
    letters = _COMMAND.sub(" ", reference + answer).upper()
    free = [letter for letter in _VARIABLES if letter not in letters]
    names = dict(zip("EI", free, strict=False)) if len(free) > 1 else {}
    one, other = (
        _CONSTANT.sub(lambda match: match["kept"] or names.get(match[0], match[0]), text)
        for text in (reference, answer)
    )
    return one, other
