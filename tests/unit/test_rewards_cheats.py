"""Near misses that a policy finds by trial: each scores 0, and what an honest policy writes beside it scores 1."""

from __future__ import annotations

import pytest

from rewards import score

CAPITAL = ("What is the capital of France?", "Paris", "name")
SCIENTIST = ("Who discovered polonium and radium?", "Marie Curie", "name")
ASTRONOMER = ("Who discovered the four largest moons of Jupiter?", "Galileo", "name")
PROCESS = ("How do plants make sugar?", "photosynthesis", "phrase")
YEAR = ("In which year was the bridge opened?", "1907", "date")
DOZEN = ("How many eggs are in the box?", "12", "number")

JOINERS = (
    "!", " \u2026 ", "\u2026", "\u00b7", " \u00b7 ", "_", " _ ", " = ", "=", " * ", "*", "`", " ` ", ")(", ") (", "][",
    "] [", '" "', "^", " ^ ", " \u00a7 ", " \u00b6 ", " \u2020 ", "\u2020", " # ", "#", " @ ", "@", " $ ", "$", " % ",
    "%", " > ", ">", " => ", "=>", " :: ", "::", "<br>", " <br> ", "\u060c ", "\ufe50", "\u30fb", "\u0964", " \u0964 ",
    "\u2044", " \u2044 ", "\uff0b", " \uff0b ", "\u2295", " \u2295 ", "\u200b", "\u00ad", "\u2060", "\x00",
)  # fmt: skip


@pytest.mark.parametrize("joiner", JOINERS, ids=ascii)
@pytest.mark.parametrize(
    ("pair", "items"),
    [
        (CAPITAL, ("London", "Rome", "Paris", "Madrid")),
        (CAPITAL, ("Paris", "Rome", "London", "Madrid")),
        (SCIENTIST, ("Lise Meitner", "Otto Hahn", "Marie Curie", "Niels Bohr")),
        (PROCESS, ("respiration", "digestion", "photosynthesis", "fermentation")),
        (YEAR, ("1905", "1906", "1907", "1908")),
        (CAPITAL, ("Paris", "Rome")),
        (SCIENTIST, ("Niels Bohr", "Marie Curie")),
        (PROCESS, ("photosynthesis", "fermentation")),
    ],
    ids=["name-last", "name-first", "names", "phrase", "date", "two", "two-names", "two-phrases"],
)
def test_a_list_scores_0_whatever_stands_between_its_items(
    pair: tuple[str, str, str], items: tuple[str, ...], joiner: str
) -> None:
    question, truth, kind = pair
    assert score(question, truth, joiner.join(items), kind).score == 0


@pytest.mark.parametrize("size", [1, 30])
def test_a_row_of_names_scores_0_in_small_letters_too(size: int) -> None:
    row = "einstein newton bohr curie darwin kepler tesla faraday " * size + "galileo"
    assert score(*ASTRONOMER[:2], row, "name").score == 0


def test_a_long_row_with_a_word_of_grammar_is_a_row_still() -> None:
    row = "einstein newton bohr curie darwin kepler tesla faraday " * 30
    assert score(*ASTRONOMER[:2], f"{row} and galileo", "name").score == 0


@pytest.mark.parametrize(
    ("truth", "response"),
    [
        ("Romulus and Remus", "Romulus or Remus"),
        ("red, green and blue", "red, green, or blue"),
        ("red, green and blue", "red green blue yellow"),
        ("red, green and blue", "red, green, blue, yellow"),
        ("north", "south north east west"),
        ("north", "south north"),
        ("hot water", "hot cold water"),
        ("increased demand", "demand increased supply decreased price increased"),
    ],
)
@pytest.mark.parametrize("kind", ["name", "phrase"])
def test_more_than_the_answer_or_one_of_its_parts_scores_0(truth: str, response: str, kind: str) -> None:
    assert score("What is it?", truth, response, kind).score == 0


