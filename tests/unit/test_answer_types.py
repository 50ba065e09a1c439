"""Answers that can reply to their question word, and those that cannot."""

from __future__ import annotations

import pytest

from transforms.pair_rules.answer_types import has_type, replies


@pytest.mark.parametrize(
    ("question", "answer", "kind"),
    [
        ("How many moons does Mars have?", "2", "number"),
        ("How many moons does Mars have?", "two small ones", "phrase"),
        ("How many moons does Venus have?", "none", "phrase"),
        ("How many of them agreed?", "Both", "phrase"),
        ("How many kings sat there?", "XIV", "phrase"),
        ("How much sugar is in it?", "very little", "phrase"),
        ("How many votes confirm a justice?", "a simple majority", "phrase"),
        ("\u6709\u591a\u5c11?", "\u5f88\u591a", "phrase"),
        ("In what year did it open?", "1999", "date"),
        ("In which century was it built?", "the sixth century", "date"),
        ("In what year of the war did he die?", "the last", "phrase"),
        ("In which month does it bloom?", "May", "date"),
        ("On what date is it held?", "Easter Monday", "date"),
        ("On what date is it shortest?", "winter solstice", "date"),
        ("Who sang it first?", "U2", "name"),
        ("Who sang it first?", "50 Cent", "name"),
        ("Who or what is 42 named after?", "42", "number"),
        ("When did the war end?", "after the treaty", "phrase"),
        ("When light enters glass, does it slow down?", "Yes", "boolean"),
        ("Where on the pH scale is water?", "7", "number"),
        ("Where and when was it signed?", "4 July 1776", "date"),
        ("What does 3 > 2 evaluate to in Python?", "True", "boolean"),
        ("What is the truth value of this formula: p or not p?", "True", "boolean"),
        ("Is radium a metal?", "No", "boolean"),
        ("Is radium a metal?", "Yes, of the second group", "phrase"),
        ("Is radium a metal or a gas?", "a metal", "choice"),
        ("Is radium a metal or a gas?", "a metal", "phrase"),
        ("Is it known who found radium?", "Marie Curie", "name"),
        ("Can you name the finder of radium?", "Marie Curie", "name"),
        ("Is there a name for the at sign?", "commercial at", "phrase"),
        ("Does this hold: x > 1?", "x+1", "expression"),
        ("Would lead float?", "never", "phrase"),
        ("Would lead float?", "Rarely.", "phrase"),
        ("Did the king return?", "they did not know", "phrase"),
        ("How much did the price of oil rise?", "tenfold", "phrase"),
        ("How much did the price of oil rise?", "it doubled", "phrase"),
        ("By how much did the price fall?", "by half", "phrase"),
        ("How much did the price of oil rise?", "very sharply", "phrase"),
        ("How much honey goes in?", "a spoonful per glass", "phrase"),
        ("How much honey goes in?", "handfuls", "phrase"),
        ("How much of it is sugar?", "a quarter", "phrase"),
        ("How much does the ticket cost?", "a day's wages", "phrase"),
        ("How many states are there and which is the largest?", "Alaska", "name"),
        ("In which decade did jazz spread?", "the Twenties", "date"),
        ("In which period of the year is it held?", "the Pliocene", "date"),
        ("On what date is it held?", "in autumn", "date"),
        ("\u00bfCu\u00e1ntas lunas tiene Marte?", "dos", "phrase"),
    ],
)
def test_answers_that_reply(question: str, answer: str, kind: str) -> None:
    assert replies(question, answer, kind)


@pytest.mark.parametrize(
    ("question", "answer", "kind"),
    [
        ("How many moons does Mars have?", "Phobos", "name"),
        ("How many moons does Mars have?", "visibly", "phrase"),
        ("How much does the ticket cost?", "Yes", "boolean"),
        ("How much does the ticket cost?", "conductor", "phrase"),
        ("How many states and territories does it have?", "Alaska", "name"),
        ("By how many votes did it pass?", "No", "boolean"),
        ("In what year did it open?", "the old harbour", "phrase"),
        ("In what month and year did it open?", "July", "date"),
        ("In which decade did it open?", "Warsaw", "name"),
        ("In which month does it bloom?", "tulips", "phrase"),
        ("On what date is it held?", "clinical", "phrase"),
        ("Who found radium in 1898?", "1898", "number"),
        ("Who found radium in 1898?", "14 March 1986", "date"),
        ("By whom was it found?", "Yes", "boolean"),
        ("Whose law is it that planets obey?", "1609", "phrase"),
        ("When did the war end?", "Yes", "boolean"),
        ("Where did the war end?", "11 November 1918", "date"),
        ("Why did the war end?", "1918", "date"),
        ("What is the term for such a wave?", "Yes", "boolean"),
        ("By what abbreviation is the treaty known?", "No", "boolean"),
        ("Is radium a metal?", "1898", "date"),
        ("Did Marie Curie find radium?", "Marie Curie", "name"),
        ("Isn't radium a metal?", "radium", "phrase"),
    ],
)
def test_answers_that_do_not(question: str, answer: str, kind: str) -> None:
    assert not replies(question, answer, kind)


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("number", "none"),
        ("number", "a dozen"),
        ("number", "half"),
        ("number", "a couple"),
        ("number", "Both"),
        ("date", "autumn"),
        ("date", "in autumn"),
        ("date", "the fourteenth century"),
        ("date", "the fourteenth"),
        ("date", "Easter"),
        ("date", "the next day"),
        ("date", "the Bronze Age"),
        ("date", "the Jurassic"),
        ("date", "Cretaceous"),
        ("date", "the Miocene"),
        ("date", "the roaring twenties"),
        ("date", "after the war"),
        ("name", "git"),
        ("name", "iPod"),
        ("name", "eBay"),
        ("name", "mercury"),
        ("name", "sodium chloride"),
        ("name", "bell hooks"),
        ("name", "e. e. cummings"),
    ],
)
def test_answers_that_look_like_their_type(kind: str, answer: str) -> None:
    assert has_type(answer, kind, "")


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("number", "several"),
        ("number", "tulips"),
        ("date", "Paris"),
        ("date", "the obscene"),
        ("date", "a classic"),
        ("date", "long ago"),
        ("date", "properties"),
        ("name", "the chemist"),
        ("name", "1867"),
        ("name", "into the harbour"),
        ("name", "radiation damage suppressor protein"),
        ("name", "$%"),
    ],
)
def test_answers_that_do_not_look_like_their_type(kind: str, answer: str) -> None:
    assert not has_type(answer, kind, "")
