"""What a cache holds, what is damaged in it, and what it can do without."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from transforms.llm.cache.index import Index, Place
from transforms.llm.cache.lines import cannot, decode, is_intact, is_valid, is_whole, key_of
from transforms.llm.cache.segments import Segment, Segments, lines_of


class Damage(NamedTuple):
    """A line that is no answer: in which segment, at which byte, and what is wrong with it."""

    segment: str
    offset: int
    what: str


@dataclass(slots=True)
class Holdings:
    """What a cache holds.

    Attributes:
      segments, bytes: of all segments.
      corrupt: lines that are no answers.
      groups: (stage, model) -> answers, valid, prompt_tokens, completion_tokens, cost_nano_usd.
    """

    segments: int = 0
    bytes: int = 0
    corrupt: int = 0
    groups: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)

    @property
    def total(self) -> Counter[str]:
        """The sum over the groups."""
        return sum(self.groups.values(), Counter[str]())


@dataclass(slots=True)
class Pruned:
    """What a pruning came to, in lines, segments and bytes; `in_use` segments were left as they are."""

    kept: int = 0
    corrupt: int = 0
    invalid: int = 0
    repeated: int = 0
    in_use: int = 0
    rewritten: int = 0
    bytes_before: int = 0
    bytes_after: int = 0


def holdings(segments: Segments) -> Holdings:
    """Return what a cache holds; reads all of it."""
    held = Holdings()
    for segment in segments.listed():
        held.segments += 1
        held.bytes += segment.size
        for _, line in _settled(segments, segment):
            if not is_intact(line):
                held.corrupt += 1
                continue
            _, entry = decode(line)
            counts = held.groups.setdefault((entry.stage, entry.model), Counter())
            counts["answers"] += 1
            counts["valid"] += entry.valid
            counts["prompt_tokens"] += entry.completion.prompt_tokens
            counts["completion_tokens"] += entry.completion.completion_tokens
            counts["cost_nano_usd"] += round(entry.completion.cost_usd * 1e9)
    return held


def damages(segments: Segments) -> Iterator[Damage]:
    """Yield every line of a cache that is no answer; reads all of it."""
    for segment in segments.listed():
        for offset, line in _settled(segments, segment):
            if not is_intact(line):
                yield Damage(segment.name, offset, "wrong checksum" if is_whole(line) else "unfinished line")


def prune(segments: Segments) -> Pruned:
    """Rewrite a cache without what it never replays: corrupt lines, invalid answers, and all but one of a key's.

    Segments that are small become larger ones; one that is in use, or holds nothing to drop and is large enough, stays.
    New segments are durable before old ones go, so that whatever moment ends this, each answer is in one at least.
    Who reads or writes meanwhile finds the answers in their new place. Of two keys that begin with the same 64 bits
    one answer stays, as only one could be replayed.

    Raises:
      CacheError: the place cannot be used, or another pruning is at work there.
    """
    done = Pruned()
    old: list[Segment] = []
    for segment in segments.listed():
        done.bytes_before += segment.size
        if segments.in_use(segment):
            done.in_use += 1
        else:
            old.append(segment)
    try:
        index, lines = _survey(segments, old, done)
        kept = index.per_segment(len(old)).tolist()
        large = [2 * segment.size >= segments.segment_bytes for segment in old]
        untouched = [large[n] and lines[n] == kept[n] for n in range(len(old))]
        if lines != kept or untouched.count(False) > 1:  # there is something to drop, or to put together
            written = _rewrite(segments, old, index, untouched)
            gone = [segment for segment, stays in zip(old, untouched, strict=True) if not stays]
            segments.remove(gone)
            done.rewritten = len(gone)
            done.bytes_after = written - sum(segment.size for segment in gone)
    except FileNotFoundError as error:
        raise cannot("prune", segments.place, f"{error} is gone", "wait until nobody else prunes it") from None
    done.bytes_after += done.bytes_before
    return done


def remove_answers(segments: Segments, keys: Collection[str]) -> int:
    """Rewrite the segments that hold any of some keys without them, and return how many lines that were.

    Corrupt lines of these segments go too, for nobody can tell whose they were. The others are durable before the old
    ones go, as in `prune`.

    Raises:
      CacheError: the place cannot be used, or a process may still append to such a segment.
    """
    removed = 0
    for segment in segments.listed():
        found = sum(is_intact(line) and key_of(line) in keys for line in _lines(segments, segment))
        if not found:
            continue
        if segments.in_use(segment):
            raise cannot("take answers out of", segments.place, f"{segment.name} is in use", "wait for that process")
        pack = bytearray()
        for line in _lines(segments, segment):
            if pack and len(pack) + len(line) > segments.segment_bytes:
                segments.add(bytes(pack))
                pack = bytearray()
            pack += line if is_intact(line) and key_of(line) not in keys else b""
        if pack:
            segments.add(bytes(pack))
        segments.remove([segment])
        removed += found
    return removed


def _lines(segments: Segments, segment: Segment) -> Iterator[bytes]:
    """Yield the lines of a segment; one that was pruned meanwhile has none."""
    with contextlib.suppress(FileNotFoundError):
        yield from (line for _, line in lines_of(segments, segment))


def _settled(segments: Segments, segment: Segment) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of a segment, but for one that is under way; a segment that was pruned meanwhile has none."""
    growing = segments.in_use(segment)
    try:
        for offset, line in lines_of(segments, segment):
            if is_whole(line) or not growing:
                yield offset, line
    except FileNotFoundError:
        return


def _survey(segments: Segments, old: Sequence[Segment], done: Pruned) -> tuple[Index, list[int]]:
    """Count what is there and return which line stays for each key, and how many lines each segment has."""
    index, counts, valid = Index(), [0] * len(old), 0
    for number, segment in enumerate(old):
        for offset, line in lines_of(segments, segment):
            counts[number] += 1
            if not is_intact(line):
                done.corrupt += 1
            elif not is_valid(line):
                done.invalid += 1
            else:
                valid += 1
                index.set(key_of(line), Place(number, len(line), offset))
    done.kept = int(index.per_segment(len(old)).sum())
    done.repeated = valid - done.kept
    return index, counts


def _rewrite(segments: Segments, old: Sequence[Segment], index: Index, untouched: Sequence[bool]) -> int:
    """Write the lines that stay into new segments and return how many bytes that were."""
    written, pack = 0, bytearray()
    for number, segment in enumerate(old):
        if untouched[number]:
            continue
        for offset, line in lines_of(segments, segment):
            if not (is_intact(line) and index.get(key_of(line)) == (number, len(line), offset)):
                continue
            if pack and len(pack) + len(line) > segments.segment_bytes:
                segments.add(bytes(pack))
                written, pack = written + len(pack), bytearray()
            pack += line
    if pack:
        segments.add(bytes(pack))
    return written + len(pack)
