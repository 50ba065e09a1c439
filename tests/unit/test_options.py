"""Flags and YAML: what is right becomes a configuration, what is wrong becomes one line with a remedy."""

from __future__ import annotations

from pathlib import Path

import pytest
from apache_beam.options.pipeline_options import DirectOptions, StandardOptions

from pipelines.options import UsageError, parse_run

NEEDED = ["--input", "in/*.parquet", "--output", "out"]


def refusal(*arguments: str) -> str:
    with pytest.raises(UsageError) as caught:
        parse_run(arguments)
    message = str(caught.value)
    assert "\n" not in message
    return message


def config_file(tmp_path: Path, text: str) -> str:
    path = tmp_path / "run.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_the_defaults() -> None:
    config = parse_run(NEEDED).config
    assert config.input == ["in/*.parquet"]
    assert (config.concurrency, config.max_error_share, config.until, config.sample) == (64, 0.05, None, None)
    assert config.models.judge.model == "embedded/extractive"
    assert config.cache_directory == "out/cache"


def test_a_flag_beats_the_file(tmp_path: Path) -> None:
    path = config_file(
        tmp_path,
        """
        input: other/*.parquet
        output: elsewhere
        concurrency: 8
        columns: {text: body, url: link}
        models:
          screen: {model: openai/a, temperature: 0.5}
          judge: {model: openai/b, api_base: "http://judge"}
        """,
    )
    flags = ["--concurrency", "9", "--text-column", "content", "--model", "openai/c", "--output", "out"]
    config = parse_run(["--config", path, *flags]).config
    assert (config.input, config.output, config.concurrency) == (["other/*.parquet"], "out", 9)
    assert (config.columns.text, config.columns.url) == ("content", "link")
    assert {getattr(config.models, stage).model for stage in ("screen", "classify", "generate", "judge")} == {
        "openai/c"
    }
    assert config.models.screen.temperature == 0.5
    assert (config.models.judge.api_base, config.models.screen.api_base) == ("http://judge", None)


def test_several_globs_and_beams_own_flags() -> None:
    options = parse_run(
        ["--input", "a", "b", "--output", "out", "--runner=DirectRunner", "--direct_num_workers", "2", "--overwrite"]
    )
    assert options.config.input == ["a", "b"]
    assert options.overwrite
    assert options.beam.view_as(StandardOptions).runner == "DirectRunner"
    assert options.beam.view_as(DirectOptions).direct_num_workers == 2


def test_what_is_missing_is_named() -> None:
    assert refusal("--output", "out").startswith("--input is missing")
    assert refusal("--input", "a").startswith("--output is missing")


