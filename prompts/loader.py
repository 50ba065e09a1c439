"""Loads and checks the prompt files; renders, samples and fingerprints what a model reads.

The stages and two few-shots of the document's domain follow Webscale-RL (arXiv 2510.06499); the wording is ours.
The document comes first in the user message and the task after it, so that a provider's prompt cache serves all stages.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Final

from pydantic import ConfigDict, ValidationError, model_validator

from schemas.answers import GenerateAnswer, Task, Text, field_names, json_schema
from schemas.domains import ANSWER_TYPES, DOMAINS

_FENCED: Final = frozenset({"document", "fence"})

VARIABLES: Final[Mapping[Task, frozenset[str]]] = {
    "screen": _FENCED,
    "classify": _FENCED,
    "generate": _FENCED | {"domain", "persona", "exemplars"},
    "judge": _FENCED | {"persona", "question", "answer", "evidence"},
    "round_trip": _FENCED | {"question"},
    "closed_book": frozenset({"question"}),
    "decontaminate": frozenset({"question", "items"}),
    "read": _FENCED,
    "generate_all": _FENCED | {"domain", "personas", "exemplars"},
    "judge_all": _FENCED | {"pairs"},
}
"""The variables of each task's prompt.

`fence` is the first 16 hexadecimal digits of the document's SHA-256. `personas` and `pairs` are JSON objects with their
numbers, a line each, because no name or question can pose as another number then.
"""

_PACKAGE: Final = Path(__file__).parent

# Only document.txt sees the untrusted text, so no task template can put it outside the fence.
_TEMPLATE_VARIABLES: Final[Mapping[str, frozenset[str]]] = {
    "system": frozenset(),
    "document": _FENCED,
    "exemplar": frozenset({"persona", "passage", "reply"}),
    "repair": frozenset({"error"}),
    **{task: names - _FENCED for task, names in VARIABLES.items()},
}
_CLOSED_LISTS: Final[Mapping[str, tuple[str, ...]]] = {
    "classify": DOMAINS,
    "read": DOMAINS,
    "generate": ANSWER_TYPES,
    "generate_all": ANSWER_TYPES,
}
_COVERED_TYPES: Final = tuple(kind for kind in ANSWER_TYPES if kind != "expression")


class Exemplar(GenerateAnswer):
    """A line of `exemplars/SLUG.jsonl`: an answer of the generate stage, with its persona and its passage."""

    model_config = ConfigDict(extra="forbid")

    persona: Text
    passage: Text

    @model_validator(mode="after")
    def _check_evidence(self) -> Exemplar:
        if self.evidence not in self.passage:
            raise ValueError("the evidence does not stand in the passage; copy one of its sentences verbatim")
        return self

    def reply(self) -> str:
        """Return the JSON object that a model should have answered, its fields in the order of the schema."""
        return json.dumps(self.model_dump(include=set(GenerateAnswer.model_fields)), ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class PromptFiles:
    """Files that replace the package's, read from wherever they are.

    Attributes:
      directory: where from, for messages.
      content: their bytes by their names in it, `templates/NAME.txt` or `exemplars/SLUG.jsonl`; others are refused.
    """

    directory: str
    content: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class PromptSet:
    """Checked prompts, as plain data that pickles.

    Attributes:
      templates: the text of each template by its file's stem.
      few_shot_pool: the rendered exemplars of each domain, in the order of its file.
      fingerprints: see `fingerprint`.
    """

    templates: Mapping[str, str]
    few_shot_pool: Mapping[str, tuple[str, ...]]
    fingerprints: Mapping[Task, str]

    def render(self, task: Task, variables: Mapping[str, str]) -> tuple[dict[str, str], ...]:
        """Return the chat messages of a task: the system's, then the user's (fenced document, blank line, task).

        A task without a document is one message of the user's: the system's rules are about documents.

        Args:
          task: what is asked.
          variables: exactly `VARIABLES[task]`; values are inserted as they are, whatever they contain.

        Raises:
          ValueError: a variable is missing or unknown, or the document contains its fence.
        """
        _check_variables(task, variables)
        if "document" not in VARIABLES[task]:
            return ({"role": "user", "content": Template(self.templates[task]).substitute(variables)},)
        user = "\n\n".join(Template(self.templates[name]).substitute(variables) for name in ("document", task))
        return (
            {"role": "system", "content": Template(self.templates["system"]).substitute()},
            {"role": "user", "content": user},
        )

    @property
    def repair(self) -> str:
        """What follows a reply that was not valid: a template with the one variable `$error`."""
        return self.templates["repair"]

    def few_shots(self, domain: str, seed: str, count: int = 2) -> str:
        """Return distinct exemplars of a domain, rendered and joined by blank lines.

        A seed gives the same exemplars in any process and Python version: SHA-256 of position and seed ranks them.

        Raises:
          ValueError: the domain is unknown, or it has fewer than `count` exemplars.
        """
        pool = self.few_shot_pool.get(domain)
        if pool is None:
            raise ValueError(f"few-shots: unknown domain {domain!r}; use one of {', '.join(self.few_shot_pool)}")
        if not 1 <= count <= len(pool):
            raise ValueError(f"few-shots: {count} exemplars of {domain!r} asked for; ask for 1 to {len(pool)}")

        def rank(index: int) -> bytes:
            return hashlib.sha256(f"{index}:{seed}".encode()).digest()

        return "\n\n".join(pool[index] for index in sorted(range(len(pool)), key=rank)[:count])

    def fingerprint(self, task: Task) -> str:
        """Return 16 hexadecimal digits that change with anything but the variables that can reach the task's model."""
        return self.fingerprints[task]


