"""Texts without what may differ between two copies of one: case, punctuation, spacing, accents, forms of Unicode.

What is left of a text are its letters and digits, one after the other: `1,000`, `1 000` and `1000` are the same, and so
are `don't`, `don t` and `dont`, whichever way somebody took the punctuation out. Letters without an accent that Unicode
takes off are written as people write them who lack the key: `o` for `\u00f8`, `ae` for `\u00e6`. Where words begin is
kept beside it, and how far apart from the word before: see `Gap`.

Two texts are compared by hashes of spans. The hash of a span is a polynomial of its characters modulo 2**64 (Karp and
Rabin 1987), so that it comes from two prefix sums whatever the span's length, mixed by SplitMix64's finaliser. It is
stable: of fixed constants, and of what Unicode says of a character. It is none against malice: modulo a power of two,
the words of Thue and Morse collide from 1,024 letters on whatever the base, so that who wants can write two long texts
that pass for one. Modulo a prime they would not, but that takes products of 128 bits, which numpy lacks.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from transforms.text.hashes import Hashes, constants, mixed

Places = npt.NDArray[np.int64]
_Codes = npt.NDArray[np.uint32]

_END: Final = "\x1e"  # Unicode's record separator, between texts
_CHUNK_BYTES: Final = 1 << 17  # whose arrays stay within the caches
# What a character is that is no letter. The last four are ends of a sentence, some of them with a space only.
_UNKNOWN, _NOTHING, _SPACE, _MARK, _INNER, _STOP, _COLON, _LINE, _RECORD = range(9)
_FIRST_LETTER: Final = 0x30
_NINE: Final = 0x39
# Marks that stand within a word or a number, unless a space is beside them.
_INNER_MARKS: Final = frozenset("'\u2019-\u2010\u2011\u2012\u2013\u2212,_/+*^=&@")
_SENTENCE_MARKS: Final = {
    ".": _STOP,
    ":": _COLON,
    ";": _COLON,
    **dict.fromkeys("?!\u3002\u061f\u0964\n\r\v\f\x85\u2028\u2029", _LINE),
}
# Letters by name, but written and left out as apostrophes are.
_APOSTROPHES: Final = frozenset("\u02b9\u02ba\u02bb\u02bc\u02bd\u02be\u02bf")
# Letters that Unicode does not take apart.
_PLAIN: Final = dict(zip("\u00f8\u0142\u0111\u00f0\u0127\u0167\u0131", "olddhti", strict=True))
_PLAIN_PAIRS: Final = (("\u00e6", "ae"), ("\u0153", "oe"), ("\u00fe", "th"))
_OWN_WORD: Final = np.uint32(1 << 31)
# Scripts that put no spaces between words: each character stands for one.
_UNSPACED: Final = (
    (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3005, 0x3007), (0x3040, 0x30FF), (0x31F0, 0x31FF),
    (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF),
)  # fmt: skip
_BASE: Final = int(constants(11, 1)[0]) | 1
_INVERSE: Final = pow(_BASE, -1, 1 << 64)


class Gap(IntEnum):
    """How far apart a word is from the one before, the farther the larger.

    Attributes:
      WITHIN: one word or number to a reader: `France's`, `well-known`, `U.S.`, `1,000`, `10:30`, and so are two
        numbers with anything between them but the end of a sentence, as `1 + 2` or `1 000`.
      WORD: a space, or nothing in a script that has none.
      MARK: a mark, with a space, or one that does not stand within words.
      SENTENCE: a line's end, `?` or `!`, a full stop or colon with a space, or the end of a text.
    """

    WITHIN = 0
    WORD = 1
    MARK = 2
    SENTENCE = 3


@dataclass(frozen=True, slots=True)
class Squeezed:
    """The letters and digits of some texts, one text after the other, as prefix sums of their hashes.

    Attributes:
      sums: uint64[characters + 1].
      starts: int64[texts + 1], where each text's characters start, and where the last one's end.
      words: int64[words + 1], the character with which each word begins, and where the last one ends.
      word_starts: int64[texts + 1], where each text's words start in `words`.
      gaps: int8[words + 1], the `Gap` before each word, and the one after the last.
    """

    sums: Hashes
    starts: Places
    words: Places
    word_starts: Places
    gaps: npt.NDArray[np.int8]

    def __len__(self) -> int:
        """The number of texts."""
        return len(self.starts) - 1

    @property
    def lengths(self) -> Places:
        """int64[texts], how many characters each text has."""
        return np.diff(self.starts)

    @property
    def word_counts(self) -> Places:
        """int64[texts], how many words each text has."""
        return np.diff(self.word_starts)

    def spans(self, begins: Places, ends: Places) -> Hashes:
        """Return the hash of each span of characters, from one to before another."""
        return mixed((self.sums[ends] - self.sums[begins]) * _powers(_INVERSE, len(self.sums))[begins])

    def windows(self, size: int) -> tuple[Hashes, Places]:
        """Return the hashes of all spans of `size` characters within one text, and where each begins."""
        count = len(self.sums) - size
        if count <= 0:
            return np.empty(0, np.uint64), np.empty(0, np.int64)
        hashes = self.sums[size:] - self.sums[:-size]
        hashes *= _powers(_INVERSE, len(self.sums))[:count]
        inside = np.ones(count, bool)
        crossing = self.starts[1:-1, np.newaxis] - np.arange(1, size)
        inside[crossing[(crossing >= 0) & (crossing < count)]] = False
        places = np.flatnonzero(inside)
        return mixed(hashes[places]), places

    def grams(self, size: int) -> tuple[Hashes, Places]:
        """Return the hashes of all runs of `size` words, and the text of each; a text of fewer words is one run.

        A text without words has none.
        """
        counts = self.word_counts
        runs = np.where(counts > 0, np.maximum(counts - size + 1, 1), 0)
        texts = np.repeat(np.arange(len(self)), runs)
        within = np.arange(len(texts)) - np.repeat(np.cumsum(runs) - runs, runs)
        first = self.word_starts[texts] + within
        last = np.minimum(first + size, self.word_starts[texts + 1])
        return self.spans(self.words[first], self.words[last]), texts


def squeeze(texts: pa.StringArray | pa.ChunkedArray) -> Iterator[Squeezed]:
    """Yield the texts, squeezed, in runs of about 100,000 bytes, a longer text by itself.

    Args:
      texts: strings of valid UTF-8; a null is a text without letters. A text of any length takes linear time.
    """
    for array in texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts]:
        filled = array.fill_null("")
        ends = np.cumsum(pc.binary_length(filled).to_numpy())
        begin = 0
        while begin < len(filled):
            reach = (ends[begin - 1] if begin else 0) + _CHUNK_BYTES
            end = max(begin + 1, int(np.searchsorted(ends, reach, side="right")))
            yield _squeezed(filled[begin:end].to_pylist())
            begin = end


def span_hashes(texts: pa.StringArray | pa.ChunkedArray) -> tuple[Hashes, Places]:
    """Return the hash of each text's letters and digits, and how many these are; a null has none."""
    hashes, lengths = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
    for run in squeeze(texts):
        hashes.append(run.spans(run.starts[:-1], run.starts[1:]))
        lengths.append(run.lengths)
    return np.concatenate(hashes), np.concatenate(lengths)


