"""Logs of best-of-n runs, as the tools that sample and score write them, made into one table.

`read_log` recognises the format of each file by content, reads its candidates into the canonical
table of `bonmeter.runs` and says what it recognised and assumed; `write_log` writes such a table.
Needs the extra `logs` (pandas, pyarrow, pandera).
"""

from bonmeter.logs.problems import LogProblem
from bonmeter.logs.read import read_log
from bonmeter.logs.write import write_log

__all__ = ["LogProblem", "read_log", "write_log"]
