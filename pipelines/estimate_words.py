"""What a person sees of an estimate: the table, and on what it rests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from schemas.answers import Calls, Stage
from transforms.llm.forecast import ANSWER_TOKENS, ATTEMPTS, SCHEMAS, SHARES, TOKENIZERS, ZERO, Forecast, Span
from transforms.llm.prices import Price
from transforms.llm.requests import Settings
from transforms.llm.tokens import encoding_of, is_exact

_UNKNOWN: Final = "unknown"


def table(lines: Sequence[Forecast], prices: Mapping[str, Price | None]) -> str:
    """Return a line for each stage, one for their sum and one for what is kept.

    Args:
      lines: of a forecast, what is kept last.
      prices: of each stage's model, null where nobody knows it.
    """
    *stages, kept = lines
    online = [_dollars(line, prices[line.stage], Forecast.online_usd) for line in stages]
    batch = [_dollars(line, prices[line.stage], Forecast.batch_usd) for line in stages]
    rows: list[tuple[str, ...]] = [
        ("stage", "", "in", "calls", "prompt tokens", "completion tokens", "online", "batch")
    ]
    for line, dollars, cheaper in zip(stages, online, batch, strict=True):
        rows.append((line.stage, f"{line.unit}s", _number(line.units), *_tokens([line]), _usd(dollars), _usd(cheaper)))
    rows.append(("total", "", "", *_tokens(stages), _usd(_sum(online)), _usd(_sum(batch))))
    rows.append(("kept", f"{kept.unit}s", _number(kept.units), *[""] * 5))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place < 2 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _dollars(line: Forecast, price: Price | None, of: Callable[[Forecast, Price], Span]) -> Span | None:
    if price is None:
        return ZERO if not line.calls.high else None  # what is asked along with another stage costs nothing
    return of(line, price)


def _sum(dollars: Sequence[Span | None]) -> Span | None:
    total = ZERO
    for each in dollars:
        if each is None:
            return None
        total += each
    return total


def _tokens(lines: Sequence[Forecast]) -> list[str]:
    spans = [ZERO, ZERO, ZERO]
    for line in lines:
        of_line = (line.calls, line.prompt_tokens, line.completion_tokens)
        spans = [total + span for total, span in zip(spans, of_line, strict=True)]
    return [_number(span) for span in spans]


def _number(span: Span) -> str:
    return _between(f"{span.low:,.0f}", f"{span.high:,.0f}")


def _usd(span: Span | None) -> str:
    return _UNKNOWN if span is None else _between(f"${span.low:,.2f}", f"${span.high:,.2f}")


def _between(low: str, high: str) -> str:
    return low if low == high else f"{low}-{high}"


def _bounds(span: Span) -> str:
    return _between(f"{span.low:g}", f"{span.high:g}")


def payment(settings: Mapping[Stage, Settings], prices: Mapping[str, Price | None]) -> list[str]:
    """Return which models have no known price, and which stages take no paid call."""
    unknown = dict.fromkeys(model.model for stage, model in settings.items() if prices[stage] is None)
    free = [stage for stage, model in settings.items() if model.embedded]
    notes = [f"price unknown: set prices.{model} in --config" for model in unknown]
    if free:
        whose = "" if len(free) == len(settings) else f" ({', '.join(free)})"
        notes.append(f"no paid calls{whose}: the embedded engine is part of this package")
    return notes


def assumptions(calls: Calls, stages: Sequence[str], guessed: Sequence[Stage]) -> str:
    """Return what is taken for granted where no earlier run tells better.

    Args:
      calls: how the run asks.
      stages: those that the run goes through.
      guessed: those of which something is assumed.
    """
    shares = {stage: span for stage, span in SHARES.items() if stage in stages and stage != "classify"}
    shares["personas a document"] = SHARES["classify"]
    answers = ", ".join(f"{stage} {_bounds(ANSWER_TOKENS[calls][stage])}" for stage in guessed)
    return (
        "Assumed, since no earlier run (--from RUN) says better: of what arrives, these shares go on: "
        + ", ".join(f"{name} {_bounds(span)}" for name, span in shares.items())
        + f"; answers take, in tokens with their thought: {answers}; {_bounds(ATTEMPTS)} answers are paid a request."
        " Webscale-RL (arXiv 2510.06499) made 1.2 pairs a document and publishes no shares; a model that reasons"
        " before it answers takes more."
    )


def counting(models: Sequence[str]) -> list[str]:
    """Return how the prompts of models were counted, a sentence each."""
    return [
        f"Prompts to {model} are counted with {encoding_of(model)}, without the schema of the answer, which some"
        " providers count; the bounds are "
        + (_bounds(SCHEMAS) if is_exact(model) else f"{_bounds(TOKENIZERS)}, since its own tokenizer differs,")
        + " times that."
        for model in dict.fromkeys(models)
    ]
