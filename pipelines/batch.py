"""`webscale-rl batch`: sends what a run left in `pending/` through a provider's batch API, and fetches the answers."""

from __future__ import annotations

import contextlib
import math
import posixpath
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

from pydantic import ValidationError

from pipelines.ending import DONE, UNFINISHED
from pipelines.models import prices_of, settings_of
from pipelines.options import Parser, UsageError
from pipelines.rundir import check_idle, using
from schemas.config import RunConfig
from transforms.llm.batch.journal import IN_USE, Batch, Journal
from transforms.llm.batch.provider import Look, name_there
from transforms.llm.batch.rounds import OUTPUT, Courier, UnsureError, prepare
from transforms.llm.budget import BatchBudget
from transforms.llm.cache import CacheError
from transforms.llm.requests import Kind, ModelError

Action = Literal["submit", "status", "collect"]
_FIRST_POLL_S: Final = 1.0
_POLL_S: Final = 60.0
_MAY_PASS: Final = frozenset({Kind.TRANSIENT, Kind.THROTTLED, Kind.TIMEOUT})


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """What `webscale-rl batch` was told.

    Attributes:
      action: what to do.
      run: the directory of a run in batch mode.
      offline: write files for `vllm run-batch` and send nothing.
      sent: (name, id) of a batch that the provider has, for a provider that cannot be asked.
      resend: the name of a batch that it has not, or that `vllm run-batch` has left unfinished.
    """

    action: Action
    run: str
    offline: bool = False
    sent: tuple[str, str] | None = None
    resend: str | None = None


def parse_batch(arguments: Sequence[str]) -> BatchOptions:
    """Return what the arguments of `webscale-rl batch` describe.

    Raises:
      UsageError: an unknown action or flag, or flags that exclude each other.
    """
    parser = Parser(
        prog="webscale-rl batch",
        allow_abbrev=False,
        description="Send what `webscale-rl run --llm-mode batch` left in RUN/pending, and fetch the answers.",
        epilog="submit sends it, status says how far it is, collect puts answers into the run's cache; then the same"
        " run goes on from there. `webscale-rl run --llm-mode batch --wait` does all of it until nothing is pending.",
    )
    parser.add_argument("action", choices=get_args(Action), metavar="submit|status|collect")
    parser.add_argument("run", metavar="RUN", help="the --output of the run")
    parser.add_argument(
        "--files", action="store_true", help="submit: write files for `vllm run-batch` and send nothing"
    )
    parser.add_argument("--sent", metavar="NAME=ID", help="submit: the provider has this batch, under that id")
    parser.add_argument(
        "--resend",
        metavar="NAME",
        help="submit: the provider does not have this batch; of one for vllm, what its output lacks gets a file anew",
    )
    flags = parser.parse_args(list(arguments))
    given = [flag for flag in ("files", "sent", "resend") if getattr(flags, flag)]
    if given and flags.action != "submit":
        raise UsageError(f"--{given[0]} is for batch submit")
    if len(given) > 1:
        raise UsageError(f"--{given[0]} and --{given[1]} exclude each other; choose one")
    name, equals, batch_id = (flags.sent or "").partition("=")
    if flags.sent and not (name and equals and batch_id):
        raise UsageError(f"--sent {flags.sent}: write NAME=ID, the batch's name here and its id at the provider")
    sent = (name, batch_id) if flags.sent else None
    return BatchOptions(flags.action, flags.run.rstrip("/"), flags.files, sent, flags.resend)


def batch(options: BatchOptions) -> int:
    """Do what was asked and print what came of it.

    Returns:
      0, or 3 when a batch is still to be sent, answered or collected.

    Raises:
      UsageError: the directory holds no run in batch mode, or is in use, or a provider refuses.
    """
    output = options.run
    journal = Journal(output)
    config = _config_of(journal)
    check_idle(output)
    courier = Courier(journal, config.cache_directory, prices_of(config))
    with using([f"{output}/{IN_USE}"], f"batch {options.action}"):
        try:
            left_out = _gather(journal, courier, options, config) if options.action == "submit" else 0
            return _go_through(output, courier, options.action, left_out)
        except CacheError as error:
            raise UsageError(str(error)) from None