@pytest.mark.parametrize(
    ("question", "truth", "kind", "response"),
    [
        (*CAPITAL, "Paris, France"),
        (*CAPITAL, "_Paris_"),
        (*CAPITAL, "It is *Paris*!"),
        (*CAPITAL, "Paris[1]"),
        (*CAPITAL, "PARIS, the capital of France"),
        (*SCIENTIST, "President Marie Curie"),
        (*SCIENTIST, "Marie Curie (1867\u20131934)"),
        ("Who looked through it?", "Galileo Galilei", "name", "the physicist Galileo Galilei"),
        ("Who are they?", "Romulus and Remus", "name", "Romulus, Remus"),
        ("Which colours?", "red, green and blue", "phrase", "red green blue"),
        ("Which water?", "hot water", "phrase", "hot water, not cold"),
        ("What was raised?", "increased demand", "phrase", "demand increased"),
        ("Which formula?", "E=mc^2", "phrase", "E=mc^2"),
        ("Which series?", "M*A*S*H", "phrase", "M*A*S*H"),
    ],
)  # fmt: skip
def test_an_answer_that_is_described_is_no_list(question: str, truth: str, kind: str, response: str) -> None:
    assert score(question, truth, response, kind).score == 1


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("\\boxed{\\text{C}}", 1),
        ("\\boxed{\\textbf{C}}", 1),
        ("\\boxed{\\text{(C)}}", 1),
        ("$\\boxed{\\text{C}}$", 1),
        ("\\boxed{\\text{B}}", 0),
        ("A is wrong, so C.", 1),
        ("C is wrong, so A.", 0),
        ("A is wrong, so B or C.", 0),
        ("Not A, C", 0),
    ],
)
def test_a_letter_as_policies_write_it(response: str, expected: float) -> None:
    question = "Which gas is heaviest? A) helium B) neon C) xenon D) argon"
    assert score(question, "C", response, "choice").score == expected


@pytest.mark.parametrize(
    ("truth", "response", "expected"),
    [
        ("6 May 1907", "6/5/1907", 1),
        ("6 May 1907", "5/6/1907", 1),
        ("6 May 1907", "6.5.1907", 1),
        ("5 June 1907", "6.5.1907", 0),
        ("6 May 1907", "6/6/1907", 0),
        ("6 January 1907", "06/01/1907", 1),
        ("13 May 1907", "13/05/1907", 1),
        ("March 2020", "03/2020", 1),
        ("March 2020", "04/2020", 0),
        ("6/5/1907", "June 5, 1907", 1),
    ],
)
def test_a_date_in_numbers_is_read_both_ways(truth: str, response: str, expected: float) -> None:
    assert score("When was it?", truth, response, "date").score == expected


@pytest.mark.parametrize(
    ("pair", "response"),
    [
        *(
            (SCIENTIST, response)
            for response in (
                "Marie Curie did not discover it", "Marie Curie did not.", "Marie Curie is the wrong answer",
                "anyone but Marie Curie", "everyone but Marie Curie", "It would be a mistake to say Marie Curie.",
            )
        ),
        *(
            (CAPITAL, response)
            for response in (
                "Paris is not the capital", "the wrong answer Paris", "no, Paris", "No: Paris", "\u00acParis", "!Paris",
                "Paris \u274c", "\u274c Paris", "Paris \u2716\ufe0f", "Paris... NOT",
            )
        ),
        *(
            (DOZEN, response)
            for response in (
                "ain't 12", "it aint 12", "it isnt 12", "12 cannot be right", "12 ... NOT", "12 \u274c", "no, 12",
            )
        ),
        *(
            (PROCESS, f"{before}photosynthesis")
            for before in (
                "lack of ", "the absence of ", "inhibition of ", "the opposite of ", "anti-", "everything but ",
            )
        ),
    ],
)  # fmt: skip
def test_an_answer_that_is_denied_in_other_words_scores_0(pair: tuple[str, str, str], response: str) -> None:
    assert score(*pair[:2], response, pair[2]).score == 0


