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
    "response",
    [
        "minus 12", "negative twelve", "\u221a12", "\\sqrt{12}", "12\u00b2", "12 squared", "12 cubed",
        "the square of 12", "half of 12", "twice 12", "log 12", "12!", "It is 12!", "12 dozen", "12k", "1/12",
        "12%", "at least 12", "more than 12", "less than 12", "over 12", "up to 12", "12 or more", "\u226512", "> 12",
        "<12", "12 thousandths", "!= 12", "\u226012", "12+", "everything but 12",
    ],
)  # fmt: skip
def test_a_number_that_is_bounded_or_reckoned_with_is_another(response: str) -> None:
    assert score(*DOZEN[:2], response, "number").score == 0


@pytest.mark.parametrize(
    ("truth", "response", "expected"),
    [
        ("at least 12", "at least 12", 1),
        ("at least 12", "12", 1),
        ("12", "12 eggs!", 1),
        ("12", "about 12", 1),
        ("12", "=> 12", 1),
        ("-12", "minus 12", 1),
        ("-12", "It was negative twelve.", 1),
        ("-12", "20 minus 12", 0),
        ("-12", "x minus 12", 0),
        ("-12 kg", "minus 12 kg", 1),
        ("minus 12", "-12", 1),
        ("12", "<b>12</b>", 1),
        ("12", "The total is 5+7=12", 1),
        ("12", "5+7=12, 6+7=13", 0),
        ("12", "Let me see. 3+9 = 12. #### 12", 1),
        ("12", "12 is what I had. #### 13", 0),
        ("12", "#### 13 but it is 12", 0),
        ("12 km", "\\boxed{12\\text{ km}}", 1),
        ("12 km", "$12\\,\\text{km}$", 1),
        ("12 km", "12\\ \\mathrm{km}", 1),
        ("12 km", "\\boxed{12\\text{ m}}", 0),
        ("0.5", "\\boxed{\\frac{1}{2}}", 1),
        ("0.5", "\\boxed{\\dfrac12}", 1),
        ("0.5", "\\boxed{\\frac{1}{3}}", 0),
        ("1000", "\\boxed{1\\,000}", 1),
        ("1000", "1 000", 1),
        ("1000", "1 000 2", 0),
        ("$5", "A$5", 0),
        ("5 MB", "5 Mb", 0),
        ("5 MB", "5 mb", 1),
        ("5 mg", "5 Mg", 0),
        ("5 m", "5 M", 0),
        ("5 km", "5 KM", 1),
    ],
)
def test_a_number_as_policies_write_it(truth: str, response: str, expected: float) -> None:
    assert score("What is it?", truth, response, "number").score == expected


@pytest.mark.parametrize(
    ("question", "truth", "response", "expected"),
    [
        ("How many meters tall is the tower?", "300", "300 km", 0),
        ("How many meters tall is the tower?", "300", "300 feet", 0),
        ("How many meters tall is the tower?", "300", "300 m2", 0),
        ("How many meters tall is the tower?", "300", "300 metres", 1),
        ("How many meters tall is the tower?", "300", "0.3 km", 1),
        ("How many meters tall is the tower?", "300 km", "300", 0),
        ("How many meters tall is the tower?", "300 m", "300", 1),
        ("How many square metres has the flat?", "60", "60 m", 0),
        ("How many square metres has the flat?", "60", "60 m2", 1),
        ("How many grams are in it?", "5", "5 kg", 0),
        ("What did it cost in dollars?", "20", "20 cents", 0),
        ("What did it cost in dollars, if a part is 50 cents?", "20", "$20", 1),
        ("How many years did it take?", "10", "10 months", 0),
        ("How many km is it?", "5", "5 miles", 0),
        ("How many miles is it if the map says 5 km?", "3", "3 miles", 1),
        ("How many apples does one get for $5?", "10", "$10", 0),
        ("It took an hour and 30 minutes more than a day. How long was it?", "25.5", "25.5 minutes", 0),
        ("What per cent of them stayed?", "20", "20%", 1),
        ("How old was she?", "42", "42 years", 1),
        ("How old was she?", "42", "42 years old", 1),
        ("How old was she?", "42", "42 months", 0),
    ],
)
def test_a_unit_that_is_left_out_is_the_one_that_the_question_asks_for(
    question: str, truth: str, response: str, expected: float
) -> None:
    assert score(question, truth, response, "number").score == expected


@pytest.mark.parametrize(
    ("truth", "response", "expected"),
    [
        ("3-2", "2-3", 0),
        ("3-2", "2\u20133", 0),
        ("3-2", "They won 3\u20132.", 1),
        ("3-2", "3:2", 1),
        ("3-2", "The score was three to two.", 1),
        ("3-2", "3-2-1", 0),
        ("3-2", "2-3, not 3-2", 0),
        ("3-2", "2-3 or 3-2", 0),
        ("3-2", "3, 2", 0),
        ("3-2 victory", "2-3 victory", 0),
        ("21 to 14", "14 to 21", 0),
        ("21 to 14", "21-14", 1),
        ("14 to 21", "21 to 14", 0),
        ("10-6", "6-10", 0),
        ("2 to 1", "1 to 2", 0),
        ("a ratio of 2 to 1", "a ratio of 1 to 2", 0),
        ("2:1", "1:2", 0),
        ("1:2", "2:1", 0),
        ("2:1", "2 to 1", 1),
        ("3-2-1", "1-2-3", 0),
        ("5-10", "between 5 and 10", 1),
    ],
)
def test_a_score_or_a_ratio_has_its_order(truth: str, response: str, expected: float) -> None:
    assert score("What was it?", truth, response, "number").score == expected


