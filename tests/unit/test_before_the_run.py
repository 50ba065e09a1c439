"""What the client finds out and writes down before a run starts."""

from __future__ import annotations

import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.options import UsageError
from pipelines.run import per_worker, redacted


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("http://user:word@host/v1", "http://[redacted]@host/v1"),
        ("http://host/v1?api_key=abc123&x=1", "http://host/v1?api_key=[redacted]&x=1"),
        (
            {"api_key": "abc", "accessToken": "abc", "seed": 42},
            {"api_key": "[redacted]", "accessToken": "[redacted]", "seed": 42},
        ),
        ({"headers": ["Bearer abc.def"]}, {"headers": ["[redacted]"]}),
        ({"api_key_env": "OPENAI_API_KEY", "max_tokens": 4096}, {"api_key_env": "OPENAI_API_KEY", "max_tokens": 4096}),
        ({"input": ["corpus/*.parquet"]}, {"input": ["corpus/*.parquet"]}),
    ],
)
def test_the_manifests_configuration_holds_no_secret(value: object, shown: object) -> None:
    assert redacted(value) == shown


@pytest.mark.parametrize(
    ("flags", "part"),
    [
        ([], 64),
        (["--direct_num_workers=3"], 64),
        (["--direct_num_workers=3", "--direct_running_mode=multi_processing"], 21),
        (["--parallelism=8"], 8),
        (["--max_num_workers=64"], 1),
    ],
)
def test_the_limit_is_divided_among_the_worker_processes(flags: list[str], part: int) -> None:
    assert per_worker(64, PipelineOptions(flags)) == part


def test_more_workers_than_requests_are_refused() -> None:
    with pytest.raises(UsageError, match="--concurrency 64 is less than one request for each of 65 workers"):
        per_worker(64, PipelineOptions(["--num_workers=65"]))
