"""Numbers with their units: grouped, spelled, scientific, per cent, ranges, and what is equal to what."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterable
from fractions import Fraction
from typing import Final, NamedTuple

from rewards.parts import with_parts
from rewards.text import CARDINALS, SCALES, fold, words_of

_UNITS: Final = """
length 0.001 mm millimeter millimeters millimetre millimetres
length 0.01 cm centimeter centimeters centimetre centimetres
length 1 m meter meters metre metres
length 1000 km kms kilometer kilometers kilometre kilometres
length 0.0254 inch inches
length 0.3048 ft foot feet
length 0.9144 yd yard yards
length 1609.344 mi mile miles
length 1e-6 um micrometer micrometers micron microns
length 1e-9 nm nanometer nanometers nanometre nanometres
mass 1e-6 mg milligram milligrams
mass 0.001 g gram grams gramme grammes
mass 1 kg kgs kilogram kilograms
mass 1000 tonne tonnes
mass 0.45359237 lb lbs pound pounds
mass 0.028349523125 oz ounce ounces
time 0.001 ms millisecond milliseconds
time 1 s sec secs second seconds
time 60 min mins minute minutes
time 3600 h hr hrs hour hours
time 86400 day days
time 604800 week weeks
month 1 month months
month 12 yr yrs year years
month 120 decade decades
month 1200 century centuries
volume 0.001 ml milliliter milliliters millilitre millilitres
volume 1 l liter liters litre litres
volume 3.785411784 gal gallon gallons
area 1e4 hectare hectares ha
area 4046.8564224 acre acres
speed 5/18 km/h kph kmh
speed 0.44704 mph mi/h
speed 1 m/s
speed 0.3048 ft/s
acceleration 1 m/s2
density 1000 g/cm3
density 1 kg/m3
data 1 bit bits
data 8 byte bytes
data 8e3 kb
data 8e6 mb
data 8e9 gb
data 8e12 tb
rate 1e3 kbps kbit/s
rate 1e6 mbps mbit/s
rate 1e9 gbps gbit/s
frequency 1 hz hertz
frequency 1e3 khz
frequency 1e6 mhz
frequency 1e9 ghz
energy 1 j joule joules
energy 1e3 kj
energy 4184 kcal kilocalorie kilocalories
power 1 w watt watts
power 1e3 kw kilowatt kilowatts
power 1e6 mw megawatt megawatts
voltage 1 v volt volts
current 1 a amp amps ampere amperes
temperature 1 kelvin kelvins
celsius 1 \u00b0c c celsius
fahrenheit 1 \u00b0f f fahrenheit
north 1 \u00b0n
south 1 \u00b0s
east 1 \u00b0e
west 1 \u00b0w
angle 1 \u00b0 degree degrees deg
dollar 1 $ dollar dollars usd
dollar 0.01 cent cents
euro 1 \u20ac euro euros eur
sterling 1 \u00a3 gbp
yen 1 \u00a5 yen jpy
rupee 1 \u20b9 rupee rupees inr
plain 0.01 % percent percentage
"""

_UNIT: Final = {
    name: (kind, Fraction(factor))
    for kind, factor, *names in (line.split() for line in _UNITS.strip().splitlines())
    for name in names
}
"""The kind of a unit, and how many of the kind's own unit it is. Per cent is a plain number's hundredth."""

_OF_LENGTH: Final = {name: factor for name, (kind, factor) in _UNIT.items() if kind == "length"}
_UNIT.update((f"{name}2", ("area", factor**2)) for name, factor in _OF_LENGTH.items())
_UNIT.update((f"{name}3", ("volume", 1000 * factor**3)) for name, factor in _OF_LENGTH.items())

PLAIN: Final = ("plain", Fraction(1))
_TELLING: Final = 3  # digits that a rounded number has at least; "0.1" stands for itself alone
MOST: Final = 50
"""Numbers of a text that are read: nobody answers with more."""

_COUNTED: Final = 3  # words that say what is counted
_LONGEST: Final = 60  # digits of a number that is read, and with it the work
_LARGEST: Final = 300  # power of ten that is read

_NUMBER: Final = re.compile(
    r"(?<![\w.\u200b-\u200f\u2060\ufeff])(?P<money>[$\u20ac\u00a3\u00a5\u20b9]\s?)?(?P<sign>[-+](?=[0-9.$]))?(?P<cash>[$\u20ac\u00a3])?"
    r"(?P<digits>[0-9]{1,3}(?:,[0-9]{2,3})*,[0-9]{3}(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?|\.[0-9]+)"
    r"(?!\.?[0-9]|[\u0300-\u036f\u200b-\u200f\u2060\ufeff])"
    r"(?:\s?/\s?(?P<under>[0-9]+)(?![0-9/]))?(?:\s?(?:\^|\*\*)\s?\{?\(?(?P<raised>[-+]?[0-9]+)\)?\}?)?"
    r"(?:\s*(?:x|\*|\\times|\\cdot|\u00b7)\s*10\s*(?:\^|\*\*)\s*\{?\(?(?P<power>[-+]?[0-9]+)\)?\}?"
    r"|e(?P<exponent>[-+]?[0-9]+))?"
)
_TAIL: Final = re.compile(r"[\s-]*(?P<scale>hundred|thousand|million|billion|trillion)?\b", re.IGNORECASE)
_DEGREES: Final = re.compile(r"[\s-]*degrees? (celsius|fahrenheit|(?:north|south|east|west|[cfnsew])\b)")
_AFTER: Final = re.compile(
    r"[\s-]*(?:\\?(%|per cent\b)|(\u00b0 ?(?:north|south|east|west|[cfnsew])?(?![a-z])"
    r"|(?:square |sq\.? ?|cubic |cu\.? )?[a-z]+(?:/[a-z]+)?(?:\^?[23](?![0-9a-z]))?))"
)
_SQUARE: Final = re.compile(r"(s|c)(?:quare |q\.? ?|ubic |u\.? )")
_MEASURED: Final = r"(?:long|wide|tall|high|deep|thick|away|across|apart|above|below|in|per)\b"
_WORDS: Final = "|".join([*CARDINALS, *SCALES])
_SPELLED: Final = re.compile(
    rf"\b(?:{'|'.join(CARDINALS)}|(?<![\d.] )(?:{'|'.join(SCALES)}))(?:(?:\s+and)?[\s-]+(?:{_WORDS}))*\b(?!\s+of\b)"
)
_RANGE: Final = re.compile(r"\s*(?:-|to|and|through|until)\s*$")
_ABOUT: Final = re.compile(
    r"^\W*(?:(?:about|around|approximately|approx|roughly|nearly|almost|some|circa|exactly|just|over|under"
    r"|up to|between"
    r"|from|at least|at most|more than|less than|the|an?)\b\W*)*$"
)


class Quantity(NamedTuple):
    """A number, or both ends of a range, in the base unit of its kind.

    Attributes:
      low: the value, or where the range begins.
      high: the value again, or where the range ends.
      kind: "plain" or what is measured ("length", "dollar").
      size: how many base units the written unit is.
      slack: half a unit of the last decimal of a number that may be a rounded one; 0 otherwise.
    """

    low: Fraction
    high: Fraction
    kind: str
    size: Fraction
    slack: Fraction

    def is_(self, other: Quantity, question: str = "") -> bool:
        """Return whether a response's quantity (`other`) is this one, at the precision of this one.

        A fraction that no decimal gives exactly ("1/3") takes the decimal's precision, three digits at least. A unit
        may be left out on one side when the question asks for it: that side then counts this very unit.
        """
        if ((self.kind, self.size) == PLAIN) != ((other.kind, other.size) == PLAIN):
            measured = other if (self.kind, self.size) == PLAIN else self
            size = asked_size(question, measured.kind) if question else None
            if size is not None and measured is other:
                other = other.counting(size)
            elif size is not None:
                return self.counting(size).is_(other)
        slack = other.slack if _endless(self) else self.slack
        return self.kind == other.kind and all(
            abs(mine - theirs) <= slack for mine, theirs in ((self.low, other.low), (self.high, other.high))
        )

    def counting(self, size: Fraction) -> Quantity:
        """Return how many units of a size the quantity is, as a plain number."""
        return Quantity(self.low / size, self.high / size, *PLAIN, self.slack / size)


def _endless(quantity: Quantity) -> bool:
    rest = quantity.low.denominator
    for factor in (2, 5):
        while rest % factor == 0:
            rest //= factor
    return rest != 1 and quantity.size == 1


class Found(NamedTuple):
    """A quantity, and where its text begins and ends."""

    quantity: Quantity
    start: int
    end: int


def readable(text: str) -> str:
    """Return a text as numbers are looked for in it: folded, small letters, spelled numbers in digits."""
    lower = fold(text.replace("\u2260", "!=")).lower()
    if "\\" in lower or "{" in lower:
        lower = _SPACE.sub(" ", lower.replace("{,}", ",").replace("\\$", "$"))
        lower = _SET.sub(r" \1", lower)
    lower = _SPELLED.sub(_in_digits, _SPACED.sub(_ungrouped, lower))
    return _MINUS.sub(r"\1-", lower)


def summed(text: str, found: Iterable[Found]) -> list[Found]:
    """Return quantities of a text with those added up that are one: "1 hour 30 minutes", "5 feet 10 inches"."""
    whole: list[Found] = []
    least = _NOTHING  # the size of the last unit that was added
    for one in found:
        last, said = (whole[-1], one.quantity) if whole else (one, one.quantity)
        if (
            whole
            and last.quantity.kind == said.kind != "plain"
            and 0 <= last.quantity.low == last.quantity.high
            and said.low == said.high >= 0
            and said.low < least
            and said.size < least
            and _ADDED.fullmatch(text, last.end, one.start)
        ):
            total = last.quantity.low + said.low
            slack = max(last.quantity.slack, said.slack)
            whole[-1] = Found(Quantity(total, total, said.kind, last.quantity.size, slack), last.start, one.end)
        else:
            whole.append(one)
        least = said.size
    return whole


_ADDED: Final = re.compile(r"\.?,? ?(?:and )?")

_MINUS: Final = re.compile(
    r"(^\W*|\b(?:is|was|are|were|be|of|to|at|about|around|approximately|roughly|exactly|equals?|answer|result|value)"
    r"\W{1,3}|[=:(]\s?)(?:minus|negative) (?=[$\u20ac\u00a3]?\.?[0-9])"
)
"""A sign in words, behind what no sum has there: in "10 minus 5" and "x minus 5" it is none."""


def without_fractions(text: str) -> str:
    """Return a text with a slash for what LaTeX sets as a fraction of two numbers."""
    return _FRACTION.sub(r" \1\2/\3\4", text) if "frac" in text else text


_FRACTION: Final = re.compile(r"\\[dt]?frac ?(?:\{ ?([0-9]+) ?\}|([0-9])) ?(?:\{ ?([0-9]+) ?\}|([0-9]))")
_SPACE: Final = re.compile(r"\\[,;:! ]|~")
_SET: Final = re.compile(r"\\(?:text|math)(?:rm|bf|it|sf)?\{([^{}]*)\}")
"""What LaTeX sets a space and a unit with."""

_SPACED: Final = re.compile(r"(?<![\w.,])(?<!\d )[0-9]{1,3}(?: [0-9]{3})+(?![\w,]|\.\d| \d)")


def _ungrouped(match: re.Match[str]) -> str:
    return match[0].replace(" ", "")


def _in_digits(match: re.Match[str]) -> str:
    said = words_of(match[0]) if len(match[0]) < _SPELLED_LENGTH else ()
    return said[0] if len(said) == 1 else match[0]


_SPELLED_LENGTH: Final = 150  # characters of a number in words, at most


def quantities(text: str, most: int = MOST) -> list[Found]:
    """Return the first quantities of a `readable` text, in its order; a range is one."""
    found: list[Found] = []
    for match in itertools.islice(_NUMBER.finditer(text), most):
        previous = found[-1] if found else None
        if previous and match.start() < previous.end:
            continue  # the power of its unit
        one = _quantity(match, text)
        if one is None:
            continue
        between = text[previous.end : one.start] if previous else ""
        if previous and _RANGE.fullmatch(between) and _is_range(text, previous, between, one):
            found[-1] = _joined(previous, one)
        else:
            found.append(one)
    return found


def _quantity(match: re.Match[str], text: str) -> Found | None:
    digits, under = match["digits"].replace(",", ""), match["under"] or "1"
    power, raised = match["power"] or match["exponent"] or "0", match["raised"] or "1"
    if len(digits) > _LONGEST or len(under) > _LONGEST or not int(under) or max(len(power), len(raised)) > 4:
        return None
    if abs(int(power)) > _LARGEST or abs(int(raised)) * len(digits) > _LARGEST:
        return None
    value = Fraction(digits)
    if under != "1":
        value /= int(under)
    if int(raised) != 1:
        if not value:
            return None
        value **= int(raised)
    decimals = len(digits.partition(".")[2])
    rounded = decimals and len(digits.replace(".", "").lstrip("0")) >= _TELLING
    factor = Fraction(10) ** int(power) if power != "0" else Fraction(1)
    tail = _TAIL.match(text, match.end())
    end = match.end()
    if tail and tail["scale"]:
        factor *= SCALES[tail["scale"].lower()]
        end = tail.end()
    (kind, size), end = _unit_at(match, text, end)
    if size != 1:
        factor *= size
    if factor != 1:
        value *= factor
    slack = factor / (2 * 10**decimals) if rounded else _NOTHING
    value = -value if match["sign"] == "-" else value
    return Found(Quantity(value, value, kind, size, slack), match.start(), end)


_NOTHING: Final = Fraction(0)


def _unit_at(match: re.Match[str], text: str, end: int) -> tuple[tuple[str, Fraction], int]:
    money = (match["money"] or match["cash"] or "").strip()
    if money:
        return _UNIT[money], end
    after = _AFTER.match(text, end)
    if after:
        name = _unit_name(after[1] or after[2])
        scale = _DEGREES.match(text, end)
        if scale:
            return _UNIT[f"\u00b0{scale[1][0]}"], scale.end()
        # "5 a day": one letter is a unit when nothing else follows than which way was measured.
        if name in _UNIT and (len(name) > 1 or name == "%" or not _GOES_ON.match(text, after.end())):
            return _UNIT[name], after.end()
    return PLAIN, end


_GOES_ON: Final = re.compile(rf"\s*(?!{_MEASURED})\w")


def _unit_name(said: str) -> str:
    """Return a unit as the table has it: "square metres" and "m^2" as "metres2" and "m2"."""
    if said[0] == "\u00b0":
        return said[:1] + said[1:].strip()[:1]
    power = _SQUARE.match(said)
    if power:
        return f"{said[power.end() :]}{2 if power[1] == 's' else 3}"
    return said.replace("^", "").replace(" ", "").replace("percent", "%")


def _is_range(text: str, previous: Found, between: str, one: Found) -> bool:
    if previous.quantity.low != previous.quantity.high:
        return False
    if "and" in between:
        return bool(re.search(r"\bbetween\s*$", text[: previous.start]))
    return previous.quantity.low < one.quantity.low or one.quantity.kind != "plain"


def _joined(previous: Found, one: Found) -> Found:
    low, high = previous.quantity, one.quantity
    if (low.kind, low.size) == PLAIN:  # "5 to 10 km"
        low = Quantity(low.low * high.size, low.high * high.size, high.kind, high.size, low.slack * high.size)
    joined = Quantity(low.low, high.high, high.kind, high.size, max(low.slack, high.slack))
    return Found(joined, previous.start, one.end)


@functools.lru_cache(maxsize=16384)
def only_quantity(text: str) -> Quantity | None:
    """Return the quantity that a text consists of, an "about" before it or not; None when it says anything else."""
    quantity, rest = _split(readable(text))
    return quantity if not rest else None


@functools.lru_cache(maxsize=16384)
def counted(text: str) -> Quantity | None:
    """Return the one quantity of a text that may say what it counts ("7 seasons"); None for any other text."""
    return _of_counted(*_split(readable(text)))


@functools.lru_cache(maxsize=16384)
def counted_whole(text: str) -> Quantity | None:
    """Return what `counted` does, and of a text with several units, a dozen or a fraction in words what they make."""
    return _of_counted(*_split(with_parts(readable(text)), add=True))


def _of_counted(quantity: Quantity | None, rest: str) -> Quantity | None:
    return quantity if len(rest.split()) <= _COUNTED and not any(map(str.isdigit, rest)) else None


def _split(lower: str, *, add: bool = False) -> tuple[Quantity | None, str]:
    lower = lower.strip(" .*")
    if len(lower) > 2 and lower[0] == lower[-1] == "$":
        lower = lower[1:-1]
    found = summed(lower, quantities(lower, 4)) if add else quantities(lower, 3)
    if len(found) != 1 or not _ABOUT.fullmatch(lower[: found[0].start]):
        return None, ""
    return found[0].quantity, lower[found[0].end :].strip(" .,;:!?)*")


_ASKED: Final = re.compile(r"\bhow many((?: [^\s?.,;]+){1,3})")
_ASKED_IN: Final = re.compile(r"\bin ((?:[a-z.]+ )?[^\s?.,;]+)")
_NAMED: Final = re.compile(
    r"(?:square |sq\.? ?|cubic |cu\.? )?[a-z]+(?:/[a-z]+)?\^?[23]?|[%$\u20ac\u00a3\u00a5\u20b9]|\u00b0 ?[cf]?\b"
)
_AGES: Final = frozenset(("age", "old"))


@functools.lru_cache(maxsize=16384)
def asked_size(question: str, kind: str) -> Fraction | None:
    """Return the size of the unit of a kind that a question asks for; of an age, a year.

    It is what "how many" counts or, without that, what follows "in", or the only one that is named. None where the
    question counts something else or leaves open which of several units it means: "300 km" is not 300 metres.
    """
    text = fold(question).lower().replace("per cent", "percent")
    counted_there = _ASKED.findall(text)
    for said in counted_there or _ASKED_IN.findall(text):
        sizes = _sizes(said, kind)
        if sizes:
            return sizes[0]
    sizes = [] if counted_there else _sizes(text, kind)
    return sizes[0] if len(set(sizes)) == 1 else None


def _sizes(text: str, kind: str) -> list[Fraction]:
    named = ("year" if said in _AGES else said for said in _NAMED.findall(text))
    units = [_UNIT.get(said) or _UNIT.get(_unit_name(said), PLAIN) for said in named]
    return [size for one, size in units if one == kind and (one, size) != PLAIN]
