"""Simulations: the estimators compared on known policies, and searches for counterexamples."""
