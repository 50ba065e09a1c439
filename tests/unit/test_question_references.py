"""Questions that point at what their reader cannot see, and those that only look so."""

from __future__ import annotations

import pytest

from transforms.pair_rules.references import unresolved

TO_A_SOURCE = [
    "According to the passage, what year did the war end?",
    "According to the author, what drives inflation?",
    "Based on the information provided in the text, who won?",
    "What does the article say about vaccines?",
    "What is the passage mainly about?",
    "In this article, which city hosts the museum?",
    "What is the main topic of this document?",
    "Which three causes are listed above?",
    "In the above passage, who is the narrator?",
    "Which country is mentioned in the text?",
    "What is the author's main argument about trade?",
    "What did the authors conclude about sleep and memory?",
    "What does the following passage describe in detail?",
    "Who is described in the excerpt as a hero?",
    "What year is given in the document?",
    "As stated in the provided context, how many were hurt?",
    "Per the excerpt, what is inertia and why does this passage matter?",
    "Given the provided information, what is the mass?",
    "According to this document, who signed the treaty?",
    "What was the treaty called, as mentioned in the article?",
    "According to the given text, what is osmosis?",
    "In the preceding paragraph, what does osmosis mean?",
    "What does the document explicitly state about liability?",
    "Who does the text identify as king?",
    "In the story, who finds the lamp?",
    "In this section, what is said about bees?",
    "As shown in the table, how many bees survived?",
    "Considering the given scenario, what should a nurse do?",
    "What did the patients receive in the study?",
    "As the writer puts it, what is a rose?",
    "Going by the lines quoted here, what is a rose?",
    "What colour is the house in the text that you have just read?",
]

TO_NO_SOURCE = [
    "Who is the author of Hamlet and of Macbeth?",
    "What is the name of the first text editor for Unix?",
    "Which key moves the cursor in the text editor vi?",
    "According to the text of the Constitution, how old must a president be?",
    "According to the article by Einstein of 1905, what is light made of?",
    "What does Article 5 of the NATO treaty require?",
    "Which of the following is prime: 4, 6, 7 or 9?",
    'In the following text: "cats sleep", which word is the verb?',
    "What is the author J. K. Rowling's middle initial for?",
    "What does the author argue in Walden about simple living?",
    "The Magna Carta was sealed in 1215. Where was this document sealed?",
    "Which document ended the First World War in 1918?",
    "How many words are in the text message limit of 160 characters?",
    "What does the passage of the Civil Rights Act of 1964 forbid?",
    "Which strait gives passage to ships between Europe and Asia?",
    "What data is stored above the heap in a C program's memory?",
    "What temperature must be given below which water freezes?",
    "Which author described the whale in Moby-Dick?",
    "In HTML, which element marks a paragraph of text?",
    "What was described by Darwin in 1859 in On the Origin of Species?",
    "According to the document object model, what is the root node?",
    "How is the text encoded in UTF-8 for ASCII characters?",
    "Which sources does the Nile have in Ethiopia?",
    "What did the authors of the Federalist Papers sign as a pen name?",
    "What did the document signed at Runnymede in 1215 limit?",
    "What is the source of the river Danube?",
    "In the story of Aladdin, who finds the lamp?",
    "Who finds the lamp in the story Aladdin and the Wonderful Lamp?",
    'Jack climbs a beanstalk in "Jack and the Beanstalk": what does he steal in the story?',
    "In the table of elements, which one comes first?",
    "In the Milgram experiment of 1961, what did the learners receive in the study?",
    "How does the writer Jane Austen end Emma?",
    "Which book should you have read before Ulysses?",
    "What is the section modulus of a square beam?",
    "According to the report of the Warren Commission, who shot Kennedy?",
]

DANGLING = [
    "What did she discover in the year 1898?",
    "When was it founded by the brothers?",
    "How old was he when he died?",
    "What kind of instrument did she play?",
    "In what year did they move to Paris?",
    "Did he win the Nobel Prize in 1921?",
    "She was born in which year?",
    "It was founded in which year?",
    "His father worked as what in the mine?",
    "This company was founded in which year?",
    "What is the capital of this country?",
    "Where is it located today?",
    "What is this phenomenon called?",
    "How was this result obtained by the team?",
    "What are these compounds used for?",
    "Who were they and where from?",
    "Why did he leave the city?",
    "In what year was it closed down?",
    "How does this author define justice?",
    "Who were those called at the time?",
    "When did they start the work?",
    "What did they make in the workshop?",
    "Where did they get to after a day?",
]

RESOLVED = [
    "How long does it take light to reach Earth?",
    "Why is it illegal to export the coins?",
    "How far is it from London to Paris?",
    "What is it called when water turns to vapor?",
    "When he became king, how old was Edward VII?",
    "Which animals hibernate, and where do they sleep?",
    "Which Beatles song did they record last?",
    "Marie Curie won two prizes. In what year did she win the second?",
    "It is the largest planet. What is it?",
    "This French chemist discovered radium: who was she?",
    "What did Marie Curie say when she saw radium?",
    "How do bees know where they are going?",
    "She Stoops to Conquer was written by which playwright?",
    "They Might Be Giants released Flood in which year?",
    "It Happened One Night won how many Oscars?",
    "Which planets have rings and are they visible?",
    "What is the oldest city in this world?",
    "What is that number called which divides all others?",
    "What are these two called: CO2 and H2O?",
    "In the theory of evolution, what do these changes lead to?",
    "What does it mean to be solvent?",
    "Which of these is prime: 4 or 7?",
    "When was the company Apple founded and where is it based?",
    "If a triangle has two equal sides, what is it called?",
    "Where does it rain the most on Earth?",
    "What do they call a lift in Boston?",
    "Where did they film the last season of the series?",
    "When did they stop making pull tabs on cans?",
    "Where do they grow hops in the valley?",
    "What language do they speak in Brazil?",
    "In what year did this physicist publish the theory of General Relativity?",
    "Why is it dark in the deep sea?",
    "What season is it in Australia in July?",
    "How cold is it at the South Pole?",
    "What time is it in Tokyo at noon in London?",
    "What is the name of the river that flows through this: Paris, Rouen, Le Havre?",
]


def ruled(question: str) -> str | None:
    return next((rule for rule, _ in unresolved(question)), None)


@pytest.mark.parametrize("question", TO_A_SOURCE)
def test_a_question_may_not_point_at_a_text_nobody_sees(question: str) -> None:
    assert ruled(question) == "refers_to_source"


@pytest.mark.parametrize("question", TO_NO_SOURCE)
def test_authors_texts_and_articles_may_be_asked_about(question: str) -> None:
    assert ruled(question) is None


@pytest.mark.parametrize("question", DANGLING)
def test_a_question_may_not_ask_about_somebody_unnamed(question: str) -> None:
    assert ruled(question) == "dangling_reference"


@pytest.mark.parametrize("question", RESOLVED)
def test_a_pronoun_with_a_meaning_is_no_dangling_reference(question: str) -> None:
    assert ruled(question) is None
