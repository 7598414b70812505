"""The command line, `bonmeter`; needs the extra `cli`.

Exit codes: 0 done; 1 an error that should not happen (please report it); 2 wrong usage; 3 a log or
a value that cannot be used, said in one line; 4 an extra is not installed. Results go to standard
output, everything else to standard error.
"""
