"""`python -m bonmeter.cli`: the command line."""

from bonmeter.cli import main

if __name__ == "__main__":
    main()
