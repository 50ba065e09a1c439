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


class _Silent(symbolic._Child):
    """A child that never says that it is ready."""

    ended_with: int | None = None

    def ask(self, line: str, timeout_s: float) -> str:
        return ""

    def status(self) -> int | None:
        return self.ended_with


def test_without_math_verify_it_says_so_once_and_leaves_the_case_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(symbolic, "_SANDBOX", symbolic._Sandbox())
    monkeypatch.setattr(symbolic, "_Child", _Silent)
    monkeypatch.setattr(_Silent, "ended_with", 3)
    with pytest.warns(RuntimeWarning, match=r"pip install 'math-verify>=0\.9,<0\.10'"):
        assert score("Solve it.", "x^2+1", "1+x^2", "expression").tier == "none"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert equal("x^2+1", "1+x^2") is None


@needs_math_verify
@pytest.mark.parametrize(("status", "reason"), [(None, "did not start within"), (1, "ended with status 1")])
def test_a_child_that_does_not_start_is_tried_again(
    status: int | None, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(symbolic, "_SANDBOX", symbolic._Sandbox())
    with monkeypatch.context() as slow:
        slow.setattr(symbolic, "_Child", _Silent)
        slow.setattr(_Silent, "ended_with", status)
        with pytest.warns(RuntimeWarning, match=reason):
            assert equal("x^2+1", "1+x^2") is None
    assert equal("x^2+1", "1+x^2") is True
    symbolic._SANDBOX.close()


def test_a_child_without_math_verify_ends_with_its_own_status(tmp_path: Path) -> None:
    # A package of the same name that cannot be imported, before all others.
    (tmp_path / "math_verify.py").write_text("raise ImportError")
    child = Path(symbolic.__file__).with_name("symbolic_child.py")
    done = subprocess.run([sys.executable, str(child)], input="", capture_output=True, text=True, timeout=120,
                          check=False, env={**os.environ, "PYTHONPATH": str(tmp_path)})  # fmt: skip
    assert (done.returncode, done.stdout) == (symbolic._MISSING, "")


@needs_math_verify
@pytest.mark.parametrize(
    ("reference", "answer"),
    [
        ("R/r", "r/R"),
        ("v", "V"),
        ("kT", "KT"),
        ("\\Delta x", "\\delta x"),
        ("\\Omega", "\\omega"),
        ("\\gamma", "\\Gamma"),
        ("\\gamma", "0.5772156649015329"),
        ("M-m", "m-m"),
        ("2\\pi r", "2\\pi R"),
        ("v_0", "V_0"),
        ("x_A", "x_a"),
        ("kI", "k^2"),
        ("kI", "kK"),
        ("E", "e"),
        ("E", "2.718281828459045"),
        ("v_0 t", "v_0"),
        ("v_0 t", "V_0 t"),
        ("\\sin X", "\\sin x"),
    ],
)
def test_symbols_keep_their_case(reference: str, answer: str) -> None:
    assert equal(reference, answer) is False
    assert equal(answer, reference) is False
    assert equal(reference, reference) is True


@needs_math_verify
@pytest.mark.parametrize(
    ("reference", "answer"),
    [
        ("\\theta", "theta"),
        ("e", "2.718281828459045"),
        ("e^{x+1}", "e e^x"),
        ("IR", "RI"),
        ("E/c^2", "\\frac{E}{c^2}"),
        ("\\gamma m c^2", "mc^2\\gamma"),
        ("2\\pi R", "\\pi R + R\\pi"),
        ("3+4i", "4i+3"),
        ("\\int_0^1 X dX", "1/2"),
        ("3E5", "300000"),
    ],
)
def test_constants_and_capitals(reference: str, answer: str) -> None:
    assert equal(reference, answer) is True


@needs_math_verify
@pytest.mark.parametrize("answer", ["x <= 4", "2x=4", "(2x=4)", "\\boxed{5=4}", "5=3=4", "x \\neq 4"])
def test_a_statement_is_not_equal_to_a_value(answer: str) -> None:
    assert equal("4", answer) is False


@needs_math_verify
def test_a_formula_may_stand_between_a_name_and_its_value() -> None:
    assert score("What is the area?", "4\\pi", "A = \\pi r^2 = 4\\pi", "expression").score == 1


@needs_math_verify
@pytest.mark.parametrize(
    ("truth", "response"),
    [
        ("4", "x <= 4"),
        ("4", "x >= 4"),
        ("4", "x != 4"),
        ("4", "x < 4"),
        ("4", "x \\le 4"),
        ("4", "x \\geq 4"),
        ("4", "x \\neq 4"),
        ("4", "x \u2264 4"),
        ("4", "x \\to 4"),
        ("4", "x \\propto 4"),
        ("4", "x \\Rightarrow 4"),
        ("4", "x \\subset 4"),
        ("4", "2 \\parallel 4"),
        ("4", "x | 4"),
        ("4", "0=4"),
        ("4", "5 = 3 = 4"),
        ("4", "x = 5 = 4"),
        ("4", "4 = 5 = 4"),
        ("4", "2x=4"),
        ("4", "(2x=4)"),
        ("4", "1/x=4"),
        ("4", "x^2=4"),
        ("4", "-x = 4"),
        ("4", "So 2x = 4"),
        ("4", "not x = 4"),
        ("4", "ab = 4"),
        ("4", "a b = 4"),
        ("4", "x(x+3) = 4"),
        ("4", "x(-1) = 4"),
        ("4", "\\pi = 4"),
        ("4", "It is $2x = 4$."),
        ("\\{1,2\\}", "\\{x^2 = 1, 2\\}"),
        ("1, 2", "x = 1, 2x = 2"),
        ("x = 4", "x = 5 = 4"),
        ("x < 4", "x = 4"),
        ("x \\leq 4", "x \\geq 4"),
        ("x <= 4", "x >= 4"),
        ("\\gamma mc^2", "1/E=\\gamma mc^2"),
        ("\\gamma mc^2", "E^2=\\gamma mc^2"),
    ],
)
def test_another_statement_with_the_same_right_side(truth: str, response: str) -> None:
    assert score("Solve it.", truth, response, "expression").score == 0


@needs_math_verify
@pytest.mark.parametrize(
    ("truth", "response"),
    [
        ("4", "x = 4"),
        ("4", "A_n = 4"),
        ("4", "A_{n+1} = 4"),
        ("4", "f(x) = 4"),
        ("4", "f(-1) = 4"),
        ("4", "y(t) = 4"),
        ("4", "f'(x) = 4"),
        ("4", "f^{-1}(x) = 4"),
        ("4", "\\theta=4"),
        ("4", "\u03b8 = 4"),
        ("4", "\\Delta x = 4"),
        ("4", "\\vec{F} = 4"),
        ("4", "v_{\\text{max}} = 4"),
        ("4", "\\text{Area} = 4"),
        ("4", "\\frac{dy}{dx} = 4"),
        ("4", "It is $x = 4$."),
        ("4", "So x = 4"),
        ("4", "Therefore we get x = 4"),
        ("4", "2+2=4"),
        ("4", "x = 2+2 = 4"),
        ("4", "x = y = 4"),
        ("x = 4", "x = 2+2 = 4"),
        ("\\frac{1}{4}", "P(X=2) = 0.25"),
        ("1000", "n = 1,000"),
        ("6", "\\sum_{n=1}^{3} n"),
        ("1, 2", "x = 1, x = 2"),
        ("\\{1,2\\}", "x \\in \\{2,1\\}"),
        ("[0,1)", "x \\in [0,1)"),
        ("(x-1)(x+1)", "x^2-1 = (x-1)(x+1)"),
        ("\\gamma mc^2", "E=\\gamma mc^2"),
        ("x < 4", "4 > x"),
        ("x = 4", "4"),
    ],
)
def test_the_right_side_of_a_name_or_of_what_is_equal(truth: str, response: str) -> None:
    assert score("Solve it.", truth, response, "expression").score == 1
