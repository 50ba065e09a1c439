"""What a pair becomes for each trainer, which pairs go along, and what is said about them."""

from __future__ import annotations

import html
import re
import subprocess
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

from schemas.records import Contamination, Difficulty, Pair, Source, StageNames, to_table
from tests.exports import manifest, pair, rated
from transforms.exports.card import card
from transforms.exports.hf import HF, model_name
from transforms.exports.prompt import INSTRUCTION
from transforms.exports.readme import Made, counts, plain, readme, unsafe
from transforms.exports.selection import COLUMNS, Selection, Tally
from transforms.exports.shards import ChangedError, Shards
from transforms.exports.target import Place, batch
from transforms.exports.targets import TARGETS

PLACE = Place("train", 7)


def rows_of(*pairs: Pair) -> list[dict[str, Any]]:
    return to_table(Pair, pairs).to_pylist()


def selected(selection: Selection, *pairs: Pair) -> tuple[list[int], dict[str, int]]:
    sides, dropped = selection.sides(to_table(Pair, pairs).select(COLUMNS))
    return sides.tolist(), dict(dropped)


@pytest.mark.parametrize("name", ["verl", "trl", "hf", "openrlhf"])
def test_a_row_fits_its_schema_to_the_last_column(name: str) -> None:
    target = TARGETS[name]
    rows = [target.row(row, PLACE) for row in rows_of(pair(1), pair(2, aliases=("a", "b")), rated(3, 1))]
    assert target.schema is not None
    table = pa.Table.from_pylist(rows, schema=target.schema)
    assert table.to_pylist() == rows, "nothing of a row is lost, and nothing is missing"
    assert not [field for field in target.schema if pa.types.is_map(field.type)], "datasets refuses maps"


def test_all_trainers_ask_a_policy_the_same() -> None:
    (row,) = rows_of(pair(1))
    asked = f"{row['question']}\n\n{INSTRUCTION}"
    chat = [{"role": "user", "content": asked}]
    made = {name: target.row(row, PLACE) for name, target in TARGETS.items()}
    assert made["verl"]["prompt"] == made["trl"]["prompt"] == chat
    assert made["openrlhf"]["prompt"] == asked
    assert made["nemo-gym"]["responses_create_params"] == {"input": chat}


def test_a_dataset_to_publish_says_nothing_of_its_makers_storage() -> None:
    (row,) = rows_of(pair(1))
    published = HF.row(row, PLACE)
    assert "/home/maker" in str(row) and "/home/maker" not in str(published)
    assert "calls" not in published and set(row) - set(published) == {"calls"}


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("hosted_vllm//home/maker/models/secret", "secret"),
        ("/home/maker/models/secret/", "secret"),
        ("openai/~maker/secret", "secret"),
        ("hosted_vllm/../models/secret", "secret"),
        ("hosted_vllm/./secret", "secret"),
        ("hosted_vllm/gs://maker/models/secret", "secret"),
        ("hosted_vllm/C:\\maker\\secret", "secret"),
        ("openrouter/meta-llama/llama-3.1-8b:free", "openrouter/meta-llama/llama-3.1-8b:free"),
        ("embedded/extractive", "embedded/extractive"),
        ("gpt-4o", "gpt-4o"),
    ],
)
def test_a_model_that_is_a_path_is_published_by_its_last_part(name: str, published: str) -> None:
    names = StageNames(screen=name, judge="gpt-4o")
    (row,) = rows_of(pair(1, models=names, difficulty=Difficulty(name, 4, 1)))
    shown = HF.row(row, PLACE)
    assert shown["models"] == {**row["models"], "screen": published} and shown["models"]["classify"] is None
    assert shown["difficulty"] == {"model": published, "samples": 4, "passes": 1}
    text = card(HF, made(pair(1), config={"models": {"judge": {"model": name}}}), [])
    assert f"| judge | {plain(published)} |" in text and model_name(published) == published


def test_the_pairs_of_a_document_are_on_one_side_whatever_else_is_there() -> None:
    pairs = [pair(number) for number in range(3000)]
    sides, _ = selected(Selection(0.1), *pairs)
    by_document: dict[str | None, set[int]] = {}
    for side, each in zip(sides, pairs, strict=True):
        by_document.setdefault(each.source.doc_id, set()).add(side)
    assert all(len(there) == 1 for there in by_document.values())
    assert 60 <= sum(there == {1} for there in by_document.values()) <= 140, "a tenth of 1,000"
    alone = [selected(Selection(0.1), each)[0][0] for each in pairs[:300]]
    assert alone == sides[:300]


