"""How a run ended: the last words of `run` and `refresh`, what to do about an end that is none, and the exit code."""

from __future__ import annotations

import sys
from typing import Any, Final

from pipelines.models import below_a_call
from pipelines.summary import first_error, summary
from schemas.config import RunConfig

DONE: Final = 0
UNFINISHED: Final = 3
"""Exit codes; 2 is a usage error, 1 a failure while running."""


def report(config: RunConfig, manifest: dict[str, Any], covered: bool, *, alone: bool) -> int:
    """Print how a run ended.

    Args:
      covered: whether its budget was enough for the batches it would have sent.
      alone: whether it is a run of its own, and not one of a root.

    Returns:
      The exit code.
    """
    output = config.output.rstrip("/")
    print(summary(output, manifest))
    if not manifest["unfinished"]:
        return DONE
    uncovered = [stage["stage"] for stage in manifest["stages"] if "budget" in stage.get("waiting", ())]
    if uncovered and not manifest["cost"]["usd"]:
        remedy = below_a_call(config, uncovered[0])
    elif uncovered or not covered:
        remedy = (
            f"The budget of ${manifest['config']['budget_usd']:g} is spent. Answers so far are in the cache; the same"
            " command again spends as much on what is missing."
        )
    elif manifest["rows"].get("pending"):
        remedy = (
            f"{manifest['rows']['pending']:,} requests wait in {output}/pending: webscale-rl batch submit {output}"
            " sends them, and batch collect fetches the answers for the next run of the same command; or add --wait."
        )
    elif config.llm_mode == "batch":
        again = "add --retry-errors, which asks" if alone else "refresh again, which asks"
        remedy = f"Answers so far are in the cache: mend the cause and {again} what failed again."
    else:
        remedy = (
            "Answers so far are in the cache: mend the cause and run the same command again, and only what is missing"
            " will be asked."
        )
    unfinished = "; ".join(manifest["unfinished"])
    print(f"\nNot complete: {unfinished}. {first_error(output)}{remedy}", file=sys.stderr)
    return UNFINISHED
