"""Model files: what is whole is loaded once, what is not is refused in one line; what fastText reads of a text."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import fasttext
import pytest
from apache_beam.io.localfilesystem import LocalFileSystem

from schemas.config_filters import QualitySettings
from transforms.fasttext_model import ModelFileError, _load, load_classifier, one_line, open_classifier
from transforms.quality import QualityRule

LINES = "__label__tea leaves water pot\n__label__coal mine shaft seam\n" * 30


class ShelfFileSystem(LocalFileSystem):
    """A filesystem that is not this machine's, as far as Beam can tell: `shelf://` before a local path."""

    @classmethod
    def scheme(cls) -> str:
        return "shelf"

    def open(self, path: str, *args: Any, **kwargs: Any) -> Any:
        return super().open(path.removeprefix("shelf://"), *args, **kwargs)


def train(directory: Path, lines: str = LINES, **options: Any) -> Any:
    path = directory / "lines.txt"
    path.write_text(lines, encoding="utf-8")
    return fasttext.train_supervised(str(path), thread=1, seed=1, verbose=0, **{"dim": 4, "lr": 0.5, **options})


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("model")
    path = directory / "model.bin"
    train(directory).save_model(str(path))
    return path


def refusal(path: object) -> str:
    with pytest.raises(ModelFileError) as caught:
        load_classifier(str(path))
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    assert "name a fastText classifier" in message
    return message


def test_the_labels_and_their_probabilities(model: Path) -> None:
    classifier = load_classifier(str(model))
    assert sorted(classifier.labels) == ["coal", "tea"]
    (tea, p), (coal, q) = classifier.best(["leaves pot", "mine seam"])
    assert (tea, coal) == ("tea", "coal")
    assert 0.6 < p <= 1 and 0.6 < q <= 1
    assert classifier.probabilities(["leaves pot"], "tea") == [pytest.approx(p)]
    assert classifier.probabilities(["leaves pot"], "coal") == [pytest.approx(1 - p, abs=1e-4)]
    assert classifier.probabilities(["leaves pot"], "salt") == [0.0]
    assert (classifier.best([]), classifier.probabilities([], "tea")) == ([], [])


def test_no_probability_exceeds_one(tmp_path: Path) -> None:
    path = tmp_path / "sure.bin"
    train(tmp_path, "__label__only word\n" * 50).save_model(str(path))
    assert fasttext.load_model(str(path)).predict(["word"])[1][0][0] > 1
    assert open_classifier(str(path)).best(["word"]) == [("only", 1.0)]
    assert open_classifier(str(path)).probabilities(["word"], "only") == [1.0]


@pytest.mark.parametrize(
    "text", ["", " ", "\0", "\0" * 5000, "\n\n\n", "</s>", "__label__tea", "\U0010ffff", "x" * 10**6]
)
def test_a_text_without_a_known_word_gets_what_the_model_expects_of_any(model: Path, text: str) -> None:
    classifier = load_classifier(str(model))
    assert classifier.best([one_line(text)]) == classifier.best([""])
    assert classifier.best([""])[0][1] < 0.8


def test_a_model_that_expects_nothing_of_an_empty_line(tmp_path: Path) -> None:
    # Without a line feed in the training file the model does not know the end of a line as a word.
    path = tmp_path / "endless.bin"
    train(tmp_path, " ".join(LINES.splitlines())).save_model(str(path))
    classifier = open_classifier(str(path))
    assert classifier.best(["", "zinc"]) == [("unknown", 0.0)] * 2
    assert classifier.probabilities([""], "tea") == [0.0]


def test_one_line_is_what_fasttext_may_read() -> None:
    assert one_line("a\nb\r\nc") == "a b\r c"
    assert one_line("abcdef", 3) == "abc"
    assert one_line("abc", 3) == "abc"
    assert one_line("a </s> b") == "a   b"
    assert one_line("__label____label__hq") == "  hq"


def test_a_document_does_not_hide_its_end_or_name_its_class(model: Path) -> None:
    classifier = load_classifier(str(model))
    hidden = "leaves </s> mine shaft seam mine shaft seam"
    assert classifier.best([hidden])[0][0] == "tea"  # what fastText would make of it
    assert classifier.best([one_line(hidden)])[0][0] == "coal"
    assert classifier.best([one_line("__label__tea mine shaft")]) == classifier.best(["tea mine shaft"])


