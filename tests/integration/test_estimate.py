"""`webscale-rl estimate` against what runs then really take, on a server that counts a token for four characters."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipelines.estimate import Estimate, estimate_of, parse_estimate
from tests.model_server import Behaviour, ModelServer
from tests.model_server.answers import REJECT_MARKER
from tests.support import manifest_of, prose, prose_corpus, stages_of, webscale_rl, write_corpus
from transforms.llm.forecast import Forecast, Span

PRICES = "prices: {openai/test: {input: 2.0, output: 8.0, batch_input: 1.0, batch_output: 4.0}}\n"
NOTHING_THERE = "http://127.0.0.1:9/v1"


def corpus(directory: Path, name: str, first: int, documents: int, sentences: int) -> str:
    """A tenth of the documents is too short, a tenth is turned away by the screen, a twentieth is there twice.

    How many personas a document has is drawn by its hash, 2 in the mean: 45 documents leave ±12 % of doubt.
    """
    texts = [prose(number, sentences) for number in range(first, first + documents)]
    texts[::10] = ["Too short." for _ in texts[::10]]
    texts[1::10] = [f"{text} {REJECT_MARKER} is written here." for text in texts[1::10]]
    texts[2::20] = texts[3::20]
    return write_corpus(directory / f"{name}.parquet", texts, row_group_size=50)


@dataclass(frozen=True)
class Case:
    """An earlier run over 60 documents, estimates for 240 longer ones, and what they really took."""

    learnt: Estimate
    replayed: Estimate
    bounds: Estimate
    real: dict[str, Any]
    asked_meanwhile: int


@pytest.fixture(scope="module", params=["reference", "merged"])
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    directory = tmp_path_factory.mktemp("estimate")
    earlier, later = corpus(directory, "earlier", 100, 60, 8), corpus(directory, "later", 1000, 240, 12)
    config = directory / "run.yaml"
    config.write_text(PRICES)
    with ModelServer() as server:
        flags = ["--model", "openai/test", "--api-base", server.base_url, "--calls", request.param, "--config", config]
        first, second = directory / "first", directory / "second"

        def estimated(*more: object) -> Estimate:
            return estimate_of(parse_estimate([str(flag) for flag in ("--input", later, *flags, *more)]))

        assert webscale_rl("run", "--input", earlier, "--output", first, *flags) == 0
        before = server.stats()["requests"]
        learnt, bounds = estimated("--from", first), estimated()
        asked = server.stats()["requests"] - before
        assert webscale_rl("run", "--input", earlier, "--output", first, *flags, "--overwrite") == 0
        replayed = estimated("--from", f"{first}/")
        assert webscale_rl("run", "--input", later, "--output", second, *flags) == 0
    return Case(learnt, replayed, bounds, manifest_of(second), asked)


def lines_of(estimate: Estimate) -> dict[str, Forecast]:
    return {line.stage: line for line in estimate.lines}


def test_no_model_is_called_for_an_estimate(case: Case) -> None:
    assert case.asked_meanwhile == 0


def test_an_earlier_run_tells_calls_and_tokens_of_a_larger_one_within_a_tenth(case: Case) -> None:
    lines = lines_of(case.learnt)
    assert lines["kept"].units.low == pytest.approx(case.real["rows"]["qa"], rel=0.1)
    totals = {"calls": [0.0, 0.0], "prompt_tokens": [0.0, 0.0], "completion_tokens": [0.0, 0.0]}
    for row in case.real["usage"]:
        for name, total in totals.items():
            span: Span = getattr(lines[row["stage"]], name)
            print(f"{row['stage']:9} {name:18} estimated {span.low:10,.0f}  real {row[name]:10,}")
            assert span.low == span.high == pytest.approx(row[name], rel=0.1), (row["stage"], name)
            total[:] = total[0] + span.low, total[1] + row[name]
    for name, (estimated, real) in totals.items():
        assert real > 0 and estimated == pytest.approx(real, rel=0.1), name


def test_the_length_of_a_prompt_is_right_for_documents_of_another_length(case: Case) -> None:
    lines = lines_of(case.learnt)
    for row in case.real["usage"]:
        if row["calls"]:
            line = lines[row["stage"]]
            assert line.prompt_tokens.low / line.calls.low == pytest.approx(
                row["prompt_tokens"] / row["calls"], rel=0.02
            )


def test_dollars_follow_from_the_configured_prices(case: Case) -> None:
    price = case.learnt.prices["screen"]
    assert price is not None
    dollars = sum(line.online_usd(price).low for line in case.learnt.lines)
    batch = sum(line.batch_usd(price).low for line in case.learnt.lines)
    assert dollars == pytest.approx(case.real["cost"]["usd"], rel=0.1)
    assert batch == pytest.approx(dollars / 2)
    each = case.real["cost"]["usd"] / case.real["rows"]["qa"]
    assert case.real["cost"]["usd_per_kept_pair"] == pytest.approx(each)


def test_a_run_that_only_replayed_its_answers_tells_the_same(case: Case) -> None:
    for line, again in zip(case.learnt.lines, case.replayed.lines, strict=True):
        for name in ("units", "calls", "prompt_tokens", "completion_tokens"):
            assert getattr(again, name).low == pytest.approx(getattr(line, name).low), (line.stage, name)


def test_without_an_earlier_run_the_bounds_hold(case: Case) -> None:
    lines = lines_of(case.bounds)
    for row in case.real["usage"]:
        for name in ("calls", "prompt_tokens", "completion_tokens"):
            span: Span = getattr(lines[row["stage"]], name)
            print(f"{row['stage']:9} {name:18} {span.low:10,.0f} to {span.high:10,.0f}  real {row[name]:10,}")
            assert span.low <= row[name] <= span.high, (row["stage"], name)
    assert lines["kept"].units.low <= case.real["rows"]["qa"] <= lines["kept"].units.high


# --- in pieces and through the console ---


@pytest.mark.parametrize("calls", ["reference", "merged"])
def test_a_run_in_two_pieces_has_cost_what_one_in_one_piece_does(tmp_path: Path, calls: str) -> None:
    documents, config = prose_corpus(tmp_path, 30), tmp_path / "run.yaml"
    config.write_text(PRICES)
    flags = ["--input", documents, "--model", "openai/test", "--config", config, "--calls", calls]
    with ModelServer() as server:
        assert webscale_rl("run", *flags, "--output", tmp_path / "one", "--api-base", server.base_url) == 0
    with ModelServer(Behaviour(faults={"401": 0.03}, seed=3)) as server:
        pieces = [*flags, "--output", tmp_path / "two", "--api-base", server.base_url, "--concurrency", "4"]
        assert webscale_rl("run", *pieces) == 3
        first = manifest_of(tmp_path / "two")["cost"]
        server.set_faults({})
        assert webscale_rl("run", *pieces) == 0
    one, two = manifest_of(tmp_path / "one")["cost"], manifest_of(tmp_path / "two")["cost"]
    assert 0 < first["usd"] < one["usd"]
    assert one["replayed_usd"] == 0 < two["replayed_usd"]
    assert two["replayed_usd"] == pytest.approx(first["usd"])
    assert two["usd"] + two["replayed_usd"] == pytest.approx(one["usd"])
    assert two["usd_per_kept_pair"] == pytest.approx(one["usd_per_kept_pair"]) and one["usd_per_kept_pair"] > 0


def test_the_embedded_engine_costs_nothing_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    documents, here = prose_corpus(tmp_path, 20), tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    assert webscale_rl("estimate", "--input", documents, "--state", here / "state") == 0
    said = capsys.readouterr().out
    assert "no paid calls: the embedded engine" in said and "20 of 20 sampled documents" in said
    assert list(here.iterdir()) == []


def test_the_stages_before_the_models_ask_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert webscale_rl("estimate", "--input", prose_corpus(tmp_path, 3), "--until", "dedup") == 0
    assert capsys.readouterr().out == "no paid calls: the run ends with dedup\n"


def test_a_served_model_without_a_price_has_tokens_and_the_key_to_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--model", "hosted_vllm/some/model", "--api-base", NOTHING_THERE, "--documents", "10"]
    assert webscale_rl("estimate", "--input", prose_corpus(tmp_path, 40), *flags) == 0
    said = capsys.readouterr().out
    assert "price unknown: set prices.hosted_vllm/some/model in --config" in said
    assert "0.9-1.4, since its own tokenizer differs" in said and "Webscale-RL (arXiv 2510.06499)" in said
    assert "10 of 10 sampled documents, drawn from 40" in said


def test_what_a_short_earlier_run_lacks_is_assumed_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    documents = prose_corpus(tmp_path, 20)
    with ModelServer() as server:
        flags = ["--input", documents, "--model", "openai/test", "--api-base", server.base_url]
        assert webscale_rl("run", *flags, "--output", tmp_path / "run", "--until", "classify") == 0
        fan_out = stages_of(tmp_path / "run")["classify"]["fan_out"]
        capsys.readouterr()
        assert webscale_rl("estimate", *flags, "--from", tmp_path / "run") == 0
    said = capsys.readouterr().out
    rows = {line.split()[0]: line.split() for line in said.splitlines()[:6]}
    assert rows["classify"][2:4] == ["20", "20"] and rows["generate"][2] == str(fan_out)
    assert "-" not in rows["classify"][4] and "-" in rows["generate"][4]
    assert "generate 30-600, judge 15-400" in said and "classify 15-400" not in said


@pytest.mark.parametrize("sample", [7, 1000])
def test_what_the_run_itself_would_sample_is_what_is_estimated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], sample: int
) -> None:
    flags = ["--input", prose_corpus(tmp_path, 30), "--sample", str(sample)]
    assert webscale_rl("estimate", *flags) == 0
    assert f"drawn from {min(sample, 30)}, " in capsys.readouterr().out


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that asked merged, and directories that are no use to learn from."""
    directory = tmp_path_factory.mktemp("small")
    documents = prose_corpus(directory, 3)
    assert webscale_rl("run", "--input", documents, "--output", directory / "merged", "--calls", "merged") == 0
    assert webscale_rl("run", "--input", documents, "--output", directory / "early", "--until", "dedup") == 0
    for name, content in (("broken", "{"), ("empty", "{}"), ("list", "[]")):
        (directory / name).mkdir()
        (directory / name / "manifest.json").write_text(content)
    return directory


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--from", "{}/nowhere"], "there is no directory {}/nowhere; name a run's --output"),
        (["--from", "{}/broken"], "manifest.json cannot be read"),
        (["--from", "{}/empty"], "its manifest.json lacks what this version writes (KeyError: 'config')"),
        (["--from", "{}/list"], "its manifest.json lacks what this version writes"),
        (["--from", "{}/merged"], "was made with --calls merged, and this is --calls reference; make them equal"),
        (["--from", "{}/early"], "no document reached its screen"),
        (["--documents", "0"], "--documents 0 must be 1 or more"),
        (["--documents", "x"], "invalid int value: 'x'"),
        (["--form", "{}/merged"], "unknown flag --form"),
        (["--config", "{}/strict.yaml"], "gets past deduplication (filter: min_tokens (3))"),
        (["--model", "openai/test", "--config", "{}/prices.yaml"], "prices.other: no stage calls that model"),
    ],
)
def test_bad_input_is_told_in_one_line(
    small: Path, capsys: pytest.CaptureFixture[str], flags: list[str], message: str
) -> None:
    (small / "strict.yaml").write_text("filters: {min_tokens: 10000}\n")
    (small / "prices.yaml").write_text("prices: {other: {input: 1, output: 1}}\n")
    flags = [flag.replace("{}", str(small)) for flag in flags]
    assert webscale_rl("estimate", "--input", str(small / "prose-0-3.parquet"), *flags) == 2
    err = capsys.readouterr().err
    assert message.replace("{}", str(small)) in err and err.strip().count("\n") == 0


def test_an_input_without_rows_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert webscale_rl("estimate", "--input", write_corpus(tmp_path / "none.parquet", [])) == 2
    assert "the input has no rows" in capsys.readouterr().err
