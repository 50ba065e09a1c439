"""`webscale-rl export`: runs and roots to trainers, and what is refused."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming
from pydantic import TypeAdapter

import pipelines.export
from pipelines.export import parse_export
from tests.exports import data_of, exported, ids_of, lay_run, loaded, pair, rated, rows_of
from tests.roots import all_rows, catalog_of, ids_file, lay_out, refresh, runs_of
from tests.support import prose, webscale_rl
from tests.support import rows_of as run_rows
from transforms.exports.targets import TARGETS

ALL = list(TARGETS)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the run of the demo."""
    output = tmp_path_factory.mktemp("demo") / "run"
    assert webscale_rl("run", "--input", "examples/corpus/*.parquet", "--output", str(output)) == 0
    return output


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run of 600 pairs of 200 documents."""
    return lay_run(tmp_path_factory.mktemp("made") / "run", [pair(number) for number in range(600)])


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Return the one line that a command which cannot begin has said."""
    capsys.readouterr()
    assert webscale_rl("export", *map(str, arguments)) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1, said
    return said


@pytest.mark.parametrize("target", ALL)
def test_every_pair_is_there_once_and_the_pairs_of_a_document_together(target: str, run: Path, tmp_path: Path) -> None:
    output = exported(run, target, tmp_path / "out", "--split", "0.1")
    train, validation = (ids_of(target, rows_of(output, side)) for side in ("train", "validation"))
    source = {row["id"]: row["source"]["doc_id"] for row in run_rows(run, "qa")}
    assert sorted(train + validation) == sorted(source) and train == sorted(train)
    assert validation and not {source[each] for each in train} & {source[each] for each in validation}


@pytest.mark.parametrize("target", ALL)
def test_the_same_run_makes_the_same_files(target: str, run: Path, tmp_path: Path) -> None:
    one, other = (exported(run, target, tmp_path / name / "out") for name in ("a", "b"))
    for path in (path for path in one.rglob("*") if path.is_file()):
        same = path.read_bytes().replace(b"/a/out", b"/b/out")
        assert same == (other / path.relative_to(one)).read_bytes(), path
    assert sum(path.is_file() for path in one.rglob("*")) == sum(path.is_file() for path in other.rglob("*"))


@pytest.mark.parametrize("target", ["verl", "trl", "openrlhf", "nemo-gym"])
def test_the_reward_pays_for_each_pair_of_the_demo_from_its_row_alone(target: str, demo: Path, tmp_path: Path) -> None:
    output = exported(demo, target, tmp_path / "out", "--split", "0.2")
    reward = loaded(data_of(output) / "reward.py")
    rows = rows_of(output, "train") + rows_of(output, "validation")
    assert len(rows) == len(run_rows(demo, "qa")) >= 20
    for row in rows:
        assert (paid(target, reward, row, right=True), paid(target, reward, row, right=False)) == (1.0, 0.0), row


def paid(target: str, reward: Any, row: dict[str, Any], *, right: bool) -> float:
    """Return the reward of the right answer, or of a wrong one, asked for as the trainer does."""
    truth = {
        "verl": lambda: row["reward_model"]["ground_truth"],
        "trl": lambda: row["ground_truth"],
        "openrlhf": lambda: json.loads(row["label"])["answer"],
        "nemo-gym": lambda: row["expected_answer"],
    }[target]()
    response = f"So it is \\boxed{{{truth if right else 'Zanzibar 7'}}}"
    if target == "verl":
        return float(reward.compute_score(row["data_source"], response, truth, row["extra_info"], other=1))
    if target == "trl":
        columns = {name: [value] for name, value in row.items() if name != "prompt"}
        completions = [[{"role": "assistant", "content": response}]]
        (value,) = reward.accuracy(prompts=[row["prompt"]], completions=completions, completion_ids=[[1]], **columns)
        return float(value)
    if target == "openrlhf":
        prompt = f"<|im_start|>user\n{row['prompt']}<|im_end|>\n<|im_start|>assistant\n"
        (value,) = reward.reward_func([f"{prompt}{response}<|im_end|>"], [prompt], [row["label"]])["rewards"]
        return float(value)
    return float(reward.reward(row["question"], truth, response, row["answer_type"], row["aliases"]))


