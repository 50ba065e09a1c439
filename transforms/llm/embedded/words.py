"""Closed word classes, verbs and name cues of English that the embedded engine reads with. Data only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


def word_set(text: str) -> frozenset[str]:
    """Return the words of a text as a set."""
    return frozenset(text.split())


_VOWELS: Final = "aeiou"


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb that states an event one may ask about.

    Attributes:
      base: the form after "did".
      past: the simple past.
      participle: the form after "was".
      agent: "Who <past> X?" has one right answer, as a rule, when X is named.
      alone: the verb needs no object.
    """

    base: str
    past: str
    participle: str
    agent: bool = False
    alone: bool = False


def _regular(base: str) -> str:
    if base.endswith("e"):
        return base + "d"
    if base.endswith("y") and base[-2] not in _VOWELS:
        return base[:-1] + "ied"
    return base + "ed"


def _forms(entry: str) -> tuple[str, str, str]:
    """Expand "base", "base:past" or "base:past:participle"."""
    parts = entry.split(":")
    past = parts[1] if len(parts) > 1 else _regular(parts[0])
    return parts[0], past, parts[2] if len(parts) > 2 else past


# Who did it is one person or body: "X was <participle> by Y".
_AGENT: Final = """
acquire annex assassinate author behead build:built buy:bought capture coin commission compose conceive conquer
construct create crown curate defeat demolish design destroy develop devise direct discover dissolve edit engineer
engrave erect establish excavate execute formulate found illustrate inaugurate initiate introduce invent isolate kill
launch murder organise organize paint patent proclaim program:programmed propose publish purchase record release
sculpt sculpture shoot:shot sing:sang:sung sketch spearhead sponsor synthesize translate write:wrote:written
"""
# When it happened is one date, as a rule.
_EVENT: Final = """
abandon abdicate abolish absorb accept accuse achieve acquit:acquitted adapt admit:admitted adopt air ally amend
announce appear appoint approve arrest arrive ascend assume attack attain attend attract authorize award back
ban:banned banish baptise baptize beatify become:became:become begin:began:begun bequeath besiege blockade bomb
bombard break:broke:broken breed:bred bring:brought broadcast:broadcast bury:buried call cancel cancel:cancelled
canonize captain cast:cast cease cede celebrate centralize chair challenge charge charter christen circumnavigate
claim close co-found co-write:co-wrote:co-written collapse combine commence compile complete conclude condemn confirm
confiscate consecrate consist consolidate contract contribute convene convert convict cover crash cross cultivate
deactivate debut declare decommission decorate decree decriminalize dedicate defect define delete deliver demonstrate
deny depart depict deploy deport depose deposit derail deregulate describe designate detach detect detonate devastate
diagnose die digitize disappear disband discontinue dispatch divide divorce dock domesticate donate double
draft:drafted draw:drew:drawn earn elect elevate eliminate emancipate emerge emigrate employ enact encounter end
endorse endow enlarge enlist enrol:enrolled enroll enter enthrone equip:equipped erupt escape evacuate evict exceed
exchange excommunicate exhibit exhume exile expand expel:expelled expire explode export expose extend extradite fail
fall:fell:fallen feature field fight:fought find:found file fill film finalize finance fine:fined finish flee:fled flood
fly:flew:flown forbid:forbade:forbidden form fortify frame free:freed fund gain gather give:gave:given govern graduate
grant hand hang:hanged happen harvest head headquarter hijack hire hold:held honor honour hospitalize host house
identify impeach implement import imprison incorporate indict induct inhabit inherit injure inspire install institute
insure integrate inter:interred intercept intern intervene interview invade issue join kidnap:kidnapped knight label
label:labelled land last lay:laid:laid lead:led lease leave:left legalize levy liberate license lift limit liquidate
list live locate lock loot lose:lost make:made mandate manufacture map:mapped marketize marry:married master meet:met
merge migrate mine mint mobilise mobilize model modernize monitor mothball mount move name nationalise nationalize
naturalize nominate note notify number observe obtain occupy occur:occurred offer open orbit ordain order originate
outlaw outline override:overrode:overridden overrun:overran:overrun oversee:oversaw:overseen
overthrow:overthrew:overthrown own pardon participate partition pass pave perform permit:permitted photograph pioneer
plant play poison populate position power predict premiere present print privatise privatize process produce prohibit
promote promulgate prosecute protect prove publicise publicize pull push qualify quarantine quit:quit raise ratify
raze reach reaffirm realign reallocate rebrand rebuild:rebuilt recapture receive reclassify recognise recognize
reconstruct recruit rededicate redesign redevelop reduce reelect reestablish reform refurbish refuse regain register
reign reintroduce reject rejoin relaunch relinquish relocate remain remarry remaster remodel remove rename render
renovate reopen reorganise repatriate repeal replace replant report reprint rescind rescue resettle resign respond
restore restrict restructure resume resurrect retire retitle retrofit:retrofitted return reunify reunite reveal revise
revive revoke ride:rode:ridden rise:rose:risen rob:robbed rule run:ran:run sack sail sanction save schedule score
scrap:scrapped screen secede secure seize select sell:sold send:sent sentence separate serve settle shelve shift
ship:shipped show:showed:shown sign simplify sink:sank:sunk slay:slew:slain solve spend:spent split:split stabilize
stage standardize start state steal:stole:stolen storm strike:struck study subdivide subdue submit:submitted succeed
sue summon support suppress surrender survey survive suspend swear:swore:sworn sweep:swept take:took:taken target
teach:taught tear:tore:torn terminate test throw:threw:thrown tie top:topped topple torpedo torture tour trace track
trade trademark train transfer:transferred transform travel travel:travelled traverse treat trigger triple try turn
undergo:underwent:undergone unearth unify unite unveil upgrade use vacate value vandalize veto:vetoed visit vote
voyage walk weave:wove:woven wed:wed win:won withdraw:withdrew:withdrawn work wound wreck
"""
_ALONE: Final = word_set(
    """
    abdicate cease close collapse commence crash debut depart die disband disappear divorce emerge emigrate end expire
    explode graduate marry merge open premiere reopen resign retire secede sink surrender arrive air occur happen
    erupt
    """
)


