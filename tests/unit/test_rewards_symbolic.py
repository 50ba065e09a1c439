"""math-verify in its sandbox: what reaches it, from any thread, and what becomes of a comparison without end."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from rewards import score, symbolic
from rewards.symbolic import equal, is_mathematical

needs_math_verify = pytest.mark.skipif(
    importlib.util.find_spec("math_verify") is None, reason="math-verify is not installed (extra `math`)"
)
ENDLESS = "2^{2^{2^{2^{2^{2}}}}}"
"""A tower of powers whose value no memory holds."""


@pytest.fixture(autouse=True)
def _no_child_left() -> Iterator[None]:
    yield
    symbolic._SANDBOX.close()


@pytest.mark.parametrize(
    "text", ["x^2+1", "\\frac{1}{2}", "5", "\\sqrt{2}", "sin(x)", "2\\pi", "\\{1, 2\\}", "[0, 1)", "ab"]
)
def test_mathematics(text: str) -> None:
    assert is_mathematical(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "+",
        "listen",
        "Paris",
        "\\text{Paris}",
        "it is 5",
        "x^2 is right",
        "\u0445^2",
        "5 apples",
        "1+" * 300,
        "\u4e8c",
        "x or y",
    ],
)
def test_text_is_none(text: str) -> None:
    assert not is_mathematical(text)


def test_text_is_never_equal_and_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(symbolic._SANDBOX, "equal", lambda *_: pytest.fail("text reached math-verify"))
    assert equal("listen", "silent") is False
    assert equal("x^2", "Paris") is False


@needs_math_verify
@pytest.mark.parametrize(
    ("truth", "response", "expected"),
    [
        ("x^2+1", "1+x^2", 1),
        ("(x-1)(x+1)", "x^2-1", 1),
        ("\\frac{1}{2}", "0.5", 1),
        ("\\sqrt{8}", "2\\sqrt{2}", 1),
        ("7-3", "4", 1),
        ("\\{1,2\\}", "\\{2,1\\}", 1),
        ("(1,2)", "(2,1)", 0),
        ("[0,1)", "[0,1]", 0),
        ("x^2+1", "x^2+2", 0),
        ("2\\pi", "6.28", 0),
        ("5!", "5", 0),
        ("\\frac{1}{6}", "\\frac{6}{1}", 0),
    ],
)
def test_what_is_equal(truth: str, response: str, expected: int) -> None:
    verdict = score("Solve it.", truth, response, "expression")
    assert (verdict.score, verdict.tier) == (expected, "symbolic")


@needs_math_verify
def test_a_comparison_without_end_is_ended_from_any_thread_and_the_next_one_is_answered() -> None:
    results: list[tuple[bool | None, float]] = []

    def compare() -> None:
        assert equal("x+1", "1+x") is True  # the child runs
        start = time.monotonic()
        results.append((equal(ENDLESS, "7", timeout_s=0.5), time.monotonic() - start))

    thread = threading.Thread(target=compare)
    thread.start()
    thread.join()
    ((said, took),) = results
    assert said is False
    assert took < 10
    assert equal("x+1", "1+x") is True


@needs_math_verify
def test_threads_share_one_child() -> None:
    results: list[bool | None] = []
    threads = [threading.Thread(target=lambda n=n: results.append(equal(f"x+{n}", f"{n}+x"))) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 4


@needs_math_verify
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_fork_has_a_child_of_its_own() -> None:
    code = (
        "import os\nfrom rewards.symbolic import equal\nassert equal('x+1', '1+x')\npid = os.fork()\n"
        "said = equal('x+2', '2+x')\n"
        "if pid == 0:\n    os._exit(0 if said else 1)\n"
        "print(said, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False,
                          env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])})  # fmt: skip
    assert done.stdout.split() == ["True", "0"], done.stderr


def test_without_math_verify_it_says_so_once_and_leaves_the_case_open(monkeypatch: pytest.MonkeyPatch) -> None:
    class Nothing(symbolic._Child):
        def ask(self, line: str, timeout_s: float) -> str:
            return ""

    monkeypatch.setattr(symbolic, "_SANDBOX", symbolic._Sandbox())
    monkeypatch.setattr(symbolic, "_Child", Nothing)
    with pytest.warns(RuntimeWarning, match=r"pip install 'webscale-rl\[math\]'"):
        assert score("Solve it.", "x^2+1", "1+x^2", "expression").tier == "none"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert equal("x^2+1", "1+x^2") is None