def test_what_a_trainer_demands_of_a_row_is_there(run: Path, tmp_path: Path) -> None:
    """As the sources have it: verl 0.9.1 (RLHFDataset, the naive reward manager), OpenRLHF 0.11.2 (PromptDataset),
    NeMo Gym 0.4.0 (BaseRunRequest, whose `responses_create_params` is OpenAI's with nothing else allowed)."""
    verl, openrlhf, gym = (
        rows_of(exported(run, name, tmp_path / name), "train")[0] for name in ("verl", "openrlhf", "nemo-gym")
    )
    assert isinstance(verl["extra_info"]["index"], int) and isinstance(verl["reward_model"]["ground_truth"], str)
    assert [set(message) for message in verl["prompt"]] == [{"role", "content"}]
    assert all(isinstance(openrlhf[name], str) for name in ("prompt", "label", "datasource"))
    TypeAdapter(ResponseCreateParamsNonStreaming).validate_python({"model": "any", **gym["responses_create_params"]})
    assert gym["responses_create_params"].keys() == {"input"}


def test_the_server_of_nemo_gym_verifies_and_its_config_names_every_file(run: Path, tmp_path: Path) -> None:
    output = exported(run, "nemo-gym", tmp_path / "out")
    config = yaml.safe_load((data_of(output) / "configs" / "webscale_rl.yaml").read_text(encoding="utf-8"))
    agent = config["webscale_rl_simple_agent"]["responses_api_agents"]["simple_agent"]
    assert agent["resources_server"]["name"] in config
    listed = {(each["type"], each["jsonl_fpath"]) for each in agent["datasets"]}
    assert listed == {
        (path.name.split("-")[0], path.relative_to(output).as_posix()) for path in output.rglob("*.jsonl")
    }
    assert len({each["name"] for each in agent["datasets"]}) == len(listed)
    for module in ("__init__", "base_resources_server"):
        (tmp_path / "gym" / "nemo_gym").mkdir(parents=True, exist_ok=True)
        (tmp_path / "gym" / "nemo_gym" / f"{module}.py").write_text(STUB, encoding="utf-8")
    (row, *_) = rows_of(output, "train")
    said = {"output": [{"type": "message", "content": [{"type": "output_text", "text": row["expected_answer"]}]}]}
    command = [sys.executable, "-c", ASK, json.dumps({**row, "response": said})]
    environment = {"PYTHONPATH": f"{tmp_path / 'gym'}:{data_of(output)}"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=tmp_path)
    assert (done.stdout, done.stderr) == (f"1.0 {row['id']}\n", "")


STUB = """
from types import SimpleNamespace
from typing import Any
from pydantic import BaseModel
class BaseResourcesServerConfig(BaseModel): pass
class BaseRunRequest(BaseModel):
    responses_create_params: dict[str, Any]
class Content(BaseModel):
    type: str
    text: str = ""
class Output(BaseModel):
    type: str
    content: list[Content] = []
class Response(BaseModel):
    output: list[Output]
class BaseVerifyRequest(BaseRunRequest):
    response: Response
class BaseVerifyResponse(BaseVerifyRequest):
    reward: float
class SimpleResourcesServer:
    pass
"""
"""What the server takes from NeMo Gym, which wants a newer Python than we do."""

ASK = """
import asyncio, json, sys
import app
verified = asyncio.run(app.Server().verify(app.VerifyRequest(**json.loads(sys.argv[1]))))
print(verified.reward, verified.id)
"""


def test_filters_leave_out_and_say_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pairs = [rated(number, number % 5 if number % 3 else None) for number in range(300)]
    run = lay_run(tmp_path / "run", pairs)
    flags = ["--domains", "Math", "Coding", "Natural Science", "--answer-types", "number", "--max-pass-rate", "0.5"]
    output = exported(run, "trl", tmp_path / "out", *flags, "--split", "0")
    rows = rows_of(output, "train")
    wanted = {
        each.id
        for each in pairs
        if each.domain in flags and each.answer_type == "number" and each.difficulty and each.difficulty.passes <= 2
    }
    assert {row["id"] for row in rows} == wanted and wanted
    said = capsys.readouterr().out
    for reason in ("of other domains", "of unknown difficulty", "answered right in more than 0.5 of the samples"):
        assert re.search(rf"\d+ {reason}", said) and reason in (output / "README.md").read_text(encoding="utf-8")
    assert "was not asked about have no pass rate" in said
    left_out = re.findall(r"([\d,]+) (?:of other|of unknown|answered)", said.split("Left out:")[1])
    assert sum(int(count.replace(",", "")) for count in left_out) + len(rows) == 300


