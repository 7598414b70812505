"""What the stages of the pipeline share: the config, files, figures, provenance, the grid of n."""
