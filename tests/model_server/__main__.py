"""The command: the server as a process of its own, told by its options how to behave."""

from __future__ import annotations

import argparse
import asyncio
import signal
from collections.abc import Sequence
from pathlib import Path

from tests.model_server.behaviour import FAULTS, Behaviour, Latency
from tests.model_server.service import Service, opened, serving
from tests.model_server.traffic import Traffic


def _latency(text: str) -> Latency:
    name, *numbers = text.split(":")
    if name != "lognormal":
        return float(text)
    median, sigma = map(float, numbers)
    return ("lognormal", median, sigma)


def _share(text: str) -> tuple[str, float]:
    name, _, share = text.partition("=")
    return name, float(share)


def _window(text: str) -> tuple[int, float]:
    requests, _, seconds = text.partition(":")
    return int(requests), float(seconds)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's arguments."""
    command = argparse.ArgumentParser(
        prog="python -m tests.model_server", description="A local OpenAI-compatible server for tests."
    )
    add = command.add_argument
    add("--port", type=int, default=0, help="0 takes a free one")
    add("--log", type=Path, help="append a JSON line for each request received and answered")
    add("--seed", type=int, default=0)
    add("--latency", type=_latency, default=0.0, metavar="S", help="seconds, or lognormal:MEDIAN:SIGMA")
    add("--fault", type=_share, action="append", default=[], metavar="NAME=SHARE", help=", ".join(FAULTS))
    add("--retry-after", type=float, metavar="S", help="the Retry-After header of the fault 429")
    add("--hold", type=float, default=600.0, metavar="S", help="how long the fault timeout keeps a connection")
    add("--api-key", help="the bearer key to ask for")
    add("--model", action="append", metavar="NAME", help="a model that exists; any does where none is named")
    add("--chars-per-token", type=float, default=4.0, metavar="N", help="characters that count as a token")
    add("--context-chars", type=int, metavar="N")
    add("--requests-per-minute", type=float, metavar="N")
    add("--sliding-window", type=_window, metavar="N:S", help="N requests in any S seconds")
    add("--batch-seconds", type=float, default=0.0, metavar="S", help="from a batch's creation to its end")
    add("--batch-max-requests", type=int, default=50_000, metavar="N")
    add("--batch-max-bytes", type=int, default=200 * 10**6, metavar="N")
    add("--no-batch-listing", dest="batch_listing", action="store_false", help="batches cannot be listed")
    add("--batch-hold", type=float, default=0.0, metavar="S", help="between a batch's creation and the reply")
    add("--batch-expired", type=float, default=0.0, metavar="SHARE", help="the requests that a batch leaves undone")
    return command


def behaviour_of(args: argparse.Namespace) -> Behaviour:
    """Return what the arguments of the command say."""
    return Behaviour(
        seed=args.seed,
        latency=args.latency,
        faults=dict(args.fault),
        retry_after=args.retry_after,
        hold_s=args.hold,
        api_key=args.api_key,
        models=None if args.model is None else tuple(args.model),
        chars_per_token=args.chars_per_token,
        context_chars=args.context_chars,
        requests_per_minute=args.requests_per_minute,
        sliding_window=args.sliding_window,
        batch_seconds=args.batch_seconds,
        batch_max_requests=args.batch_max_requests,
        batch_max_bytes=args.batch_max_bytes,
        batch_listing=args.batch_listing,
        batch_hold_s=args.batch_hold,
        batch_expired=args.batch_expired,
    )


async def _serve_until_told(service: Service, port: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serving(service, port) as bound:
        print(bound, flush=True)
        await stop.wait()


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT."""
    command = parser()
    args = command.parse_args(argv)
    try:
        behaviour = behaviour_of(args)
    except ValueError as error:
        command.error(str(error))
    with opened(args.log) as log:
        asyncio.run(_serve_until_told(Service(behaviour, Traffic(log)), args.port))


if __name__ == "__main__":
    main()
