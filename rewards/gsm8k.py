"""The three GSM8K rewards of the study of RL gains against compute, without its scorers' slips.

As published, custom_flexible kept five characters behind the marker, so `#### 123456` scored 0; both flexible rewards
failed on `1,234`, and on a number that ends its sentence (`72.`). GSM8K's answers are whole numbers after `####`
(Cobbe et al. 2021, arXiv 2110.14168), some of them grouped. A response of None, as trainers give for a rollout that
failed, is an empty one; a ground truth without a number raises.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Final

_NUMBER: Final = r"[-+]?\$? ?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?"
_STRICT: Final = re.compile(rf"####[ \t]*({_NUMBER})")
_ANY: Final = re.compile(rf"(?<![\w.,]){_NUMBER}")
_MARKER: Final = "####"
_LONGEST: Final = 50  # digits


def strict(response: str | None, ground_truth: str) -> float:
    """Return 1.0 when the response gives the number in GSM8K's format, `#### number`, and its last one is right.

    Mended: the number may be grouped (`1,234`), have a dollar sign, and end a sentence.
    """
    found = _STRICT.findall(response or "")
    return _reward(found[-1] if found else "", ground_truth)


def flexible(response: str | None, ground_truth: str) -> float:
    """Return 1.0 when the last number of the response is right.

    Mended: `1,234` is one number and not 234; the full stop behind `72.` is not a part of it.
    """
    found = _ANY.findall(response or "")
    return _reward(found[-1] if found else "", ground_truth)


def custom_flexible(response: str | None, ground_truth: str) -> float:
    """Return 1.0 when the first number behind the first `####` is right; 0.0 without a marker.

    The study stops a response at its marker and takes the number there. Mended: the whole number counts and not the
    first five characters behind the marker, grouped or before a full stop.
    """
    _, _, rest = (response or "").partition(_MARKER)
    found = _ANY.search(rest.partition("\n")[0])
    return _reward(found[0] if found else "", ground_truth)


def _reward(text: str, ground_truth: str) -> float:
    """Return 1.0 where two numbers are one. A whole GSM8K solution as ground truth counts by its own `####`.

    Raises:
      TypeError: the ground truth is no text.
      ValueError: it is no number.
    """
    if not isinstance(ground_truth, str):
        raise TypeError(f"ground_truth is {ground_truth!r}, of type {type(ground_truth).__name__}; use a str")
    wanted = _value(ground_truth.rpartition(_MARKER)[2])
    if wanted is None:
        raise ValueError(
            f"ground_truth is {ground_truth!r:.80}; use a number, or a solution that ends in `#### number`"
        )
    return float(_value(text) == wanted)


def _value(text: str) -> Decimal | None:
    plain = re.sub(r"[\s,$+]", "", text).rstrip(".")
    if len(plain) > _LONGEST:
        return None
    try:
        return Decimal(plain)
    except InvalidOperation:
        return None