def marks_of(text: str) -> str:
    """Return a text with its marks, from its first letter or digit on, or whole if it has none; without spaces."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    first = next((place for place, character in enumerate(plain) if character.isalnum()), 0)
    return "".join(plain[first:].split())


def marks_hash(marks: str) -> int:
    """Return the hash of what `marks_of` leaves; those of spans are others but by chance."""
    return int.from_bytes(hashlib.blake2b(marks.encode("utf-8", "replace"), digest_size=8).digest(), "little")


def _squeezed(texts: list[str]) -> Squeezed:
    joined = _END.join(texts)
    if joined.count(_END) != len(texts) - 1:
        joined = _END.join(text.replace(_END, " ") for text in texts)
    codes = _folded(joined)
    kept = codes >= _FIRST_LETTER
    ends = np.concatenate(([0], np.cumsum(kept)))
    records = np.flatnonzero(codes == _RECORD)
    starts = np.concatenate(([0], ends[records], [ends[-1]]))
    letters = codes[kept]
    flags = _flags_between(codes, ends, len(letters))
    begins = (flags > 0) | (letters >= _OWN_WORD)
    begins[:1] = True
    words = np.flatnonzero(begins)
    letters = letters & ~_OWN_WORD
    gaps = _GAPS[flags[words]]
    numbers = letters <= _NINE
    gaps[(gaps < Gap.SENTENCE) & numbers[words] & numbers[words - 1]] = Gap.WITHIN
    gaps[:1] = Gap.SENTENCE
    values = mixed(letters.astype(np.uint64) + constants(12, 1)[0])
    sums = np.zeros(len(letters) + 1, np.uint64)
    np.cumsum(values * _powers(_BASE, len(sums))[: len(values)], out=sums[1:])
    word_starts = np.searchsorted(words, starts)
    return Squeezed(sums, starts, np.append(words, len(letters)), word_starts, np.append(gaps, np.int8(Gap.SENTENCE)))


def _flags_between(codes: _Codes, ends: Places, letters: int) -> npt.NDArray[np.uint8]:
    """Return, for each letter, the flags of all that stands between it and the letter before it."""
    found = np.zeros(letters, np.uint8)
    places = np.flatnonzero(codes < _FIRST_LETTER)
    after = ends[places]  # the number of the letter that follows
    places, after = places[after < letters], after[after < letters]
    first = np.flatnonzero(np.concatenate((np.ones(min(len(after), 1), bool), after[1:] != after[:-1])))
    if len(first):
        found[after[first]] = np.bitwise_or.reduceat(_FLAGS[codes[places]], first)
    return found


def _folded(text: str) -> _Codes:
    """Return what each character of a text is: a letter's code point, or one of the marks above."""
    if text.isascii():
        return np.frombuffer(text.encode().translate(_ASCII), np.uint8).astype(np.uint32)
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    for letter, pair in _PLAIN_PAIRS:
        decomposed = decomposed.replace(letter, pair)
    codes = np.frombuffer(decomposed.encode("utf-32-le", "replace"), "<u4")
    folded = _FOLDED[codes]
    unknown = folded == _UNKNOWN
    if unknown.any():
        for code in np.unique(codes[unknown]).tolist():
            _FOLDED[code] = _fold(chr(code))
        folded = _FOLDED[codes]
    return folded