def test_a_small_run_without_validation_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = lay_run(tmp_path / "run", [pair(0)])
    output = exported(run, "verl", tmp_path / "out")
    assert "No document falls on the validation side" in capsys.readouterr().out
    assert [path.name for path in (output / "data").iterdir()] == ["train-00000-of-00001.parquet"]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--domains", "Maths"], "--domains: unknown 'Maths'; did you mean Math?"),
        (["--domains", "zzz"], "known are Math, Technology & Engineering, Coding"),
        (["--answer-types", "numbers"], "--answer-types: unknown 'numbers'; did you mean number?"),
        (["--max-pass-rate", "0.5"], "has a difficulty; run it with a model for closed_book"),
        (["--max-pass-rate", "50"], "50 must be a share, from 0 to 1"),
        (["--max-pass-rate", "nan"], "nan must be a share"),
        (["--split", "-0.1"], "-0.1 must be a share"),
        (["--split", "1"], "1 leaves nothing to train on"),
        (["--split", "0.999999"], "pairs are of documents for validation; make --split smaller"),
        (["--domains", "Other", "--answer-types", "name"], "(60 of other answer types, 540 of other domains)"),
        (["--to", "megatron"], "invalid choice: 'megatron'"),
        (["--shards", "7"], "unrecognized arguments: --shards 7"),
        (["--output", "/tmp/a,b"], "--output '/tmp/a,b' has ',', which the commands for trainers cannot carry; name a"),
        (["--output", "gs://bucket/a'b"], """has "'", which"""),
        (["--output", "/tmp/a\nb"], r"--output '/tmp/a\nb' has '\n', which"),
        (["--output", "/tmp/a\udcff"], r"has '\udcff', which"),
    ],
)
def test_what_makes_no_export_is_refused_in_a_line(
    flags: list[str], said: str, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    to = [] if "--to" in flags else ["--to", "verl"]
    assert said in refused(capsys, run, *to, "--output", tmp_path / "out", *flags)
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_exported_is_refused_by_name(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--to", "verl", "--output", tmp_path / "out"]
    assert f"there is no directory {tmp_path}/nowhere;" in refused(capsys, tmp_path / "nowhere", *flags)
    empty = lay_run(tmp_path / "empty", [])
    assert f"{empty} has no pairs" in refused(capsys, empty, *flags)
    half = lay_run(tmp_path / "half", [pair(1)], unfinished=["judge: 3 pending (budget)"])
    (half / "_SUCCESS").unlink()
    assert f"the run in {half} is not complete (judge: 3 pending (budget)); finish it" in refused(capsys, half, *flags)
    early = lay_run(tmp_path / "early", [pair(1)], rows={"documents": 1}, until="dedup")
    assert "ended with dedup and has no qa/" in refused(capsys, early, *flags)
    old = lay_run(tmp_path / "old", [pair(1)])
    (shard,) = (old / "qa").iterdir()
    pq.write_table(pq.read_table(shard).drop_columns(["difficulty"]), shard)
    assert f"{shard} has no column 'difficulty' of struct" in refused(capsys, old, *flags)
    bare = lay_run(tmp_path / "bare", [pair(1)])
    content = json.loads((bare / "manifest.json").read_text(encoding="utf-8"))
    for number, (change, lacks) in enumerate(
        [
            ({"rows": {"documents": 1}, "until": None}, "ended with no pairs and has no qa/"),
            ({"stages": [{"stage": "judge", "in": 1}]}, "lacks stages.unit, stages.kept, stages.rejected"),
            ({"contamination": [{"benchmark": "gsm8k"}]}, "lacks contamination.items, contamination.pairs: another"),
        ]
    ):
        changed = {key: value for key, value in {**content, **change}.items() if value is not None}
        (bare / "manifest.json").write_text(json.dumps(changed), encoding="utf-8")
        to = ["--to", "hf", "--output", tmp_path / f"bare-{number}"]
        assert lacks in refused(capsys, bare, *to) and not (tmp_path / f"bare-{number}").exists()
    lost = lay_run(tmp_path / "lost", [pair(1)], rows={"qa": 2})
    assert f"{lost}/qa has 1 pairs and its manifest says 2" in refused(capsys, lost, *flags)
    assert not (tmp_path / "out").exists()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").touch()
    assert f"--output {tmp_path}/out holds mine already; name a new directory" in refused(capsys, run, *flags)
    assert refused(capsys, "--to", "verl", "--output", tmp_path / "x").startswith(
        "webscale-rl: the following arguments"
    )


def test_a_run_that_changes_while_it_is_exported_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = lay_run(tmp_path / "run", [pair(number) for number in range(30)])
    write = pipelines.export._write_rows

    def late(*arguments: Any) -> Any:
        (shard,) = (run / "qa").iterdir()
        rows = pq.read_table(shard)
        pq.write_table(pa.concat_tables([rows.slice(0, 1)] * 30), shard)
        return write(*arguments)

    monkeypatch.setattr(pipelines.export, "_write_rows", late)
    said = refused(capsys, run, "--to", "trl", "--output", tmp_path / "out", "--split", "0.5")
    assert "pairs were counted for trl and" in said and "export again to another directory" in said
    assert not (tmp_path / "out" / "README.md").exists()


@pytest.mark.parametrize("target", ALL)
def test_what_there_is_of_a_run_is_taken_when_asked_for_and_says_so(
    target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    half = lay_run(tmp_path / "half", [pair(1)])
    whole = exported(half, target, tmp_path / "whole", "--incomplete")
    words = "The run was not complete when it was exported"
    assert words not in capsys.readouterr().out + (whole / "README.md").read_text(encoding="utf-8")
    (half / "_SUCCESS").unlink()
    output = exported(half, target, tmp_path / "out", "--incomplete")
    assert len(rows_of(output, "train")) == 1
    assert words in capsys.readouterr().out and words in (output / "README.md").read_text(encoding="utf-8")


def test_the_help_says_that_a_run_until_a_stage_has_nothing_to_take(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_export(["--help"])
    assert "not one that stopped at --until, which has no qa/" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("flags", [[], ["--incomplete"]])
def test_a_run_of_a_root_is_not_exported_alone(
    flags: list[str], root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (run, *_) = runs_of(root)
    to = ["--to", "hf", "--output", tmp_path / "out", *flags]
    said = refused(capsys, f"{root}/runs/{run}", *to)
    assert f"{root}/runs/{run} is a run of the root {root}, and later runs" in said and f"export {root}\n" in said
    monkeypatch.chdir(f"{root}/runs")
    assert f"{run} is a run of the root {root}, and" in refused(capsys, run, *to)
    assert f"there is no directory {root}/runs/nowhere;" in refused(capsys, f"{root}/runs/nowhere", *to)
    assert not (tmp_path / "out").exists()


def test_a_run_in_a_directory_named_runs_that_no_root_has_is_exported(tmp_path: Path) -> None:
    run = lay_run(tmp_path / "runs" / "one", [pair(1)])
    assert len(rows_of(exported(run, "trl", tmp_path / "out", "--split", "0"), "train")) == 1


def test_of_a_root_only_what_is_live_goes_along(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus, root = f"{tmp_path}/corpus", f"{tmp_path}/root"
    first = {"a": {"d4": prose(4), "d5": prose(5)}, "b": {"d6": prose(6), "d7": prose(7)}}
    lay_out(corpus, first)
    assert refresh(corpus, root) == 0
    lay_out(corpus, {**first, "a": {"d4": prose(8), "d5": prose(5)}})
    assert refresh(corpus, root) == 0
    gone = {each for row in all_rows(root, "superseded") for each in row["pair_ids"]}
    before = {row["id"]: row["source"]["doc_id"] for row in all_rows(root, "qa")}
    assert gone and gone < set(before)
    capsys.readouterr()
    output = exported(Path(root), "hf", tmp_path / "one", "--split", "0")
    assert f"{len(gone)} superseded or forgotten" in capsys.readouterr().out
    assert {row["id"] for row in rows_of(output, "train")} == set(before) - gone
    card = (output / "README.md").read_text(encoding="utf-8")
    assert all(f"`{run}`" in card for run in runs_of(root))
    assert refresh(corpus, root, "--forget", ids_file(tmp_path / "ids.parquet", "d7")) == 0
    rows = rows_of(exported(Path(root), "hf", tmp_path / "two", "--split", "0"), "train")
    assert "d7" in set(before.values()) and {row["source"]["doc_id"] for row in rows} == {"d4", "d5"}


def test_what_is_noted_to_be_forgotten_is_left_out_before_it_is_gone(root: str, tmp_path: Path) -> None:
    from pipelines.takedown import remember
    from transforms.catalog import read_catalog

    catalog, _ = read_catalog(root)
    assert catalog is not None
    remember(root, catalog, "takedown-1", ["d4"])
    assert not catalog_of(root)["forgotten"][0]["swept"]
    rows = rows_of(exported(Path(root), "trl", tmp_path / "out", "--split", "0"), "train")
    assert (
        {row["id"] for row in rows}
        == {row["id"] for row in all_rows(root, "qa") if row["source"]["doc_id"] != "d4"}
        != {row["id"] for row in all_rows(root, "qa")}
    )


def test_a_root_without_a_run_is_told(root: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    catalog = catalog_of(root)
    Path(root, "catalog.json").write_text(json.dumps({**catalog, "runs": []}), encoding="utf-8")
    assert "has no run yet" in refused(capsys, root, "--to", "trl", "--output", tmp_path / "out")
    Path(root, "catalog.json").write_text("{", encoding="utf-8")
    assert "catalog.json is damaged" in refused(capsys, root, "--to", "trl", "--output", tmp_path / "out")


def test_a_failure_to_write_is_one_line_and_leaves_no_readme(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    said = refused(capsys, run, "--to", "verl", "--output", tmp_path / "file" / "out")
    assert f"{tmp_path}/file/out" in said


def test_a_run_on_a_bucket_is_exported_to_a_bucket(bucket: str, run: Path, tmp_path: Path) -> None:
    from transforms.files import copy, list_files

    for path in (each for each in run.rglob("*") if each.is_file()):
        copy(str(path), f"{bucket}/run/{path.relative_to(run)}")
    assert webscale_rl("export", f"{bucket}/run", "--to", "nemo-gym", "--output", f"{bucket}/out") == 0
    here = exported(run, "nemo-gym", tmp_path / "out")
    there = {path.removeprefix(f"{bucket}/out/") for path in list_files(f"{bucket}/out/**")}
    assert there == {path.relative_to(here).as_posix() for path in here.rglob("*") if path.is_file()}
    assert webscale_rl("export", f"{bucket}/run", "--to", "verl", "--output", f"{bucket}/out") == 2


MEASURE = """
import resource, sys
from pipelines.cli import main
import pipelines.export
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak()
assert main(sys.argv[1:]) == 0
print("grew by", (peak() - before) // 1024)
"""


def test_a_large_run_goes_through_little_memory(tmp_path: Path) -> None:
    """200,000 pairs; their rows alone, as Python objects, would take more than 600 MB."""
    run = lay_run(tmp_path / "run", (pair(number) for number in range(200_000)), 200_000)
    arguments = ["export", str(run), "--to", "hf", "--output", str(tmp_path / "out")]
    done = subprocess.run([sys.executable, "-c", MEASURE, *arguments], capture_output=True, text=True, check=True)
    grown = int(done.stdout.split()[-1])
    assert grown < 250, f"{grown} MB"
    files = sorted((tmp_path / "out" / "data").iterdir())
    assert [path.name for path in files] == [
        *(f"train-{number:05d}-of-00004.parquet" for number in range(4)), "validation-00000-of-00001.parquet"
    ]  # fmt: skip
    assert sum(pq.read_metadata(path).num_rows for path in files) == 200_000
