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


_GREEK: Final = (
    "(?:var)?(?:epsilon|theta|rho|sigma|phi|kappa)|alpha|beta|gamma|delta|zeta|eta|iota|lambda|mu|nu|xi|tau|upsilon|chi"
    "|psi|omega|Gamma|Delta|Theta|Lambda|Xi|Sigma|Phi|Psi|Omega|ell|hbar"
)
_SYMBOL: Final = (  # one letter, with an accent, a subscript and primes; not pi, which has a value
    rf"(?:(?:\\Delta)?(?:[a-zA-Z\u0391-\u03a9\u03b1-\u03bf\u03c1-\u03c9]|\\(?:{_GREEK}))"
    rf"|\\(?:vec|bar|hat|tilde|d?dot|overline|boldsymbol|math[a-z]+)\{{(?:[a-zA-Z]|\\(?:{_GREEK}))\}}"
    r"|\\(?:text|mathrm)\{[a-zA-Z]+\})(?:_(?:[a-zA-Z\d]|\\[a-zA-Z]+|\{(?:[^{}]|\{[^{}]*\})*\}))?'*"
)
_NAME: Final = re.compile(
    rf"{_SYMBOL}(?:(?:\^\{{-1\}})?\([a-zA-Z\\][^()+*/^-]*\))?"
    r"|[fghFGHP](?:_\w)?'*(?:\^\{-1\})?\(-?[\d.]+\)"  # of another letter, a product
    r"|\\frac\{d[a-zA-Z]?\}\{d[a-zA-Z]\}|d[a-zA-Z]/d[a-zA-Z]"
)
_LEAD: Final = re.compile(
    r"\A\s*(?:(?:so|thus|hence|therefore|then|and|we (?:get|have|find|obtain))(?:,\s*|\s+))+", re.IGNORECASE
)
_VARIABLE: Final = re.compile(r"(?<![a-zA-Z\\])[a-zA-Z](?![a-zA-Z])")
_COMMA: Final = re.compile(",")
_IS: Final = re.compile(r":?=|\\in(?![a-zA-Z])")
_RELATION: Final = re.compile(
    r"[<>\u2260\u2264\u2265]|!="
    r"|\\(?:[lg](?:e(?:q(?:slant|q)?)?|t|l|g)|neq?|not|notin|sim(?:eq)?|cong|equiv|propto|to)(?![a-zA-Z])"
)


def expression(case: Case) -> Ruling | None:
    """Decide as written, then as quantities where both are (a range, a unit, scientific notation), then symbolically.

    Only what is mathematics from end to end is compared symbolically. A response in words counts by the one expression
    that it sets off (`$...$`), an equation by its value (`_value`) unless the ground truth is one.
    """
    said = _said(case.answer, case.question)
    if said is None:
        return None
    wanted = [_written(reference) for reference in case.references]
    value = _value(said, case.question)
    if any(_packed(side) == _packed(text) for side in (said, value) if side is not None for text in wanted):
        return Ruling(True, "expression")
    whole = said if value is not None or not _is_chain(said) else None
    pairs = [(text, whole if _is_statement(text) else value) for text in wanted]
    known = [(text, side) for text, side in pairs if side is not None]
    if known:
        return _compared(known, case.question)
    return Ruling(False, "expression") if is_mathematical(said) else None


def _compared(pairs: list[tuple[str, str]], question: str) -> Ruling | None:
    open_pairs = []
    for text, side in pairs:
        known, given = _quantity(text), _quantity(side)
        if known is not None and given is not None:
            if known.is_(given, question):
                return Ruling(True, "number")
        elif not any(one is not None and (one.kind != "plain" or one.low != one.high) for one in (known, given)):
            open_pairs.append((text, side))
    if not open_pairs:
        return Ruling(False, "number")
    return _symbolic([pair for pair in open_pairs if is_mathematical(pair[0]) and is_mathematical(pair[1])])


def _value(text: str, question: str) -> str | None:
    """Return what a response says that something is; None where it states something else.

    `4` of `x = 4`, and of `2+2 = 4`: what stands before the last `=` must be a name or be equal to it, as `2x = 4`
    gives no value and `5 = 4` is false. Behind a name it may be a formula, as of `A = r^2 = 4`. Of several equations, a
    list of their values. Without a relation, the text.
    """
    if _RELATION.search(_outside(text)):
        return None
    values = []
    for item in _split(text, _COMMA):
        *sides, last = _split(item, _IS)
        named = bool(sides) and _is_name(sides[0])
        for side in sides:
            if not (_is_name(side) or (named and _VARIABLE.search(side)) or _is_equal(last, side, question)):
                return None
        values.append(last.strip() if sides else last)
    return ",".join(values)


def _is_name(text: str) -> bool:
    return _NAME.fullmatch(_packed(_LEAD.sub("", text))) is not None


def _is_equal(one: str, other: str, question: str) -> bool:
    ruling = _compared([(one, other)], question)
    return ruling is not None and ruling.right


def _is_statement(text: str) -> bool:
    return bool(_IS.search(_outside(text)) or _RELATION.search(_outside(text)))


def _is_chain(text: str) -> bool:
    return any(len(_split(item, _IS)) > 2 for item in _split(text, _COMMA))


def _split(text: str, mark: re.Pattern[str]) -> list[str]:
    """Split a text at each mark that stands in no bracket."""
    parts, start = [], 0
    for match in mark.finditer(_outside(text)):
        parts.append(text[start : match.start()])
        start = match.end()
    return [*parts, text[start:]]


def _outside(text: str) -> str:
    """Return a text with spaces for what stands in brackets, of which an interval may mix two kinds."""
    depth, outside = 0, []
    for sign in text:
        if sign in ")]}":
            depth = max(depth - 1, 0)
        outside.append(" " if depth else sign)
        if sign in "([{":
            depth += 1
    return "".join(outside)


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
