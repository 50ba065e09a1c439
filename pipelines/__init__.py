"""The figure, its options and the commands."""

import logging

# Here, before anything imports Beam: it warns while imported of client libraries that only cloud connectors need.
logging.basicConfig(level=logging.ERROR)
