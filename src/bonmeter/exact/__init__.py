"""Exact values of a policy: KL, win rate, other divergences, the estimator of the paper, rivals."""
