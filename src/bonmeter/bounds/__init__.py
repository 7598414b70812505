"""Bounds on what best-of-n costs and buys: the paper's and sharper ones, by name."""
