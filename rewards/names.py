"""Names: of people, with titles, initials, middle names and short forms, and of the regions that places lie in."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from rewards.text import fold, words

TITLES: Final = frozenset(
    "mr mrs ms miss dr doctor prof professor sir dame lord lady baron baroness count countess duke duchess prince "
    "princess king queen emperor empress pope saint father mother sister brother reverend rev bishop archbishop "
    "cardinal rabbi imam general gen colonel captain major admiral lieutenant sergeant president senator "
    "governor justice judge "
    "chief minister chancellor actor actress singer songwriter musician composer author writer novelist poet painter "
    "artist director physicist chemist scientist inventor engineer philosopher explorer band group rapper "
    "comedian".split()
)
"""What stands before a name and is no part of it: honours, offices, and the trades that apposition puts there."""

_BEFORE_NAMES: Final = TITLES | {"the", "a", "an"}
PARTICLES: Final = frozenset("de da di du del della la le van von der den ten bin ibn al el y of".split())
_SUFFIXES: Final = frozenset("jr sr junior senior 2 3 4".split())
_PLACES: Final = frozenset(
    "new san santa los las el la north south east west northern southern eastern western central great united port "
    "mount lake river fort cape rio hong sri world international national royal federal european american "
    "british".split()
)
"""What begins the name of a place or a body, whose last word is no family name."""

_WORD: Final = re.compile(r"[^\W\d_][\w'.-]*")
_BEFORE_SUFFIX: Final = re.compile(r",\s*(?=(?:Jr|Sr|II|III|IV)\b)")
_GAP: Final = 2  # middle names that one of two texts may leave out


REGION: Final = re.compile(
    r", (?:Alabama|Alaska|Arizona|Arkansas|California|Colorado|Connecticut|Delaware|Florida|Georgia|Hawaii|Idaho"
    r"|Illinois|Indiana|Iowa|Kansas|Kentucky|Louisiana|Maine|Maryland|Massachusetts|Michigan|Minnesota"
    r"|Mississippi|Missouri|Montana"
    r"|Nebraska|Nevada|New Hampshire|New Jersey|New Mexico|New York|North Carolina|North Dakota|Ohio|Oklahoma|Oregon"
    r"|Pennsylvania|Rhode Island|South Carolina|South Dakota|Tennessee|Texas|Utah|Vermont|Virginia|Washington"
    r"|West Virginia|Wisconsin|Wyoming|USA?|U\.S\.A?\.?|United States|UK|U\.K\.|United Kingdom|England|Scotland"
    r"|Wales|Ireland|Canada"
    r"|Ontario|Quebec|British Columbia|Nova Scotia|Australia|New Zealand|France|Germany|Austria|Italy|Spain|Portugal"
    r"|Switzerland|Belgium|Netherlands|Greece|Turkey|Russia|Poland|Hungary|Sweden|Norway|Denmark|Finland|China"
    r"|Japan|India"
    r"|Pakistan|Israel|Egypt|Mexico|Brazil|Argentina|South Africa|Washington,? D\.?C\.?)(?=\W*$|,|\.)"
)
"""The state or country that a place is said to lie in."""


class Name(NamedTuple):
    """A person's name in words as they are compared: given names or initials, the family name, "jr" or a number."""

    given: tuple[str, ...]
    family: str
    suffix: str = ""


@functools.lru_cache(maxsize=8192)
def name_of(text: str) -> Name | None:
    """Return the name that a text consists of: two to five capitalised words, titles before them or not."""
    if " " not in text.replace("\xa0", " ") or any(map(str.isdigit, text)):
        return None
    text = _BEFORE_SUFFIX.sub(" ", text) if "," in text else text
    capitals = _WORD.findall(fold(text))
    while capitals and capitals[0].rstrip(".").lower() in _BEFORE_NAMES:
        capitals = capitals[1:]
    if not 2 <= len(capitals) <= 6:
        return None
    if any(word[0].islower() and word.lower() not in PARTICLES for word in capitals) or capitals[0][0].islower():
        return None
    if _NO_NAME.search(fold(text)):
        return None
    parts = [word for word in words(" ".join(capitals)) if word not in PARTICLES]
    suffix = ""
    while len(parts) > 1 and parts[-1] in _SUFFIXES:
        suffix = parts.pop()
    if len(parts) < 2 or len(parts[-1]) < 2 or parts[0] in _PLACES:
        return None
    return Name(tuple(parts[:-1]), parts[-1], suffix)


_NO_NAME: Final = re.compile(r"[^\w .'\u2019\xa0-]|_")

