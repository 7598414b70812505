"""Beyond single policies: trade-offs, and the studies of estimators and inequalities."""


rule tradeoffs:
    """Win rate against KL: every policy, and the curves of best-of-n and its rivals."""
    input:
        exact=for_policies("exact", POLICIES),
        library=library("workflow/scripts/tradeoffs.py"),
    output:
        policies="results/tradeoffs/policies.parquet",
        curves="results/tradeoffs/curves.parquet",
    log:
        "logs/tradeoffs.log",
    benchmark:
        "logs/benchmarks/tradeoffs/tradeoffs.tsv"
    params:
        policies=POLICIES,
    script:
        "../scripts/tradeoffs.py"
