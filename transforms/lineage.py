"""LogCounts: workers' logs say what became of each bundle, of which run and stage, for those who watch a cluster."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any, Final

import apache_beam as beam

from schemas.counts import DOORS, Counts, stage_counts

LOG: Final = logging.getLogger("webscale_rl")


def bundle_lines(run_id: str, counts: Counts) -> Iterator[tuple[int, str]]:
    """Yield (level, line) for each stage of a bundle's counts, as `name=value` that a log search takes apart.

    What failed or waits, and why, makes a line a warning.
    """
    for stage in dict.fromkeys(key[0] for key in counts):
        line = stage_counts(counts, stage)
        numbers = {"in": line.arrived, **{door: getattr(line, door) for door in DOORS}}
        fields = {"run": run_id, "stage": stage, **{name: n for name, n in numbers.items() if n or name == "in"}}
        causes = {f"{kind}.{name}": n for kind in ("failures", "waiting") for name, n in getattr(line, kind).items()}
        level = logging.WARNING if causes else logging.INFO
        yield level, " ".join(f"{name}={value}" for name, value in (fields | causes).items())


class LogCounts(beam.PTransform):
    """Log what goes by. Input and output: `Counts`, one a bundle.

    Args:
      run_id: the run's name.
    """

    def __init__(self, run_id: str) -> None:
        super().__init__()
        self.run_id = run_id

    def expand(self, counts: Any) -> Any:
        return counts | "Log" >> beam.ParDo(_Log(self.run_id))


class _Log(beam.DoFn):
    def __init__(self, run_id: str) -> None:
        self.run_id = run_id

    def setup(self) -> None:
        # In a worker of Beam's pool nobody has set up logging: what it logs goes where the pool's own words go.
        root = logging.getLogger()
        if root.level == logging.WARNING and all(type(each) is logging.StreamHandler for each in root.handlers):
            logging.basicConfig()
            LOG.setLevel(logging.INFO)

    def process(self, counts: Counts) -> Iterator[Counts]:
        for level, line in bundle_lines(self.run_id, counts):
            LOG.log(level, line)
        yield counts
