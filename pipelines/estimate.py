"""`webscale-rl estimate`: what a run will ask and cost, before a single call and without a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.estimate_words import assumptions, counting, payment, table
from pipelines.models import prices_of, settings_of
from pipelines.options import Parser, UsageError, add_run_flags, read_run
from pipelines.prompt_sizes import PromptSizes
from pipelines.rundir import read_manifest
from pipelines.sampling import Sample, take_sample
from prompts import VARIABLES
from schemas.answers import Calls, Stage, task_of
from schemas.config import RunConfig
from transforms.llm.forecast import (
    HIDDEN_DUPLICATES,
    NOTHING,
    ONE,
    SCHEMAS,
    SHARES,
    TOKENIZERS,
    Asking,
    Forecast,
    Seen,
    Span,
    assumed,
    forecast,
    relative_error,
    seen,
    share_error,
)
from transforms.llm.prices import Price, price_at
from transforms.llm.requests import Request, Settings
from transforms.llm.tokens import count_tokens, is_exact

DEFAULT_DOCUMENTS: Final = 200
DONE: Final = 0
_NOWHERE: Final = "estimate"
"""Stands for the output that need not be named."""


@dataclass(frozen=True, slots=True)
class EstimateOptions:
    """What `webscale-rl estimate` was told.

    Attributes:
      config: the run to estimate.
      beam: the options left for Beam.
      earlier: the directory of a run to learn from, or null.
      documents: how many to sample.
    """

    config: RunConfig
    beam: PipelineOptions
    earlier: str | None
    documents: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run will ask.

    Attributes:
      lines: a model stage each, and last what is kept; none where the run reaches no model.
      prices: of each stage's model; null where nobody knows it.
      notes: on what the figures rest.
    """

    lines: list[Forecast]
    prices: Mapping[str, Price | None]
    notes: list[str]


def parse_estimate(arguments: Sequence[str]) -> EstimateOptions:
    """Return what the arguments of `webscale-rl estimate` describe.

    Raises:
      UsageError: as of `webscale-rl run`; or fewer than one document.
    """
    parser = Parser(
        prog="webscale-rl estimate",
        allow_abbrev=False,
        description="Say what a run would ask of its models and cost. No model is called.",
        epilog="Takes what `webscale-rl run` takes; --output need not be named, and nothing is written there.",
    )
    add_run_flags(parser)
    parser.add_argument("--from", dest="earlier", metavar="RUN", help="an earlier run's --output, whose figures to use")
    parser.add_argument(
        "--documents", type=int, default=DEFAULT_DOCUMENTS, metavar="N", help="documents to sample (default: 200)"
    )
    flags, config, beam = read_run(parser, arguments, {"output": _NOWHERE})
    if flags.documents < 1:
        raise UsageError(f"--documents {flags.documents} must be 1 or more")
    return EstimateOptions(config, beam, flags.earlier, flags.documents)


def estimate(options: EstimateOptions) -> int:
    """Print what a run would ask and cost.

    Raises:
      UsageError: the corpus or the earlier run is of no use.
    """
    made = estimate_of(options)
    if made.lines:
        print(f"{table(made.lines, made.prices)}\n")
    print("\n".join(made.notes))
    return DONE


def estimate_of(options: EstimateOptions) -> Estimate:
    """Return what a run would ask; raises as `estimate`."""
    config = options.config
    earlier = None if options.earlier is None else _Earlier.read(options.earlier, config.calls)
    settings = settings_of(config)
    if not settings:
        return Estimate([], {}, [f"no paid calls: the run ends with {config.until}"])
    prices: dict[str, Price | None] = {stage: price_at(model, prices_of(config)) for stage, model in settings.items()}
    outlook = _Outlook(config, settings, take_sample(config, options.documents, options.beam), earlier)
    lines = forecast(outlook.documents(), config.stages, outlook.shares(), outlook.asking)
    return Estimate(lines, prices, [*payment(settings, prices), *outlook.notes()])


class _Earlier:
    """The figures of an earlier run's manifest."""

    def __init__(self, run: str, manifest: Mapping[str, Any]) -> None:
        self.run = run
        self.stages: Mapping[str, Seen] = seen(manifest)
        self.prompts: Mapping[str, str] = dict(manifest["prompts"])
        models = manifest["config"]["models"]
        self.models: Mapping[str, str] = {stage: one["model"] for stage, one in models.items() if one is not None}
        self.samples: int = manifest["config"]["closed_book"]["samples"]

    @property
    def shares(self) -> dict[str, Span]:
        """What each stage let go on."""
        return {stage: Span.of(figures.share) for stage, figures in self.stages.items() if stage in SHARES}

    @classmethod
    def read(cls, run: str, calls: Calls) -> _Earlier:
        """Read the manifest of a run.

        Raises:
          UsageError: there is none, it called its models in another way, or it called none.
        """
        manifest = read_manifest(run.rstrip("/"))
        try:
            was, earlier = manifest["config"]["calls"], cls(run, manifest)
        except (KeyError, TypeError, AttributeError) as error:
            raise UsageError(
                f"--from {run}: its manifest.json lacks what this version writes ({type(error).__name__}: {error});"
                " name the --output of a run of this version"
            ) from None
        if was != calls:
            raise UsageError(f"--from {run} was made with --calls {was}, and this is --calls {calls}; make them equal")
        if "screen" not in earlier.stages:
            raise UsageError(f"--from {run}: no document reached its screen; name a run that asked its models")
        return earlier


