"""Ball arithmetic: enclosures of every quantity and verdicts on every inequality, proved."""