def test_a_larger_share_only_adds_documents_and_none_is_none() -> None:
    pairs = [pair(number, document=number) for number in range(500)]
    small, large = (selected(Selection(share), *pairs)[0] for share in (0.1, 0.3))
    assert all(after >= before for before, after in zip(small, large, strict=True)) and sum(small) < sum(large)
    assert set(selected(Selection(0.0), *pairs)[0]) == {0}


def test_the_split_is_the_one_it_always_was() -> None:
    pairs = [pair(number, document=number) for number in range(100)]
    sides, _ = selected(Selection(0.05), *pairs)
    assert [number for number, side in enumerate(sides) if side] == [11, 16, 46, 56, 84]


def test_what_is_left_out_is_counted_once_by_its_first_reason() -> None:
    pairs = [
        pair(0, domain="Math", answer_type="name"),
        pair(1, domain="Coding", answer_type="number"),
        pair(2, domain="Math", answer_type="number"),
        pair(3, domain=None, answer_type=None),
    ]
    sides, dropped = selected(Selection(0.0, ("Math",), ("number",)), *pairs)
    assert sides == [-1, -1, 0, -1]
    assert dropped == {"of other domains": 2, "of other answer types": 1}


def test_a_pass_rate_is_a_share_of_the_samples_and_unknown_ones_are_left_out() -> None:
    pairs = [rated(0, 0), rated(1, 2), rated(2, 3), rated(3, None), rated(4, 0, samples=0)]
    sides, dropped = selected(Selection(0.0, max_pass_rate=0.5), *pairs)
    assert sides == [0, 0, -1, -1, -1]
    assert dropped == {"of unknown difficulty": 2, "answered right in more than 0.5 of the samples": 1}
    assert selected(Selection(0.0, max_pass_rate=0.0), *pairs)[0] == [0, -1, -1, -1, -1]
    assert selected(Selection(0.0, max_pass_rate=1.0), *pairs)[0] == [0, 0, 0, -1, -1]


def test_an_empty_table_has_no_sides() -> None:
    assert selected(Selection(0.5, ("Math",), ("name",), 0.5)) == ([], {})


@pytest.mark.parametrize("rows", [1, 2, 50_000, 50_001, 120_000])
def test_shards_are_of_one_size_and_none_is_empty(rows: int, tmp_path: Path) -> None:
    target = TARGETS["nemo-gym"]
    with Shards(str(tmp_path), target, "train", rows) as shards:
        for number in range(rows):
            shards.add({"n": number})
    files = [tmp_path / path for path in target.files("train", rows)]
    counts = [path.read_text().count("\n") for path in files]
    assert sum(counts) == rows and max(counts) - min(counts) <= 1 and max(counts) <= 50_000
    assert "".join(path.read_text() for path in files) == "".join(f'{{"n": {number}}}\n' for number in range(rows))


def test_a_side_without_rows_has_no_files(tmp_path: Path) -> None:
    with Shards(str(tmp_path), TARGETS["verl"], "validation", 0) as shards:
        pass
    assert shards.paths == [] and list(tmp_path.iterdir()) == []


def test_what_was_announced_must_come_and_no_more(tmp_path: Path) -> None:
    target = TARGETS["nemo-gym"]
    with (
        pytest.raises(ChangedError, match="2 pairs were counted for nemo-gym and 1 came"),
        Shards("x", target, "train", 2) as shards,
    ):
        shards.written = 1
    with (
        pytest.raises(ChangedError, match="1 pairs were counted for nemo-gym and more came"),
        Shards(str(tmp_path), target, "train", 1) as shards,
    ):
        shards.add({})
        shards.add({})


def test_a_file_that_was_broken_off_has_not_its_name(tmp_path: Path) -> None:
    target = TARGETS["verl"]
    with pytest.raises(RuntimeError, match="the power"), Shards(str(tmp_path), target, "train", 20_000) as shards:
        for row in rows_of(pair(1)) * 12_000:
            shards.add(target.row(row, PLACE))
        raise RuntimeError("the power went out")
    assert list((tmp_path / "data").iterdir()) == []


EVIL = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "a | b\n\n# head", "[x](javascript:alert(1))",
    "![x](https://evil.example/a.png)", "https://evil.example www.evil.example a@b.example", "`code` **bold** $x$",
    "---\nlicense: mit\n---", "\u202egnp.exe\u2066", "&lt;b&gt;", "\x00\x07 tab\there", "{{ template }} {% raw %}",
]  # fmt: skip


