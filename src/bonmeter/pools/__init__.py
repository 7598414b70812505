"""Best-of-n from a pool of scored candidates: every n at once, without knowing the policy."""