def _verbs() -> tuple[dict[str, Verb], dict[str, Verb]]:
    pasts: dict[str, Verb] = {}
    participles: dict[str, Verb] = {}
    for block, agent in ((_AGENT, True), (_EVENT, False)):
        for entry in block.split():
            base, past, participle = _forms(entry)
            if past in pasts:
                continue
            pasts[past] = verb = Verb(base, past, participle, agent, base in _ALONE)
            participles.setdefault(participle, verb)
    participles["born"] = Verb("bear", "bore", "born")
    return pasts, participles


PASTS, PARTICIPLES = _verbs()

# Verbs whose event comes back (a title is won, a country visited, again and again): "in what year" has no one answer.
RECURRING: Final = word_set(
    """
    accept accuse achieve air amend announce appear arrest arrive assume attack attend attract award back break bring
    broadcast call celebrate chair challenge charge claim combine condemn confirm consist contribute cover cross
    defeat define deliver deny depart depict destroy dispatch divide double draw elect employ encounter end
    enter evacuate exceed exchange exhibit export expose extend fail feature fight file fill finance finish flood fly
    fund gain gather give govern grant hand head hire hold host house identify import inhabit injure inspire interview
    invade issue label last lead leave limit list live locate lose make mandate manufacture master meet model monitor
    mount nominate note notify number observe occupy offer orbit order organise organize own participate perform
    permit photograph place play position power predict present print process produce protect prove pull push qualify
    raise reach reaffirm receive recognise recognize record recruit reduce reelect reign reject remain remove render
    replace report respond return reveal ride rise rule run sail save schedule score screen select sell send serve
    settle shift show spend stage state strike study succeed support survey survive sweep take target teach test throw
    top tour trace track trade train travel treat trigger triple try turn use value visit vote walk win work wound
    """
)

# Of these, what a named body does once on a given day ("On what date did the British Government announce ...?").
ONE_DAY: Final = word_set(
    """
    accept amend announce arrest assume attack award call claim condemn confirm deliver deny destroy elect end enter
    extend hire identify invade issue leave list make nominate occupy order raise receive recognise recognize reject
    remove replace reveal rule save sell send strike submit
    """
)