def answered(output: str, config: RunConfig, cost_before: int) -> bool:
    """Send what waits, wait until all batches are over, and keep the answers; then the next round gets on.

    Args:
      cost_before: what batches had cost before this invocation, in billionths of a dollar.

    Returns:
      Whether it does; otherwise the budget is spent.

    Raises:
      UsageError: a provider refuses, or cannot say whether it has a batch, or no request got an answer.
    """
    journal = Journal(output)
    courier = Courier(journal, config.cache_directory, prices_of(config))
    budget = _budget(journal, config, cost_before)
    prepare(journal, output, config.cache_directory, settings_of(config), budget=budget)
    under_way = {batch.name for batch in journal.open()}
    if not under_way and budget.left_out:
        print(f"The budget of ${config.budget_usd:g} covers no more of the requests in {output}/pending.")
        return False
    _wait(output, courier)
    over = [batch for batch in journal.batches() if batch.name in under_way]
    got = sum(each.figures.get(name, 0) for each in over for name in ("answered", "invalid", "failed"))
    if over and not got:  # without a batch, another run has put all of it into a cache that they share
        said = next((each.error for each in over if each.error), "no batch had any")
        raise UsageError(f"no request of {output}/pending got an answer: {said}; mend that and run it again")
    return True


def _budget(journal: Journal, config: RunConfig, cost_before: int) -> BatchBudget:
    """Return what is left for requests beside the batches under way; all there is where nobody set a budget.

    What is sent then is given a price all the same, for the invocation that has a budget while it is under way.
    """
    amount = math.inf if config.budget_usd is None else config.budget_usd
    spent = (journal.figures()["cost_nano_usd"] - cost_before) / 1e9
    under_way = sum(each.expected_usd for each in journal.open())
    budget = BatchBudget(amount - spent - under_way, prices_of(config))
    journal.teach(budget.estimate)
    return budget


def _wait(output: str, courier: Courier) -> None:
    """Take all batches on until they are over; what may pass is tried again, and what is refused stops no other."""
    journal = Journal(output)
    pause, shown, refused = _FIRST_POLL_S, dict[str, str](), dict[str, str]()
    while under_way := [each for each in journal.open() if each.name not in refused]:
        before = dict(shown)
        for each in under_way:
            with _told(output, each) as told:
                told.words = _taken_on(courier, each)
            if told.refusal:
                refused[each.name] = told.refusal
            if shown.get(each.name) != told.words:
                print(f"batch {each.name} ({each.model}): {told.words}", flush=True)
                shown[each.name] = told.words
        if any(each.name not in refused for each in journal.open()):
            pause = _FIRST_POLL_S if shown != before else min(_POLL_S, 1.5 * pause)
            time.sleep(pause)
    _raise_first(list(refused.values()))


def _taken_on(courier: Courier, each: Batch) -> str:
    sent = courier.send(each)
    look = courier.look(sent)
    return _outcome(courier.collect(sent, look)) if look.over else _progress(look, each)


def _config_of(journal: Journal) -> RunConfig:
    try:
        config = journal.run()
    except ValueError as error:
        said = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise UsageError(
            f"{journal.directory}/run.json was written by another version: {said}; give the run's command again"
        ) from None
    if config is None:
        raise UsageError(
            f"{posixpath.dirname(journal.directory)} holds no run with --llm-mode batch, so nothing of it waits for one"
        )
    return config


def _settle(journal: Journal, courier: Courier, options: BatchOptions) -> bool:
    """Take the user's word for what became of a batch; returns whether it was one for `vllm run-batch`."""
    name = options.sent[0] if options.sent else options.resend
    if name is None:
        return False
    there = {
        each.name: each
        for each in journal.open()
        if each.status in ("sending", "sent") and not (options.sent and each.offline)
    }
    if name not in there:
        raise UsageError(f"{options.run} has no batch {name} that was sent; such are {', '.join(there) or 'none'}")
    if there[name].offline:
        courier.give_up(there[name])
    else:
        journal.settle(there[name], options.sent[1] if options.sent else None, time.time())
    return there[name].offline


