"""The quality rule, and how a classifier and its threshold are made, at their edges."""

from __future__ import annotations

import pickle
from pathlib import Path

import fasttext
import numpy as np
import pytest

from schemas.config_filters import QualitySettings
from schemas.records import text_sha256
from transforms.fasttext_model import ModelFileError, load_classifier, one_line, open_classifier
from transforms.quality import (
    QUALITY_CHARACTERS,
    QualityRule,
    is_held_out,
    precision_recall,
    rounded_down,
    shown,
    split_line,
    train,
    training_line,
)

GOOD = "The observatory was built by masons in 1820, because the old tower stood in the smoke of the foundry."
BAD = "Click here to buy cheap watches now, best price, click here, free shipping, buy now, best offer."


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("quality") / "lines.txt"
    path.write_bytes((training_line(GOOD, kept=True) + training_line(BAD, kept=False)) * 40)
    return path


@pytest.fixture(scope="module")
def model(lines: Path) -> str:
    path = str(lines.with_name("quality.bin"))
    train(str(lines), path)
    return path


def rule(model: str, threshold: float = 0.5, label: str = "hq") -> QualityRule:
    return QualityRule(QualitySettings(model=model, threshold=threshold, label=label))


def test_a_document_passes_or_leaves_with_its_probability(model: str) -> None:
    kept, reason = rule(model).reasons([GOOD, BAD])
    assert kept is None
    assert reason is not None
    (probability,) = load_classifier(model).probabilities([BAD], "hq")
    assert reason == ("quality", shown(rounded_down(probability)))
    assert rule(model, label="lq").reasons([GOOD, BAD])[1] is None
    assert rule(model).reasons([]) == []


def test_the_threshold_is_the_least_probability_that_passes(model: str) -> None:
    (probability,) = load_classifier(model).probabilities([one_line(GOOD)], "hq")
    assert 0.5 < probability < 1
    assert rule(model, threshold=probability).reasons([GOOD]) == [None]
    assert rule(model, threshold=probability + 1e-6).reasons([GOOD]) != [None]
    assert rule(model, threshold=0.0).reasons([BAD, ""]) == [None, None]


@pytest.mark.parametrize("text", ["", "\0", "\n\n", "</s>", "\0 </s>\n", "__label__"])
def test_a_text_without_a_word_is_decided(model: str, text: str) -> None:
    (reason,) = rule(model, threshold=1.0).reasons([text])
    assert reason == rule(model, threshold=1.0).reasons([""])[0]
    assert reason is not None and 0.1 < float(reason[1]) < 0.9


def test_only_the_beginning_is_read(model: str) -> None:
    beginning = (GOOD + " ") * 100
    assert len(beginning) > QUALITY_CHARACTERS
    assert rule(model).reasons([beginning[:QUALITY_CHARACTERS] + BAD * 500]) == [None]


def test_the_label_is_checked_before_a_run(model: str, tmp_path: Path) -> None:
    rule(model).check()
    with pytest.raises(
        ModelFileError, match=r"quality\.bin has no label 'HQ'; .* filters\.quality\.label: (hq, lq|lq, hq)$"
    ):
        rule(model, label="HQ").check()
    missing = rule(str(tmp_path / "absent.bin"))
    for start in (missing.check, missing.setup):
        with pytest.raises(ModelFileError, match=r"absent\.bin cannot be read: No such file"):
            start()


def test_a_model_of_many_labels_does_not_flood_the_error(tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_text("".join(f"__label__l{i} word{i}\n" for i in range(40)), encoding="utf-8")
    path = str(tmp_path / "many.bin")
    fasttext.train_supervised(str(tmp_path / "lines.txt"), dim=2, thread=1, verbose=0).save_model(path)
    with pytest.raises(ModelFileError, match=r", \.\.\.$") as caught:
        rule(path).check()
    assert str(caught.value).count("l") < 40
    rule(path, label="l39").check()


def test_a_rule_travels_to_a_worker(model: str) -> None:
    local = rule(model)
    local.setup()
    assert pickle.loads(pickle.dumps(local)).reasons([GOOD, BAD]) == local.reasons([GOOD, BAD])


def test_the_same_lines_give_the_same_model(lines: Path, model: str, tmp_path: Path) -> None:
    train(str(lines), str(tmp_path / "again.bin"))
    assert (tmp_path / "again.bin").read_bytes() == Path(model).read_bytes()
    assert set(open_classifier(model).labels) == {"hq", "lq"}


def test_a_training_line_is_one_line_with_one_label() -> None:
    hostile = "__label__hq first\nsecond </s> third\r\n\0 fourth\x85\u2028"
    line = training_line(hostile, kept=False)
    assert line.count(b"\n") == 1 and line.endswith(b"\n")
    assert line.startswith(b"__label__lq ") and line.count(b"__label__") == 1
    assert split_line(line) == (one_line(hostile), False)
    assert split_line(training_line(hostile, kept=True)) == (one_line(hostile), True)
    assert len(split_line(training_line("é" * 10**5, kept=True))[0]) == QUALITY_CHARACTERS


def test_a_fifth_is_held_out_by_the_texts_hash() -> None:
    held = [is_held_out(text_sha256(str(number))) for number in range(5000)]
    assert 900 < sum(held) < 1100
    assert is_held_out("0000000a" + "f" * 56) and not is_held_out("0000000b" + "0" * 56)


@pytest.mark.parametrize(
    ("value", "cut"),
    [
        (0.123456, 0.1234),
        (0.99999, 0.9999),
        (1.0, 1.0),
        (0.5, 0.5),
        (0.0, 0.0),
        (0.0000123456, 0.00001234),
    ],
)
def test_a_threshold_is_cut_off_after_four_digits(value: float, cut: float) -> None:
    assert rounded_down(value) == pytest.approx(cut, rel=1e-9)
    assert rounded_down(value) <= value


def test_thresholds_are_shown_without_an_exponent() -> None:
    assert (shown(0.00001234), shown(0.5), shown(0.0)) == ("0.00001234", "0.5", "0")


def test_operating_points_by_hand() -> None:
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05])
    kept = np.array([1, 1, 0, 1, 0, 1, 0, 0, 0, 0], bool)
    every, three, half, one = precision_recall(scores, kept, [1.0, 0.75, 0.5, 0.01])
    assert (every.threshold, every.recall, every.precision, every.below) == (0.4, 1.0, pytest.approx(4 / 6), 0.4)
    assert (three.threshold, three.recall, three.precision, three.below) == (0.6, 0.75, 0.75, pytest.approx(0.6))
    assert (half.threshold, half.recall, half.precision, half.below) == (0.8, 0.5, 1.0, pytest.approx(0.8))
    assert (one.threshold, one.recall) == (0.9, 0.25)


def test_a_recall_between_two_documents_is_reached_not_missed() -> None:
    (point,) = precision_recall(np.array([0.9, 0.8, 0.7, 0.1]), np.array([1, 1, 1, 0], bool), [0.7])
    assert (point.threshold, point.recall) == (0.7, 1.0)


def test_the_figures_are_those_of_the_rounded_threshold() -> None:
    scores = np.array([0.123456, 0.123411, 0.1])
    (point,) = precision_recall(scores, np.array([1, 0, 0], bool), [1.0])
    assert (point.threshold, point.precision, point.below) == (0.1234, 0.5, pytest.approx(1 / 3))


def test_equal_scores_pass_together() -> None:
    (point,) = precision_recall(np.full(4, 0.25), np.array([1, 1, 0, 0], bool), [0.5])
    assert (point.threshold, point.recall, point.precision, point.below) == (0.25, 1.0, 0.5, 0.0)
