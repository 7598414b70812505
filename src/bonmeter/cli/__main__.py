"""`python -m bonmeter.cli`: the command line."""

from bonmeter.cli.main import main

__all__: list[str] = []

if __name__ == "__main__":
    main()
