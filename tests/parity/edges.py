"""Documents at the edge of every rule: for each threshold some just inside, exactly on it and just outside.

Words are made of letters alone, all different unless said, so that no rule but the one aimed at is near its threshold.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Final

STOP: Final = "the of and to"
_SYLLABLES: Final = "ba ce di fo gu ka le mi no pu ra se ti vo zu".split()
_BREAKS: Final = "\x0b \x0c \x1c \x1d \x1e \x85 \u2028 \u2029 \r \r\n \t \u00a0 \ufeff".split(" ")
_ENDS: Final = '. ! ? ... … .... ; , : ) \' " ." ?" .\' .) ?! !!! .[1] [1] .” .’ ” ’ 。 ։ ۔ ‼ ⁇'.split()  # noqa: RUF001
_SPELLINGS: Final = """
don't DON'T can't've it's I’m rock'n'roll and/or e-mail well-known U.S.A. a.b.c 10km $5.00 50% (a) [b] 3-4 1,000.5
http://example.org/a?b=c www.example.org me@example.org C++ #tag @name -- — “quoted” 'single' '' `` x=y a/b
…and etc. No.1 p.m. 5pm naïve Straße мир 世界 日本語。 العربية हिन्दी 🙂 e\u0301 a_b __init__ x² ½ IS_ALPHA
soft\u00adhyphen zero\u200bwidth
""".split()  # noqa: RUF001


def words(count: int, first: int = 0, letters: int | None = None) -> list[str]:
    """Return different words of letters alone, the ones numbered from `first`, filled up to a number of letters."""
    found = []
    for number in range(first, first + count):
        word = ""
        for _ in range(3):
            number, digit = divmod(number, len(_SYLLABLES))
            word += _SYLLABLES[digit]
        found.append(word if letters is None else word.ljust(letters, "x")[:letters])
    return found


def sentences(count: int, length: int = 12, first: int = 0) -> list[str]:
    """Return sentences of different words, each with two stop words."""
    return [f"In the {' '.join(words(length - 3, first + number * length))} of." for number in range(count)]


def _padded(text: str) -> Iterator[str]:
    """Lengthen a text by one character at a time, so that a share of its characters passes a threshold slowly."""
    for letters in range(1, 60):
        yield f"{text} {'q' * letters}"


def repetition() -> Iterator[str]:
    """Yield documents at the edges of GopherRepetition's rules."""
    for joint in ("\n", "\n\n", "\n\n\n", " \n \n"):
        for repeated in (2, 3, 4):
            blocks = [" ".join(words(30, 40 * n)) for n in range(10 - repeated)]
            yield joint.join([*blocks, *blocks[:1] * repeated])
            yield joint.join([*blocks[:-1], "abc", *["abc"] * repeated])
        yield f"\n\n{joint.join(['abc', *blocks, 'abc', 'abc', 'abc'])}\n\n"
        block = " ".join(words(50))
        yield from _padded(joint.join([block, block, " ".join(words(150, 100))]))
    for n in (2, 3, 4):
        for times in range(6, 30, 3):
            phrase, filler = " ".join(words(n, 3000)), words(times)
            spread = " ".join(f"{phrase} {word}" for word in filler)
            yield from list(_padded(f"{spread} {' '.join(words(3 * n * times, 500))}"))[::7]
    for n in range(5, 11):
        for times in range(1, 20):
            phrases = [" ".join(words(n, 2000 + 10 * m)) for m in range(times)]
            once = [f"{phrase} {word}" for phrase, word in zip(phrases, words(times, 1500), strict=True)]
            yield " ".join([*once, *words(10 * n * 3, 1000), *once[::-1]])
    yield " ".join(["word"] * 100)
    yield " ".join(words(8))
    yield "one"


def quality() -> Iterator[str]:
    """Yield documents at the edges of GopherQuality's rules."""
    for count in (44, 45, 46, 47):
        yield f"{STOP} {' '.join(words(count))}"
        yield f"{STOP} {' , '.join(words(count))} . ! ?"
        yield f"{STOP} ({', '.join(words(count))})."
    for letters in (2, 3, 10, 11):
        for stop in ("the and", "that with", "be to"):
            for extra in range(12):
                yield f"{stop} {' '.join(words(60, 0, letters))} {'z' * extra}"
    for marks in range(8, 16):
        yield f"{STOP} {' '.join(words(86))} {'# ' * marks}"
        yield f"{STOP} {' '.join(words(86))} {'… ' * marks}"
        yield f"{STOP} {'... '.join(words(86)[:marks])} {' '.join(words(86)[marks:])} end"
        yield f"{STOP} {' '.join(words(86))} {'.... ' * marks}"
    for bullet in ("- ", "• ", "-", "* ", "\u2013 ", "  - ", "\u00a0• "):
        for plain in range(3):
            lines = sentences(10)
            yield "\n".join([*(bullet + line for line in lines[plain:]), *lines[:plain]])
    for end in ("...", "…", "... ", "…\t", "....", ".. .", '..."'):
        for cut in (2, 3, 4):
            lines = sentences(10)
            yield "\n".join([*(line[:-1] + end for line in lines[:cut]), *lines[cut:]])
    for numbers in (15, 19, 20, 21, 25):
        yield f"{STOP} {' '.join(words(76))} {' '.join(str(1000 + n) for n in range(numbers))}"
        yield f"{STOP} {' '.join(words(76))} {'; ' * numbers}"
        yield f"{STOP}, {', '.join(words(76))} {' '.join(f'{n}a' for n in range(numbers))}"
    for stop in (
        " ",
        "the",
        "the the The",
        "The of",
        "the Of",
        "be to",
        "that have",
        "with, with",
        "the, and",
        "The And",
    ):
        yield f"{stop} {' '.join(words(80))}"
    for count in (99_999, 100_000, 100_001):
        yield " ".join(["the", "of", *(["plain", "words"] * 50_001)][:count])


