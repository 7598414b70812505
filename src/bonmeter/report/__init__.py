"""A report of a best-of-n run: one self-contained HTML page, and its tables as CSV.

`write.write_report` writes the page, `write.render` returns it, `write.write_tables` writes the
tables. Needs the extra `cli` (jinja2) besides `logs`. What the page tells is computed by
`bonmeter.runs`; the page loads nothing, and it can be read without scripts.
"""
