"""Settings of the whole suite."""

from __future__ import annotations

import logging

# Beam logs a warning while it is imported when the client libraries of its cloud connectors are absent.
logging.getLogger().setLevel(logging.ERROR)