@pytest.mark.parametrize(
    ("question", "truth", "response"),
    [
        ("Why did the fire go out?", "lack of oxygen", "the lack of oxygen"),
        ("Who sings that aint no way to go?", "Brooks & Dunn", '"Ain\'t No Way to Go" is sung by Brooks & Dunn.'),
        ("How do plants make sugar?", "photosynthesis", "photosynthesis, not respiration"),
        ("When did they win the cup?", "2018", "They did not win the cup until 2018."),
        ("Who speaks with clicks?", "!Kung", "!Kung"),
        ("What is it treated with?", "anti-inflammatory drugs", "anti-inflammatory drugs"),
    ],
)
def test_a_denial_that_is_a_part_of_the_answer_is_none(question: str, truth: str, response: str) -> None:
    assert score(question, truth, response, "phrase").score == 1


@pytest.mark.parametrize(
    ("pair", "response"),
    [
        *(
            (YEAR, response)
            for response in (
                "before 1907", "after 1907", "until 1907", "shortly after 1907", "10 years before 1907",
                "It was opened before the year 1907.", "1907 BC", "1907 B.C.", "1907s", "1907/08",
            )
        ),
        *(
            (SCIENTIST, response)
            for response in (
                "Marie Curie's husband", "The husband of Marie Curie", "Pierre, the husband of Marie Curie",
                "Marie Curie's elder sister", "Marie Curie Institute", "the Marie Curie Foundation",
            )
        ),
        (CAPITAL, "<answer>Paris</answer> Answer: Rome"),
    ],
)  # fmt: skip
def test_what_has_the_answer_in_it_is_another_thing(pair: tuple[str, str, str], response: str) -> None:
    assert score(*pair[:2], response, pair[2]).score == 0


@pytest.mark.parametrize(
    ("question", "truth", "kind", "response"),
    [
        ("When was it opened?", "before 1907", "date", "before 1907"),
        ("When did the war end?", "1907", "date", "It lasted until 1907."),
        ("When was it opened?", "1907", "date", "1907, after 10 years of work"),
        ("In which decade?", "1990s", "date", "1993"),
        ("Who discovered polonium?", "Marie Curie", "name", "Marie Curie, the wife of Pierre Curie"),
        ("Whose husband was Pierre?", "Marie Curie", "name", "He was Marie Curie's husband."),
        ("Which university is in Baltimore?", "Johns Hopkins", "name", "Johns Hopkins University"),
        ("What is the capital of France?", "Paris", "name", "<answer>Paris</answer> Answer: Paris"),
        ("When was it signed?", "13 May 1907", "date", "13/05/1907"),
    ],
)
def test_what_is_said_beside_the_answer_does_no_harm(question: str, truth: str, kind: str, response: str) -> None:
    assert score(question, truth, response, kind).score == 1


