"""The process that `rewards.symbolic` starts: a line `[reference, answer]` in, `true` or `false` out."""

from __future__ import annotations

import contextlib
import functools
import json
import sys
from collections.abc import Callable
from typing import Any, Final

_MEMORY: Final = 4 * 2**30  # bytes of address space: powers of powers take all there is


def main() -> int:
    """Answer until the parent goes away; 3 where math-verify is missing or of a version whose parts lie elsewhere."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    try:
        compare = _comparison()
    except ImportError:
        return 3
    print("ready", flush=True)
    for line in sys.stdin:
        reference, answer = json.loads(line)
        equal = False
        with contextlib.suppress(Exception):
            equal = compare(reference, answer)
        print("true" if equal else "false", flush=True)
    return 0


def _comparison() -> Callable[[str, str], bool]:
    """Return math-verify's comparison, set so that it loses neither the case of a symbol nor a factor.

    Raises:
      ImportError: math-verify is missing, or of a version whose parts lie elsewhere.
    """
    from latex2sympy2_extended import symbols
    from latex2sympy2_extended.latex2sympy2 import ConversionConfig
    from latex2sympy2_extended.math_normalization import NormalizationConfig
    from math_verify import LatexExtractionConfig, grader, parse, parser, verify
    from sympy.core.relational import Relational

    # math-verify passes none of these on. Its defaults take `R` for `r`, `\gamma` and `\Gamma` for Euler's constant,
    # `v_0` for `V_0`, and the `t` of `v_0 t` for a unit.
    parser.latex2sympy = functools.partial(
        parser.latex2sympy, conversion_config=ConversionConfig(lowercase_symbols=False)
    )
    grader.sympy_compare_symbols = lambda one, other: _name(one) == _name(other)
    for name in ("gamma", "Gamma"):
        symbols.sympy_singleton_map.pop(name, None)
    normal = NormalizationConfig(
        basic_latex=True, units=False, malformed_operators=True, nits=True, boxed="all", equations=False
    )
    # No plain numbers: it would read one out of what it cannot parse, the 4 of `x \Rightarrow 4`.
    targets = [LatexExtractionConfig(normalization_config=normal)]

    def compare(reference: str, answer: str) -> bool:
        # No time limits in here: the parent keeps them.
        gold, said = (parse(f"${text}$", targets, parsing_timeout=None) for text in (reference, answer))
        if not (gold and said):
            return False
        if _has(said[0], Relational) and not _has(gold[0], Relational):
            return False  # `verify` would take the right side of any equation
        return bool(verify(gold, said, strict=True, timeout_seconds=None))

    return compare


def _has(parsed: Any, kind: type) -> bool:
    return not isinstance(parsed, str) and bool(parsed.has(kind))


def _name(parsed: Any) -> str:
    """Return how a symbol is spelled: `theta` for `\\theta`, and for the product of letters that `theta` is."""
    if parsed.is_Mul and all(factor.is_Symbol or str(factor) == "E" for factor in parsed.args):
        return "".join("e" if str(factor) == "E" else factor.name for factor in parsed.args)
    return str(parsed)


if __name__ == "__main__":
    sys.exit(main())
