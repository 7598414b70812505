"""Where the command line starts, before it is known which extras are installed."""

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
    """Run the command line, or say which extra it lacks.

    Examples:
        >>> arguments = sys.argv
        >>> sys.argv = ["bonmeter", "kl", "--n", "1"]
        >>> try:
        ...     main()
        ... except SystemExit as end:
        ...     print(end.code)
        ... finally:
        ...     sys.argv = arguments
        n kl_formula
        1          0
        0
    """
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
