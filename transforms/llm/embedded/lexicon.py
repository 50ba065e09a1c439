"""Words that speak for a domain, readers who would care, and words of page furniture. Data only."""

from __future__ import annotations

from typing import Final

from schemas.domains import Domain
from transforms.llm.embedded.words import word_set

# Stems are whole lower-case words; a trailing "+" is a weight of 3 in place of 1: the word hardly occurs elsewhere.
_DOMAIN_WORDS: Final[dict[Domain, str]] = {
    "Math": """
        theorem+ lemma+ corollary+ proof+ proofs polynomial+ polynomials+ algebra+ algebraic+ algebras+ geometry+
        geometric topology+ topological+ integer+ integers+ prime matrix+ matrices+ vector vectors eigenvalue+
        eigenvalues+ calculus+ derivative derivatives integral integrals equation equations differential+ axiom+
        axioms+ conjecture+ isomorphic+ homomorphism+ manifold+ manifolds+ subset+ subsets+ finite infinite
        cardinality+ ring field function functions mathematics+ mathematical+ mathematician+ mathematicians+
        arithmetic+ fraction fractions divisor+ coefficient+ coefficients+ logarithm+ trigonometric+ triangle+
        triangles+ circle polygon+ probability statistics combinatorics+ combinatorial+ graph vertices+ convergent+
        convergence sequence modulo+ bijection+ euclidean+ hilbert+ euler+ gauss+ formula permutation+ permutations+
        solve solution hyperbola+ parabola+ variable variables
        """,
    "Technology & Engineering": """
        engine+ engines+ engineering+ engineer+ engineers+ machine machines aircraft+ airplane+ helicopter+
        spacecraft+ rocket+ satellite satellites turbine+ turbines+ voltage+ circuit circuits transistor+ transistors+
        semiconductor+ processor+ microprocessor+ hardware+ computer computers electronic electronics+ electrical+
        electricity battery batteries wireless+ antenna+ radio radar+ telecommunication+ telecommunications+ network
        networks internet protocol broadband+ bandwidth+ frequency signal signals camera cameras lens vehicle vehicles
        automobile+ automotive+ car cars motor motors fuel combustion+ diesel+ locomotive+ locomotives+ railway
        railways tunnel bridge bridges steel concrete manufacturing manufacture manufactured device devices sensor+
        sensors+ robot+ robots+ nuclear reactor+ reactors+ laser+ console+ video pixel+ pixels+ display chip chips
        disk drive tank missile+ missiles+ weapon weapons rifle torpedo submarine prototype+ patent patents technology
        technologies technical mechanical+ industrial infrastructure phone phones smartphone+ smartphones+ gadget+
        mobile digital apple microsoft google broadband+
        """,
    "Coding": """
        python+ java+ javascript+ perl+ compiler+ compilers+ runtime+ api+ apis+ function functions method methods
        class classes object objects module+ modules+ variable variables parameter+ parameters+ argument arguments
        string strings integer boolean+ array+ arrays+ pointer+ pointers+ syntax+ parser+ parse+ parsing+ source code
        codes+ software+ programming+ programmer+ programmers+ program programs library libraries package packages
        install installed installation+ command commands shell+ script+ scripts+ file files directory+ directories+
        path default option options configuration+ config+ server+ servers client clients database+ databases+ sql+
        query+ queries+ table column columns index thread threads process exception+ exceptions+ error errors debug+
        debugging+ linux+ unix+ windows git+ commit+ branch repository+ kernel+ version+ release deprecated+ html+
        css+ xml+ json+ http+ url+ socket+ byte+ bytes+ buffer+ encoding+ unicode+ ascii+ iterator+ callback+ return
        returns returned value values true false null+ dialog+ click+ menu+ toolbar+ postgresql+ def import
        """,
    "Social Science": """
        political+ politics+ politician+ politicians+ government+ governments parliament+ parliamentary+ election+
        elections+ elected+ party parties minister+ ministers+ president presidential senate+ senator+ congress+
        constitution+ constitutional+ law laws legal+ court courts judge supreme legislation+ treaty+ war+ wars+
        battle+ army+ troops+ military+ soldiers+ empire+ emperor+ king queen kingdom dynasty+ revolution+
        revolutionary+ republic+ colonial+ colony colonies independence+ sovereignty+ democracy+ democratic communist+
        socialist+ socialism+ fascist+ nationalist+ ideology+ policy policies citizens citizenship+ society social
        sociology+ sociological+ anthropology+ anthropologist+ culture cultural ethnic+ ethnicity+ religion+
        religious+ church+ christian+ catholic+ islam+ muslim+ jewish+ buddhist+ philosophy+ philosopher+
        philosophers+ philosophical+ ethics+ moral theology+ history historical historian+ historians+ century ancient
        medieval+ archaeological+ archaeology+ linguistic+ linguistics+ language languages dialect+ psychology+
        psychological gender feminist+ feminism+ rights slavery+ slave slaves refugee+ refugees+ census+ population
        demographic+ demographics+ labour blair brown tory+ immigration+ police crime prison
        """,
    "Natural Science": """
        species+ genus+ biology+ biological+ biologist+ evolution+ evolutionary+ organism+ organisms+ cell cells
        protein+ proteins+ dna+ rna+ gene+ genes+ genetic+ genome+ chromosome+ chromosomes+ bacteria+ bacterial+
        molecule+ molecules+ molecular+ atom+ atoms+ atomic+ electron+ electrons+ proton+ quantum+ physics+ physicist+
        relativity+ particle particles energy mass velocity+ gravity+ gravitational+ magnetic+ temperature
        thermodynamic+ thermodynamics+ chemical+ chemistry+ chemist+ compound compounds acid acids oxygen+ hydrogen+
        carbon nitrogen+ sodium+ metal metals mineral+ minerals+ crystal+ geology+ geological+ volcano+ volcanic+
        earthquake+ tectonic+ fossil+ fossils+ dinosaur+ climate atmosphere+ ocean oceans planet+ planets+ star stars
        galaxy+ galaxies+ astronomy+ astronomer+ astronomical+ telescope+ solar orbit+ moon comet+ asteroid+ plant
        plants+ flower flowers+ tree trees leaf leaves animal animals+ mammal+ mammals+ bird birds+ fish insect+
        insects+ beetle+ moth+ larvae+ predator+ prey habitat+ ecology+ ecological+ ecosystem+ ecosystems+ taxonomy+
        subspecies+ family isotope+ isotopes+ radiation+ wavelength+ river lake sediment+ wildlife+ scientist
        scientists experiment experiments laboratory hypothesis+
        """,
    "Travel & Lifestyle": """
        film+ films+ movie+ movies+ actor+ actors+ actress+ acting+ cast scene scenes plot+ character characters
        director+ comedy+ drama+ horror+ thriller+ sequel+ hollywood+ cinema+ cinematography+ screenplay+ script watch
        watched watching episode+ episodes+ television+ tv show series season+ seasons album+ albums+ song+ songs+
        singer+ band+ bands+ guitar+ musician+ musicians+ music musical concert+ tour rock jazz+ pop lyrics+ dance
        dancing opera+ theatre+ novel+ novels+ fiction+ poet+ poetry+ painting+ paintings+ artist artists art gallery
        museum fashion+ clothing+ dress recipe+ cuisine+ restaurant+ restaurants+ food dish dishes cooking+ wine+
        beer+ hotel+ hotels+ tourist+ tourists+ tourism+ travel+ beach+ resort+ resorts+ park parks festival+ holiday
        holidays sport+ sports football+ footballer+ soccer+ club+ clubs goal+ goals+ league+ cup match+ matches+
        tournament+ championship+ championships+ champion olympic+ olympics+ rugby+ cricket+ tennis+ basketball+
        baseball+ hockey+ golf+ boxing+ wrestling+ coach coached player+ players+ scored+ striker+ midfielder+ game
        games gaming dvd+ oscar+ oscars+ celebrity+ city town village mountain mountains
        """,
    "Commerce & Economics": """
        company companies business businesses market markets economy+ economic+ economics+ economist+ economists+
        bank+ banks+ banking+ financial+ finance+ investment+ investments investor+ investors+ stock+ stocks+ shares+
        shareholder+ shareholders+ profit+ profits+ revenue+ revenues+ sales+ price prices+ inflation+ deflation+
        currency+ currencies+ dollar dollars euro tax taxes+ taxation+ fiscal+ monetary+ budget+ debt+ deficit+
        exports+ imports+ export import trade+ trading+ tariff+ tariffs+ gdp+ growth industry industries employment+
        unemployment+ wages+ labor labour consumer+ consumers+ customer+ customers+ retail+ retailer+ retailers+
        supply demand corporate+ corporation+ merger+ acquisition+ bankruptcy+ billion+ million bn mortgage+ loan+
        loans+ credit interest rate rates firm firms executive chief entrepreneur+ entrepreneurs+ brand advertising+
        marketing+ commodity+ commodities+ agriculture+ agricultural insurance+
        """,
    "Medicine & Health": """
        patient+ patients+ disease+ diseases+ disorder+ disorders+ syndrome+ symptom+ symptoms+ diagnosis+ diagnosed+
        treatment+ treatments+ therapy+ therapies+ therapeutic+ drug+ drugs+ medication+ medications+ dose+ doses+
        clinical+ clinic+ hospital+ hospitals+ doctor+ doctors+ physician+ physicians+ surgeon+ surgery+ surgical+
        nurse+ nurses+ nursing+ medicine+ medical+ health+ healthcare+ cancer+ tumor+ tumour+ tumors+ infection+
        infections+ infected virus+ viral+ vaccine+ vaccines+ vaccination+ antibiotic+ antibiotics+ blood heart+ brain
        lung+ lungs kidney+ liver+ bone skin+ pain+ chronic+ acute+ fever+ mortality+ pregnancy+ pregnant+ birth
        diabetes+ obesity+ asthma+ stroke+ hiv+ aids+ epidemic+ pandemic+ mental+ psychiatric+ psychiatry+ depression+
        anxiety+ insomnia+ dementia+ nutrition+ diet+ vitamin+ vitamins+ hormone+ hormones+ immune+ inflammation+
        anatomy+ abortion+ contraception+ contraceptive+ dental+
        """,
    "Education": """
        school+ schools+ university+ universities+ college+ colleges+ student+ students+ undergraduate+
        undergraduates+ graduate graduates postgraduate+ faculty+ campus+ curriculum+ teacher+ teachers+ teaching+
        taught classroom+ education+ educational+ academic+ academics degree+ degrees+ bachelor+ doctoral+ doctorate+
        diploma+ scholarship+ scholarships+ tuition+ enrollment+ enrolled+ enrolment+ exam+ exams+ examination
        literacy+ pedagogy+ kindergarten+ dormitory+ fraternity+ sorority+ alumni+ dean professor+ professors+
        lecture+ lectures+ lecturer+ learning+ learners+ primary secondary library course courses
        """,
    "Other": "",
}

