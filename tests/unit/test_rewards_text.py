"""Words, numbers in words, dates, names and quantities, as answers are compared."""

from __future__ import annotations

import pytest

from rewards.dates import Date, dates, only_dates
from rewards.names import Name, name_of, spans_of
from rewards.quantities import counted, only_quantity, quantities, readable
from rewards.stems import root, stem
from rewards.text import fold, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Beatles", "beatles"),
        ("Caf\u00e9 \u0141\u00f3d\u017a, Stra\u00dfe", "cafe lodz strasse"),
        ("Cafe\u0301", "cafe"),
        ("two hundred and fifty", "250"),
        ("one hundred and twenty-third", "123"),
        ("seven hundred thousand and five", "700005"),
        ("twenty-one", "21"),
        ("hundred hundred", "100 100"),
        ("123456789012345 million", "123456789012345000000"),
        ("0.1 thousand", "100"),
        ("5 million people", "5000000 people"),
        ("1.5 billion", "1500000000"),
        ("three and four", "3 and 4"),
        ("two four-year terms", "2 4 year terms"),
        ("one of the best", "one of best"),
        ("the sixth season", "6 season"),
        ("22nd", "22"),
        ("World War II", "world war 2"),
        ("1,234,567.50", "1234567.5"),
        ("12,34,567", "1234567"),
        ("1,2,3", "1,2,3"),
        ("100", "100"),
        ("4.0", "4"),
        ("10:00 a.m.", "10 am"),
        ("10:30", "10:30"),
        ("U.S.", "us"),
        ("the U. S. A.", "usa"),
        ("J. K. Rowling", "jk rowling"),
        ("Robert J. Anderson", "robert j anderson"),
        ("Obama's car", "obama car"),
        ("Obama\u2019s car", "obama car"),
        ("the 1980's", "1980s"),
        ("the 1980s", "1980s"),
        ("the '90s", "1990s"),
        ("St. Louis", "saint louis"),
        ("54Mbps", "54 mbps"),
        ("vitamin A", "vitamin aa"),
        ("C++ and C#", "cplusplus and csharp"),
        ("a dog", "dog"),
        ("Rome\u3001Paris\uff0cLyon", "rome paris lyon"),
        ("Rome\u00f7, Paris", "rome\u00f7 paris"),
        ("", ""),
        ("...", ""),
    ],
)
def test_words(text: str, expected: str) -> None:
    assert " ".join(words(text)) == expected


def test_vowel_signs_tell_words_apart() -> None:
    assert words("\u0915\u093f") != words("\u0915\u0940")


def test_letters_that_only_look_alike_stay_apart() -> None:
    for other in ("\u0420aris", "\uff30aris", "P\u200baris", "P\u0336aris", "\U0001d40faris"):
        assert words(other) != words("Paris")
        assert fold(other) != "Paris"


@pytest.mark.parametrize(
    ("one", "other"),
    [("Himalayas", "Himalaya"), ("backbones", "backbone"), ("cities", "city"), ("movies", "movie"), ("stopped", "stop"),
     ("lubrication", "lubricates"), ("boxes", "box"), ("classes", "class")],
)  # fmt: skip
def test_stems_of_inflections_agree(one: str, other: str) -> None:
    assert stem(one.lower()) == stem(other.lower())


@pytest.mark.parametrize(
    ("one", "other"),
    [("lubricant", "lubricate"), ("epithelium", "epithelial"), ("Korean", "Korea"), ("conductor", "conduction"),
     ("architecture", "architectural"), ("labour", "labor"), ("theatre", "theater"), ("analyse", "analyze")],
)  # fmt: skip
def test_roots_of_kin_agree(one: str, other: str) -> None:
    assert root(stem(one.lower())) == root(stem(other.lower()))


@pytest.mark.parametrize(
    ("one", "other"),
    [("Indiana", "Indian"), ("community", "communist"), ("Martin", "Martian"), ("Niger", "Nigeria"), ("hour", "horse"),
     ("Austria", "Australia"), ("neuropsychology", "neurology")],
)  # fmt: skip
def test_roots_of_strangers_do_not(one: str, other: str) -> None:
    assert root(stem(one.lower())) != root(stem(other.lower()))


@pytest.mark.parametrize(
    ("one", "other"), [("virus", "vir"), ("class", "clas"), ("1980s", "1980"), ("this", "thi"), ("gas", "ga")]
)
def test_stems_of_other_words_do_not(one: str, other: str) -> None:
    assert stem(one) != stem(other)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("July 22nd, 1947", Date("1947", 7, 22)),
        ("22 July 1947", Date("1947", 7, 22)),
        ("the 22nd of July, 1947", Date("1947", 7, 22)),
        ("on Tuesday, 22 Jul 1947", Date("1947", 7, 22)),
        ("1947-07-22", Date("1947", 7, 22)),
        ("7/22/1947", Date("1947", 7, 22)),
        ("22/7/1947", Date("1947", 7, 22)),
        ("July 1947", Date("1947", 7)),
        ("July 22", Date(None, 7, 22)),
        ("in 1947", Date("1947")),
        ("13 March 624", Date("624", 3, 13)),
        ("44 BC", Date("44bc")),
        ("the 6th century BCE", Date("6cbc")),
        ("the nineteenth century", Date("19c")),
        ("the 1960s", Date("1960s")),
    ],
)
def test_dates(text: str, expected: Date) -> None:
    assert only_dates(words(text)) == [expected]


