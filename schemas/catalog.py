"""What `catalog.json` and `lock.json` of a root hold: which runs are the dataset, and who is at work on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, JsonValue

FORMAT: Final = 1
"""Of the files below. A change that an older version would misread takes the next number."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Seen(_Entry):
    """A corpus file as it was when a run read it.

    Attributes:
      size: bytes; updated: seconds since 1970. Another of either is another file.
      run: the run that read it last, whose verdicts on its documents are those that hold.
      errors: rows of it that ended as errors there; lasting: those of them that end so as long as the file is the same.
    """

    size: int
    updated: float
    run: str
    errors: int = 0
    lasting: int = 0

    def differs(self, size: int, updated: float) -> bool:
        """Return whether the file has changed since."""
        return (self.size, self.updated) != (size, updated)


class Asked(_Entry):
    """What a stage has asked of its model in a run: requests, and what their answers cost, in whichever run paid."""

    requests: int
    usd: float


class Added(_Entry):
    """A run that is part of the dataset.

    Attributes:
      id: the directory below `runs/`, and that of what it remembers below `state/`.
      night: the first run of the same refresh; null for itself.
      started: as its manifest says.
      files: corpus files that it read.
      documents: those it found there.
      rows: of each directory, as they are now.
      usd: what it paid.
      asked: of each stage that asked.
      settled: whether the documents have had their turn that were duplicates of what it superseded.
    """

    id: str
    night: str | None = None
    started: str
    files: int
    documents: int
    rows: dict[str, int]
    usd: float
    asked: dict[str, Asked]
    settled: bool


class Takedown(_Entry):
    """Ids that are to be forgotten.

    Attributes:
      id: `forgotten/ID.parquet` has the hashes of the ids.
      ids: how many.
      swept: whether all that came of them is gone.
    """

    id: str
    ids: int
    swept: bool


class Catalog(_Entry):
    """Which runs are the dataset, and what they have read: the one truth of a root.

    Attributes:
      format: of this file.
      generation: one more with each change.
      settings: what decides about rows and is not as it is by default; prompts: fingerprints by stage. Of all runs.
      runs: oldest first.
      files: the corpus files that they have read, by path.
      heirs: those that hold documents whose survivor went, so that they have their turn.
      forgotten: takedowns, oldest first.
    """

    format: Annotated[int, Field(ge=FORMAT, le=FORMAT)] = FORMAT
    generation: int = 1
    settings: dict[str, JsonValue] = {}
    prompts: dict[str, str] = {}
    runs: tuple[Added, ...] = ()
    files: dict[str, Seen] = {}
    heirs: tuple[str, ...] = ()
    forgotten: tuple[Takedown, ...] = ()

    @property
    def run_ids(self) -> tuple[str, ...]:
        """The runs, oldest first."""
        return tuple(run.id for run in self.runs)

    @property
    def last_night(self) -> tuple[str, ...]:
        """The runs of the last refresh that added any, oldest first."""
        nights = [run.night or run.id for run in self.runs]
        return tuple(run.id for run, night in zip(self.runs, nights, strict=True) if night == nights[-1])

    def added(
        self,
        run: Added,
        files: Mapping[str, Seen],
        settings: Mapping[str, JsonValue],
        prompts: Mapping[str, str],
        *,
        full: bool,
    ) -> Catalog:
        """Return the catalogue with one more run, or with that one in place of all others.

        Args:
          files: what the run has read.
        """
        return Catalog(
            generation=self.generation + 1,
            settings=dict(settings),
            prompts=dict(prompts),
            runs=(run,) if full else (*self.runs, run),
            files=dict(sorted({**({} if full else self.files), **files}.items())),
            heirs=() if full else tuple(path for path in self.heirs if path not in files),
            forgotten=self.forgotten,
        )

    def settled(self, heirs: set[str]) -> Catalog:
        """Return the catalogue once the duplicates of what its runs superseded are known.

        Args:
          heirs: the files that hold them.
        """
        return self.next(
            runs=tuple(run.model_copy(update={"settled": True}) for run in self.runs),
            heirs=tuple(sorted({*self.heirs, *heirs})),
        )

    def next(self, **changes: object) -> Catalog:
        """Return the catalogue with some keys changed, and one generation on."""
        return self.model_copy(update={**changes, "generation": self.generation + 1})


class Lock(_Entry):
    """Who refreshes a root.

    Attributes:
      format: of this file.
      run_id: the run that is to be added.
      user, host, pid: the process that began it; pids: where its number means that process (see `lock.pid_space`).
      started, beaten: seconds since 1970: when it began, and when it last said that it lives.
      lease_s: seconds after which one that has not said so again counts as dead.
      detached: whether the process has left its job to a cluster, so that its own end says nothing.
      released: whether it has ended.
    """

    format: Annotated[int, Field(ge=FORMAT, le=FORMAT)] = FORMAT
    run_id: str
    user: str
    host: str
    pid: int
    pids: str | None = None
    started: float
    beaten: float
    lease_s: float
    detached: bool = False
    released: bool = False
