"""Rewards in the forms in which trainers ask for them: 1.0 for a right response, 0.0 for any other.

A policy writes anything, so no response raises. What is wrong with the data does, since a run whose every reward is 0
for a reason that nobody sees costs more than one that stops.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

from rewards.ladder import references_of, score

_LOG: Final = logging.getLogger(__name__)
_LONGEST_TOKEN: Final = 48
_SPECIAL: Final = re.compile(r"<(?:[|\uff5c][^<>|\uff5c]*[|\uff5c]|/?s|bos|eos|pad|unk|(?:start|end)_of_turn)>")
"""What tokenizers write for the tokens that begin and end a turn."""
_TAIL: Final = 64  # characters by which the end of a prompt is known


def reward(
    question: str, answer: str, response: object, answer_type: str, aliases: Sequence[str] | None = None
) -> float:
    """Return the reward of a response.

    Args:
      question, answer, answer_type, aliases: as of `score`.
      response: a string, one chat message, or a list of messages, of which the last is the answer.

    Raises:
      ValueError, TypeError: what is wrong with the pair, as `score` says it.
    """
    _, *others = references_of(question, answer, answer_type, aliases)
    try:
        return score(question, answer, without_special_tokens(text_of(response)), answer_type, others).score
    except Exception:  # whatever it is, a policy that finds it must not end the run
        _LOG.warning("a response could not be scored and counts as wrong", exc_info=True)
        return 0.0


def text_of(response: object) -> str:
    """Return the text of a response: the content of the last of its messages, where it has any."""
    if isinstance(response, str):
        return response
    if isinstance(response, Mapping):
        return text_of(response.get("content", response.get("text")))
    if not isinstance(response, Sequence) or not response:
        return ""
    if all(isinstance(part, Mapping) and "role" not in part for part in response):  # the parts of one content
        return "".join(map(text_of, response))
    return text_of(response[-1])


def without_special_tokens(text: str) -> str:
    """Return a text without the special tokens and the space around it."""
    start, end = 0, len(text)
    while True:
        while end > start and text[end - 1].isspace():
            end -= 1
        opened = text.rfind("<", max(start, end - _LONGEST_TOKEN), end)
        if opened < 0 or _SPECIAL.fullmatch(text, opened, end) is None:
            break
        end = opened
    while True:
        while start < end and text[start].isspace():
            start += 1
        found = _SPECIAL.match(text, start, min(end, start + _LONGEST_TOKEN))
        if found is None:
            return text[start:end]
        start = found.end()


def compute_score(
    data_source: str, solution_str: str, ground_truth: str, extra_info: Mapping[str, Any] | None = None, **_: Any
) -> float:
    """Return the reward as verl asks for it (`reward.custom_reward_function`)."""
    pair = extra_info or {}
    missing = [name for name in ("question", "answer_type") if name not in pair]
    if missing:
        raise ValueError(f"extra_info of {data_source} lacks {', '.join(missing)}; export the data again")
    return reward(pair["question"], ground_truth, solution_str, pair["answer_type"], pair.get("aliases"))


def accuracy(
    prompts: Sequence[object],
    completions: Sequence[object],
    question: Sequence[str | None],
    ground_truth: Sequence[str | None],
    answer_type: Sequence[str | None],
    aliases: Sequence[Sequence[str] | None],
    **_: Any,
) -> list[float | None]:
    """Return the rewards as TRL's GRPOTrainer asks for them; None for a row of another dataset."""
    rows = zip(question, ground_truth, completions, answer_type, aliases, strict=True)
    return [
        None if asked is None or answer is None or kind is None else reward(asked, answer, completion, kind, others)
        for asked, answer, completion, kind, others in rows
    ]


def reward_func(queries: Sequence[str], prompts: Sequence[str], labels: Sequence[Any], **_: Any) -> dict[str, Any]:
    """Return the rewards as OpenRLHF asks for them (`--reward.remote_url`).

    Args:
      queries: prompt and response in one, special tokens included.
      labels: JSON objects with question, answer, answer_type and aliases.

    Returns:
      `rewards` and `scores`: tensors where the process has torch, as OpenRLHF's has, else lists.
    """
    values: Any = []
    for query, prompt, label in zip(queries, prompts, labels, strict=True):
        pair = _pair_of(label)
        response = response_of(query, prompt)
        values.append(reward(pair["question"], pair["answer"], response, pair["answer_type"], pair.get("aliases")))
    torch = sys.modules.get("torch")
    if torch is not None:
        values = torch.tensor(values)
    return {"rewards": values, "scores": values, "extra_logs": {}}


def _pair_of(label: Any) -> Mapping[str, Any]:
    try:
        pair = json.loads(label) if isinstance(label, str) else label
    except json.JSONDecodeError:
        pair = None
    if not isinstance(pair, Mapping) or not {"question", "answer", "answer_type"}.issubset(pair):
        raise ValueError(f"the label {label!r:.80} has not question, answer and answer_type; export the data again")
    return pair


def response_of(query: str, prompt: str) -> str:
    """Return what follows a prompt.

    Decoding may change white space, and the beginning of a long prompt is cut off: then its end is looked for, the
    first one, as a policy may repeat it.
    """
    if query.startswith(prompt):
        return query[len(prompt) :]
    tail = "".join(prompt.split())[-_TAIL:]
    found = re.search(r"\s*".join(map(re.escape, tail)), query) if tail else None
    return query if found is None else query[found.end() :]