def load_prompts(files: PromptFiles | None = None) -> PromptSet:
    """Load and check all prompts.

    Args:
      files: replace the package's files of the same name; what they lack comes from the package. None takes all from
        the package.

    Raises:
      ValueError: a file is broken or unknown; the message names file, line and remedy.
    """
    files = PromptFiles("", {}) if files is None else _checked(files)
    templates = {name: _load_template(name, *_read(files, _template_file(name))) for name in _TEMPLATE_VARIABLES}
    pool: dict[str, tuple[str, ...]] = {
        domain: tuple(
            Template(templates["exemplar"]).substitute(persona=one.persona, passage=one.passage, reply=one.reply())
            for one in _load_exemplars(*_read(files, _exemplar_file(domain)))
        )
        for domain in DOMAINS
    }
    return PromptSet(templates, pool, {task: _fingerprint(task, templates, pool) for task in VARIABLES})


def _template_file(name: str) -> str:
    return f"templates/{name}.txt"


def _exemplar_file(domain: str) -> str:
    return f"exemplars/{re.sub('[^a-z]+', '-', domain.lower())}.jsonl"


def _checked(files: PromptFiles) -> PromptFiles:
    """Refuse files that replace nothing, and a misnamed one, which would silently replace nothing."""
    known = [*map(_template_file, _TEMPLATE_VARIABLES), *map(_exemplar_file, DOMAINS)]
    for file in sorted(files.content):
        if file not in known:
            raise ValueError(
                f"{files.directory}/{file}: no prompt has this name; rename or remove it ({', '.join(known)})"
            )
    if not files.content:
        raise ValueError(
            f"{files.directory}: no prompt file found; put at least one of these there: {', '.join(known)}"
        )
    return files


def _read(files: PromptFiles, file: str) -> tuple[str, str]:
    """Return the path of a file, for messages, and its text."""
    given = files.content.get(file)
    path = str(_PACKAGE / file) if given is None else f"{files.directory}/{file}"
    try:
        return path, ((_PACKAGE / file).read_bytes() if given is None else given).decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 at byte {error.start}; save the file as UTF-8") from None


def _load_template(name: str, path: str, text: str) -> str:
    text = text.rstrip()
    if not text:
        raise ValueError(f"{path}: the template is empty; write it, or remove the file to get the package's")
    wanted, used = _TEMPLATE_VARIABLES[name], set()
    for match in Template.pattern.finditer(text):
        where = f"{path}:{text.count(chr(10), 0, match.start()) + 1}"
        if match["invalid"] is not None:
            raise ValueError(f"{where}: this '$' begins no variable; write '$$' for a dollar sign")
        variable = match["named"] or match["braced"]
        if variable and variable not in wanted:
            raise ValueError(f"{where}: unknown variable ${variable}; this template has {_names(wanted)}")
        used.add(variable)
    if missing := wanted - used:
        raise ValueError(f"{path}: the template lacks {_names(missing)}; insert each where its value belongs")
    for word in _mentioned(name):
        if not re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text):
            raise ValueError(f"{path}: the template never mentions {word!r}; tell the model what it means")
    return text


def _mentioned(name: str) -> list[str]:
    """Return the words a template must explain: its answer's fields, and the closed list that a field chooses from."""
    fields = [field for task in VARIABLES if task == name for field in field_names(task)]
    return [*fields, *_CLOSED_LISTS.get(name, ())]


def _names(variables: frozenset[str]) -> str:
    return ", ".join(f"${name}" for name in sorted(variables)) or "none"


def _load_exemplars(path: str, text: str) -> list[Exemplar]:
    """Return the exemplars of one domain: no question twice, and every answer type but expression at least once."""
    exemplars: dict[str, Exemplar] = {}
    # Not splitlines: a JSON string may hold U+2028, which is no end of line here.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            exemplar = Exemplar.model_validate_json(line)
        except ValidationError as error:
            wrong = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'line'}: {e['msg']}" for e in error.errors())
            raise ValueError(f"{path}:{number}: {wrong}") from None
        if exemplar.question in exemplars:
            raise ValueError(f"{path}:{number}: the question occurs twice in this file; remove one")
        exemplars[exemplar.question] = exemplar
    present = {exemplar.answer_type for exemplar in exemplars.values()}
    if missing := [kind for kind in _COVERED_TYPES if kind not in present]:
        raise ValueError(f"{path}: no exemplar has the answer type {', '.join(missing)}; add at least one of each")
    return list(exemplars.values())


def _check_variables(task: Task, variables: Mapping[str, str]) -> None:
    wanted = VARIABLES[task]
    for wrong, names in (("missing", wanted - variables.keys()), ("unknown", variables.keys() - wanted)):
        if names:
            remedy = f"pass exactly {', '.join(sorted(wanted))}"
            raise ValueError(f"prompt {task!r}: {wrong} variables: {', '.join(sorted(names))}; {remedy}")
    fence = variables.get("fence")
    if fence is not None and fence in variables["document"]:
        remedy = "pass the first 16 hexadecimal digits of the text's SHA-256"
        raise ValueError(f"prompt {task!r}: the variable 'fence' is {fence!r}, which the document contains; {remedy}")


def _fingerprint(task: Task, templates: Mapping[str, str], pool: Mapping[str, tuple[str, ...]]) -> str:
    # The rendered pool holds exemplar.txt and every exemplar.
    about_document = ("system", "document") if "document" in VARIABLES[task] else ()
    shared = (templates[name] for name in (*about_document, "repair"))
    parts = [*shared, templates[task], json_schema(task)]
    if "exemplars" in VARIABLES[task]:
        parts.append({domain: list(shots) for domain, shots in pool.items()})
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
