"""The key of an answer, and the line that keeps it."""

from __future__ import annotations

import dataclasses
import types
from typing import Any

import pytest

from schemas.answers import json_schema
from tests.caches import ENTRY, key
from transforms.llm.cache import request_key
from transforms.llm.cache.lines import decode, encode, is_intact, is_valid, key_of, split_lines
from transforms.llm.requests import Request, Settings

REQUEST = Request("screen", {"document": "d"}, ({"role": "user", "content": "hi"},), json_schema("screen"), "p")
SETTINGS = Settings("m", "http://one/v1", "KEY_ONE", 1.0, 100, {"seed": 1})


@pytest.mark.parametrize("valid", [True, False])
def test_a_line_says_what_was_encoded(valid: bool) -> None:
    entry = dataclasses.replace(ENTRY, valid=valid)
    line = encode(key(1), entry)
    assert is_intact(line)
    assert (key_of(line), is_valid(line)) == (key(1), valid)
    assert decode(line) == (key(1), entry)
    assert line.count(b"\n") == 1


def test_any_flipped_byte_is_noticed() -> None:
    line = encode(key(1), ENTRY)
    for at in range(len(line)):
        assert not is_intact(line[:at] + bytes([line[at] ^ 1]) + line[at + 1 :]), at


def test_no_beginning_of_a_line_is_one() -> None:
    line = encode(key(1), ENTRY)
    assert not any(is_intact(line[:stop]) for stop in range(len(line)))


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_lines_are_found_however_the_bytes_come(size: int) -> None:
    data = b"one\n\nthree\r\nfour"
    chunks = [data[at : at + size] for at in range(0, len(data), size)]
    assert list(split_lines(chunks, 5)) == [(5, b"one\n"), (9, b"\n"), (10, b"three\r\n"), (17, b"four")]


DIFFERENT: list[dict[str, Any]] = [
    {"model": "n"},
    {"temperature": 0.5},
    {"temperature": None},
    {"max_tokens": 101},
    {"extra_body": {"seed": 2}},
    {"extra_body": None},
]


@pytest.mark.parametrize("change", DIFFERENT)
def test_the_key_depends_on_how_the_model_is_called(change: dict[str, Any]) -> None:
    assert request_key(REQUEST, dataclasses.replace(SETTINGS, **change)) != request_key(REQUEST, SETTINGS)


@pytest.mark.parametrize(
    "change",
    [{"messages": ({"role": "user", "content": "ho"},)}, {"schema": json_schema("judge")}, {"sample": 1}],
)
def test_the_key_depends_on_the_request(change: dict[str, Any]) -> None:
    assert request_key(dataclasses.replace(REQUEST, **change), SETTINGS) != request_key(REQUEST, SETTINGS)


@pytest.mark.parametrize(
    "change", [{"api_base": "http://two/v1"}, {"api_key_env": None}, {"temperature": 1}, {"extra_body": {"seed": 1}}]
)
def test_the_key_does_not_depend_on_place_or_payer(change: dict[str, Any]) -> None:
    assert request_key(REQUEST, dataclasses.replace(SETTINGS, **change)) == request_key(REQUEST, SETTINGS)


def test_the_key_is_the_same_for_equal_mappings_and_any_text() -> None:
    odd = ({"content": "\ud800 é", "role": "user"},)
    request = dataclasses.replace(REQUEST, messages=odd)
    frozen = dataclasses.replace(
        request,
        messages=(types.MappingProxyType({"role": "user", "content": "\ud800 é"}),),
        schema=types.MappingProxyType(dict(REQUEST.schema)),
    )
    assert request_key(frozen, SETTINGS) == request_key(request, SETTINGS)
    assert len(bytes.fromhex(request_key(request, SETTINGS))) == 32
