"""Counts of words over many lines at once.

A text of a thousand words has some hundred distinct pieces between whitespace, and most of those are a word with a mark
of punctuation at one end at most. pyarrow numbers the pieces and splits the regular ones as columns; `words.py` splits
the others, once each as long as they are remembered; the rest is reading arrays.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from transforms.text.words import AROUND, SPECIAL, tokens

Integers = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]

STOP_WORDS: Final = ("the", "be", "to", "of", "and", "that", "have", "with")
"""Of Rae et al. 2021 (arXiv 2112.11446), appendix A1.1; the place of each is its number in `LineWords.stops`."""

TERMINAL_MARKS: Final = frozenset(
    "!.?‼‽⁇⁈⁉⸮⸼⹓⹔։؝؞؟۔܀܁܂߹।॥၊။።፧፨᙮᜵᜶᠃᠉᥄᥅᪨᪩᪪᪫᭚᭛᭞᭟᭽᭾᰻᰼᱾᱿។៕៖៙៚꓿꘎꘏꛳꛷꡶꡷꣎꣏꤯꧈꧉꩝꩞꩟꫰꫱꯫﹒﹖﹗！．？｡。"  # noqa: RUF001
    "࠷࠹࠽࠾𐩖𐩗𐽕𐽖𐽗𐽘𐽙𐾆𐾇𐾈𐾉𑁇𑁈𑂾𑂿𑃀𑃁𑅁𑅂𑅃𑇅𑇆𑇍𑇞𑇟𑈸𑈹𑈻𑈼𑊩𑑋𑑌𑗂𑗃𑗉𑗊𑗋𑗌𑗍𑗎𑗏𑗐𑗑𑗒𑗓𑗔𑗕𑗖𑗗𑙁𑙂𑜼𑜽𑜾𑥄𑥆𑩂𑩃𑪛𑪜𑱁𑱂𑻷𑻸𑽃𑽄𖩮𖩯𖫵𖬷𖬸𖭄𖺘𛲟𝪈"
)
"""What ends a line or a sentence, in any script, by datatrove's list: most of Unicode's Sentence_Terminal."""

_SENTENCE_MARKS: Final = TERMINAL_MARKS - frozenset("؝؞࠷࠹࠽࠾។៕៖៙៚᭽᭾⹓⹔𐽕𐽖𐽗𐽘𐽙𐾆𐾇𐾈𐾉𑥄𑥆𑻷𑻸𑽃𑽄𖺘")
"""Those of them at which spaCy's sentencizer ends a sentence."""

SYMBOLS: Final = (
    TERMINAL_MARKS
    | frozenset("!/—”:％１〈&(、━\\【#%「」，】；+^]~“《„';’{|∶´[=-`*（–：$～«〉,><》)）…@_\"}►»")  # noqa: RUF001
    | {chr(code) for code in (*range(9), *range(11, 32), *range(127, 160))}
)
"""Punctuation and control characters: a token of nothing else is no word. The set is datatrove's."""

_WORD: Final = 1
_ALPHABETIC: Final = 2
_TERMINAL: Final = 4
_PLAIN: Final = 8
_MARK: Final = 16
# Irregular pieces remembered at most before the memory starts anew: some 40 MB.
_MOST_PIECES: Final = 1 << 17
_SPECIAL_PIECES: Final = pa.array(SPECIAL, pa.string())
_ZERO: Final = np.zeros(1, np.int32)


@lru_cache(maxsize=1 << 16)
def _kind(token: str) -> int:
    """Return the flags of a token."""
    if token in _SENTENCE_MARKS:
        return _TERMINAL
    kind = _MARK if SYMBOLS.issuperset(token) else _WORD
    if any(map(str.isalpha, token)):
        kind |= _ALPHABETIC
    return kind if all(unicodedata.category(c)[0] == "P" for c in token) else kind | _PLAIN


