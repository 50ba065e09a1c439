"""The lock of a root: a small file that names who refreshes it, and that outlives him where his job does.

It is given up by being overwritten. A holder says every half minute that he lives; who has not for his lease, or whose
process is gone, is dead, and the next one takes the lock over.
"""

from __future__ import annotations

import contextlib
import getpass
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from schemas.catalog import Lock
from transforms.catalog import CatalogError, encode, parse
from transforms.swap import ConflictError, SwapError, read, update, write

LOCK: Final = "lock.json"
LEASE_S: Final = 300.0
"""Ten beats: a client that a network has cut off for some minutes is not dead."""
DETACHED_LEASE_S: Final = 24 * 3600.0
"""Nobody beats for a job that was left to a cluster; its last step gives the lock up."""
_BEAT_S: Final = 30.0

Clock = Callable[[], float]
_LOG: Final = logging.getLogger(__name__)


class HeldError(Exception):
    """Somebody else holds the lock; `holder` is his entry."""

    def __init__(self, holder: Lock) -> None:
        super().__init__(holder)
        self.holder = holder


def take(root: str, run_id: str, clock: Clock = time.time) -> Lock | None:
    """Take the lock for a run, and return the entry of the dead holder from whom it was taken over.

    Raises:
      HeldError: somebody holds it, who is not known to be dead.
      CatalogError, SwapError: the file cannot be read or written.
    """
    path = f"{root}/{LOCK}"
    while True:
        content, token = read(path)
        before = _parsed(path, content)
        now = clock()
        if before is not None and not before.released and not is_dead(before, now):
            raise HeldError(before)
        mine = Lock(
            run_id=run_id,
            user=_user(),
            host=socket.gethostname(),
            pid=os.getpid(),
            pids=pid_space(),
            started=now,
            beaten=now,
            lease_s=LEASE_S,
        )
        with contextlib.suppress(ConflictError):  # somebody was faster: look who it is
            write(path, encode(mine), token)
            return None if before is None or before.released else before


def is_dead(lock: Lock, now: float) -> bool:
    """Return whether a holder has died: he was not heard of for his lease, or his process has gone.

    A process of our own number is not he, where it means what his does: this one, and it has not begun yet.
    """
    if now - lock.beaten > lock.lease_s:
        return True
    if lock.detached or lock.pids is None or lock.pids != pid_space():
        return False
    return lock.pid == os.getpid() or not alive(lock.pid)


def pid_space() -> str | None:
    """Return by what the numbers of this process's machine and container are known: its boot, its pid namespace.

    Containers of one host name need not share them. Null where the system, not Linux, does not say.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return None


def alive(pid: int) -> bool:
    """Return whether there is a process of some number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True


def release(root: str, run_id: str) -> None:
    """Give the lock up, should this run hold it still. Raises `CatalogError`, `SwapError`."""
    _change(root, run_id, {"released": True})


def leave(root: str, run_id: str) -> None:
    """Leave the lock to a job that goes on without this process. Raises `CatalogError`, `SwapError`."""
    _change(root, run_id, {"detached": True, "lease_s": DETACHED_LEASE_S})


def beat(root: str, run_id: str, clock: Clock = time.time) -> None:
    """Say that the holder lives, should this run hold the lock still. Raises `CatalogError`, `SwapError`."""
    _change(root, run_id, {"beaten": clock()})


@contextlib.contextmanager
def beating(root: str, run_id: str, every_s: float = _BEAT_S) -> Iterator[None]:
    """Say again and again that the holder lives, for as long as the block runs."""
    ended = threading.Event()

    def keep() -> None:
        while not ended.wait(every_s):
            try:
                beat(root, run_id)
            except (CatalogError, SwapError) as error:  # the next beat may come through; the commit tells if none did
                _LOG.warning("%s", error)

    thread = threading.Thread(target=keep, name="lock", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def describe(lock: Lock, now: float) -> str:
    """Return who holds a lock, since when, and when he was last heard of."""
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(lock.started))
    heard = "" if lock.detached else f", last heard of {max(0, round(now - lock.beaten)):,} s ago"
    what = "a detached job of " if lock.detached else ""
    return f"{what}{lock.user}@{lock.host} (process {lock.pid}, run {lock.run_id}, since {since}{heard})"


def _change(root: str, run_id: str, changes: dict[str, object]) -> None:
    path = f"{root}/{LOCK}"

    def changed(content: bytes | None) -> bytes | None:
        lock = _parsed(path, content)
        if lock is None or lock.released or lock.run_id != run_id:
            return None
        return encode(lock.model_copy(update=changes))

    update(path, changed)


def _parsed(path: str, content: bytes | None) -> Lock | None:
    return None if content is None else parse(Lock, path, content, "delete it once nobody refreshes that root")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's number without a name
        return str(os.getuid())
