"""What a run is told: the YAML file and the flags end up in one validated `RunConfig`.

Nothing here reads a file or an environment variable; `pipelines.options` does.
"""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, model_validator

from schemas.answers import Calls, Stage
from schemas.config_filters import CheckLimits, DecontaminateSettings, DedupSettings, FilterSettings, NonEmpty

EMBEDDED_MODEL: Final = "embedded/extractive"

DocumentStage = Literal["read", "filter", "dedup", "screen", "classify"]
PairStage = Literal["generate", "check", "judge", "round_trip", "questions", "decontaminate", "closed_book"]
DOCUMENT_STAGES: Final[tuple[str, ...]] = get_args(DocumentStage)
STAGES: Final = (*DOCUMENT_STAGES, *get_args(PairStage))
"""The stages that count, in the order of the figure; `RunConfig.stages` has those of one run."""
MODEL_STAGES: Final[tuple[Stage, ...]] = get_args(Stage)
"""The stages that may call a model, in the order of the figure."""

Until = Literal["filter", "dedup", "screen", "classify", PairStage]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class Columns(_Settings):
    """The corpus's column names. `id` and `text` must exist; the others are taken when they do."""

    id: NonEmpty = "id"
    text: NonEmpty = "text"
    url: NonEmpty = "url"
    license: NonEmpty = "license"
    dataset: NonEmpty = "dataset"

    @property
    def demanded(self) -> tuple[str, ...]:
        """The columns that every file must have: `id`, `text` and those the user named."""
        return tuple(
            getattr(self, role) for role in type(self).model_fields if role in {"id", "text"} | self.model_fields_set
        )


class ModelSettings(_Settings):
    """How one stage's model is called. The key is read from the environment variable `api_key_env` names."""

    model: NonEmpty = EMBEDDED_MODEL
    api_base: NonEmpty | None = None
    api_key_env: NonEmpty | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] = 4096  # Webscale-RL (arXiv 2510.06499), generation settings
    extra_body: dict[str, JsonValue] | None = None

    @model_validator(mode="after")
    def _check_model(self) -> ModelSettings:
        if self.model.startswith("embedded/"):
            if self.model != EMBEDDED_MODEL:
                raise ValueError(f"there is no {self.model}, only {EMBEDDED_MODEL}")
            if self.api_base is not None:
                raise ValueError(f"{EMBEDDED_MODEL} is not served at an api_base; name the model that is (--model)")
        if self.api_base is not None and not self.api_base.startswith(("http://", "https://")):
            raise ValueError(f"api_base {self.api_base} must begin with http:// or https://")
        return self


class Models(_Settings):
    """The model of each stage that calls one. Those that are null by default are options.

    Attributes:
      round_trip: answers each question with the document; not the model that made the pair, which repeats its mistakes.
      closed_book: answers it without: the policy that is to be trained, or one of its size.
      decontaminate: says whether a question asks the same as one of an evaluation set, in other words.
    """

    screen: ModelSettings = ModelSettings()
    classify: ModelSettings = ModelSettings()
    generate: ModelSettings = ModelSettings()
    judge: ModelSettings = ModelSettings()
    round_trip: ModelSettings | None = None
    closed_book: ModelSettings | None = None
    decontaminate: ModelSettings | None = None

    @model_validator(mode="after")
    def _check_options(self) -> Models:
        for stage in ("round_trip", "closed_book", "decontaminate"):
            settings = getattr(self, stage)
            if settings is not None and settings.model == EMBEDDED_MODEL:
                raise ValueError(f"models.{stage}: {EMBEDDED_MODEL} cannot do this; name a model that can")
        made, again = self.generate, self.round_trip
        if again is not None and (again.model, again.api_base) == (made.model, made.api_base):
            raise ValueError(
                f"models.round_trip is {again.model} as models.generate, whose mistakes it would repeat; name another"
            )
        return self

    def called(self) -> dict[Stage, ModelSettings]:
        """Return the model of each stage that has one, in the order of the figure."""
        return {stage: settings for stage in MODEL_STAGES if (settings := getattr(self, stage)) is not None}


class ClosedBookSettings(_Settings):
    """How the difficulty of a question is measured: by answers that a policy samples without the document.

    Attributes:
      samples: of each question.
      drop_all_correct: turn away what every sample gets right, as nothing is learnt from it.
    """

    samples: Annotated[int, Field(ge=1, le=100)] = 4
    drop_all_correct: bool = False