# Present-tense verbs that count what their subject has.
PRESENTS: Final = {
    "contains": "contain", "comprises": "comprise", "consists": "consist", "includes": "include", "covers": "cover",
    "employs": "employ", "operates": "operate", "houses": "house", "spans": "span", "features": "feature",
}  # fmt: skip

AUXILIARIES: Final = word_set(
    """
    is are was were be been being am has have had having does do did can could will would shall should may might must
    isn't wasn't weren't hasn't didn't doesn't don't can't couldn't won't wouldn't ain't
    """
)

MONTHS: Final = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

_UP_TO_TWENTY: Final = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
)
NUMBER_WORDS: Final = {
    word: value
    for value, word in enumerate(_UP_TO_TWENTY.split())
} | {
    "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90, "hundred": 100,
    "dozen": 12, "thousand": 1000, "million": 1_000_000, "billion": 1_000_000_000,
}  # fmt: skip

PREPOSITIONS: Final = word_set(
    """
    of in on at by for from to with into onto under over within without during after before between among against
    through throughout across along near beside around about above below behind beyond via as upon toward towards
    until since despite per alongside outside inside following opposite off out up down
    """
)
CONJUNCTIONS: Final = word_set(
    """
    and or but nor so yet while whereas although though because if unless when whenever where wherever that which who
    whom whose how why what whether than once till
    """
)
DETERMINERS: Final = word_set(
    "a an the this these those each every either neither some any no all both many much few several most"
)
PRONOUNS: Final = word_set(
    """
    he him his she her hers it its they them their theirs i me my mine we us our ours you your yours himself herself
    itself themselves myself ourselves yourself one ones someone somebody anyone anybody everyone everybody nobody
    none
    """
)
# Words that point at something said elsewhere.
POINTERS: Final = word_set(
    """
    this these those such here there former latter same another other others aforementioned said above below following
    previous previously preceding respectively then thus hence therefore thereby thereafter afterwards however later
    earlier also too instead again today yesterday tomorrow tonight now currently recently ago meanwhile both likewise
    similarly otherwise elsewhere else his her hers its their theirs he she it they him them i we you my our your me
    us himself herself itself themselves one ones who whom whose which that when where while but although because so
    whether if current present-day recent
    """
)
# Capitalised only because they begin the sentence: no name starts with them.
NOT_NAMES: Final = (
    PREPOSITIONS
    | CONJUNCTIONS
    | DETERMINERS - {"the"}
    | PRONOUNS
    | POINTERS
    | word_set(
        """
        not only just even ever never always often sometimes usually perhaps maybe still once soon next last like
        unlike more less other certain various numerous countless other part half two three four five six seven eight
        nine ten early late modern young old eventually finally initially originally today tonight overall together
        apart born based given due according additionally moreover furthermore nevertheless nonetheless indeed instead
        rather in-game back there's it's he's she's let let's yes no well first second third thirdly secondly lastly
        people members critics scientists researchers scholars historians workers students women men children troops
        forces construction work production development research evidence another approximately nearly almost roughly
        nevertheless nonetheless already designed built founded written directed produced starring set located named
        called known former changed new added removed deprecated version note see example examples warning plot
        synopsis review rating score verdict
        """
    )
)