def _fold(character: str) -> int:
    """Return what a character that is decomposed and in lower case is."""
    if character == _END:
        return _RECORD
    if character in _SENTENCE_MARKS:
        return _SENTENCE_MARKS[character]
    if character in _INNER_MARKS or character in _APOSTROPHES:
        return _INNER
    category = unicodedata.category(character)
    if category[0] == "M" or category == "Cf":  # accents, vowel signs, characters of no width
        return _NOTHING
    if category[0] in "LN":
        code = ord(_PLAIN.get(character, character))
        return code | int(_OWN_WORD) if any(low <= code <= high for low, high in _UNSPACED) else code
    return _SPACE if character in " \t\xa0" or category == "Zs" else _MARK


def _gap(flags: int) -> Gap:
    """Return how far apart two words are with such characters between them."""
    spaced = flags & _BIT[_SPACE]
    if flags & (_BIT[_LINE] | _BIT[_RECORD]) or (spaced and flags & (_BIT[_STOP] | _BIT[_COLON])):
        return Gap.SENTENCE
    if flags & (_BIT[_MARK] | _BIT[_COLON]) or (spaced and flags & _BIT[_INNER]):
        return Gap.MARK
    return Gap.WORD if spaced or not flags else Gap.WITHIN


_BIT: Final = {_SPACE: 1, _MARK: 2, _INNER: 4, _STOP: 8, _COLON: 16, _LINE: 32, _RECORD: 32}
_FLAGS: Final = np.array([_BIT.get(code, 0) for code in range(_FIRST_LETTER)], np.uint8)
_GAPS: Final = np.array([_gap(flags) for flags in range(64)], np.int8)
# What `_fold` says of each code point that was met so far. Pages that nobody touches take no memory, and threads that
# meet in one write the same.
_FOLDED: Final = np.zeros(0x110000, np.uint32)
_ASCII: Final = bytes(_fold(chr(byte).lower()) if byte < 128 else _MARK for byte in range(256))
_TABLES: Final[dict[int, Hashes]] = {}


def _powers(base: int, count: int) -> Hashes:
    """Return the first powers of a number modulo 2**64, `count` of them at least."""
    table = _TABLES.get(base)
    if table is None or len(table) < count:
        size = max(count, 2 * _CHUNK_BYTES)
        table = np.full(size, base, np.uint64)
        table[0] = 1
        table = np.multiply.accumulate(table)
        if size == 2 * _CHUNK_BYTES:  # those of a longer text are not worth keeping
            _TABLES[base] = table
    return table
