"""What the comparison of rewards computes and reads."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path

import pytest

from bench import rewards


def test_agreement_of_a_known_table() -> None:
    pairs = [(True, True)] * 20 + [(True, False)] * 5 + [(False, True)] * 10 + [(False, False)] * 15
    found = rewards.agreement(pairs)
    assert found.precision == 0.8
    assert found.recall == pytest.approx(2 / 3)
    assert found.kappa == pytest.approx(0.4)


def test_agreement_where_it_is_undefined() -> None:
    found = rewards.agreement([(False, False)])
    assert all(map(math.isnan, found))


def test_the_usual_metrics() -> None:
    row = {
        "question": "Who?",
        "references": ["the Danube"],
        "prediction": "It is the  Danube!",
        "source": "s",
        "label": True,
    }
    assert not rewards.exact_match(row)
    assert rewards.containment(row)
    assert rewards.exact_match({**row, "prediction": "danube."})
    assert not rewards.containment({**row, "prediction": "Danubes"})
    assert rewards.ours(row)


@pytest.mark.parametrize("name", ["pairs.jsonl", "pairs.jsonl.gz"])
def test_a_comparison_from_a_file(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {"question": "Who?", "references": ["the Danube"], "prediction": "Danube", "source": "short", "label": True}
    lines = "\n".join(json.dumps(one) for one in (row, {**row, "prediction": "Rhine", "label": False})).encode()
    path = tmp_path / name
    path.write_bytes(gzip.compress(lines) if name.endswith("gz") else lines)
    monkeypatch.setattr("sys.argv", ["rewards", "--input", str(path)])
    monkeypatch.setattr(rewards.importlib.util, "find_spec", lambda _: None)
    rewards.main()
    printed = capsys.readouterr().out
    assert "short             2 pairs   precision 1.000   recall 1.000   kappa 1.000" in printed
    assert "math-verify: not installed (pip install 'webscale-rl[math]')" in printed
