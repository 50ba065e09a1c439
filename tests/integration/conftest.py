"""What several files of whole runs start from: a root of one night, and an object store behind a proxy."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.caches import emulator
from tests.roots import lay_out, refresh
from tests.support import prose
from tests.weather import Weather, weather


@pytest.fixture(scope="module")
def one_night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with a `corpus`, and a `root` that one night over it has left."""
    place = tmp_path_factory.mktemp("night")
    lay_out(f"{place}/corpus", {"a": {"d4": prose(4), "d4 copy": prose(4)}, "b": {"d5": prose(5)}})
    assert refresh(f"{place}/corpus", f"{place}/root") == 0
    return place


@pytest.fixture
def root(one_night: Path, tmp_path: Path) -> str:
    """Return a root of one night over the corpus of `one_night`."""
    shutil.copytree(one_night / "root", tmp_path / "root")
    return str(tmp_path / "root")


@pytest.fixture(scope="module")
def sky() -> Iterator[Weather]:
    """Return the proxy before the object store."""
    with weather() as server:
        yield server


@pytest.fixture(scope="module")
def bucket(sky: Weather, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a bucket behind `sky`."""
    with emulator(tmp_path_factory.mktemp("emulator"), sky) as name:
        yield f"gs://{name}"
