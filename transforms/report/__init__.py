"""The report of a run: one HTML file that needs no network, made from its manifest, its shards and its corpus.

`rows.py` reads the shards, `sources.py` the corpus again, `vectors.py`, `layout.py` and `diversity.py` make the map of
questions, `page.py` writes the file, and `build.py` puts them together.
"""

from transforms.report.build import compare_runs, report_or_reason, write_report
from transforms.report.rows import ShardError

__all__ = ["ShardError", "compare_runs", "report_or_reason", "write_report"]
