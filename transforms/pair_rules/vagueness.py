"""Questions that name nothing: every word of them could be asked of any text.

"What was the main result of the study?" has an answer only beside the study. So a question must have one word at least
that is neither grammar nor of the language in which people speak about texts, events and studies in general; a name, a
figure or a formula is such a word.
"""

from __future__ import annotations

import re
from typing import Final

from transforms.pair_rules.grounding import folded

_GRAMMAR: Final = (
    "what which who whom whose when where why how is are was were be been being am do does did done doing has have "
    "had having can could will would shall should may might must a an the this that these those it its he she they "
    "them his her their him we our you your i my me one ones of in on at by to for from with without as into about "
    "between among over under during before after since until through within and or but if than so not no any some "
    "all each every both such there here then ever still also only just very too most more least less much many few "
    "several long other another same own up out off down again else"
)
_OF_TEXTS: Final = (
    "idea ideas point points topic topics theme themes subject message takeaway purpose goal aim objective objectives "
    "conclusion conclusions argument arguments detail details fact facts information summary example examples term "
    "terms concept concepts word words name named called title detail question answer content context focus lesson "
    "meaning mean means mention mentioned describe described discuss discussed say said state stated tell told refer "
    "referred refers referring explain explained according express expressed convey conveyed remember learn learned "
    "learnt know known understand emphasize emphasized highlight highlighted"
)
_OF_EVENTS: Final = (
    "thing things something someone somebody anything person persons people man woman men women individual "
    "individuals figure figures group groups team teams member members participant participants organization "
    "organisation company companies institution place places location site matter issue issues problem problems "
    "challenge challenges situation event events incident incidents case cases happen happened happens occur occurred "
    "occurs take takes took taken part play played plays role begin began begun start started starts end ended finish "
    "finished complete completed make made making give given get got go went gone come came become became remain "
    "remained use used uses using find found show showed shown shows see seen need needed want wanted consider "
    "considered involve involved include included decide decided decision decisions action actions activity "
    "activities step steps stage way ways lead led cause caused causes reason reasons factor factors effect effects "
    "affect affected impact influence result results resulted outcome outcomes consequence consequences responsible "
    "choose chosen chose"
)
_OF_STUDIES: Final = (
    "study studies research researcher researchers experiment experiments project projects work survey investigation "
    "analysis approach method methods process finding findings discover discovered discovery conclude concluded "
    "determine determined identify identified observe observed achieve achieved reach reached propose proposed "
    "recommend recommended suggest suggested increase increased decrease decreased change changed changes difference "
    "differences value values number numbers amount quantity total share percentage percent size level kind kinds "
    "type types sort form feature features characteristic characteristics aspect aspects element elements item items "
    "object part parts solution solutions benefit benefits advantage advantages disadvantage disadvantages"
)
_QUALITIES: Final = (
    "main key central important importance significant significance primary major crucial essential relevant specific "
    "particular certain different first last next second final finally eventually initially originally whole entire "
    "overall general together large larger largest big bigger biggest small smaller smallest great greater greatest "
    "high higher highest low lower lowest new old interesting necessary possible best better worst bad true correct "
    "right wrong later"
)
_ANY_TEXT: Final = frozenset(" ".join((_GRAMMAR, _OF_TEXTS, _OF_EVENTS, _OF_STUDIES, _QUALITIES)).split())

# What a question asks for by its kind: "in which year" names no more than "when" does.
_KIND: Final = re.compile(r"\b(what|which) (?:year|month|day|date|century|decade|time|country|city|kind|type|sort)\b")
_TELLING: Final = re.compile(r"[^\Wa-z]|[^\w\s.,;:?!'()-]")


def names_nothing(question: str) -> bool:
    """Return whether all words of a question are such as any text could be asked.

    A capital behind its first letter counts as a name, and so does any letter that is not English.
    """
    question = folded(question)
    if _TELLING.search(question[:1].lower() + question[1:]):
        return False
    plain = _KIND.sub(r"\1", question.lower())
    said = re.findall(r"[a-z]+(?:'[a-z]+)?", plain)
    return bool(said) and all(word.partition("'")[0] in _ANY_TEXT for word in said)
