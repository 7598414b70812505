"""Logs of best-of-n runs, as the tools that sample and score write them, made into one table.

`read.read_log` recognises the format of each file by content, reads its candidates into the
canonical table of `bonmeter.runs` and says what it recognised and assumed; `write.write_log` writes
such a table. Needs the extra `logs` (pandas, pyarrow, pandera).
"""
