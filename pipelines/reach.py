"""Whether the runner that was asked for can take a job: found out in seconds, before anything of the run is touched."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.error import URLError

import requests
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.options import UsageError
from pipelines.runners import Given, Program, Service, runner_of, with_options
from transforms.llm.failures import mask

_PATIENCE_S: Final = 5.0


def reach(options: PipelineOptions) -> PipelineOptions:
    """Check that the runner answers and that what submits to it is here; return the options with what it told.

    Raises:
      UsageError: it does not answer within five seconds or is another one, or a program is missing.
    """
    given = options.get_all_options()
    runner = runner_of(given)
    service, program = runner.service(given), runner.program(given)
    learnt = {} if service is None else _answer(service, given)
    if program is not None:
        _check_program(program, options)
    return with_options(options, learnt)


def _answer(service: Service, given: Given) -> Mapping[str, Any]:
    """Return what a service says of options."""
    try:
        if service.learn is None:
            _connect(service.address)
            return {}
        reply = requests.get(service.address, timeout=_PATIENCE_S)
        reply.raise_for_status()
        return service.learn(reply.json(), given)
    except (requests.HTTPError, requests.JSONDecodeError, KeyError, TypeError):
        raise UsageError(
            f"{service.flag}: what answers at {_place(service)} takes no jobs; correct the address"
        ) from None
    except OSError as error:
        raise UsageError(
            f"{service.flag}: nothing answers at {_place(service)} ({_reason(error)}); start it, or correct the address"
        ) from None
    except ValueError as error:
        raise UsageError(f"{service.flag}: {_place(service)} {error}") from None


def _connect(address: str) -> None:
    host, _, port = address.rpartition(":")
    if not (host and port.isdigit()):
        raise ValueError("is no HOST:PORT; correct the address")
    socket.create_connection((host.strip("[]"), int(port)), timeout=_PATIENCE_S).close()


def _place(service: Service) -> str:
    return mask(service.address).rpartition("://")[2].partition("/")[0]


def _reason(error: BaseException) -> str:
    """Return in a few words the innermost of what a client of HTTP has wrapped."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return getattr(error, "strerror", None) or type(error).__name__


def _check_program(program: Program, options: PipelineOptions) -> None:
    if program.interpreter is not None and shutil.which(program.interpreter[1]) is None:
        flag, name = program.interpreter
        raise UsageError(f"{flag}: {name} is not to be found; install a Java 11 or newer, or name its executable")
    if program.file is not None and "://" not in program.file:
        if not Path(program.file).is_file():
            raise UsageError(f"{program.flag} {program.file} is no file; correct the path, or leave the flag out")
        return
    try:
        program.fetch(options)
    except (OSError, URLError, RuntimeError, ValueError) as error:
        raise UsageError(
            f"Beam cannot fetch what it starts for this runner ({' '.join(str(error).split())}); name a copy of yours"
            f" with {program.flag}"
        ) from None