@pytest.mark.parametrize(
    ("kind", "question", "truth", "response", "expected"),
    [
        ("choice", "Which is it? A) Paris B) Rome", "A", "The correct option is A.", 1),
        ("choice", "Which is it? A) Paris B) Rome", "A", "The best choice is B.", 0),
        ("choice", "Which is it? A) Paris B) Rome", "A", "The correct option is not A.", 0),
        ("name", "Which country is it?", "United States", "It lies in the U.S.", 1),
        ("name", "Which country is it?", "United States", "the US", 1),
        ("name", "Which country is it?", "United States", "It gave us hope.", 0),
        ("boolean", "Is it safe?", "no", "No doubt it is safe.", 0),
        ("boolean", "Is it safe?", "no", "No question.", 0),
        ("boolean", "Is it safe?", "no", "No worries, it is safe", 0),
        ("boolean", "Is it safe?", "no", "No, it is not.", 1),
        ("boolean", "Is it safe?", "yes", "True, but it is not safe", 0),
        ("boolean", "Is it safe?", "yes", "Correct, it is safe", 1),
        ("choice", "Which is larger, Jupiter or Saturn?", "Jupiter", "Jupiter is smaller than Saturn", 0),
        ("choice", "Which is larger, Jupiter or Saturn?", "Jupiter", "Saturn is smaller than Jupiter", 1),
        ("choice", "Which is larger, Jupiter or Saturn?", "Jupiter", "Jupiter is bigger than Saturn", 1),
        ("name", "Which is larger, Jupiter or Saturn?", "Jupiter", "Jupiter is smaller than Saturn", 0),
        ("name", "Which pope?", "John Paul II", "It was John Paul I.", 0),
        ("name", "Which pope?", "John Paul II", "It was Pope John Paul II.", 1),
        ("name", "Who sang it?", "Sammy Davis Jr.", "Sammy Davis Sr.", 0),
        ("name", "Who spoke?", "Martin Luther King", "Martin Luther King Jr.", 1),
        ("name", "Who spoke?", "Martin Luther King Jr.", "Martin Luther King", 1),
        ("name", "Who built it?", "Carlo Di Clemente", "Carlo DiClemente", 1),
        ("phrase", "Which language?", "Java", "JavaScript", 0),
        ("phrase", "Which machine?", "Mac", "It is a MacBook", 0),
        ("phrase", "Which hero?", "Hercules", "The hero isHercules.", 1),
        ("name", "Who discovered it?", "Marie Curie", "a colleague of Marie Curie", 0),
        ("name", "Who discovered it?", "Marie Curie", "the rival of Marie Curie", 0),
        ("name", "Where is it?", "Boston", "anywhere but Boston", 0),
        ("name", "Which is it?", "India", "Indian Ocean", 0),
        ("name", "Which is it?", "Dominica", "Dominican Republic", 0),
        ("name", "Which is it?", "India", "the Indian government", 1),
        ("phrase", "What is it?", "racism", "race", 0),
        ("phrase", "What is it?", "capitalism", "capital", 0),
        ("phrase", "What came?", "news", "new", 0),
        ("phrase", "Who pays?", "employer", "employment", 0),
        ("phrase", "Who rules?", "governor", "government", 0),
        ("phrase", "Which is it?", "conductor", "the conductors", 1),
        ("phrase", "Which gas?", "CO", "CO2", 0),
        ("phrase", "Which gas?", "CO", "It is CO.", 1),
        ("phrase", "Which is it?", "H2O", "H2O2", 0),
        ("phrase", "Which is it?", "C6H12O6", "C6H12O", 0),
        ("phrase", "Which is it?", "H2O", "h2o", 1),
        ("phrase", "Which way?", "left to right", "right to left", 0),
        ("phrase", "Which way?", "left to right", "from left to right", 1),
        ("phrase", "What is copied?", "DNA to RNA", "RNA to DNA", 0),
        ("phrase", "Which way?", "heat flows from hot to cold", "heat flows from cold to hot", 0),
        ("date", "When was it?", "1914-1918", "1918-1914", 0),
        ("date", "When was it?", "1914-1918", "from 1914 to 1918", 1),
        ("date", "When was it?", "1914 to 1918", "1914\u20131918", 1),
    ],
)  # fmt: skip
def test_what_is_near_an_answer_is_none(kind: str, question: str, truth: str, response: str, expected: int) -> None:
    assert score(question, truth, response, kind).score == expected


METALS = (
    "copper tin zinc lead silver gold nickel cobalt platinum iron chromium titanium mercury aluminium tungsten bismuth "
    "antimony cadmium gallium indium thallium palladium rhodium osmium iridium ruthenium vanadium niobium tantalum"
).split()


@pytest.mark.parametrize("around", ["{}", "\\boxed{{{}}}", "<answer>{}</answer>"])
def test_a_sentence_that_has_every_candidate_scores_0(around: str) -> None:
    row = " from the north mountains and who had ".join(METALS)
    stuffed = around.format(f"The smiths of the old towns who had {row} from the sea")
    assert not any(score("Which metal was it?", metal, stuffed, "phrase").score for metal in METALS)


def test_a_sentence_that_has_every_year_scores_0() -> None:
    years = [str(year) for year in range(1900, 1990, 9)]
    stuffed = "It was the town that was rebuilt in " + " by the people and then in ".join(years)
    assert not any(score("When was it?", year, stuffed, "date").score for year in years)
    honest = "The bridge that stands there since 1907 replaced one of 1899."
    assert score("When was it?", "1907", honest, "date").score == 1
