"""The README of an export for a trainer: what it is, how it is launched, how it was made."""

from __future__ import annotations

import shlex
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

from transforms.exports.prompt import INSTRUCTION
from transforms.exports.selection import Selection, Tally
from transforms.exports.target import SIDES, Target

README: Final = "README.md"
_LONGEST: Final = 200
_RUNS: Final = 20
_HARMLESS: Final = frozenset(" ,;%?'/=+-")
_IN_PATHS: Final = frozenset("/._+- ")


@dataclass(frozen=True, slots=True)
class Made:
    """How an export was made.

    Attributes:
      version: of this package.
      runs: ids of the runs, oldest first.
      manifests: theirs.
      selection: what was asked for.
      tally: what that found.
      complete: whether the runs were.
    """

    version: str
    runs: tuple[str, ...]
    manifests: tuple[Mapping[str, Any], ...]
    selection: Selection
    tally: Tally
    complete: bool = True

    @property
    def rows(self) -> Mapping[str, int]:
        """Rows of each side."""
        return {side: self.tally.rows[number] for number, side in enumerate(SIDES)}


def readme(target: Target, directory: str, made: Made) -> str:
    """Return the README.

    Args:
      directory: of the export, without anything that `unsafe` finds.
    """
    header = "" if target.within else f"---\n{yaml.safe_dump(configs(target, made.rows), sort_keys=False)}---\n\n"
    data, reward = f"{target.within}data", f"{target.within}reward.py"
    return f"""{header}# Questions for {target.title}

`{data}/` has the questions, `{reward}` the reward: 1.0 for a right response and 0.0 for any other. The reward needs the
directory beside it and no package; with `pip install 'math-verify>=0.9,<0.10'` expressions are compared symbolically
too.

{counts(made)}

## Train

With {target.title} {target.version}; model, sizes and numbers of GPUs are yours to set:

```
{_commands(target, directory, made.rows)}
```

## Columns

{table(("column", "what it has"), target.columns.items())}

The policy reads the question and, behind it: `{INSTRUCTION}`

## How it was made

{origin(made)}
"""


def unsafe(directory: str) -> str | None:
    """Return the first character of a directory that a shell, Hydra, OpenRLHF or Markdown may take for more than a
    part of its name; null where there is none."""
    path = directory.replace("://", "/", 1)
    found = (each for each in path if unicodedata.category(each)[0] not in "LMN" and each not in _IN_PATHS)
    return next(found, " " if path.endswith(" ") else None)


def _commands(target: Target, directory: str, rows: Mapping[str, int]) -> str:
    """Return the commands that train; trainers read files, so what is on a bucket is copied first."""
    if "://" not in directory:
        return target.launch(shlex.quote(directory), rows)
    copied = f'"$PWD"/{shlex.quote(directory.rsplit("/", 1)[-1])}'
    return f"gcloud storage cp -r {shlex.quote(directory)} .\n{target.launch(copied, rows)}"


def configs(target: Target, rows: Mapping[str, int]) -> dict[str, Any]:
    """Return what tells `datasets` where the rows are."""
    files = [{"split": side, "path": f"data/{side}-*.{target.suffix}"} for side in SIDES if rows[side]]
    return {"configs": [{"config_name": "default", "data_files": files}]}


def counts(made: Made) -> str:
    """Return how many questions there are, on which side, which were left out, and what is to be known of them."""
    tally, share = made.tally, made.selection.share
    rows = made.rows
    words = [
        f"{tally.kept:,} of {tally.pairs:,} pairs: {rows['train']:,} for training, {rows['validation']:,} for"
        " validation."
    ]
    if share:
        words.append(
            f"About {share:g} of the documents are for validation, by a hash of their ids: a document's pairs stay"
            " together, and on one side in every export with this share."
        )
    if tally.dropped:
        words.append(f"Left out: {left_out(tally)}.")
    if tally.contaminated:
        words.append(
            f"{tally.contaminated:,} of them {'has' if tally.contaminated == 1 else 'have'} a question of an evaluation"
            " set, which the run marked and did not drop (`--on-contaminated mark`): what is trained on them cannot be"
            " measured by that set."
        )
    if not made.complete:
        words.append("The run was not complete when it was exported (--incomplete): pairs may be missing.")
    return "\n".join(words)


def left_out(tally: Tally) -> str:
    """Return how many pairs were left out, by reason."""
    return ", ".join(f"{count:,} {reason}" for reason, count in sorted(tally.dropped.items()))


def origin(made: Made) -> str:
    """Return which runs the pairs are of."""
    named = ", ".join(f"`{run}`" for run in made.runs[-_RUNS:])
    more = f" and {len(made.runs) - _RUNS:,} before" if len(made.runs) > _RUNS else ""
    return f"webscale-rl {made.version}, {'run' if len(made.runs) == 1 else 'runs'} {named}{more}."


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table in Markdown. Its cells are written as they are: escape those that others have written."""
    lines = [" | ".join(map(str, row)) for row in (head, ["---"] * len(head), *rows)]
    return "\n".join(f"| {line} |" for line in lines)


def shares(counter: Mapping[Any, int], name: str, most: int = 30) -> str:
    """Return how often each value of a column is there, the most frequent first."""
    total = sum(counter.values())
    listed = Counter(counter).most_common()
    listed.sort(key=lambda item: (-item[1], str(item[0])))
    rows = [(stated(value), f"{n:,}", f"{n / total:.1%}") for value, n in listed[:most]]
    if rest := sum(n for _, n in listed[most:]):
        rows.append((f"{len(listed) - most:,} others", f"{rest:,}", f"{rest / total:.1%}"))
    return table((name, "pairs", "share"), rows)


def stated(text: str | None) -> str:
    """Return a text of strangers, if there is one, as `plain` does."""
    return "not stated" if text is None else plain(text)


def plain(text: str) -> str:
    """Return a text of strangers as one that Markdown and HTML show and do nothing else with.

    All punctuation that could mean something becomes a character reference; what has no shape, such as a change of
    direction, becomes a space.
    """
    words = " ".join("".join(" " if unicodedata.category(each)[0] in "CZ" else each for each in text).split())
    cut = words if len(words) <= _LONGEST else words[: _LONGEST - 1] + "…"
    return "".join(
        each if each.isalnum() or each in _HARMLESS or not each.isascii() else f"&#{ord(each)};" for each in cut
    )
