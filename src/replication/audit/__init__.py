"""The audit: claims as data, the verdict on each cell (claim, policy, n), one verdict per claim."""