def test_a_file_is_loaded_once(model: Path) -> None:
    assert load_classifier(str(model)) is load_classifier(str(model))
    assert load_classifier(str(model)) is not open_classifier(str(model))


def test_a_remote_file_is_copied_first(model: Path, tmp_path: Path) -> None:
    classifier = load_classifier(f"shelf://{model}")
    assert classifier.best(["mine seam"]) == load_classifier(str(model)).best(["mine seam"])
    assert "cannot be read" in refusal(f"shelf://{tmp_path}/absent.bin")
    (tmp_path / "text.bin").write_text("no model", encoding="utf-8")
    assert "another format" in refusal(f"shelf://{tmp_path}/text.bin")
    assert "cannot be read" in refusal("nowhere://absent.bin")


def test_a_worker_with_another_file_than_the_client_is_refused(model: Path, tmp_path: Path) -> None:
    ours = tmp_path / "ours.bin"
    shutil.copy(model, ours)
    rule = QualityRule(QualitySettings(model=str(ours), threshold=0.5, label="tea")).pinned()
    rule.setup()
    (tmp_path / "other").mkdir()
    train(tmp_path / "other", "__label__tea leaves\n__label__coal mine\n" * 9).save_model(str(ours))
    _load.cache_clear()  # as in another process
    with pytest.raises(
        ModelFileError, match=rf"^{ours} is not the file with which the run began .*; give every worker"
    ):
        rule.setup()
    replace(rule, sha256=None).pinned().setup()


def test_what_is_no_model_is_refused(tmp_path: Path, model: Path) -> None:
    assert "No such file" in refusal(tmp_path / "absent.bin")
    assert "Is a directory" in refusal(tmp_path)
    (tmp_path / "empty.bin").write_bytes(b"")
    assert "empty" in refusal(tmp_path / "empty.bin")
    (tmp_path / "text.bin").write_text("leaves water pot\n" * 100, encoding="utf-8")
    assert "another format" in refusal(tmp_path / "text.bin")
    (tmp_path / "longer.bin").write_bytes(model.read_bytes() + b"\0")
    assert "more in the file" in refusal(tmp_path / "longer.bin")


def test_word_vectors_are_refused(tmp_path: Path) -> None:
    lines = tmp_path / "lines.txt"
    lines.write_text(LINES, encoding="utf-8")
    path = tmp_path / "vectors.bin"
    fasttext.train_unsupervised(str(lines), dim=2, minCount=1, thread=1, verbose=0, bucket=10).save_model(str(path))
    assert "no labels" in refusal(path)


def test_a_newer_version_of_the_format_is_refused(tmp_path: Path, model: Path) -> None:
    data = bytearray(model.read_bytes())
    data[4] = 99
    (tmp_path / "newer.bin").write_bytes(data)
    assert "wrong file format" in refusal(tmp_path / "newer.bin")


@pytest.mark.parametrize("quantized", [False, True], ids=["bin", "ftz"])
def test_a_file_that_is_cut_off_anywhere_is_refused(tmp_path: Path, quantized: bool) -> None:
    # fastText itself kills the process, allocates for ever or loads half of it, depending on where the end is.
    trained = train(tmp_path, bucket=500 if quantized else 20, wordNgrams=2)
    if quantized:
        trained.quantize(str(tmp_path / "lines.txt"), qnorm=True, cutoff=300)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    trained.save_model(str(whole))
    assert set(open_classifier(str(whole)).labels) == {"tea", "coal"}
    data = whole.read_bytes()
    for size in [*range(1, min(len(data), 400)), *range(400, len(data), 97), len(data) - 1]:
        cut.write_bytes(data[:size])
        with pytest.raises(ModelFileError, match=r"the file is cut off"):
            open_classifier(str(cut))


def test_loading_and_refusing_write_nothing(model: Path, tmp_path: Path) -> None:
    (tmp_path / "text.bin").write_text("no model", encoding="utf-8")
    code = (
        "import sys\nfrom transforms.fasttext_model import ModelFileError, load_classifier\n"
        "load_classifier(sys.argv[1]).best([''])\n"
        "try:\n    load_classifier(sys.argv[2])\nexcept ModelFileError:\n    sys.exit(7)\n"
    )
    arguments = [sys.executable, "-W", "ignore", "-c", f"import logging; logging.disable()\n{code}"]
    done = subprocess.run([*arguments, model, tmp_path / "text.bin"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (7, "", "")