class Vocabulary:
    """Splits lines into words and remembers the irregular pieces. Not safe to share between threads."""

    def __init__(self) -> None:
        self._irregular: dict[str, tuple[str, ...]] = {}

    def read(self, lines: Sequence[str]) -> LineWords:
        """Return the words of some lines, each without whitespace at its ends."""
        pieces = pc.utf8_split_whitespace(pa.array(lines, pa.string()))
        encoded = pieces.values.dictionary_encode()
        distinct, numbers = encoded.dictionary, encoded.indices.to_numpy()
        split = self._split(distinct)
        ends = pieces.offsets.to_numpy()
        counts = np.diff(split.starts)[numbers]
        token_ends = np.concatenate((_ZERO, np.cumsum(counts, dtype=np.int32)))
        places = np.repeat(split.starts[numbers] - token_ends[:-1], counts)
        places += np.arange(token_ends[-1], dtype=np.int32)
        characters = pc.utf8_length(distinct).to_numpy()[numbers]
        return LineWords(
            tokens=split.tokens[places],
            starts=token_ends[ends].astype(np.int64),
            pieces=np.where(token_ends[ends[1:]] > token_ends[ends[:-1]], np.diff(ends), 0),
            # Each line has one piece at least, if only an empty one.
            longest=np.maximum.reduceat(characters, ends[:-1]) if len(lines) else np.empty(0, np.int32),
            token_lengths=pc.utf8_length(split.dictionary).to_numpy(),
            token_kinds=split.kinds,
            token_stops=pc.index_in(split.dictionary, pa.array(STOP_WORDS)).fill_null(-1).to_numpy(),
        )

    def _split(self, distinct: pa.StringArray) -> _Split:
        """Return the tokens of each piece."""
        before, core, after, regular = _around(distinct)
        odd = self._tokens(distinct.filter(pa.array(~regular)).to_pylist())
        counts = np.where(regular, before + 1 + after, 0)
        counts[~regular] = [len(found) for found in odd]
        starts = np.concatenate((_ZERO, np.cumsum(counts, dtype=np.int32)))
        opened, closed = regular & (before > 0), regular & (after > 0)
        parts = [
            core.filter(pa.array(regular)),
            pc.utf8_slice_codeunits(distinct.filter(pa.array(opened)), 0, 1),
            pc.utf8_slice_codeunits(distinct.filter(pa.array(closed)), -1),
            pa.array([token for found in odd for token in found], pa.string()),
        ]
        places = [
            (starts[:-1] + before)[regular],
            starts[:-1][opened],
            starts[1:][closed] - 1,
            np.flatnonzero(np.repeat(~regular, counts)),
        ]
        encoded = pa.concat_arrays(parts).dictionary_encode()
        found = np.empty(starts[-1], np.int32)
        found[np.concatenate(places)] = encoded.indices.to_numpy()
        return _Split(found, starts, encoded.dictionary, _kinds(encoded, len(parts[0])))

    def _tokens(self, pieces: list[str]) -> list[tuple[str, ...]]:
        if len(self._irregular) > _MOST_PIECES:
            self._irregular.clear()
        found = list(map(self._irregular.get, pieces))
        for number, piece in enumerate(pieces):
            if found[number] is None:
                found[number] = self._irregular[piece] = tokens(piece)
        return found  # type: ignore[return-value]  # mypy does not see that none is null any more


@dataclass(frozen=True, slots=True)
class _Split:
    """Distinct pieces, split.

    Attributes:
      tokens: int32[n], token numbers, piece after piece.
      starts: int32[pieces + 1], where each piece's start.
      dictionary: the tokens by number.
      kinds: uint8[tokens by number], what each is.
    """

    tokens: Numbers
    starts: Numbers
    dictionary: pa.StringArray
    kinds: npt.NDArray[np.uint8]


def _around(distinct: pa.StringArray) -> tuple[Numbers, pa.StringArray, Numbers, Flags]:
    """Return, of each piece, the marks before its core, the core, the marks behind, and whether these are its tokens.

    They are when the core is all ASCII letters or all digits, with one mark at most on each side, and nothing special.
    A core of one character may be part of something special, such as an emoticon.
    """
    behind = pc.utf8_ltrim(distinct, characters=AROUND)
    core = pc.utf8_rtrim(behind, characters=AROUND + ".")
    whole, shorter, shortest = (pc.utf8_length(strings).to_numpy() for strings in (distinct, behind, core))
    before, after = whole - shorter, shorter - shortest
    special = pc.or_(pc.is_in(core, _SPECIAL_PIECES), pc.is_in(distinct, _SPECIAL_PIECES))
    # A full stop ends a sentence behind a lower-case letter; behind others it may belong to an abbreviation.
    stopped = _flags(pc.ends_with(distinct, "."))
    upper = _flags(pc.utf8_is_upper(pc.utf8_slice_codeunits(core, -1)))
    # Beyond ASCII pyarrow's Unicode is not that of every Python.
    plain = _flags(pc.and_(pc.or_(pc.utf8_is_alpha(core), pc.utf8_is_decimal(core)), pc.string_is_ascii(core)))
    plain &= ~_flags(special)
    plain &= (before <= 1) & (after <= 1) & ((shortest > 1) | (whole == 1))
    return before, core, after, plain & ~(stopped & (upper | (before > 0)))