@pytest.mark.parametrize("text", EVIL)
def test_the_texts_of_strangers_are_shown_and_do_nothing(text: str) -> None:
    shown = plain(text)
    assert not re.search(r"[<>|\[\]()`*_#$!\\{}@:\n\x00-\x1f\u202e\u2066]", re.sub(r"&#\d+;", "", shown))
    assert "." not in shown and "&" not in re.sub(r"&#\d+;", "", shown)
    seen = "".join(each if each.isprintable() else " " for each in text)
    assert html.unescape(shown).split() == seen.split(), "a reader sees what was written"
    assert len(html.unescape(plain(text * 100))) <= 200


def made(*pairs: Pair, **changes: Any) -> Made:
    selection, tally = Selection(0.1), Tally()
    tally.add(to_table(Pair, pairs).select(COLUMNS), selection)
    return Made("0.1.0", ("run-1",), (manifest(len(pairs), **changes),), selection, tally)


def test_pairs_of_an_evaluation_set_are_told_whoever_trains_on_them() -> None:
    marked = pair(2, contamination=(Contamination("gsm8k", "exact", 1.0),))
    assert "1 of them has a question of an evaluation set" in counts(made(pair(1), marked))
    assert "evaluation set" not in counts(made(pair(1), pair(2)))


def header(text: str) -> dict[str, Any]:
    found = re.match(r"---\n(.*?\n)---\n", text, re.DOTALL)
    assert found is not None
    return dict(yaml.safe_load(found[1]))


def licensed(*licenses: str | None) -> Made:
    return made(
        *(
            replace(pair(n), source=Source(**{**asdict(pair(n).source), "license": each}))
            for n, each in enumerate(licenses)
        )
    )


@pytest.mark.parametrize(
    ("licenses", "license"),
    [
        (("CC-BY-4.0", "cc-by-4.0 "), "cc-by-4.0"),
        (("MIT", "CC-BY-4.0"), "other"),
        (("MIT", None), "unknown"),
        ((None,), "unknown"),
        (("ours: ask\n---\n",), "other"),
    ],
)
def test_a_card_names_a_licence_only_where_all_sources_have_it(licenses: tuple[str | None, ...], license: str) -> None:
    assert header(card(HF, licensed(*licenses), []))["license"] == license


def test_a_card_says_what_one_must_know_and_its_strangers_do_nothing() -> None:
    bad = pair(1, question=EVIL[0], answer=EVIL[1], source=replace(pair(1).source, dataset=EVIL[2], license=EVIL[3]))
    whole = made(
        bad,
        pair(2),
        contamination=[{"benchmark": "gsm8k|x", "items": 1319, "pairs": 2, "rules": {}}],
        config={
            "models": {"judge": {"model": "openai/<b>"}},
            "filters": {"language": {"languages": ["en", "de"]}},
            "decontaminate": {"on_contaminated": "drop"},
        },
    )
    text = card(HF, whole, rows_of(bad))
    assert header(text)["language"] == ["de", "en"]
    assert header(text)["configs"][0]["data_files"] == [{"split": "train", "path": "data/train-*.parquet"}]
    assert header(text)["size_categories"] == ["n<1K"]
    for part in (
        "run-1",
        "0123456789abcdef",
        "duplicate&#95;question 1",
        "| gsm8k&#124;x | 1,319 | 2 |",
        "were dropped",
    ):
        assert part in text
    for part in ("Limits", "Funnel", "Domains", "Types of answers", "licences", "Models and prompts", "Schema"):
        assert re.search(rf"^## .*{part}", text, re.MULTILINE)
    assert "<script" not in text and "<img" not in text and "<b>" not in text and "](java" not in text
    widths = Counter(line.count("|") for line in text.splitlines() if line.startswith("|"))
    assert set(widths) <= {3, 4, 5, 9}, "no cell breaks its table"


@pytest.mark.parametrize(
    ("licenses", "license", "note"),
    [
        (("CC-BY-4.0", "cc-by-4.0 "), "Creative Commons Attribution 4.0 International", None),
        (("apache-2.0",), "Apache 2.0", None),
        (("ODC-BY",), "TBD", "documents: 'ODC-BY'"),
        (("MIT", "CC-BY-4.0", "MIT"), "TBD", "documents: 'MIT', 'CC-BY-4.0'"),
        (("MIT", None, None), "TBD", "documents: not stated, 'MIT'"),
        ((None,), "TBD", "documents: not stated"),
        (("x\nlicense: MIT\u2028\x7f",), "TBD", "documents: 'x\\nlicense: MIT\\u2028\\x7f'"),
        (tuple(map(str, range(12))), "TBD", "'7' and 2 others"),
    ],
)
def test_nemo_gym_is_told_the_licence_of_the_card_or_what_the_sources_state(
    licenses: tuple[str | None, ...], license: str, note: str | None
) -> None:
    beside = TARGETS["nemo-gym"].beside({"train": 1, "validation": 1}, licensed(*licenses).tally.licenses)
    (config,) = (content for path, content in beside.items() if path.endswith(".yaml"))
    agent = yaml.safe_load(config)["webscale_rl_simple_agent"]["responses_api_agents"]["simple_agent"]
    assert [each["license"] for each in agent["datasets"]] == [license, license]
    comments = [line for line in config.splitlines() if line.startswith("#")]
    assert [line.endswith(note or "") for line in comments] == ([] if note is None else [True])