@pytest.mark.parametrize(
    ("truth", "response", "expected"),
    [
        *(
            ("2", response, 0)
            for response in (
                "\u00b12", "+/-2", "+/- 2", "plus or minus 2", "\\pm 2", "2i", "2x", "2\u03c0", "2 pi", "2\\pi", "2e",
                "two thirds",                "two and a half",
            )
        ),
        ("\u00b12", "2", 0),
        ("\u00b12", "It is \u00b12.", 1),
        ("2x", "2", 0),
        ("2 pi", "2", 0),
        ("2", "2 x 1 = 2", 1),
        ("3 x 10^8", "3 \u00d7 10^8", 1),
        ("2 m", "2m", 1),
        ("2 L", "2 l", 1),
        ("2 L", "2 litres of water", 1),
        ("45\u00b0N", "45\u00b0S", 0),
        ("45\u00b0 N", "45\u00b0 S", 0),
        ("45\u00b0N", "45 degrees south", 0),
        ("45\u00b0N", "45\u00b0 North", 1),
        ("45\u00b0N", "45 degrees north", 1),
        ("100", "100 fewer than before", 0),
        ("100", "100 people more than in 1990", 0),
        ("100", "100 less", 0),
        ("100", "100 rather than 90", 1),
    ],
)  # fmt: skip
def test_a_factor_a_direction_and_a_difference_make_another_number(truth: str, response: str, expected: float) -> None:
    assert score("What was it?", truth, response, "number").score == expected


@pytest.mark.parametrize(
    ("truth", "response", "expected"),
    [
        ("12", "a dozen", 1),
        ("12", "one dozen", 1),
        ("12", "about a dozen eggs", 1),
        ("24", "two dozen", 1),
        ("6", "half a dozen", 1),
        ("12", "12 dozen", 0),
        ("12", "half a dozen", 0),
        ("12", "half of a dozen", 0),
        ("12", "a dozen and a half", 0),
        ("12", "more than a dozen", 0),
        ("12", "a few dozen", 0),
        ("12", "dozens", 0),
        ("12", "a baker's dozen", 0),
        ("$5", "5 dollars a dozen", 1),
        ("30 minutes", "half an hour", 1),
        ("30 minutes", "an hour and a half", 0),
        ("30 minutes", "more than half an hour", 0),
        ("30 minutes", "1 hour 30 minutes", 0),
        ("30 minutes", "an hour and 30 minutes", 0),
        ("30 minutes", "one hour and 30 minutes", 0),
        ("90 minutes", "an hour and a half", 1),
        ("90 minutes", "1 hour 30 minutes", 1),
        ("90 minutes", "1 hour and 30 minutes", 1),
        ("90 minutes", "one hour, thirty minutes", 1),
        ("90 minutes", "1 h 30 min", 1),
        ("90 minutes", "1h30m", 1),
        ("90 minutes", "1 hour or 30 minutes", 0),
        ("90 minutes", "1 hour, 30 minutes and 20 seconds", 0),
        ("1 hour 30 minutes", "90 minutes", 1),
        ("1 hour 30 minutes", "1 hour", 0),
        ("1 hour 30 minutes", "30 minutes", 0),
        ("8 ft 11 in", "8 feet and 11 inches", 1),
        ("8 ft 11 in", "8 feet", 0),
        ("5 ft 6 in", "5 feet 6 inches (167.6 cm)", 1),
        ("5 ft 6 in", "5 feet 6 inches (170.6 cm)", 0),
        ("1/3", "one third", 1),
        ("1/3", "A third.", 1),
        ("1/3", "It is one-third", 1),
        ("1/3", "two thirds", 0),
        ("1/3", "the third", 0),
        ("3", "a third", 0),
        ("2/3", "two-thirds", 1),
        ("1/2", "half", 1),
        ("0.5", "one half", 1),
        ("0.5", "half of 12", 0),
        ("6", "half of 12", 0),
        ("0.5", "half a million", 0),
        ("0.5", "the second half", 0),
        ("0.5", "one and a half", 0),
        ("1.5", "one and a half", 1),
    ],
)
def test_a_number_in_parts_is_what_they_make(truth: str, response: str, expected: float) -> None:
    assert score("What was it?", truth, response, "number").score == expected


def test_a_difference_that_is_asked_for_is_the_answer() -> None:
    question = "How many more people than in 1990 came?"
    assert score(question, "100", "100 more than in 1990", "number").score == 1


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
