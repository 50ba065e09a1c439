"""The process that `rewards.symbolic` starts: a line `[reference, answer]` in, `true` or `false` out."""

from __future__ import annotations

import contextlib
import json
import sys
from typing import Final

_MEMORY: Final = 4 * 2**30  # bytes of address space: powers of powers take all there is


def main() -> int:
    """Answer until the parent goes away; 3 where math-verify is missing."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    try:
        from math_verify import parse, verify
    except ImportError:
        return 3
    print("ready", flush=True)
    for line in sys.stdin:
        reference, answer = json.loads(line)
        equal = False
        with contextlib.suppress(Exception):
            # No time limits in here: the parent keeps them.
            gold, said = (parse(f"${text}$", parsing_timeout=None) for text in (reference, answer))
            equal = bool(gold and said and verify(gold, said, strict=True, timeout_seconds=None))
        print("true" if equal else "false", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