class EmbeddingSettings(_Settings):
    """The embedding model of a report's map, by litellm's name; `api_key_env` names the variable that has its key."""

    model: NonEmpty
    api_base: NonEmpty | None = None
    api_key_env: NonEmpty | None = None


class ReportSettings(_Settings):
    """How `report.html` is made.

    Attributes:
      embedding: places the questions on the map; null counts their words, and asks nobody.
    """

    embedding: EmbeddingSettings | None = None


def _no_pattern(path: str) -> str:
    """Refuse a directory whose name would be taken for a pattern wherever files in it are looked for."""
    if strange := next((letter for letter in path if letter in "*?["), None):
        raise ValueError(f"{path} holds {strange!r}, which is taken for a pattern; choose another name")
    return path


Directory = Annotated[NonEmpty, AfterValidator(_no_pattern)]


Dollars = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class ModelLimits(_Settings):
    """What a provider allows for one model, all workers together; null is no limit.

    Attributes:
      concurrency: requests in flight.
      requests_per_minute: as a provider counts them, in any sixty seconds.
      tokens_per_minute: those of prompts and answers together.
    """

    concurrency: Annotated[int, Field(ge=1, le=100_000)] | None = None
    requests_per_minute: Annotated[int, Field(ge=1)] | None = None
    tokens_per_minute: Annotated[int, Field(ge=1)] | None = None

    @property
    def paced(self) -> bool:
        """Whether there is a limit on a rate."""
        return self.requests_per_minute is not None or self.tokens_per_minute is not None


class ModelPrice(_Settings):
    """What a model costs, in dollars per million tokens.

    Attributes:
      input, output: of prompts and of answers.
      cached_input: of what the provider read from its own cache; null is `input`.
      batch_input, batch_output: through the provider's batch API; null is `input` and `output`.
    """

    input: Dollars
    output: Dollars
    cached_input: Dollars | None = None
    batch_input: Dollars | None = None
    batch_output: Dollars | None = None