@pytest.mark.parametrize(
    ("models", "by_rules"),
    [
        ({"judge": {"model": "embedded/extractive"}, "closed_book": None}, True),
        ({"judge": {"model": "openai/some-model"}}, False),
        ({"judge": {"model": "openai/embedded/extractive"}}, False),
        ({}, False),
    ],
)
def test_a_card_says_who_wrote_the_pairs_and_no_more_than_the_funnel(models: dict[str, Any], by_rules: bool) -> None:
    text = card(HF, made(pair(1), config={"models": models}), [])
    assert ("not for training" in text, "models wrote them" in text) == (by_rules, not by_rules)
    assert ("simple rules" in text, "verdicts are models'" in text) == (by_rules, not by_rules)
    assert "threw most" not in text and "Funnel says what each step" in text


def test_a_card_of_runs_some_by_a_model_says_that_models_wrote_the_pairs() -> None:
    rules = manifest(1, config={"models": {"judge": {"model": "embedded/extractive"}}})
    text = card(HF, replace(made(pair(1)), manifests=(rules, manifest(1))), [])
    assert "models wrote them" in text and "not for training" not in text


def test_a_card_without_evaluation_sets_says_so() -> None:
    assert "compared with no evaluation set" in card(HF, made(pair(1)), [])


@pytest.mark.parametrize("name", ["verl", "trl", "openrlhf", "nemo-gym"])
def test_a_readme_has_commands_counts_and_runs(name: str) -> None:
    text = readme(TARGETS[name], "/tmp/my data", made(pair(1), pair(5)))
    assert "\nAbout 0.1 of the documents are for validation, by a hash" in text
    assert "'/tmp/my data'" in text and "run `run-1`" in text and "2 of 2 pairs: 2 for training" in text
    assert INSTRUCTION in text and TARGETS[name].version in text


def test_verl_validates_on_nothing_where_there_is_nothing() -> None:
    with_all = TARGETS["verl"].launch("D", {"train": 1, "validation": 1})
    without = TARGETS["verl"].launch("D", {"train": 1, "validation": 0})
    assert 'data.val_files="[$(files validation)]"' in with_all and "test_freq" not in with_all
    assert 'data.val_files="[$(files train)]"' in without and "trainer.test_freq=-1" in without


def commands(name: str, directory: str, count: int = 2) -> str:
    """Return the commands of a README."""
    found = re.search(
        r"\n```\n(.*?)\n```\n", readme(TARGETS[name], directory, made(*map(pair, range(count)))), re.DOTALL
    )
    assert found is not None
    return found[1]


def said_to(program: str, script: str, place: Path) -> list[str]:
    """Return the arguments that a program is given by a script, started in a place."""
    stub = f'{program}() {{ printf "%s\\n" "$@"; }}\n'
    done = subprocess.run(["bash", "-euc", stub + script], capture_output=True, text=True, check=True, cwd=place)
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    "name", ["my data", "donn\u00e9es", "\u0939\u093f\u0928\u094d\u0926\u0940", "a+b-c_d.e", "plain"]
)
def test_verl_is_given_paths_that_hydra_reads_as_they_are(name: str, tmp_path: Path) -> None:
    output = tmp_path / name
    (output / "data").mkdir(parents=True)
    for side in ("train-0", "train-1"):
        (output / "data" / f"{side}.parquet").touch()
    said = said_to("python3", commands("verl", str(output)), tmp_path)
    assert f"data.train_files=['{output}/data/train-0.parquet','{output}/data/train-1.parquet']" in said
    assert f"reward.custom_reward_function.path='{output}/reward.py'" in said


@pytest.mark.parametrize("character", [*"'\"`$\\,()=[]{}#&~!;:@%*?<>|^\n\t\x1b\u202e\u00a0", "\udcff"])
def test_a_character_that_commands_cannot_carry_is_found(character: str) -> None:
    assert unsafe(f"/tmp/a{character}b") == character
    assert unsafe(f"gs://bucket/a{character}b") == character


