"""Questions that point at what their reader cannot see: the text they were made from, or somebody unnamed.

The patterns know English only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from transforms.pair_rules.grounding import folded

_READ: Final = 4000  # characters of a question whose wording is judged: some patterns take quadratic time

_SOURCE: Final = r"(?:passages?|texts?|articles?|documents?|excerpts?|paragraphs?)"
_POINTED: Final = r"(?:above|provided|preceding|previous|aforementioned|attached)"
_REPORTS: Final = (
    r"(?:say|state|mention|describe|argue|claim|suggest|explain|discuss|list|give|note|refer|define|identify|recommend"
    r"|compare|indicate|imply|conclude|report|highlight|emphasi[sz]e|believe|assert|focus|cover|point out)"
)
# What may follow "in the text" when the text is the source: the end of a clause or a verb. A noun makes a compound ("in
# the text editor"); "of", "by" or "that" tell which text is meant ("in the text of the treaty").
_CLAUSE_END: Final = (
    r"(?=\s*(?:[,.;?!)]|$)|\s+(?:about|as|is|was|are|were|how|what|why|did|does|do|has|have|had|above|below)\b)"
)
# "This document" may take up one that the question has named; before the first break there is none to take up.
_FIRST_CLAUSE: Final = r"^[^.,;:\"()]*?"
# A part of a text, or what texts tell: a reader who has not seen it looks for its name, a figure or a quotation.
_PARTS: Final = (
    r"(?:sections?|chapters?|lessons?|readings?|reading material|materials?|lines|sentences?|stor(?:y|ies)|narratives?"
    r"|accounts?|study|studies|experiments?|surveys?|reports?|essays?|scenarios?|examples?|descriptions?|transcripts?"
    r"|tables?|charts?|graphs?|diagrams?|figures?|illustrations?)"
)
_GIVEN: Final = (
    r"(?:given|described|quoted|provided|presented|discussed|shown|mentioned|cited|reported|listed|reading|following)"
)
_UNNAMED: Final = r"^(?-i:[A-Z]?[^\"\dA-Z:]*?)"
_SOURCE_REFERENCES: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # "According to the passage, ..."
        r"\b(?:according to|based on|as per|on the basis of) (?:the|this|these) "
        rf"(?:(?:{_POINTED}|source|original) )?(?:{_SOURCE}|authors?|sources?|information){_CLAUSE_END}",
        # "... in the text?"
        rf"\b(?:in|from|within|throughout|by) (?:the|this|these) (?:{_POINTED} )?{_SOURCE}{_CLAUSE_END}",
        # "What does the article say ...", "What is the article about?", "... that the passage mentions"
        rf"\b(?:does|do|did) the (?:{_POINTED} )?{_SOURCE} (?:\w+ly )?{_REPORTS}\b",
        rf"\bis the (?:{_POINTED} )?{_SOURCE} (?:\w+ly )?about\b",
        rf"\bthe (?:{_POINTED} )?{_SOURCE} {_REPORTS}(?:s|ed|d)\b",
        # "What does the author argue ...", but not "What does the author argue in Walden?"
        rf"{_FIRST_CLAUSE}\b(?:does|do|did) the authors? (?:\w+ly )?{_REPORTS}\b(?!.* in (?:the )?(?-i:[\"A-Z]))",
        rf"{_FIRST_CLAUSE}\bthe author(?:'s|s') (?:main |central |overall |primary )?"
        r"(?:opinion|view|argument|claim|point|purpose|tone|conclusion|perspective|thesis)\b"
        r"(?! (?:in|of) (?-i:[\"A-Z]))",
        # "the above passage", "the provided context", and "the following text" without a text that follows
        rf"\bthe {_POINTED} (?:{_SOURCE}|context|information|content)\b",
        rf"\bthe (?:given|following) {_SOURCE}\b(?!\s*[:\"'])",
        # "the factors listed above", "the lines quoted here"
        r"\b(?:mentioned|described|discussed|given|stated|listed|shown|provided|presented|outlined|cited|quoted"
        r"|referenced) (?:above|earlier|below|here)(?=\s*(?:[,.;?!)]|$))",
        # "In the story, who ...", "As shown in the table, ...", "In the given scenario, ...": nobody has named it.
        rf"{_UNNAMED}\b(?:in|from|by|to|considering|given) (?:the|this|these) (?:{_GIVEN} )?{_PARTS}"
        rf"(?: {_GIVEN})?{_CLAUSE_END}",
        # "As the writer puts it, ..."
        rf"{_UNNAMED}\bthe (?:author|writer|narrator|speaker) (?:{_REPORTS}|put)(?:s|es|ed|d)\b",
        # "... the text that you have just read"
        r"\b(?:which|that)? ?you (?:have )?(?:just )?read(?=\s*(?:[,.;?!)]|$))",
        # "this passage", and "this document" or "this author" before any was named
        r"\bthis (?:passage|excerpt)\b(?!\s*[:\"'])",
        rf"{_FIRST_CLAUSE}\b(?:this|these) (?:{_SOURCE}|author){_CLAUSE_END}",
    )
)

_WH: Final = r"(?:what|which|who|whom|whose|when|where|why|how)"
_AUX: Final = r"(?:did|does|do|was|were|is|are|has|have|had|can|could|will|would|should|might|may|must)"
_CONJUNCTIONS: Final = r"(?:and|or|but|if|when|because|that|than|where|while|how)\b"
_INQUIRY: Final = rf"(?:(?i:in|at|on|by|from|to|for|with|of) )?(?i:{_WH})(?: (?!{_CONJUNCTIONS})[a-z-]+){{0,4}} {_AUX}"
# After a comma, a colon or a quotation mark the question may say after all who is meant.
_UNEXPLAINED: Final = r"\b(?!,)(?!.*[:\"\n])"
# "It" is often no reference: weather, distance, the hour, or "it" for the clause that follows.
_EXPLETIVE: Final = (
    r"(?!.*\b(?:to|that|when|if|for|how|who|whether|like|takes?|took|means?|rain|snow|time|day|date|far|about|matter"
    r"|costs?|possible|said|known|true|called|feel|comes?|came|turns?|cold|warm|hot|dark)\b)"
)
_BY_PEOPLE: Final = (
    r"call|say|speak|(?:film|shoot|grow|make|sell|get|(?:stop|start|begin) [a-z]+ing)"
    r" (?!(?:in|at|on|to|from|for|of|by|with|after|before|during|when|there|it|them|this|that)\b)[a-z]+"
)
_DANGLING: Final = tuple(
    re.compile(pattern)
    for pattern in (
        # "What did she discover?": the pronoun is the subject, and only the question word came before it.
        rf"^{_INQUIRY} (?:he|she){_UNEXPLAINED}",
        # People at large: "What do they call a lift in Boston?", "Where did they film the series?"
        rf"^{_INQUIRY} they{_UNEXPLAINED}(?! (?:{_BY_PEOPLE})\b)(?!.* in [A-Z])",
        rf"^(?!(?i:why)\b){_EXPLETIVE}{_INQUIRY} it{_UNEXPLAINED}(?! (?:in|on|at)\b)",
        # A quiz names its man by what he did: "When did this physicist publish the theory of General Relativity?"
        rf"^{_INQUIRY} (?:this|these|those){_UNEXPLAINED}[^A-Z\d]*$",
        rf"^(?i:{_AUX}) (?:he|she|they){_UNEXPLAINED}",
        # "She was born in which year?"; a second sentence or clause may ask who she is, as a riddle does.
        rf"^(?:He|She|They) {_AUX} [^.;:,\"]*$",
        rf"^{_EXPLETIVE}It {_AUX} [^.;:,\"]*$",
        r"^(?:His|Her|Their|Its) [a-z]+ [^.;:,\"A-Z]*$",
        rf"^(?:This|These) [a-z]+ {_AUX} [^.;:,\"A-Z]* (?:in|at|on|by|of|for|from|to) {_WH} [^.;:,\"A-Z]*$",
        # "What is the capital of this country?"
        rf"^(?i:{_WH})\b(?!.*\b{_CONJUNCTIONS})[^.,;:\"A-Z\d]* (?:of|in|for|by|from|on) (?:this|these)"
        r" (?!(?:world|planet|universe|day|week|month|year|decade|century|way|time)s?\b)[a-z]+\?$",
    )
)


def unresolved(question: str) -> Iterator[tuple[str, str]]:
    """Yield the rules that a question breaks by what it points at, each with the words that do.

    refers_to_source: a text that its reader does not see ("according to the passage").
    dangling_reference: a he, she, it, they or this that it never names.
    """
    text = folded(question[:_READ])
    for rule, patterns in (("refers_to_source", _SOURCE_REFERENCES), ("dangling_reference", _DANGLING)):
        for pattern in patterns:
            if match := pattern.search(text):
                yield rule, match[0]
