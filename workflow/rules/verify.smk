"""Is every artifact what its job made? Asked at the start of each run, and whole by `verify`."""

from replication.pipeline.verify import mark_unsound

# What was altered, lost or made of something else is made again wherever it is needed; a run that
# is going on is left alone.
if MAIN and not is_locked(Path(RECORD)):
    for problem in mark_unsound():
        logger.warning(f"{problem}, so it is made again")


rule verify:
    """Check every artifact: altered, missing, extra or stale; makes nothing."""
    input:
        library=library("workflow/scripts/verify.py"),
    log:
        "logs/verify.log",
    localrule: True
    resources:
        **asked("verify"),
    params:
        expected=lambda wildcards: artifacts(rules.all.input),
        config=lambda wildcards: config,
        records=[*kept_studies().values(), kept_of_llm("manifest.json")],
        snakefile=in_project("Snakefile"),
    script:
        "../scripts/verify.py"
