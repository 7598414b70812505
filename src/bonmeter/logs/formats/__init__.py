"""The formats that logs have, one entry each; how to tell them is in the entry."""