Weights = dict[str, tuple[tuple[Domain, int], ...]]


def _weights() -> Weights:
    found: dict[str, dict[Domain, int]] = {}
    for domain, block in _DOMAIN_WORDS.items():
        for entry in block.split():
            word = entry.rstrip("+")
            found.setdefault(word, {})[domain] = 3 if entry.endswith("+") else 1
    return {word: tuple(domains.items()) for word, domains in found.items()}


DOMAIN_WEIGHTS: Final = _weights()
"""Lower-case word -> the domains it speaks for, each with its weight."""

# Reader -> words whose presence says that this reader would care.
PERSONAS: Final[dict[Domain, tuple[tuple[str, str], ...]]] = {
    "Math": (
        ("university mathematics student", "theorem proof algebra topology calculus manifold"),
        ("secondary-school mathematics teacher", "triangle circle equation fraction geometry arithmetic"),
        ("data analyst", "probability statistics variable distribution mean sample"),
        ("historian of mathematics", "century mathematician euler gauss euclid ancient published"),
        ("competition problem solver", "integer prime combinatorics sequence divisor permutation"),
        ("engineering student", "differential integral vector matrix equations function"),
    ),
    "Technology & Engineering": (
        ("mechanical engineer", "engine turbine fuel combustion vehicle motor"),
        ("electronics hobbyist", "circuit voltage transistor signal battery antenna"),
        ("aviation enthusiast", "aircraft airplane helicopter flight pilot rocket"),
        ("technology journalist", "company launched apple google microsoft phone mobile internet"),
        ("network engineer", "network protocol internet bandwidth wireless server"),
        ("museum curator of technology", "first prototype invented patent century history"),
        ("transport planner", "railway railways locomotive bridge tunnel car"),
        ("computer architecture student", "processor microprocessor computer memory hardware chip"),
    ),
    "Coding": (
        ("software developer", "function class method object module code"),
        ("system administrator", "server configuration install command linux shell"),
        ("database administrator", "database sql query table index postgresql"),
        ("technical writer", "option default dialog menu documentation version"),
        ("computer science student", "algorithm compiler syntax programming language type"),
        ("web developer", "html css javascript http url client"),
        ("quality engineer", "error exception debug test bug fix"),
    ),
    "Social Science": (
        ("history student", "century war empire battle revolution king"),
        ("political analyst", "election party parliament government minister president"),
        ("lawyer", "law court legal judge legislation constitution"),
        ("military historian", "army troops battle military war regiment"),
        ("scholar of religion", "church religion religious christian islam jewish buddhist"),
        ("linguist", "language linguistic dialect grammar word languages"),
        ("sociologist", "society social gender ethnic population census"),
        ("philosophy student", "philosophy philosopher ethics moral theory truth"),
        ("museum guide", "ancient archaeological medieval historical founded built"),
        ("news reader", "said government minister told announced week"),
    ),
    "Natural Science": (
        ("biology student", "species cell protein gene evolution organism"),
        ("chemist", "chemical compound acid reaction hydrogen oxygen metal"),
        ("physics student", "quantum energy particle electron physics velocity"),
        ("amateur astronomer", "star planet galaxy orbit telescope moon"),
        ("field naturalist", "species genus habitat bird insect plant moth beetle"),
        ("geologist", "volcanic mineral rock fossil tectonic river sediment"),
        ("science journalist", "discovered scientists research study climate experiment"),
        ("conservation worker", "wildlife forest habitat protected ecosystem park"),
    ),
    "Travel & Lifestyle": (
        ("film enthusiast", "film movie actor director scene plot"),
        ("music fan", "album song band singer music concert"),
        ("sports fan", "league match team club season player"),
        ("traveller planning a trip", "city town hotel tourist beach island park"),
        ("quiz host", "first won named born record famous"),
        ("reader of novels", "novel fiction poet poetry book story"),
        ("television critic", "episode series television show season drama"),
        ("food writer", "food cuisine recipe restaurant wine dish"),
        ("arts correspondent", "painting artist theatre opera gallery museum"),
    ),
    "Commerce & Economics": (
        ("financial analyst", "stock shares profit revenue bank investors"),
        ("economics student", "inflation economy monetary gdp unemployment market"),
        ("small-business owner", "business customers sales retail price tax"),
        ("trade policy adviser", "trade exports imports tariff export agreement"),
        ("business journalist", "company firm chief executive merger billion"),
        ("industry historian", "founded company century industry factory merged"),
        ("consumer advocate", "consumer prices customers mortgage insurance credit"),
    ),
    "Medicine & Health": (
        ("physician", "diagnosis treatment patients clinical syndrome therapy"),
        ("patient seeking information", "symptoms disease pain medication doctor treatment"),
        ("pharmacist", "drug dose medication antibiotic drugs vaccine"),
        ("public-health officer", "epidemic mortality vaccination health infection population"),
        ("medical student", "anatomy brain blood disorder disease surgery"),
        ("health journalist", "health study cancer research hospital risk"),
        ("nurse", "hospital care patients nursing pregnancy birth"),
        ("psychologist", "mental depression anxiety psychiatric psychological behavior"),
    ),
    "Education": (
        ("prospective student", "campus students admission degree college tuition"),
        ("teacher", "school teachers curriculum classroom pupils teaching"),
        ("education researcher", "education literacy enrollment learning study university"),
        ("university administrator", "university faculty dean undergraduate campus enrollment"),
        ("alumnus", "alumni founded fraternity university school college"),
        ("school librarian", "library school books children reading history"),
    ),
    "Other": (
        ("curious general reader", ""),
        ("quiz writer", "first named born record year"),
        ("reference librarian", "published list history founded"),
        ("journalist checking facts", "said reported announced year"),
        ("student writing a report", "history century population founded"),
        ("local historian", "town village county built county church"),
    ),
}

# Words of navigation, cookies, accounts, sharing and legal notices.
BOILERPLATE: Final = word_set(
    """
    cookie cookies login signup subscribe subscription newsletter newsletters copyright sitemap homepage navigation
    menu footer header sidebar click facebook twitter instagram pinterest youtube whatsapp linkedin rss share tweet
    privacy imprint impressum datenschutz advertisement advertise sponsored logout password username account checkout
    cart basket wishlist accept unsubscribe download faq contact careers jobs disclaimer trademark reserved skip
    search sign log
    """
)