class _Outlook:
    """What the stages of a run will ask, by a sample of its documents and perhaps by an earlier run.

    Attributes:
      asking: of each model stage.
      guessed: the stages of which that is assumed.
    """

    def __init__(
        self, config: RunConfig, settings: Mapping[Stage, Settings], sample: Sample, earlier: _Earlier | None
    ) -> None:
        self._config, self._settings, self._sample, self._earlier = config, settings, sample, earlier
        self._sizes = PromptSizes(sample.prompts, config.calls, sample.documents)
        chars = self._sizes.each("screen", _characters)
        self._screen_chars = sum(chars) / len(chars)
        self._error = relative_error([*chars, *[0] * (sample.drawn - len(chars))], sample.rows)
        self.guessed: list[Stage] = []
        self.asking: dict[str, Asking] = {stage: self._asking(stage) for stage in settings}

    def documents(self) -> Span:
        """Return how many documents will reach the screen."""
        sample = self._sample
        share = len(sample.documents) / sample.drawn
        if self._earlier is None:
            hidden = ONE if sample.drawn == sample.rows else HIDDEN_DUPLICATES
            between = Span(share * max(0.0, 1 - self._error), min(1.0, share * (1 + self._error)))
            return Span.of(sample.rows) * between * hidden
        here = next(line for line in sample.stages if line["stage"] == "dedup")
        there = self._earlier.stages.get("dedup")
        if there is not None and there.arrived > here["in"]:  # among more documents more duplicates show
            share = here["in"] / sample.drawn * there.share
        return Span.of(sample.rows * share)

    def shares(self) -> dict[str, Span]:
        """Return what each stage lets go on."""
        return {**SHARES, **(self._earlier.shares if self._earlier else {})}

    def notes(self) -> list[str]:
        """Return on what all this rests."""
        sample = self._sample
        notes = [
            f"{len(sample.documents):,} of {sample.drawn:,} sampled documents, drawn from {sample.rows:,}, get past"
            f" dedup; the sample leaves ±{self._error:.0%} (two standard errors). Answers in a cache are not deducted."
        ]
        if self._earlier is not None:
            notes.append(
                f"Shares, tokens and retries are those of {self._earlier.run}, where nothing else is said; its own size"
                f" leaves up to ±{share_error(self._earlier.stages):.0%} in what is kept of a document."
            )
            notes += self._other_models(self._earlier)
        if self.guessed:
            notes.append(assumptions(self._config.calls, self._config.stages, self.guessed))
            notes += counting([self._settings[stage].model for stage in self.guessed])
        return notes

    def _other_models(self, earlier: _Earlier) -> list[str]:
        return [
            f"{stage}: {earlier.run} asked {earlier.models[stage]}, which may judge, answer and count otherwise."
            for stage, model in self._settings.items()
            if earlier.models.get(stage, model.model) != model.model
        ]

    def _asking(self, stage: Stage) -> Asking:
        model = self._settings[stage]
        if model.embedded or (self._config.calls == "merged" and stage == "classify"):
            return NOTHING
        figures = self._earlier.stages.get(stage) if self._earlier else None
        samples = self._config.closed_book.samples if stage == "closed_book" else 1
        alike = self._earlier is not None and (stage != "closed_book" or samples == self._earlier.samples)
        if self._earlier is not None and alike and figures is not None and figures.answers:
            return figures.asking(self._prompt_chars(stage, figures, self._earlier))
        self.guessed.append(stage)
        counted = self._sizes.mean(stage, lambda request: count_tokens(request.messages, model.model))
        tokens = counted * (SCHEMAS if is_exact(model.model) else TOKENIZERS)
        return assumed(stage, self._config.calls, tokens, model.max_tokens, samples)

    def _prompt_chars(self, stage: Stage, figures: Seen, earlier: _Earlier) -> float:
        """Return the characters of a stage's prompt: as in the earlier run, but for the length of the documents.

        A prompt that holds the document holds it once, so the prompts of the screen tell how much longer
        documents are here. Where the prompts are other ones now, they are rendered.
        """
        screen = earlier.stages["screen"]
        fingerprint, calls = self._sample.prompts.fingerprint, self._config.calls
        stages: tuple[Stage, ...] = ("screen", stage)
        if screen.answers and all(earlier.prompts.get(one) == fingerprint(task_of(one, calls)) for one in stages):
            if "document" not in VARIABLES[stage]:
                return figures.prompt_chars
            return max(1.0, figures.prompt_chars + self._screen_chars - screen.prompt_chars)
        rendered = self._sizes.mean(stage, _characters)
        return (rendered.low + rendered.high) / 2


def _characters(request: Request) -> int:
    return request.characters
