"""Hostile input by the million: what is attacked, with what, and the count of what came of it."""
