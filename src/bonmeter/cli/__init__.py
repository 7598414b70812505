"""The command line, `bonmeter`; needs the extra `cli`.

Exit codes: 0 done; 1 an error that should not happen (please report it); 2 wrong usage; 3 a log or
a value that cannot be used, said in one line; 4 an extra is not installed. Results go to standard
output, everything else to standard error.
"""

from __future__ import annotations

import sys

__all__ = ["NEEDED_BY", "main"]

NEEDED_BY = {
    "typer": "cli",
    "jinja2": "cli",
    "pandas": "logs",
    "pandera": "logs",
    "pyarrow": "logs",
}
"""Package -> the extra that brings it."""


def main() -> None:
    """Run the command line, or say which extra it lacks."""
    try:
        from bonmeter.cli.app import app

        app(prog_name="bonmeter")
    except ModuleNotFoundError as error:
        extra = NEEDED_BY.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        line = f'{error.name} is not installed: pip install "bonmeter[{extra}]" brings it'
        print(f"bonmeter: {line}", file=sys.stderr)
        sys.exit(4)
