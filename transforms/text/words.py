"""Words as spaCy's English tokenizer splits them.

The thresholds of FineWeb (Penedo et al. 2024, arXiv 2406.17557) were tuned on counts in which a mark of punctuation is
a word of its own, as spaCy has it; with words between whitespace a sixth of a corpus is judged otherwise. spaCy cuts a
text at its whitespace and then each piece by itself, so a piece's tokens can be remembered (`vocabulary.py`).

The rules are those that spaCy documents ("Linguistic features", section "How spaCy's tokenizer works") with its English
prefixes, suffixes, infixes, contractions, abbreviations and emoticons. Some letters outside Latin and a few emoticons
that are no ASCII are left out; of 4.7 million pieces of web text 0.001 % are split otherwise.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Final


def _class(wanted: Callable[[str], bool]) -> str:
    """Return the wanted characters of the basic multilingual plane, as the inside of a bracket expression."""
    ranges: list[list[int]] = []
    for code in range(0x21, 0xFFFF):
        if wanted(chr(code)):
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    return "".join(re.escape(chr(first)) + "-" + re.escape(chr(last)) for first, last in ranges)


_LETTER: Final = _class(str.isalpha)
# Vowel signs of the scripts from Hebrew to Sinhala are written as marks; a word may end with one.
_LOWER: Final = _class(
    lambda c: (c.isalpha() and not c.isupper()) or ("\u0590" <= c <= "\u0dff" and unicodedata.category(c)[0] == "M")
)
_UPPER: Final = _class(lambda c: c.isalpha() and not c.islower())
_SYMBOL: Final = _class(lambda c: unicodedata.category(c) == "So") + "\U0001f000-\U0001faff"
_QUOTES: Final = "'\"”“`‘´’‚,„»«「」『』（）〔〕【】《》〈〉〈〉⟦⟧"  # noqa: RUF001
_MARKS: Final = "…,:;!?¿؟¡()[]{}<>_#*&。？！，、；：～·।،۔؛٪"  # noqa: RUF001
_HYPHEN: Final = "(?:-|–|—|--|---|——|~)"  # noqa: RUF001
_CURRENCY: Final = r"(?:US\$|C\$|A\$|[$£€¥฿₽﷼₠-₿])"
_UNITS: Final = (
    "(?:[kcdmµn]?m|[kcdm]?m[²³]|ha|yd|in|ft|k?g|[mµ]g|t|lb|oz|m/s|km/h|kmh|mph|h?Pa|mbar|mb|MB|kb|KB|gb|GB|tb|TB|[TGMK%]"
    "|км[²³]?|[дсм]?м[²³]?|нм|к?г|мг|м/с|км/ч|к?Па|мбар|[КкМмГгТт]б|[КМГ]Б)"  # noqa: RUF001
)

_PREFIX: Final = re.compile(
    rf"\.\.+|{_CURRENCY}|\+(?![0-9])|[§%=—–{re.escape(_MARKS + _QUOTES)}{_SYMBOL}]"  # noqa: RUF001
)
_SUFFIX: Final = re.compile(
    rf"(?:\.\.+|……|['’][sS]|(?<=[0-9])\+|(?<=[0-9]){_CURRENCY}|(?<=[0-9]){_UNITS}"  # noqa: RUF001
    rf"|(?<=[0-9{_LOWER}%²\-+|{re.escape(_MARKS + _QUOTES)}])\.|(?<=[{_UPPER}][{_UPPER}])\."
    rf"|[—–{re.escape(_MARKS + _QUOTES)}{_SYMBOL}])$"  # noqa: RUF001
)
_LONGEST_SUFFIX: Final = 4
# Taking marks off one by one is quadratic in their number, so a longer piece is cut at each mark, wherever it stands.
_LONGEST_PIECE: Final = 1000
_ANY_MARK: Final = rf"{re.escape(_MARKS + _QUOTES)}.—–{_SYMBOL}"  # noqa: RUF001
_APART: Final = re.compile(f"[{_ANY_MARK}]|[^{_ANY_MARK}]+")
_HYPHEN_MINUS: Final = re.compile("(-)")
_CLOSING: Final = frozenset(_MARKS + _QUOTES + "—–") - {"…"}  # noqa: RUF001
AROUND: Final = "".join(_CLOSING - {"'", "’"})  # noqa: RUF001
"""The marks that are a token of their own wherever they stand before or behind a word; a full stop may not be."""
_INFIX: Final = re.compile(
    rf"\.\.+|[…{_SYMBOL}]|(?<=[0-9])[+\-*^](?=[0-9-])"
    rf"|(?<=[{_LOWER}{re.escape(_QUOTES)}])\.(?=[{_UPPER}{re.escape(_QUOTES)}])|(?<=[{_LETTER}]),(?=[{_LETTER}])"
    rf"|(?<=[{_LETTER}0-9]){_HYPHEN}(?=[{_LETTER}])|(?<=[{_LETTER}0-9])[:<>=/](?=[{_LETTER}])"
)
# A host name of a known shape with, before it, a scheme or a user and, behind it, a port or a path.
_HOST: Final = r"(?:[A-Za-z0-9\u00a1-\uffff](?:[A-Za-z0-9\u00a1-\uffff_-]{0,62}[A-Za-z0-9\u00a1-\uffff])?\.)+"
_NUMBERS: Final = r"(?!10\.|127\.|192\.168\.|169\.254\.)[1-9]\d{0,2}(?:\.\d{1,3}){3}"
_URL: Final = re.compile(
    rf"(?:[\w+\-.]{{2,}}://)?(?:[^\s@]+@)?(?:{_NUMBERS}|{_HOST}[{_LOWER}]{{2,63}})(?::\d{{2,5}})?(?:[/?#]\S*)?$"
)


def _contractions() -> dict[str, tuple[str, ...]]:
    """Return the contractions that are split by heart, spelled with an apostrophe, a quotation mark or neither."""
    found: dict[str, tuple[str, ...]] = {}

    def add(words: str, endings: str) -> None:
        for word in words.split():
            for ending in endings.split():
                for start in (word, word.title()):
                    parts = (start, *(f"'{part}" if part != "n't" else part for part in ending.split("+")))
                    found["".join(parts)] = parts
                    bare = tuple(part.replace("'", "") for part in parts)
                    found["".join(bare)] = bare

    add("i", "m")
    add("i you he she it we they", "ll ll+ve d d+ve")
    add("i you we they", "ve")
    add("you we they", "re")
    add("he she it", "s")
    add("who what when where why how there that this", "s")
    add("who what when where why how there that this these those", "ll ll+ve d d+ve")
    add("who what when where why how there these those", "re ve")
    add("ca could do does did had may might must need ought sha should wo would", "n't n't+ve")
    add("could might must should would", "ve")
    add("ai are is was were have has dare", "n't")
    for joined in (
        "ill",
        "its",
        "hell",
        "shell",
        "shed",
        "were",
        "well",
        "whore",
    ):  # words of their own without the apostrophe
        del found[joined], found[joined.title()]
    for split in ("can not", "gon na", "got ta", "let 's", "c'm on"):
        found[split.replace(" ", "")] = tuple(split.split())
        found[split.replace(" ", "").capitalize()] = tuple(split.capitalize().split())
    for hour in range(1, 13):
        for half in ("a.m.", "am", "p.m.", "pm"):
            found[f"{hour}{half}"] = (str(hour), half)
    return found | {key.replace("'", "’"): tuple(p.replace("'", "’") for p in parts) for key, parts in found.items()}  # noqa: RUF001


_WHOLE: Final = (
    "' '' 's 'S 'd 're 'll 'em 'nuff 'Cause 'cause 'cos 'Cos 'coz 'Coz 'cuz 'Cuz 'bout ol' Ol' doin' Doin' goin' Goin' "
    "nothin' Nothin' nuthin' Nuthin' somethin' Somethin' lovin' Lovin' havin' Havin' and/or w/o ma'am Ma'am o'clock "
    "O'clock C++ — a.m. p.m. Adm. Bros. co. Co. Corp. D.C. Dr. e.g. E.g. E.G. Gen. Gov. i.e. I.e. I.E. Inc. Jr. Ltd. "
    "Md. Messrs. Mo. Mont. Mr. Mrs. Ms. Ph.D. Prof. Rep. Rev. Sen. St. vs. v.s. Mt. Ak. Ala. Apr. Ariz. Ark. Aug. "
    "Calif. Colo. Conn. Dec. Del. Feb. Fla. Ga. Ia. Id. Ill. Ind. Jan. Jul. Jun. Kan. Kans. Ky. La. Mar. Mass. Mich. "
    "Minn. Miss. N.C. N.D. N.H. N.J. N.M. N.Y. Neb. Nebr. Nev. Nov. Oct. Okla. Ore. Pa. S.C. Sep. Sept. Tenn. Va. "
    "Wash. Wis."
)
_EMOTICONS: Final = (
    ":) :-) :)) :-)) :))) :-))) (: (-: =) (= :] :-] [: [-: [= =] :o) (o: :} :-} 8) 8-) (-8 ;) ;-) (; (-; :( :-( :(( "
    ":-(( :((( :-((( ): )-: =( >:( :') :'-) :'( :'-( :/ :-/ =/ =| :| :-| ]= =[ :1 :P :-P :p :-p :O :-O :o :-o :0 :-0 "
    ":() >:o :* :-* :3 :-3 =3 :> :-> :X :-X :x :-x :D :-D ;D ;-D =D xD XD xDD XDD 8D 8-D ^_^ ^__^ ^___^ >.< >.> <.< "
    "._. ;_; -_- -__- v.v V.V v_v V_V o_o o_O O_o O_O 0_o o_0 0_0 o.O O.o O.O o.o 0.0 o.0 0.o @_@ <3 <33 <333 </3 "
    "(^_^) (-_-) (._.) (>_<) (*_*)"
)
SPECIAL: Final[dict[str, tuple[str, ...]]] = {
    **{spelled: (spelled,) for word in _WHOLE.split() for spelled in (word, word.replace("'", "’"))},  # noqa: RUF001
    **{word: (word,) for word in _EMOTICONS.split()},
    **{f"{letter}.": (f"{letter}.",) for letter in "abcdefghijklmnopqrstuvwxyzäöü"},
    **{f"°{scale}.": ("°", scale, ".") for scale in "cfkCFK"},
    **_contractions(),
}
"""Pieces that are split by heart, or not at all."""


def tokens(piece: str) -> tuple[str, ...]:
    """Return the tokens of a piece of text without whitespace; they join to the piece."""
    if piece.isalpha():
        return SPECIAL.get(piece) or (piece,)
    if len(piece) > _LONGEST_PIECE:
        return tuple(_APART.findall(piece))
    return _rejoined(_between_marks(piece) or _hyphenated(piece) or _taken_apart(piece, SPECIAL))


def _between_marks(piece: str) -> tuple[str, ...] | None:
    """Return the tokens of a word or number between marks: a shortcut for the commonest pieces."""
    core = piece.strip(AROUND + ".")
    if not (core.isalpha() or (core.isdecimal() and core.isascii())):
        return None
    before, _, after = piece.partition(core)
    abbreviated = after[:1] == "." and (core[-1].isupper() or f"{core}." in SPECIAL)
    if abbreviated or ".." in after or "." in before:
        return None
    return (*before, *(SPECIAL.get(core) or (core,)), *after)


def _hyphenated(piece: str) -> tuple[str, ...] | None:
    """Return the tokens of words joined by hyphens: a shortcut too."""
    parts = piece.split("-")
    if len(parts) == 1 or not all(map(str.isalpha, parts)):
        return None
    return tuple(_HYPHEN_MINUS.split(piece))


def _taken_apart(piece: str, special: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Take prefixes and suffixes off until nothing or a special case is left, and split the rest at its infixes."""
    left: list[str] = []
    right: list[str] = []
    core = piece
    while core and core not in special:
        begin = _prefix_end(core)
        if begin and core[begin:] in special:
            left.append(core[:begin])
            core = core[begin:]
            break
        end = _suffix_start(core, begin)
        if end < len(core) and core[:end] in special:
            begin = 0
        if begin == 0 and end == len(core):
            break
        if begin:
            left.append(core[:begin])
        if end < len(core):
            right.append(core[end:])
        core = core[begin:end]
    if core in special:
        left += special[core]
    elif core.isalnum() or ("." in core and _URL.match(core)):
        left.append(core)
    else:
        left += _at_infixes(core)
    return (*left, *reversed(right))