_FAMILIAR: Final = """
william bill billy will willy; robert bob bobby rob robbie bert; richard dick rick ricky rich;
james jim jimmy jamie; john jack johnny jon; edward ed eddie ted teddy ned; theodore ted teddy theo;
thomas tom tommy; anthony tony; michael mike mickey mick; charles charlie chuck; henry harry hank;
harold harry hal; lawrence larry; laurence larry; joseph joe joey; gerald gerry jerry; jerome jerry;
stephen steve steven stevie; david dave; nicholas nick nicky; andrew andy drew; alexander alex sandy alec;
samuel sam sammy; daniel dan danny; donald don donny; ronald ron ronnie; kenneth ken kenny; gregory greg;
philip phil phillip; peter pete; patrick pat paddy; frederick fred freddy freddie; francis frank frankie;
benjamin ben benny; matthew matt; timothy tim; christopher chris kit; albert al bert; alfred alf fred;
arthur art; walter walt; leonard len lenny leo; raymond ray; vincent vince;
elizabeth liz lizzie beth betty eliza bess libby; katherine kate kathy katie kitty;
catherine kate cathy katie cat; margaret maggie meg peggy; mary molly polly; susan sue susie; rebecca becky;
deborah debbie deb; jennifer jenny jen; jessica jess jessie; patricia pat patty tricia; barbara barb babs;
dorothy dot dolly; victoria vicky; christina chris tina; alexandra alex sandra; eleanor ellie nell nora;
helen nell ellen; abigail abby; amanda mandy; samantha sam; pamela pam; cynthia cindy; frances fran fanny;
josephine jo josie; joanne jo; anne annie nancy ann
"""
_FORMS: Final[dict[str, frozenset[str]]] = {}
for _group in _FAMILIAR.split(";"):
    for _form in _group.split():
        _FORMS[_form] = _FORMS.get(_form, frozenset()) | {_group.split()[0]}
_NO_FORMS: Final[frozenset[str]] = frozenset()


def same_given(one: str, other: str) -> bool:
    """Return whether two given names may be one: the same, an initial and its name, a form of it ("Bill")."""
    short, long = sorted((one, other), key=len)
    if long.startswith(short) and (len(short) != 2 or short[1] in "aeiouy"):
        return True
    return not _FORMS.get(one, _NO_FORMS).isdisjoint(_FORMS.get(other, _NO_FORMS))


def spans_of(name: Name, text: Sequence[str]) -> list[tuple[int, int]]:
    """Return where the words of a text hold a name: a given name or initials of it, at most two more, the family name.

    Middle names may be missing on one side; where both have some, they must agree.
    """
    if name.family not in text:
        return []
    spans = []
    for place, word in enumerate(text):
        if word != name.family or place == 0 or _is_another(name, text[place + 1 : place + 2]):
            continue
        for start in range(place - 1, max(place - 2 - _GAP, -1), -1):
            if not text[start].isalpha() or text[start] in _NEVER_GIVEN:
                break
            if _are_given(name.given, text[start:place], text[start - 1] if start else ""):
                spans.append((start, place + 1))
                break
    return spans


def _is_another(name: Name, behind: Sequence[str]) -> bool:
    """Return whether the word behind a family name makes it another's than a name with a suffix: "I", "Sr."."""
    return bool(name.suffix and behind) and behind[0] != name.suffix and behind[0] in _DISTINGUISHING


_DISTINGUISHING: Final = frozenset(("i", *map(str, range(1, 30)), "jr", "sr", "junior", "senior"))


def titled(name: Name, text: Sequence[str]) -> bool:
    """Return whether a text is the family name behind a title, and nothing else: "President Obama"."""
    return 1 < len(text) <= 3 and text[-1] == name.family and all(word in TITLES for word in text[:-1])


def _are_given(given: Sequence[str], said: Sequence[str], before: str) -> bool:
    known, other = "".join(word[0] for word in given), "".join(word[0] for word in said)
    if len(said) == 1 and len(said[0]) in _INITIALS and known.startswith(said[0]):
        return True  # "J. R. R." for John Ronald Reuel
    if len(given) == 1 and len(given[0]) in _INITIALS and given[0].startswith(other):
        return True
    first = next((place for place, word in enumerate(given) if same_given(word, said[0])), None)
    # A middle name may stand for the first ("Greg" for Matthew Gregory), but an initial of it may not, nor one behind
    # another first name, nor the last of three, as bodies and places have ("Chernobyl Nuclear Power Plant").
    if first is None or (first and (len(said[0]) < 3 or len(given[first]) < 3 or len(given) > _GIVEN)):
        return False
    if first and before.isalpha() and before not in _MAY_PRECEDE:
        return False
    middle = given[first + 1 :]
    return not middle or all(any(same_given(word, one) for one in middle) for word in said[1:])


_INITIALS: Final = (2, 3)  # letters of initials that are written as one word
_GIVEN: Final = 2  # names before the family name of a person of whom a middle name may be used
_NEVER_GIVEN: Final = frozenset(
    "and or of by in is was are were with as to for from the a an not but who that played by his her".split()
)
_MAY_PRECEDE: Final = _NEVER_GIVEN | TITLES