# Capitalised common nouns that name nothing by themselves ("the Senate", "the Company").
GENERIC_NAMES: Final = word_set(
    """
    academy act administration agency agreement air airport alliance amendment archbishop army article assembly
    association authority bank battle bill bishop board body book brigade bureau cabinet canal cathedral center centre
    chairman chamber championship chancellor chief church city class club code college colony commander commission
    committee community companies company conference confederation congress constitution convention corps corporation
    council count county court crown cup dean declaration delegation department director district division doctor duke
    dynasty earl east eastern emperor empire empress federation festival fleet force forces foundation games general
    government governor grand group guard high hospital house institute island islands judge king kingdom lake law
    league legion library lord lords lower main major mayor military minister ministry mission monarchy mountain
    movement museum nation national navy new north northern office officer official order organisation organization
    palace park parliament party people pope president prime prince princess prize professor programme project
    protocol province queen railway regiment reich report republic restoration revolution river royal school season
    secretary senate senator series service session show society south southern squadron staff state states station
    street summit supreme synod team temple treaty tribunal trust union unit university upper us uk u.s war west
    western workers world year games red black white green blue big great old first second third fourth fifth sixth
    seventh eighth ninth tenth executive legislative judicial branch secretary treasury lieutenant captain colonel
    sergeant mr mrs ms miss dr sir
    """
)
# "by the Act of Union", "by the character Beth Greene": nobody who did anything.
NOT_AGENTS: Final = word_set(
    "act acts treaty law laws constitution agreement decree resolution code bill edict character characters statute"
)
HONORIFICS: Final = word_set("mr mrs ms miss dr mr. mrs. ms. dr. sir dame prof prof. rev rev. lady lord")

# A name with one of these is not a person's.
NOT_PERSONS: Final = (
    GENERIC_NAMES - word_set("king queen prince princess emperor lord count duke earl pope bishop major general sir")
) | word_set(
    """
    inc inc. ltd ltd. co co. corp corp. llc plc gmbh group press records studios entertainment pictures productions
    systems technologies software industries motors airlines airways bros brothers partners times post news magazine
    journal review gazette guardian orchestra quartet band ensemble theatre theater opera ballet bridge tower castle
    hall building dam mine valley bay sea ocean gulf strait peninsula mount mountains desert forest road highway
    avenue square line county township village town borough parish region coast cape port harbor harbour beach creek
    pass glacier plateau basin republic kingdom states america england scotland wales ireland britain germany france
    spain italy russia china japan india canada australia africa asia europe american british english scottish welsh
    irish german french spanish italian russian chinese japanese indian canadian australian african asian european
    dutch greek roman soviet ottoman byzantine persian turkish polish swedish danish norwegian finnish austrian
    hungarian swiss belgian portuguese brazilian mexican argentine egyptian israeli arab iranian iraqi korean
    vietnamese thai malay indonesian latin catholic protestant orthodox christian muslim jewish islamic buddhist hindu
    olympic olympics january february march april june july august september october november december monday tuesday
    wednesday thursday friday saturday sunday conservative labour democratic republican liberal communist socialist
    awards award medal prize trophy tournament open masters champions stadium arena field ground century middle ages
    theory theorem law laws effect principle equation model method algorithm test project plan doctrine bible
    testament gospel qur'an quran torah internet web windows linux unix microsoft google apple ibm intel sony nintendo
    """
)


def _names(text: str) -> frozenset[str]:
    return frozenset(name.strip() for name in text.split(","))


