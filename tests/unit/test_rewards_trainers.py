"""`rewards.trainers`: the forms in which trainers ask, and whatever a policy writes."""

from __future__ import annotations

import json
import logging
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import rewards.trainers
from rewards.trainers import accuracy, compute_score, response_of, reward, reward_func, without_special_tokens

QUESTION = "Who discovered polonium?"
CURIE = {"question": QUESTION, "answer": "Marie Curie", "answer_type": "name", "aliases": ["M. Curie"]}


def label(**changes: Any) -> str:
    return json.dumps({**CURIE, **changes})


@pytest.mark.parametrize(
    "response",
    [
        "\\boxed{Marie Curie}",
        "It was her: \\boxed{Marie Curie}.<|im_end|>",
        "\\boxed{M. Curie}</s></s>\n",
        "<s> Marie Curie <end_of_turn>",
        "Marie Curie<\uff5cend\u2581of\u2581sentence\uff5c>",
        [{"role": "assistant", "content": "\\boxed{Marie Curie}"}],
        [{"role": "user", "content": "Pierre?"}, {"role": "assistant", "content": "\\boxed{Marie Curie}"}],
        {
            "role": "assistant",
            "content": [{"type": "text", "text": "\\boxed{Marie "}, {"type": "text", "text": "Curie}"}],
        },
    ],
)
def test_a_right_response_is_paid_in_whatever_form_it_comes(response: object) -> None:
    assert reward(QUESTION, "Marie Curie", response, "name", ["M. Curie"]) == 1.0


@pytest.mark.parametrize(
    "response",
    [
        "\\boxed{Pierre Curie}", "", "   ", None, 7, [], {}, [None], [[]], b"Marie Curie", "<|im_end|>", "</s>" * 50,
        [{"role": "assistant", "content": None}], [{"role": "assistant"}], "\ud800", "\\boxed{" * 3000, "\x00" * 10,
        [{"role": "assistant", "content": "\\boxed{Marie Curie}"}, {"role": "assistant", "content": "\\boxed{Bohr}"}],
    ],
)  # fmt: skip
def test_any_other_response_is_not(response: object) -> None:
    assert reward(QUESTION, "Marie Curie", response, "name") == 0.0


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["content", "role", "text", "x"]), inner),
)


@given(response=JSON, kind=st.sampled_from(["number", "date", "name", "phrase", "boolean", "choice"]))
def test_nothing_that_is_said_raises(response: object, kind: str) -> None:
    assert reward(QUESTION, "12 May 1898", response, kind) in (0.0, 1.0)


def test_a_defect_of_ours_counts_as_wrong_and_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object) -> None:
        raise RecursionError("too deep")

    monkeypatch.setattr(rewards.trainers, "score", fails)
    with caplog.at_level(logging.WARNING):
        assert reward(QUESTION, "Marie Curie", "Marie Curie", "name") == 0.0
    assert "could not be scored" in caplog.text and "too deep" in caplog.text


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"answer": " "}, "ground_truth is empty"),
        ({"answer_type": "colour"}, "answer_type is 'colour'"),
        ({"answer": 7}, "ground_truth is 7, of type int"),
        ({"question": None}, "question is None, of type NoneType"),
        ({"answer_type": ["name"]}, "answer_type is .'name'., of type list"),
        ({"aliases": "24"}, "aliases is the text '24'"),
        ({"aliases": [None]}, "aliases has None"),
        ({"aliases": 24}, "aliases is 24, of type int"),
    ],
)
def test_a_pair_that_nobody_can_be_right_about_is_told(changes: dict[str, Any], error: str) -> None:
    pair = {**CURIE, **changes}
    with pytest.raises((ValueError, TypeError), match=error):
        reward(pair["question"], pair["answer"], "Marie Curie", pair["answer_type"], pair["aliases"])


def test_special_tokens_go_from_both_ends_and_no_others() -> None:
    assert without_special_tokens(" <s><|begin|> a <b> c </s> d <|im_end|> </s> ") == "a <b> c </s> d"
    assert without_special_tokens("<answer>x</answer>") == "<answer>x</answer>"
    assert without_special_tokens("x < y <|not closed") == "x < y <|not closed"


@pytest.mark.parametrize("text", [" " * 10**6, "<|im_end|>" * 10**5, "<" * 10**6, "</s> " * 10**5, ">" * 10**6])
def test_it_takes_no_longer_than_there_is_to_read(text: str) -> None:
    started = time.process_time()
    without_special_tokens(text)
    assert time.process_time() - started < 5


def test_verl_asks_by_its_own_names() -> None:
    asked = {"data_source": "webscale_rl", "solution_str": "\\boxed{M. Curie}", "ground_truth": "Marie Curie"}
    info = {"question": QUESTION, "answer_type": "name", "aliases": ["M. Curie"], "num_turns": None}
    assert compute_score(**asked, extra_info=info, reward_router_address="x") == 1.0
    assert compute_score(**asked, extra_info={**info, "aliases": None}) == 1.0, "M. stands for Marie"
    with pytest.raises(ValueError, match="extra_info of webscale_rl lacks question, answer_type; export"):
        compute_score(**asked)


def test_trl_asks_by_columns_and_other_datasets_rows_are_left_to_others() -> None:
    columns = {
        "question": [QUESTION, None, QUESTION],
        "ground_truth": ["Marie Curie", None, "Marie Curie"],
        "answer_type": ["name", None, "name"],
        "aliases": [[], None, None],
    }
    completions = [[{"role": "assistant", "content": text}] for text in ("Marie Curie", "x", "Bohr")]
    got = accuracy(prompts=["p"] * 3, completions=completions, completion_ids=[], trainer_state=None, **columns)
    assert got == [1.0, None, 0.0]


def test_openrlhf_asks_by_query_prompt_and_label() -> None:
    prompt = "<|im_start|>user\nWho discovered polonium?<|im_end|>\n<|im_start|>assistant\n"
    got = reward_func([f"{prompt}\\boxed{{Marie Curie}}<|im_end|>", f"{prompt}Bohr"], [prompt, prompt], [label()] * 2)
    assert got == {"rewards": [1.0, 0.0], "scores": [1.0, 0.0], "extra_logs": {}}


@pytest.mark.parametrize(
    ("query", "prompt", "response"),
    [
        ("user: Q?\nA", "user: Q?", "\nA"),
        ("<s> user : Q?  A", "<s>user: Q?", "  A"),
        ("uestion? assistant: A", "user: a very long question? assistant:", " A"),
        ("user: Q? user: Q? A", "user: Q?", " user: Q? A"),
        ("something else", "user: Q?", "something else"),
        ("A", "", "A"),
    ],
)
def test_the_response_is_what_follows_the_prompt(query: str, prompt: str, response: str) -> None:
    if query.startswith("uestion"):  # the trainer cut off where a long prompt begins
        prompt = "word " * 50 + prompt.removeprefix("user: a very long q")
        query = "word " * 20 + query
    assert response_of(query, prompt) == response


@pytest.mark.parametrize("told", ["Paris", "42", '{"question": "Who?"}', None, 42])
def test_openrlhf_is_told_of_a_label_that_is_no_pair(told: Any) -> None:
    with pytest.raises(ValueError, match="has not question, answer and answer_type; export the data again"):
        reward_func(["q a"], ["q"], [told])
