"""Your own logs, which no other rule needs."""


rule samples:
    """What your own logs of best-of-n cost and bought: --config samples=my.jsonl, or a list."""
    input:
        logs=logs_of_samples,
        library=library("workflow/scripts/samples.py"),
        parts=report_templates(),
    output:
        page="results/samples/report.html",
        tables=expand(
            "results/samples/{table}.csv",
            table=["summary", "steps", "frontier", "per_prompt", "diagnostics"],
        ),
    log:
        "logs/samples.log",
    benchmark:
        "logs/benchmarks/samples.tsv"
    resources:
        **asked("samples"),
    script:
        "../scripts/samples.py"