class RunConfig(_Settings):
    """A run of the pipeline.

    Attributes:
      input: globs of Parquet files.
      output: the run's directory.
      cache: where the model answers are, a directory or gs://bucket/prefix; OUTPUT/cache when null.
      state: the directory that remembers runs from night to night, null for a run on its own.
      prompts: a directory whose templates and exemplars replace the shipped ones of the same name.
      concurrency: model requests in flight, over all workers together.
      timeout_s: seconds at most until a model has answered; a call that takes longer is made again.
      llm_mode: "online" calls the models. "batch" calls none: what the cache lacks is written to `pending/`, for the
        provider's batch API.
      budget_usd: dollars that one invocation may spend on models, over all workers together; null is no limit.
      calls: "reference" asks as the paper does, twice a document and twice a pair. "merged" asks thrice a document for
        the same verdicts: screen with classify, then all its pairs, then all judgements.
      limits: what providers allow, by the name of the model.
      prices: what models cost, by their names; litellm's list has the others.
      limiter: redis://HOST:PORT/DB (rediss:// for TLS), by which all workers share the rates of `limits`; null divides
        them by the number of workers.
      report: how the report is made, which changes none of the run's rows.
      num_workers_hint: worker processes among which limits are divided; null takes what the runner's options say.
      until: the last stage to run; null runs the whole figure.
      sample: documents to draw, evenly and repeatably, from the input; null takes all.
      max_document_tokens: tokens of a document, about, that models are given; null for all.
      max_error_share: share of a stage's input that may end as errors before the run counts as failed.
    """

    input: Annotated[list[NonEmpty], Field(min_length=1)]
    output: Directory
    cache: NonEmpty | None = None
    state: Directory | None = None
    prompts: Directory | None = None
    columns: Columns = Columns()
    filters: FilterSettings = FilterSettings()
    dedup: DedupSettings = DedupSettings()
    checks: CheckLimits = CheckLimits()
    models: Models = Models()
    closed_book: ClosedBookSettings = ClosedBookSettings()
    decontaminate: DecontaminateSettings | None = None
    llm_mode: Literal["online", "batch"] = "online"
    budget_usd: Annotated[float, Field(gt=0)] | None = None
    calls: Calls = "reference"
    concurrency: Annotated[int, Field(ge=1, le=100_000)] = 64
    timeout_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 120
    limits: dict[NonEmpty, ModelLimits] = {}
    prices: dict[NonEmpty, ModelPrice] = {}
    limiter: NonEmpty | None = None
    report: ReportSettings = ReportSettings()
    num_workers_hint: Annotated[int, Field(ge=1)] | None = None
    until: Until | None = None
    sample: Annotated[int, Field(ge=1)] | None = None
    max_document_tokens: Annotated[int, Field(ge=100)] | None = 16_000
    max_error_share: Annotated[float, Field(ge=0, le=1)] = 0.05

    @model_validator(mode="after")
    def _check_cache(self) -> RunConfig:
        if "://" in self.cache_directory and not self.cache_directory.startswith("gs://"):
            raise ValueError(
                f"answers are not cached at {self.cache_directory}; name a directory or gs:// with --cache"
            )
        return self

    @model_validator(mode="after")
    def _check_named_models(self) -> RunConfig:
        called = sorted({each.model for each in self.models.called().values() if each.model != EMBEDDED_MODEL})
        for key in ("limits", "prices"):
            for model in getattr(self, key):
                if model not in called:
                    there_is = f"name one that a stage calls: {', '.join(called)}" if called else "no stage calls any"
                    raise ValueError(f"{key}.{model}: no stage calls that model over a network; {there_is}")
        return self

    @model_validator(mode="after")
    def _check_limiter(self) -> RunConfig:
        if self.limiter is None:
            return self
        _check_limiter(self.limiter)
        if not any(limits.paced for limits in self.limits.values()):
            raise ValueError("limiter has nothing to share: set requests_per_minute or tokens_per_minute in limits")
        return self

    @model_validator(mode="after")
    def _check_calls(self) -> RunConfig:
        if self.calls == "merged" and self.models.classify != self.models.screen:
            raise ValueError(
                "calls: merged asks screen and classify in one call, but models.classify is not as models.screen"
                f" ({self.models.classify.model}, {self.models.screen.model}); make them equal, or use calls: reference"
            )
        return self

    @model_validator(mode="after")
    def _check_options(self) -> RunConfig:
        if self.closed_book != ClosedBookSettings() and self.models.closed_book is None:
            raise ValueError("closed_book has no model to ask: set models.closed_book")
        policy, samples = self.models.closed_book, self.closed_book.samples
        if policy is not None and policy.temperature == 0 and samples > 1:
            raise ValueError(
                f"closed_book.samples = {samples} of one answer, as models.closed_book.temperature is 0; sample one, or"
                " set the temperature that the policy will be trained at"
            )
        if self.decontaminate is None and self.models.decontaminate is not None:
            raise ValueError("models.decontaminate has nothing to compare with: name an index with --benchmarks")
        return self

    @model_validator(mode="after")
    def _check_until(self) -> RunConfig:
        if self.until is not None and self.until not in self.stages:
            needed = "--benchmarks" if self.until == "decontaminate" else f"models.{self.until}"
            raise ValueError(f"until: this run has no {self.until}, which needs {needed}")
        return self

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages that a run goes through."""
        off = {stage for stage in ("round_trip", "closed_book") if stage not in self.models.called()}
        off |= {"decontaminate"} if self.decontaminate is None else set()
        last = len(STAGES) if self.until is None else STAGES.index(self.until) + 1
        return tuple(stage for stage in STAGES[:last] if stage not in off)

    @property
    def asked(self) -> dict[Stage, ModelSettings]:
        """The models of the stages that a run goes through."""
        return {stage: settings for stage, settings in self.models.called().items() if stage in self.stages}

    @property
    def cache_directory(self) -> str:
        """Where the model answers are kept."""
        return self.cache or f"{self.output.rstrip('/')}/cache"


def _check_limiter(url: str) -> None:
    """Refuse what is no address of a Redis; nothing is said of where a password could stand."""
    shown = re.split("[?#]", url.rpartition("@")[2])[0]
    remedy = "name redis://HOST:PORT/DB, or rediss:// for TLS"
    try:
        parts = urlsplit(url)
        valid = bool(parts.hostname) and parts.port != 0 and not parts.query and not parts.fragment
    except ValueError:
        valid = False
    if not valid or parts.scheme not in ("redis", "rediss") or not re.fullmatch(r"(/\d*)?", parts.path):
        raise ValueError(f"limiter {shown}: {remedy}")
