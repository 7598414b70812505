"""`python -m bonmeter`: the command line."""

from bonmeter.cli import main

if __name__ == "__main__":
    main()
