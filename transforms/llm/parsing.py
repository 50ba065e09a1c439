"""From what came over the wire to a validated answer, or to the reason why there is none."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import json_repair
from pydantic import BaseModel, ValidationError

from schemas.answers import ANSWERS, Task
from transforms.llm.requests import Completion, Kind, ModelError

_MAX_REPAIRED_CHARS: Final = 6_000
_MAX_REPAIRED_BRACES: Final = 400
"""Defective text beyond this is not repaired: degenerate text, such as a brace repeated thousands of times, takes
`json_repair` time with the square of its length (5 s for 6,000 characters), on the thread that all calls share."""

_APOLOGY = re.compile(
    r"\W*(?:(?:i['\u2019]?m|i am) (?:very |so |really )?(?:sorry|unable|not able)|sorry\b|(?:i |my )?apolog|as an ai\b|"
    r"i (?:can['\u2019]?t|cannot|can not|won['\u2019]?t|will not|must decline))",
    re.IGNORECASE,
)
# Escaped backslashes and code points are consumed whole, so that what the group matches follows a lone backslash.
_ESCAPE = re.compile(r"\\\\|\\u[0-9A-Fa-f]{4}|\\([A-Za-z]+)")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")

# Commands that begin like one of JSON's escapes \n, \r and \t. After \b and \f no list is needed: nothing else than a
# command begins so, for backspaces and form feeds have no place in an answer.
_COMMANDS: Final = frozenset(
    re.findall(
        r"\w+",
        """
        nabla natural nearrow neg neq newcommand newline nexists ngeq nleq nmid norm not notin nparallel nsim
        nsubseteq nwarrow rangle rbrace rbrack rceil real rfloor rho right rightarrow rightharpoonup
        rightleftharpoons rm root rvert rVert tag tan tanh tau tbinom tbf text textbf textit textrm textsf
        textstyle texttt textup tfrac therefore theta thickapprox thicksim thinspace tilde times to top
        triangle triangleq triangledown twoheadrightarrow
        """,
    )
)
_SHORT_COMMANDS: Final = frozenset({"ne", "ni", "nu"})
"""Also a line break and a word of some language ("e", "i", "u"): taken for commands only beside other mathematics."""


def parse_answer(task: Task, completion: Completion, count: int = 1) -> BaseModel:
    """Return the answer that a completion holds, an instance of `ANSWERS[task]`, about `count` numbered things.

    How the completion ended comes first: an answer cut off by the token limit can still look whole once it is repaired.
    A code fence, a reasoning preamble or prose around the object, and small slips of JSON, are forgiven; a missing
    field or a wrong type is not. LaTeX commands whose backslash was not escaped get their backslash back.

    Raises:
      ModelError: `TRUNCATED`, `REFUSED`, or `INVALID`.
    """
    if completion.finish_reason == "length":
        raise ModelError(Kind.TRUNCATED, f"the answer was cut off after {completion.completion_tokens} tokens")
    if completion.finish_reason == "content_filter":
        raise ModelError(Kind.REFUSED, "the provider's content filter stopped the answer")
    if completion.refusal:
        raise ModelError(Kind.REFUSED, _line(f"the model refused: {completion.refusal}"))
    fields = _load(completion.text)
    if found := next(filter(None, map(_UNPRINTABLE.search, _strings(fields))), None):
        # A form feed or a backspace is what an unescaped backslash leaves; half a surrogate pair cannot be written.
        raise ModelError(Kind.INVALID, f"the answer holds the character U+{ord(found[0]):04X}")
    try:
        return ANSWERS[task].model_validate(fields, context={"count": count})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"])) or "the answer"
        raise ModelError(Kind.INVALID, _line(f"{where}: {first['msg']}")) from None


def parsed(task: Task, completion: Completion, count: int = 1) -> BaseModel | ModelError:
    """Return what `parse_answer` returns or raises."""
    try:
        return parse_answer(task, completion, count)
    except ModelError as error:
        return error


def escape_latex(text: str) -> str:
    r"""Return JSON text with the backslash of LaTeX commands escaped where it was not.

    `json.loads('"\frac"')` succeeds, as a form feed and "rac", so this has to come before it. What is JSON as it should
    be stays as it is: escaped backslashes, `\uXXXX`, and line breaks and tabs that do not spell a command.
    """
    words = {match[1] for match in _ESCAPE.finditer(text) if match[1]}
    mathematics = "$" in text or any(word not in _SHORT_COMMANDS and _is_command(word) for word in words)

    def escape(match: re.Match[str]) -> str:
        word = match[1]
        if word and (_is_command(word) or (mathematics and word in _SHORT_COMMANDS)):
            return "\\" + match[0]
        return match[0]

    return _ESCAPE.sub(escape, text)


def _is_command(word: str) -> bool:
    if word[0] in "nrt":
        return word in _COMMANDS
    if word[0] in "bf":
        return len(word) > 1
    return True  # no other letter may follow a backslash in JSON, but u, and that before four digits


def _load(text: str) -> dict[str, Any]:
    """Return the JSON object in a text."""
    text = escape_latex(text.rpartition("</think>")[2].strip())
    if not text:
        raise ModelError(Kind.INVALID, "the answer is empty")
    start, stop = text.find("{"), text.rfind("}") + 1
    if start < 0:
        raise ModelError(Kind.REFUSED if _APOLOGY.match(text) else Kind.INVALID, _line(f"no JSON object in: {text}"))
    if stop <= start:
        raise ModelError(Kind.INVALID, "the answer's JSON object does not end")
    fields = _loads(text[start:stop])
    if not isinstance(fields, dict):
        raise ModelError(Kind.INVALID, f"the answer is a {type(fields).__name__}, not one JSON object")
    return fields


def _loads(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        if isinstance(error, json.JSONDecodeError) and error.msg == "Extra data":
            raise ModelError(Kind.INVALID, "the answer holds more than one JSON object") from None
        if len(text) > _MAX_REPAIRED_CHARS or text.count("{") + text.count("}") > _MAX_REPAIRED_BRACES:
            raise ModelError(Kind.INVALID, f"{len(text)} characters of defective JSON") from None
    try:
        return json_repair.loads(text, skip_json_loads=True)
    except (ValueError, RecursionError) as error:
        raise ModelError(Kind.INVALID, f"not JSON: {type(error).__name__}") from None


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)


def _line(text: str) -> str:
    return " ".join(text.split())[:300]