COUNTRIES: Final = _names(
    """
    Afghanistan, Albania, Algeria, Andorra, Angola, Argentina, Armenia, Australia, Austria, Azerbaijan, Bahrain,
    Bangladesh, Barbados, Belarus, Belgium, Belize, Benin, Bermuda, Bhutan, Bolivia, Botswana, Brazil, Britain, Brunei,
    Bulgaria, Burkina Faso, Burma, Burundi, Cambodia, Cameroon, Canada, Chad, Chile, China, Colombia, Croatia, Cuba,
    Cyprus, Czechoslovakia, Denmark, Djibouti, Ecuador, Egypt, England, Eritrea, Estonia, Ethiopia, Fiji, Finland,
    France, Gabon, Germany, Ghana, Greece, Greenland, Grenada, Guatemala, Guinea, Guyana, Haiti, Honduras, Hong Kong,
    Hungary, Iceland, India, Indonesia, Iran, Iraq, Ireland, Israel, Italy, Jamaica, Japan, Jordan, Kazakhstan, Kenya,
    Kiribati, Kosovo, Kuwait, Kyrgyzstan, Laos, Latvia, Lebanon, Lesotho, Liberia, Libya, Liechtenstein, Lithuania,
    Luxembourg, Macau, Madagascar, Malawi, Malaysia, Maldives, Mali, Malta, Mauritania, Mauritius, Mexico, Moldova,
    Monaco, Mongolia, Montenegro, Morocco, Mozambique, Myanmar, Namibia, Nauru, Nepal, New Zealand, Nicaragua, Niger,
    Nigeria, North Korea, North Macedonia, Northern Ireland, Norway, Oman, Pakistan, Palau, Palestine, Panama,
    Papua New Guinea, Paraguay, Peru, Poland, Portugal, Prussia, Puerto Rico, Qatar, Romania, Russia, Rwanda, Samoa,
    San Marino, Saudi Arabia, Scotland, Senegal, Serbia, Seychelles, Sierra Leone, Singapore, Slovakia, Slovenia,
    Somalia, South Africa, South Korea, South Sudan, Spain, Sri Lanka, Sudan, Suriname, Swaziland, Sweden, Switzerland,
    Syria, Taiwan, Tajikistan, Tanzania, Thailand, Tibet, Togo, Tonga, Tunisia, Turkey, Turkmenistan, Tuvalu, Uganda,
    Ukraine, Uruguay, Uzbekistan, Vanuatu, Venezuela, Vietnam, Wales, Yemen, Yugoslavia, Zambia, Zimbabwe
    """
)
US_STATES: Final = _names(
    """
    Alabama, Alaska, Arizona, Arkansas, California, Colorado, Connecticut, Delaware, Florida, Hawaii, Idaho, Illinois,
    Indiana, Iowa, Kansas, Kentucky, Louisiana, Maine, Maryland, Massachusetts, Michigan, Minnesota, Mississippi,
    Missouri, Montana, Nebraska, Nevada, New Hampshire, New Jersey, New Mexico, New York, North Carolina, North Dakota,
    Ohio, Oklahoma, Oregon, Pennsylvania, Rhode Island, South Carolina, South Dakota, Tennessee, Texas, Utah, Vermont,
    Virginia, Washington, West Virginia, Wisconsin, Wyoming
    """
)
CITIES: Final = _names(
    """
    Amsterdam, Athens, Baghdad, Bangkok, Barcelona, Beijing, Beirut, Belfast, Belgrade, Berlin, Birmingham, Bombay,
    Boston, Brussels, Bucharest, Budapest, Cairo, Chicago, Copenhagen, Damascus, Delhi, Detroit, Dresden, Dublin,
    Edinburgh, Florence, Frankfurt, Geneva, Glasgow, Hamburg, Helsinki, Hiroshima, Istanbul, Jakarta, Jerusalem,
    Johannesburg, Kabul, Karachi, Kiev, Kyiv, Kyoto, Leningrad, Lisbon, Liverpool, London, Madrid, Manchester, Manila,
    Melbourne, Milan, Montreal, Moscow, Mumbai, Munich, Nairobi, Naples, Osaka, Oslo, Paris, Philadelphia, Prague,
    Rome, Seoul, Shanghai, Stockholm, Sydney, Tehran, Tokyo, Toronto, Vancouver, Venice, Vienna, Warsaw, Zurich,
    Constantinople, Carthage
    """
)
PLACES: Final = COUNTRIES | US_STATES | CITIES | {"Africa", "Asia", "Europe", "Antarctica"}