def test_unknown_flags_are_refused_with_a_suggestion() -> None:
    assert "unknown flag --concurency" in refusal(*NEEDED, "--concurency", "3")
    assert "did you mean --concurrency?" in refusal(*NEEDED, "--concurency", "3")
    assert "did you mean --direct_num_workers?" in refusal(*NEEDED, "--direct_num_worker=3")
    assert "unknown flag --frobnicate" in refusal(*NEEDED, "--frobnicate")
    assert "unexpected argument 'stray'" in refusal("--output", "out", "--input", "a", "--overwrite", "stray")


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--concurrency", "many"], "--concurrency"),
        (["--concurrency", "0"], "concurrency = 0"),
        (["--sample", "-1"], "sample = -1"),
        (["--until", "lunch"], "--until"),
        (["--calls", "none"], "--calls"),
        (["--direct_num_workers", "two"], "--direct_num_workers"),
        (["--overwrite", "--retry-errors"], "--overwrite and --retry-errors exclude each other"),
        (["--config", "absent.yaml"], "--config absent.yaml"),
        (["--state", "nights[1]"], "state: nights[1] holds"),
        (["--state", ""], "state = "),
    ],
)
def test_a_bad_value_is_named(flags: list[str], named: str) -> None:
    assert named in refusal(*NEEDED, *flags)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("models: {screen: {temprature: 1}}", "unknown key models.screen.temprature; did you mean temperature?"),
        ("modles: {}", "unknown key modles; did you mean models?"),
        ("models: {scren: {}}", "unknown key models.scren; did you mean screen?"),
        ("concurrency: many", "concurrency = many"),
        ("columns: text", "columns = text"),
        ("max_error_share: 2", "max_error_share = 2"),
        ("filters: {min_tokens: few}", "filters.min_tokens = few"),
        ("- a list", "holds a list; it must be a mapping"),
        ("a: [", "is not YAML"),
        ("models: 3", "models = 3"),
        (
            "limits: {openai/a: {request_per_minute: 1}}",
            "limits.openai/a.request_per_minute; did you mean requests_per_m",
        ),
        ("limits: {openai/a: {requests_per_minute: 0}}", "limits.openai/a.requests_per_minute = 0"),
        ("limits: {openai/a: {tokens_per_minute: -5}}", "limits.openai/a.tokens_per_minute = -5"),
        ("limits: {openai/a: {concurrency: 0}}", "limits.openai/a.concurrency = 0"),
        ("limits: {openai/a: 600}", "limits.openai/a = 600"),
        ("limits: {openai/a: {}}", "limits.openai/a: no stage calls that model over a network; no stage calls any"),
        ("limits: {embedded/extractive: {}}", "limits.embedded/extractive: no stage calls that model over a network"),
        (
            "limits: {openai/c: {}}\nmodels: {judge: {model: openai/b}, screen: {model: openai/a}}",
            "openai/c: no stage calls that model over a network; name one that a stage calls: openai/a, openai/b",
        ),
        ("num_workers_hint: 0", "num_workers_hint = 0"),
        ("calls: some", "calls = some"),
        ("{calls: merged, models: {screen: {max_tokens: 9}}}", "models.classify is not as models.screen"),
        ("{calls: merged, models: {classify: {model: openai/a}}}", "(openai/a, embedded/extractive)"),
    ],
)
def test_a_wrong_file_is_named_with_its_key(tmp_path: Path, text: str, named: str) -> None:
    path = config_file(tmp_path, text)
    message = refusal(*NEEDED, "--config", path)
    assert path in message
    assert named in message


LIMITED = "models: {judge: {model: openai/a}}\nlimits: {openai/a: {requests_per_minute: 600}}\n"


def test_limits_and_how_workers_share_them(tmp_path: Path) -> None:
    flags = ["--config", config_file(tmp_path, LIMITED), "--num-workers-hint", "3"]
    for url in ("redis://h", "redis://h:6379/2", "rediss://user:p%2Fw@h:1/0", "redis://[::1]:6379/"):
        config = parse_run([*NEEDED, *flags, "--limiter", url]).config
        assert (config.limiter, config.num_workers_hint) == (url, 3)
    limits = config.limits["openai/a"]
    assert (limits.requests_per_minute, limits.tokens_per_minute, limits.concurrency) == (600, None, None)


@pytest.mark.parametrize(
    "url",
    [
        "h:6379",
        "http://:hunter2@h:6379/0",
        "redis://:hunter2@",
        "redis:///0",
        "redis://:hunter2@h:6379/zero",
        "redis://:hunter2@h:99999/0",
        "redis://:hunter2@h:port/0",
        "redis://:hunter2/3@h:6379/0",
        "redis://h:6379/0?password=hunter2",
        "redis://:hunter2@h:6379/0?db=1",
        "redis//:hunter2@h:6379/0",
    ],
)
def test_a_limiter_that_is_no_redis_is_refused_without_its_password(tmp_path: Path, url: str) -> None:
    message = refusal(*NEEDED, "--config", config_file(tmp_path, LIMITED), "--limiter", url)
    assert "limiter" in message and "name redis://HOST:PORT/DB" in message
    assert "hunter" not in message


def test_a_limiter_of_another_shape_shows_no_password(tmp_path: Path) -> None:
    path = config_file(tmp_path, LIMITED + "limiter: {url: 'redis://:hunter2@h:6379/0'}")
    message = refusal(*NEEDED, "--config", path)
    assert "limiter = " in message and "hunter" not in message


@pytest.mark.parametrize("limits", ["", "models: {judge: {model: openai/a}}\nlimits: {openai/a: {concurrency: 3}}"])
def test_a_limiter_without_a_rate_has_nothing_to_share(tmp_path: Path, limits: str) -> None:
    message = refusal(*NEEDED, "--config", config_file(tmp_path, limits), "--limiter", "redis://h")
    assert "nothing to share: set requests_per_minute or tokens_per_minute" in message


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    assert "name a readable YAML file" in refusal(*NEEDED, "--config", str(path))