def cleaning() -> Iterator[str]:
    """Yield documents at the edges of C4's rules."""
    plain = sentences(6)
    for count in (4, 5, 6):
        yield " ".join(sentences(count))
        yield "\n".join(sentences(count))
        for joint in _BREAKS:
            yield joint.join(sentences(count))
    for end in _ENDS:
        for count in (4, 5, 6):
            lines = sentences(count)
            yield "".join(f"{line[:-1]}{end} " for line in lines)
            yield "".join(f"{line[:-1]} {end} " for line in lines)
            yield "".join(f"{line[:-1]}{end} \n" for line in lines)
    for inside in "Mr. e.g. U.S. 3.14 v.2 a.m. i.e. J. etc. ? . .) !".split():
        yield " ".join(f"In the {inside} {line[7:]}" for line in sentences(4))
    for short in ("Two words.", "Three short words.", "a [1] b", "[1] [2] [edit]", "x " * 2, "x" * 1000, "x" * 1001):
        yield "\n".join([*plain[:4], short, short])
        yield "\n".join([*plain[:4], f"It is {short}."])
    for special in (
        "lorem ipsum", "Lorem Ipsum", "lorem  ipsum", "{", "}", "javascript", "JavaScript", "Enable Javascript {",
        "terms of use", "Privacy Policy", "cookie policy", "uses cookies", "use of cookies", "use cookies", "cookies",
        "use cookies {", "use cookies lorem ipsum", "javascript lorem ipsum", "[1]", "[12]", "[]", "[edit]", "[a]",
        "[citation needed]", "[Edit]", "{[1]",
    ):  # fmt: skip
        for lines in (plain, plain[:5], plain[:4]):
            yield "\n".join([*lines, f"This line has {special} in it."])
            yield "\n".join([*lines, special])
            yield "\n".join([f"{lines[0]}{special}", *(f"{line} {special}" for line in lines[1:])])
    for end in (*_ENDS, "... ", ". ", ". [1]"):
        yield "\n".join(line[:-1] + end for line in sentences(8))
        yield "\n".join([*(line[:-1] + end for line in sentences(4)), *sentences(4, first=200)])


def line_shapes() -> Iterator[str]:
    """Yield documents at the edges of FineWeb's rules."""
    for ended in (2, 3, 4):
        bare = [line[:-1] for line in sentences(25)]
        for mark in (*_ENDS, ". "):
            yield "\n".join([*(line + mark for line in bare[:ended]), *bare[ended:]])
    for short in (65, 66, 67, 68, 69):
        for letters in (28, 29, 30):
            stubs = [" ".join(words(6, 6 * n))[:letters].strip().ljust(letters, "y") + "." for n in range(short)]
            yield "\n".join([*stubs, *sentences(100 - short)])
            yield "\n\n \n".join([*stubs, *sentences(100 - short)])
    for length in range(10, 60):
        text = sentences(8, 50)
        yield "\n".join([*text, "b" * length + ".", "b" * length + "."])
    for joint in ("\n\n", "\n \n", "\r\n"):
        yield joint.join([*sentences(8, 50), "A line again.", "A line again. "])
        yield joint.join([*sentences(8, 50), "A line again.", "A line again."])
    for breaks in range(26, 36):
        yield f"{' '.join(words(48))}." + "\n" * breaks + f"The {' '.join(words(48, 100))} of."


def odd() -> Iterator[str]:
    """Yield texts that are hardly documents, and spellings at which tokenizers part."""
    yield from ("", " ", "\n", "\n\n\t", "\u00a0", "\u200b", ".", "...", "#", "a", "\x00", "\ufeff", "\u3000")
    body = " ".join(sentences(6))
    for piece in (*_SPELLINGS, "a\x1cb", "a\x85b", "a\u2028b"):
        yield f"{body} {' '.join([piece] * 12)}"
        yield f"{body}\n{chr(10).join([f'{piece}.'] * 6)}"


def mutated(texts: list[str], count: int) -> Iterator[str]:
    """Yield damaged copies of texts: lines repeated, dropped, cut, joined or given another end."""
    random = Random(0)
    for _ in range(count):
        found = random.choice(texts).split("\n")
        for _ in range(random.randint(1, 12)):
            at = random.randrange(len(found))
            found[at : at + 1] = random.choice(
                (
                    [found[at]] * random.randint(2, 6),
                    [],
                    [found[at][: random.randint(0, 60)]],
                    found[at].split(". "),
                    [found[at] + random.choice(("...", " {", " [1]", " javascript", "#", "•"))],
                    ["- " + found[at]],
                )
            ) or [""]
        yield random.choice(("\n", "\n\n", " ")).join(found)


def documents(texts: list[str]) -> list[str]:
    """Return all edges, and damaged copies of the given texts; the same each time."""
    return [*repetition(), *quality(), *cleaning(), *line_shapes(), *odd(), *mutated(texts, 300)]