@pytest.mark.parametrize("directory", ["/tmp/my data/\u4e2d\u6587/cafe\u0301_1.2-3+4", "gs://bucket-1/out", "/"])
def test_a_directory_that_commands_can_carry_is_safe(directory: str) -> None:
    assert unsafe(directory) is None
    assert unsafe(f"{directory} ") == " ", "OpenRLHF cuts spaces off"


@pytest.mark.parametrize(
    ("name", "program"), [("verl", "python3"), ("trl", "trl"), ("openrlhf", "python3"), ("nemo-gym", "gym")]
)
def test_what_is_on_a_bucket_is_copied_and_trained_on_from_there(name: str, program: str, tmp_path: Path) -> None:
    script = commands(name, "gs://bucket/all/my out")
    first, rest = script.split("\n", 1)
    assert first == "gcloud storage cp -r 'gs://bucket/all/my out' ." and "gs://" not in rest
    copy = 'gcloud() { mkdir -p "${4##*/}/data"; touch "${4##*/}/data/train-0.parquet"; }\n'
    here = f"{tmp_path}/my out"
    said = said_to(program, f"{copy}{script}\npwd", tmp_path)
    assert any(here in line for line in said)


@pytest.mark.parametrize(
    ("rows", "sizes"),
    [(1, (1, 1, 1, 1)), (3, (2, 2, 2, 2)), (22, (16, 16, 4, 8)), (300, (256, 128, 4, 8)), (10**6, (512, 128, 4, 8))],
)
def test_verl_is_given_batches_that_its_rows_fill(rows: int, sizes: tuple[int, ...]) -> None:
    """Its loader drops the rest and must not be empty; a micro batch divides what each of 8 GPUs is given."""
    text = TARGETS["verl"].launch("D", {"train": rows, "validation": 0})
    for flag, size in zip(
        (
            "data.train_batch_size",
            "ppo_mini_batch_size",
            "ppo_micro_batch_size_per_gpu",
            "log_prob_micro_batch_size_per_gpu",
        ),
        sizes,
        strict=True,
    ):
        found = {int(each) for each in re.findall(rf"{flag}=(\d+)", text)}
        assert found == {size}, flag


@pytest.mark.parametrize(
    ("rows", "rollout", "steps"), [(1, 1, 1), (22, 16, 2), (127, 64, 8), (128, 128, 8), (9999, 128, 8)]
)
def test_other_trainers_take_no_step_larger_than_the_data(rows: int, rollout: int, steps: int) -> None:
    """OpenRLHF takes `rows * samples // train.batch_size` steps, and none where that is 0."""
    sides = {"train": rows, "validation": 0}
    assert f"--rollout.batch_size {rollout} --train.batch_size {8 * rollout} " in TARGETS["openrlhf"].launch("D", sides)
    assert f"--gradient_accumulation_steps {steps} " in TARGETS["trl"].launch("D", sides)


def test_a_batch_is_a_power_of_two_within_the_rows() -> None:
    assert [batch(rows, 8) for rows in (0, 1, 2, 3, 4, 7, 8, 9, 1000)] == [1, 1, 2, 2, 4, 4, 8, 8, 8]


def test_a_card_of_pairs_without_a_domain_or_a_type_says_so() -> None:
    bare = pair(1, domain=None, answer_type=None)
    text = card(HF, made(bare), rows_of(bare))
    assert text.count("| not stated | not stated |") == 1 and text.count("| not stated | 1 | 100.0% |") == 2


def test_the_funnel_of_runs_of_different_stages_is_in_the_order_of_the_pipeline() -> None:
    def of(*names: str) -> dict[str, Any]:
        (stage,) = manifest(1)["stages"]
        return manifest(1, stages=[{**stage, "stage": name} for name in names])

    whole = replace(
        made(pair(1)), manifests=(of("read", "judge", "questions"), of("read", "judge", "round_trip", "own"))
    )
    section = card(HF, whole, []).split("## Funnel")[1].split("##")[0]
    rows = re.findall(r"^\| (\w+) \| pairs \| (\d+) \|", section, re.MULTILINE)
    assert rows == [("read", "4"), ("judge", "4"), ("round_trip", "2"), ("questions", "2"), ("own", "2")]


def test_a_card_does_without_what_was_done_with_what_was_found() -> None:
    found = [{"benchmark": "gsm8k", "items": 1, "pairs": 2}]
    assert "were dropped or are marked" in card(HF, made(pair(1), contamination=found, config={}), [])