def _rejoined(found: tuple[str, ...]) -> tuple[str, ...]:
    """Return the tokens with those that spell a special case in its form: `h`, `.` behind `km`, `/` as `h.`"""
    if _PAIRS.isdisjoint(pairwise(found)):
        return found
    joined: list[str] = []
    place = 0
    while place < len(found):
        for size in range(min(_MOST_PARTS, len(found) - place), 1, -1):
            special = _PARTS.get(found[place : place + size])
            if special is not None:
                joined += special
                place += size
                break
        else:
            joined.append(found[place])
            place += 1
    return tuple(joined)


def _prefix_end(core: str) -> int:
    """Return the length of a core's prefix: an opening mark, or a currency that may begin with a letter."""
    if core[0].isalnum() and core[0] not in "UCA":
        return 0
    prefix = _PREFIX.match(core)
    return prefix.end() if prefix else 0


def _suffix_start(core: str, begin: int) -> int:
    """Return where a core's suffix starts, its length when it has none; what is before `begin` counts as gone."""
    # Letters alone, or a digit at the end, are the rule, and no suffix: the expression is for the rest.
    if core[-_LONGEST_SUFFIX - 1 :].isalpha() or core[-1] in "0123456789" or begin == len(core):
        return len(core)
    if core.endswith(".."):
        return max(begin, len(core.rstrip(".")))
    if core[-1] in _CLOSING:
        return len(core) - 1
    longest = 1 if core[-1] == "." else _LONGEST_SUFFIX
    suffix = _SUFFIX.search(core[begin:] if begin else core, max(0, len(core) - begin - longest))
    return begin + suffix.start() if suffix else len(core)


def _at_infixes(core: str) -> list[str]:
    parts = []
    start = 0
    for infix in _INFIX.finditer(core):
        if infix.start() > 0:
            if infix.start() > start:
                parts.append(core[start : infix.start()])
            parts.append(infix[0])
            start = infix.end()
    if start < len(core):
        parts.append(core[start:])
    return parts


# How the special cases look when they are taken apart like any other piece.
_PARTS: Final = {parts: SPECIAL[piece] for piece in SPECIAL if len(parts := _taken_apart(piece, {})) > 1}
_PAIRS: Final = frozenset(parts[:2] for parts in _PARTS)
_MOST_PARTS: Final = max(map(len, _PARTS))