@pytest.mark.parametrize(
    "text", ["22", "13/13/1947", "0/5/1947", "Paris", "the may pole", "July 22, 1947 in Paris", ""]
)
def test_what_is_no_date_by_itself(text: str) -> None:
    assert only_dates(words(text)) == []


def test_both_ends_of_a_range_are_dates() -> None:
    assert only_dates(words("1985\u20131993")) == [Date("1985"), Date("1993")]
    assert dates(words("from 1985 to May 1993, in 30 countries"))[0] == [Date("1993", 5), Date("1985")]


def test_precision_of_dates() -> None:
    day, month, year = Date("1947", 7, 22), Date("1947", 7), Date("1947")
    assert day.includes(month) and month.includes(year) and not year.includes(day)
    assert year.agrees(day) and not Date("1947", 8).agrees(day)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Sir Hans Adolf Krebs", Name(("hans", "adolf"), "krebs")),
        ("Martin Luther King Jr.", Name(("martin", "luther"), "king", "jr")),
        ("John Paul II", Name(("john",), "paul", "2")),
        ("Ludwig van Beethoven", Name(("ludwig",), "beethoven")),
        ("B. R. Ambedkar", Name(("br",), "ambedkar")),
        ("the British band Argent", None),
        ("Paris", None),
        ("World War 2", None),
        ("Hero Beauregard Fiennes-Tiffin", Name(("hero", "beauregard", "fiennes"), "tiffin")),
        ("a broken rudder", None),
    ],
)
def test_names(text: str, expected: Name | None) -> None:
    assert name_of(text) == expected


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("Taylor Michel Momsen", "played by Taylor Momsen in the film", True),
        ("Sally Field", "It was Sally Margaret Field", True),
        ("Bhimrao Ramji Ambedkar", "B. R. Ambedkar", True),
        ("B. R. Ambedkar", "Bhimrao Ramji Ambedkar", True),
        ("Matthew Gregory Wise", "Greg Wise", True),
        ("Patrick Walshe", "Pat Walshe", True),
        ("John Smith", "Jane Smith", False),
        ("John Smith", "Smith", False),
        ("John Smith", "John and Jane Smith", False),
        ("Selim Khan", "Suleiman Khan", False),
        ("George Eliot", "T. S. Eliot", False),
    ],
)
def test_a_name_in_a_text(name: str, text: str, found: bool) -> None:
    wanted = name_of(name)
    assert wanted is not None
    assert bool(spans_of(wanted, words(text))) == found


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("10 km", "10,000 m", True),
        ("10 km", "10 m", False),
        ("1 mile", "1609.344 metres", True),
        ("90 minutes", "1.5 hours", True),
        ("10%", "10", False),
        ("10%", "0.1", True),
        ("10 percent", "10 %", True),
        ("6.626x10^-34", "9.11x10^-31", False),
        ("6.626x10^-34", "6.626e-34", True),
        ("6.626 \\times 10^{-34}", "6.62607015 \u00d7 10^-34", True),
        ("1914-1918", "-4", False),
        ("1914-1918", "1914 to 1918", True),
        ("5-10 km", "between 5 and 10 kilometers", True),
        ("5-10 km", "5 km", False),
        ("$5", "\u20ac5", False),
        ("$5", "5 dollars", True),
        ("5 million", "5,000,000", True),
        ("two hundred and fifty", "250", True),
        ("3.14", "3.14159", True),
        ("3.14", "3.15", False),
        ("3.14159", "3.14", False),
        ("0.1", "0.14", False),
        ("1/3", "0.333", True),
        ("1/3", "0.3", False),
        ("-5", "5", False),
        ("12345678901", "12345678902", False),
        ("1e300", "1e299", False),
        ("25 \u00b0C", "25 degrees Celsius", True),
        ("25 \u00b0C", "25 \u00b0F", False),
        ("54 Mbit/s", "54Mbps", True),
        ("10^5", "100000", True),
        ("10\u00b2", "100", True),
        ("10\u00b2", "10", False),
    ],
)
def test_quantities_that_are_equal(one: str, other: str, same: bool) -> None:
    first, second = only_quantity(one), only_quantity(other)
    assert first is not None and second is not None
    assert first.is_(second) == same


@pytest.mark.parametrize(
    "text", ["7 seasons", "Paris", "5 feet 10 inches", "", "x+1", "1/0", "1e999999", "9" * 100, "0^-1", "5 or 6"]
)
def test_what_is_no_quantity_by_itself(text: str) -> None:
    assert only_quantity(text) is None


def test_a_unit_may_be_left_out_when_the_question_names_it() -> None:
    ten, plain = only_quantity("10 km"), only_quantity("10")
    assert ten is not None and plain is not None
    assert ten.is_(plain, "How many kilometers is it?")
    assert plain.is_(ten, "How far is it in km?")
    assert not ten.is_(plain, "How far is it?")
    share = only_quantity("10%")
    assert share is not None
    assert share.is_(plain, "What percentage of it?") and not share.is_(plain, "What share of it?")


def test_what_is_counted_may_be_said() -> None:
    seven = counted("7 seasons")
    assert seven is not None and seven.low == 7
    assert counted("7 of the 12") is None
    assert counted("the seven years that followed the war") is None


def test_the_number_of_numbers_that_are_read_is_bounded() -> None:
    assert len(quantities(readable("1, " * 1000))) == 50
