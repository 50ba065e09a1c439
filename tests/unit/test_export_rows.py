"""What a pair becomes for each trainer, which pairs go along, and what is said about them."""

from __future__ import annotations

import html
import re
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

from schemas.records import Pair, Source, to_table
from tests.exports import manifest, pair, rated
from transforms.exports.card import card
from transforms.exports.hf import HF
from transforms.exports.prompt import INSTRUCTION
from transforms.exports.readme import Made, plain, readme
from transforms.exports.selection import COLUMNS, Selection, Tally
from transforms.exports.shards import ChangedError, Shards
from transforms.exports.target import Place
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


def test_a_card_without_evaluation_sets_says_so() -> None:
    assert "compared with no evaluation set" in card(HF, made(pair(1)), [])


@pytest.mark.parametrize("name", ["verl", "trl", "openrlhf", "nemo-gym"])
def test_a_readme_has_commands_counts_and_runs(name: str) -> None:
    text = readme(TARGETS[name], "'/tmp/my data'", made(pair(1), pair(5)))
    assert "'/tmp/my data'" in text and "run `run-1`" in text and "2 of 2 pairs: 2 for training" in text
    assert INSTRUCTION in text and TARGETS[name].version in text


def test_verl_validates_on_nothing_where_there_is_nothing() -> None:
    with_all = TARGETS["verl"].launch("D", {"train": 1, "validation": 1})
    without = TARGETS["verl"].launch("D", {"train": 1, "validation": 0})
    assert 'data.val_files="[$(files validation)]"' in with_all and "test_freq" not in with_all
    assert 'data.val_files="[$(files train)]"' in without and "trainer.test_freq=-1" in without
