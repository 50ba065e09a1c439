"""The rule for expressions: as they are written, as quantities, and symbolically."""

from __future__ import annotations

import re
from typing import Final

from rewards.guards import affirmed, not_taken_back
from rewards.quantities import Quantity, only_quantity
from rewards.symbolic import equal, is_mathematical
from rewards.text import fold
from rewards.typed import Case, Ruling

_SPAN: Final = re.compile(r"\$\$(.+?)\$\$|\$(.+?)\$|\\\((.+?)\\\)|\\\[(.+?)\\\]", re.DOTALL)
_SPELLINGS: Final = (
    (re.compile(r"\\(?:left|right|,|;|!|:|displaystyle)(?![a-zA-Z])"), ""),
    (re.compile(r"\\[dt]frac(?![a-zA-Z])"), r"\\frac"),
    (re.compile(r"\\(?:cdot|times)(?![a-zA-Z])|\u00d7|\u00b7"), "*"),
    (re.compile(r"\*\*"), "^"),
    (re.compile(r"\\(?=%|\$)"), ""),
    (re.compile(r"\^\{(\w)\}"), r"^\1"),
)


def expression(case: Case) -> Ruling | None:
    """Decide as written, then as quantities where both are (a range, a unit, scientific notation), then symbolically.

    Only what is mathematics from end to end is compared symbolically. A response in words counts by the one expression
    that it sets off (`$...$`).
    """
    said = _said(case.answer, case.question)
    if said is None:
        return None
    wanted = [_written(reference) for reference in case.references]
    sides = [said]
    if "=" in said and not any("=" in text for text in wanted):
        sides.append(said.rpartition("=")[2])
    if any(_packed(side) == _packed(text) for side in sides for text in wanted):
        return Ruling(True, "expression")
    open_pairs = []
    for text in wanted:
        for side in sides:
            known, given = _quantity(text), _quantity(side)
            if known is not None and given is not None:
                if known.is_(given, case.question):
                    return Ruling(True, "number")
            elif not any(one is not None and (one.kind != "plain" or one.low != one.high) for one in (known, given)):
                open_pairs.append((text, side))
    if not open_pairs:
        return Ruling(False, "number")
    return _symbolic([pair for pair in open_pairs if is_mathematical(pair[0]) and is_mathematical(pair[1])])


def _quantity(text: str) -> Quantity | None:
    return only_quantity(text) if "!" not in text else None  # a factorial is no exclamation


def _symbolic(pairs: list[tuple[str, str]]) -> Ruling | None:
    decided = [equal(reference, answer) for reference, answer in pairs]
    if any(decided):
        return Ruling(True, "symbolic")
    return Ruling(False, "symbolic") if decided and None not in decided else None


def _said(answer: str, question: str) -> str | None:
    """Return the expression that a response gives; None where it is prose with none or with several."""
    whole = _written(answer)
    if is_mathematical(whole) or _quantity(whole) is not None:
        return whole
    spans = {
        _written("".join(groups)) for groups in _SPAN.findall(not_taken_back(affirmed(answer, question))) if any(groups)
    }
    if len(spans) == 1:
        return spans.pop()
    return None if spans or _SPAN.search(answer) else whole


def _written(text: str) -> str:
    text = fold(text).strip()
    span = _SPAN.fullmatch(text)
    text = next(filter(None, span.groups()), "") if span and "$" not in text[2:-2] else text
    for pattern, plain in _SPELLINGS:
        text = pattern.sub(plain, text)
    return text.strip().rstrip(".").strip()


def _packed(text: str) -> str:
    return "".join(text.split())