# Works are named with their kind, because titles repeat: "the film Alien".
WORKS: Final = {
    "album": "recorded", "film": "directed", "novel": "wrote", "book": "wrote", "song": "released", "single":
    "released", "play": "wrote", "poem": "wrote", "painting": "painted", "opera": "composed", "symphony": "composed",
    "musical": "wrote", "novella": "wrote", "manga": "wrote", "EP": "released", "memoir": "wrote", "sculpture":
    "created", "story": "wrote", "mixtape": "released", "documentary": "directed", "autobiography": "wrote",
    "miniseries": "created", "sitcom": "created", "series": "created", "game": "developed", "magazine": "founded",
    "newspaper": "founded", "comic": "created", "show": "created", "drama": "created", "movie": "directed",
    "textbook": "wrote",
}  # fmt: skip
# "X is a <kind> in Y": kinds of things that lie somewhere.
SITES: Final = word_set(
    """
    airport abbey arena bay beach borough bridge building canal castle cathedral cave cemetery church city college
    commune community county creek dam district farm fort fortress garden glacier hamlet hill hospital hotel house
    island lake lighthouse mansion mill mine monastery monument mosque mountain municipality museum neighborhood
    neighbourhood palace parish park peak port province region reservoir resort river school settlement square stadium
    station stream street suburb temple theater theatre tower town township tributary university valley village
    volcano waterfall winery zoo stadium hall
    """
)
OCCUPATIONS: Final = word_set(
    """
    academic activist actor actress admiral anthropologist archaeologist archbishop architect artist astronaut
    astronomer athlete author aviator ballerina banker baritone baroness bassist biathlete biochemist biologist bishop
    botanist boxer broadcaster businessman businesswoman businessperson cardinal cartoonist cellist chef chemist
    choreographer cinematographer clergyman coach comedian commander composer cricketer critic cyclist
    dancer designer diplomat director divine diver drummer economist editor engineer entomologist entrepreneur
    environmentalist essayist executive explorer farmer fencer filmmaker footballer gangster general geneticist
    geographer geologist golfer guitarist gymnast historian illustrator industrialist inventor journalist judge
    jurist lawyer librettist linguist lyricist magician mathematician merchant meteorologist microbiologist minister
    missionary mountaineer musician musicologist naturalist neurologist neuroscientist novelist nun
    nurse officer orientalist ornithologist painter paleontologist pathologist personality philanthropist philologist
    philosopher photographer physician physicist physiologist pianist pilot pioneer player playwright poet politician
    preacher presenter priest producer professor programmer psychiatrist psychoanalyst psychologist publisher rabbi
    racer rapper revolutionary rower runner sailor saxophonist scholar scientist screenwriter sculptor senator singer
    singer-songwriter skater skier snowboarder sociologist soldier songwriter soprano statesman statistician striker
    surgeon swimmer teacher tenor theologian theorist translator violinist virologist volleyballer wrestler writer
    zoologist
    """
)
# "The British government" is one; "the Belgian railway" may be any.
NATIONAL: Final = word_set(
    """
    government parliament army navy constitution monarchy empire economy population revolution military royal language
    authorities alphabet capital flag senate congress emperor air cabinet colony republic
    """
)
MEASURES: Final = {
    "long": "How long", "high": "How high", "tall": "How tall", "wide": "How wide", "deep": "How deep",
    "thick": "How thick",
}  # fmt: skip
EXTENTS: Final = word_set(
    """
    area length height elevation depth width diameter radius capacity population weight mass wingspan speed altitude
    density membership circulation enrollment enrolment span perimeter volume lifespan
    """
)
UNITS: Final = word_set(
    """
    m km cm mm ft mi kg g lb lbs ha metre metres meter meters kilometre kilometres kilometer kilometers mile miles
    foot feet inch inches yard yards centimetre centimetres centimeter centimeters millimetres millimeters hectare
    hectares acre acres tonne tonnes ton tons kilogram kilograms kilogrammes pound pounds gram grams litre litres
    liter liters year years month months week weeks day days hour hours minute minutes second seconds percent degrees
    knots people inhabitants residents seats students members square km2 km² mph watts kilowatts megawatts mw kw hz
    mhz ghz bytes bits kb mb gb spectators passengers dollars euros yen light-years
    """
)

KNOWN_ACRONYMS: Final = word_set(
    """
    US USA UK UN EU NATO NASA BBC CNN IBM FBI CIA DNA RNA AIDS HIV OPEC UNESCO UNICEF WHO IMF NFL NBA MLB NHL FIFA
    UEFA NCAA GDP USSR UAE MIT UCLA HTTP HTML XML SQL TCP IP CPU GPU PDF TV DVD CD AC DC AM FM AD BC BCE CE II III IV
    VI VII VIII IX XI XII XIII XIV XV XVI XVII XVIII XIX XX EP LP ABC NBC CBS MTV HBO IRA PLO NSA KGB LGBT GPS USB
    WWII PBS ESPN MGM EMI RCA BMW GM AT T DJ MC SS PC UFO SMS GSM IRC DOS API GNU GPL BSD RAF USAF NYC LA JFK UFC WWE
    PGA IOC HMS USS RMS KLM
    """
)
