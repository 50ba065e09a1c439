"""Texts without what may differ between two copies of one: case, punctuation, spacing, accents, forms of Unicode.

What is left of a text are its letters and digits, one after the other: `1,000`, `1 000` and `1000` are the same, and so
are `don't`, `don t` and `dont`, whichever way somebody took the punctuation out. Where words begin is kept beside it.

Two texts are compared by hashes of spans. The hash of a span is a polynomial of its characters modulo 2**64 (Karp and
Rabin 1987), so that it comes from two prefix sums whatever the span's length, mixed by SplitMix64's finaliser. It is
stable: of fixed constants, and of what Unicode says of a character.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
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
_UNKNOWN, _BREAK, _SPACE, _NOTHING, _RECORD = range(5)
_FIRST_LETTER: Final = 0x30
_OWN_WORD: Final = np.uint32(1 << 31)
# Scripts that put no spaces between words: each character stands for one.
_UNSPACED: Final = (
    (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3005, 0x3007), (0x3040, 0x30FF), (0x31F0, 0x31FF),
    (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF),
)  # fmt: skip
_BASE: Final = int(constants(11, 1)[0]) | 1
_INVERSE: Final = pow(_BASE, -1, 1 << 64)


@dataclass(frozen=True, slots=True)
class Squeezed:
    """The letters and digits of some texts, one text after the other, as prefix sums of their hashes.

    Attributes:
      sums: uint64[characters + 1].
      starts: int64[texts + 1], where each text's characters start, and where the last one's end.
      words: int64[words + 1], the character with which each word begins, and where the last one ends.
      word_starts: int64[texts + 1], where each text's words start in `words`.
      breaks: bool[words], whether a text or more than spaces stand before the word.
    """

    sums: Hashes
    starts: Places
    words: Places
    word_starts: Places
    breaks: npt.NDArray[np.bool_]

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
    # The last mark before each letter: none, a space, or a break, which an end of a text is too.
    marks = np.where((codes == _BREAK) | (codes == _RECORD), 2, (codes == _SPACE).astype(np.int8))
    gaps = _largest_between(marks, kept, len(letters))
    begins = (gaps > 0) | (letters >= _OWN_WORD)
    begins[:1] = True
    words = np.flatnonzero(begins)
    breaks = gaps[words] > 1
    breaks[:1] = True
    letters = letters & ~_OWN_WORD
    values = mixed(letters.astype(np.uint64) + constants(12, 1)[0])
    sums = np.zeros(len(letters) + 1, np.uint64)
    np.cumsum(values * _powers(_BASE, len(sums))[: len(values)], out=sums[1:])
    word_starts = np.searchsorted(words, starts)
    return Squeezed(sums, starts, np.append(words, len(letters)), word_starts, breaks)


def _largest_between(marks: npt.NDArray[np.int8], kept: npt.NDArray[np.bool_], letters: int) -> npt.NDArray[np.int8]:
    """Return, for each letter, the largest mark that stands between it and the letter before it."""
    found = np.zeros(letters, np.int8)
    places = np.flatnonzero(marks)
    after = np.cumsum(kept)[places]  # the number of the letter that follows
    inside = after < letters
    for size in (1, 2):
        found[after[inside & (marks[places] == size)]] = size
    return found


def _folded(text: str) -> _Codes:
    """Return what each character of a text is: a letter's code point, or one of the marks above."""
    if text.isascii():
        return np.frombuffer(text.encode().translate(_ASCII), np.uint8).astype(np.uint32)
    decomposed = unicodedata.normalize("NFKD", text).casefold()
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
    category = unicodedata.category(character)
    if category[0] == "M" or category == "Cf":  # accents, vowel signs, characters of no width
        return _NOTHING
    if category[0] in "LN":
        code = ord(character)
        return code | int(_OWN_WORD) if any(low <= code <= high for low, high in _UNSPACED) else code
    return _SPACE if character in " \t\xa0" or category == "Zs" else _BREAK


# What `_fold` says of each code point that was met so far. Pages that nobody touches take no memory, and threads that
# meet in one write the same.
_FOLDED: Final = np.zeros(0x110000, np.uint32)
_ASCII: Final = bytes(_fold(chr(byte).lower()) if byte < 128 else _BREAK for byte in range(256))
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
