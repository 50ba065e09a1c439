"""Lets a test end a Python worker of a cluster in the middle of its work, as a crash in native code would.

A worker dies once the file is there that WEBSCALE_RL_DIES names; it takes the file with it, so that only one does.
"""

import os
import sys
import threading
import time
from pathlib import Path


def _watch(file: Path) -> None:
    while True:
        try:
            file.unlink()
        except FileNotFoundError:
            time.sleep(0.02)
        else:
            os._exit(1)


if "WEBSCALE_RL_DIES" in os.environ and any("SdkHarness" in argument for argument in sys.orig_argv):
    threading.Thread(target=_watch, args=(Path(os.environ["WEBSCALE_RL_DIES"]),), daemon=True).start()