def _gather(journal: Journal, courier: Courier, options: BatchOptions, config: RunConfig) -> int:
    """Make batches of what waits; returns how many requests the budget leaves out."""
    offline = _settle(journal, courier, options) or options.offline
    budget = _budget(journal, config, journal.figures()["cost_nano_usd"])
    models, cache = settings_of(config), config.cache_directory
    prepare(journal, options.run, cache, models, budget=budget, offline=offline)
    if budget.left_out:
        print(
            f"The budget of ${config.budget_usd:g} does not cover {budget.left_out:,} of the requests in"
            f" {options.run}/pending, beside the batches under way; they wait."
        )
    return budget.left_out


def _go_through(output: str, courier: Courier, action: Action, left_out: int) -> int:
    """Do with each batch what was asked and print a line about it; one in trouble stops no other.

    Args:
      left_out: requests that wait for another budget.

    Raises:
      UsageError: a provider refuses one, or cannot say whether it has it.
    """
    journal, refused = Journal(output), []
    batches = journal.batches()
    for each in batches:
        with _told(output, each) as told:
            told.words = _words(journal, each, courier, action)
        print(f"{each.name}  {each.model}  {told.words}", flush=True)
        if told.refusal:
            refused.append(told.refusal)
    _raise_first(refused)
    if journal.open() or left_out:
        return UNFINISHED
    print(f"No batch of {output} is under way: run the same `webscale-rl run` again, which goes on from the answers.")
    return DONE


def _words(journal: Journal, each: Batch, courier: Courier, action: Action) -> str:
    if not each.under_way:
        return _outcome(each)
    if action == "submit":
        each = courier.send(each)
    if each.status != "sent":
        return f"{each.requests:,} requests, not sent yet"
    look = courier.look(each)
    if action == "collect" and look.over:
        return _outcome(courier.collect(each, look))
    words = _progress(look, each)
    if each.offline and not look.over:
        source, target = (journal.path(each, name) for name in ("input.jsonl", OUTPUT))
        words += f"; vllm run-batch -i {source} -o {target} --model {name_there(each.settings)}"
        if look.done:
            words += (
                f" (where it has ended with fewer, `webscale-rl batch submit {posixpath.dirname(journal.directory)}"
                f" --resend {each.name}` writes a file of the rest)"
            )
    return words


def _progress(look: Look, each: Batch) -> str:
    return f"{look.status}, {look.done:,} of {each.requests:,} done"


def _outcome(each: Batch) -> str:
    if each.status == "ready":
        return "the provider's queue is full; sent again later"
    if each.status == "failed":
        return f"failed: {each.error}; its requests wait for another batch"
    counts = ", ".join(f"{each.figures.get(name, 0):,} {name}" for name in ("answered", "invalid", "failed", "missing"))
    error = f"; {each.error}" if each.error else ""
    return f"collected: {counts}, ${each.figures.get('cost_nano_usd', 0) / 1e9:.2f}{error}"


@dataclass(slots=True)
class _Told:
    """What is said of a batch; `refusal` where trying again is of no use."""

    words: str = ""
    refusal: str = ""


@contextlib.contextmanager
def _told(output: str, each: Batch) -> Iterator[_Told]:
    """Turn what a provider says of a batch into words for the user, so that the batches behind it have their turn."""
    told = _Told()
    try:
        yield told
    except UnsureError as error:
        told.words, told.refusal = "it may be at the provider", _unsure(output, error)
    except ModelError as error:
        told.words = str(error)
        if error.kind not in _MAY_PASS:
            told.refusal = _refusal(output, each, error)


def _raise_first(refused: Sequence[str]) -> None:
    if refused:
        more = f" (and {len(refused) - 1:,} more batches, see above)" if len(refused) > 1 else ""
        raise UsageError(refused[0] + more)


def _refusal(output: str, each: Batch, error: ModelError) -> str:
    remedy = ""
    if each.batch_id is not None and error.kind is Kind.UNKNOWN_MODEL:
        remedy = (
            f"; if its provider has lost it, `webscale-rl batch submit {output} --resend {each.name}` sends it again"
        )
    return f"batch {each.name}: {error}{remedy}"


def _unsure(output: str, error: UnsureError) -> str:
    each = error.batch
    return (
        f"batch {each.name} may have been sent when a process died, and its provider cannot be asked: look there for a"
        f" batch on the file {each.file_id}, then say `webscale-rl batch submit {output} --sent {each.name}=ID`, or"
        f" --resend {each.name} where there is none"
    )
