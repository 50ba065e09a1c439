"""Workers of another version: what differs is named, with the remedy, before a document is touched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

import transforms.read
from pipelines.failures import told
from tests.support import prose_corpus, webscale_rl
from transforms.versions import Versions, check_versions, difference, versions_here

HERE = Versions("1.2.0", "2.77.0", "3.11")
REMEDY = "; build the workers' image from this version, or run the command with theirs"


@pytest.mark.parametrize(
    ("worker", "line"),
    [
        (HERE, None),
        (replace(HERE, webscale_rl="1.3.0"), "workers have webscale-rl 1.3.0 and this command webscale-rl 1.2.0"),
        (replace(HERE, apache_beam="2.78.0"), "workers have apache-beam 2.78.0 and this command apache-beam 2.77.0"),
        (
            replace(HERE, webscale_rl="1.1.0", python="3.12"),
            "workers have webscale-rl 1.1.0, Python 3.12 and this command webscale-rl 1.2.0, Python 3.11",
        ),
    ],
)
def test_what_differs_is_named(worker: Versions, line: str | None) -> None:
    assert difference(HERE, worker) == (None if line is None else line + REMEDY)


def test_this_process_has_its_own_versions() -> None:
    check_versions(versions_here())
    assert difference(versions_here(), replace(versions_here(), webscale_rl="0")) is not None


@pytest.mark.parametrize("workers", [[], ["--direct_num_workers=2", "--direct_running_mode=multi_processing"]])
def test_a_run_on_workers_of_another_version_ends_with_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], workers: list[str]
) -> None:
    client = replace(versions_here(), webscale_rl="9.9.9")
    monkeypatch.setattr(transforms.read, "versions_here", lambda: client)
    corpus, output = prose_corpus(tmp_path, 3), tmp_path / "run"
    assert webscale_rl("run", "--input", corpus, "--output", output, *workers) == 1
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("webscale-rl: ")]
    here = versions_here().webscale_rl
    assert said == [
        f"webscale-rl: workers have webscale-rl {here} and this command webscale-rl 9.9.9{REMEDY};"
        " the same command goes on from the cache"
    ]
    assert not (output / "qa").exists() and not (output / "_SUCCESS").exists()


def test_what_beam_says_of_another_image_is_one_line_too() -> None:
    from apache_beam.portability.api import beam_runner_api_pb2
    from apache_beam.runners.worker.bundle_processor import _verify_descriptor_created_in_a_compatible_env

    image = "apache/beam_python3.9_sdk:2.1.0"
    descriptor = SimpleNamespace(
        transforms={"a": beam_runner_api_pb2.PTransform(environment_id="e")},
        environments={"e": beam_runner_api_pb2.Environment(capabilities=[f"beam:version:sdk_base:{image}"])},
    )
    with pytest.raises(RuntimeError) as caught:
        _verify_descriptor_created_in_a_compatible_env(descriptor)
    line = told(caught.value)
    assert line is not None and line.endswith(REMEDY) and "\n" not in line
    assert f" and this command {image} " in line
    assert f"_sdk:{versions_here().apache_beam} and" in line