def _flags(values: pa.BooleanArray) -> Flags:
    return values.to_numpy(zero_copy_only=False)


def _kinds(encoded: pa.DictionaryArray, cores: int) -> npt.NDArray[np.uint8]:
    """Return what each distinct token is; the first `cores` of all tokens are all letters or all digits."""
    known = int(encoded.indices.to_numpy()[:cores].max(initial=-1)) + 1
    letters = _flags(pc.utf8_is_alpha(encoded.dictionary[:known]))
    regular = np.where(letters, _WORD | _ALPHABETIC | _PLAIN, _WORD | _PLAIN)
    return np.concatenate((regular, list(map(_kind, encoded.dictionary[known:].to_pylist())))).astype(np.uint8)


@dataclass(frozen=True)
class LineWords:
    """The words of some lines, one line after the other.

    Attributes:
      tokens: int32[n], token numbers: equal for equal tokens.
      starts: int64[lines + 1], where each line's tokens start.
      pieces: int64[lines], runs of characters between whitespace.
      longest: int32[lines], the characters of the longest of them.
      token_lengths: int32[by number], characters of each token.
      token_kinds: uint8[by number], what each token is.
      token_stops: int32[by number], which of `STOP_WORDS` each token is; -1 is none.
    """

    tokens: Numbers
    starts: Integers
    pieces: Integers
    longest: Numbers
    token_lengths: Numbers
    token_kinds: npt.NDArray[np.uint8]
    token_stops: Numbers

    @cached_property
    def lengths(self) -> Numbers:
        """int32[n], characters of each token."""
        return self.token_lengths[self.tokens]

    def counts(self, first_line: Integers, stays: Flags) -> Integers:
        """Return int64[texts, 6]: tokens, words, characters of words, alphabetic tokens, sentences, stop words.

        A word is a token with more than punctuation in it; an alphabetic token has a letter. A sentence starts with a
        line and behind a terminal mark, as spaCy's sentencizer has it. Stop words are how many of `STOP_WORDS` occur.

        Args:
          first_line: int64[texts + 1], the line at which each text starts.
          stays: bool[lines], which lines count.
        """
        inside = stays[self._line_of]
        kinds = self.token_kinds[self.tokens] * inside
        words = kinds & _WORD
        columns = (inside, words, words * self.lengths, (kinds & _ALPHABETIC) != 0, self._sentence_starts(kinds))
        starts = self.starts[first_line]
        return np.column_stack([*(sums(column, starts) for column in columns), self._stop_words(starts, inside)])

    def _stop_words(self, starts: Integers, inside: Flags) -> Integers:
        stops = self.token_stops[self.tokens]
        places = np.flatnonzero((stops >= 0) & inside)
        cells = (np.searchsorted(starts, places, side="right") - 1) * len(STOP_WORDS) + stops[places]
        found = np.bincount(cells, minlength=(len(starts) - 1) * len(STOP_WORDS))
        return np.count_nonzero(found.reshape(-1, len(STOP_WORDS)), axis=1)

    @cached_property
    def _line_of(self) -> Numbers:
        return np.repeat(np.arange(len(self.pieces), dtype=np.int32), np.diff(self.starts))

    def _sentence_starts(self, kinds: npt.NDArray[np.uint8]) -> Flags:
        """Return which tokens start a sentence; a token of no kind starts none."""
        starts = np.zeros(len(self.tokens), bool)
        starts[self.starts[:-1][np.diff(self.starts) > 0]] = True
        starts &= kinds != 0
        # What is neither a terminal mark nor plain, a closing bracket say, belongs to the sentence before it.
        places = np.flatnonzero(kinds & (_TERMINAL | _PLAIN))
        plain = (kinds[places] & _PLAIN) != 0
        same_line = self._line_of[places[1:]] == self._line_of[places[:-1]]
        starts[places[1:][plain[1:] & ~plain[:-1] & same_line]] = True
        return starts


def sums(values: npt.NDArray[Any], starts: Integers) -> Integers:
    """Return the sum of each run of values that begins at one of `starts` and ends where the next begins."""
    running = np.concatenate(([0], np.cumsum(values, dtype=np.int64)))
    return running[starts[1:]] - running[starts[:-1]]
