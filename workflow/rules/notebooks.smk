"""The notebooks, executed to pages."""

NOTEBOOKS = {
    "tour": "a quick tour of the library",
    "audit": "a reading of the audit",
    "verifier": "best-of-n with a checker",
    "language_model": "best-of-n on a language model",
}


rule notebook:
    """A notebook executed to a page that needs no network."""
    input:
        notebook=in_project("notebooks/{notebook}.py"),
        claims="results/audit/claims.parquet",
        cells="results/audit/cells.parquet",
        policies=for_policies("policies", POLICIES),
        passed="results/audit/passed.txt",
        kept=[kept_of_llm(f"{name}.parquet") for name in ("pools", "found", "texts")],
        library=library("workflow/scripts/notebook.py"),
        used=lambda wildcards: library(f"notebooks/{wildcards.notebook}.py"),
    output:
        page=report(
            "results/notebooks/{notebook}.html",
            category="Notebooks",
            labels={"notebook": "{notebook}"},
        ),
    log:
        "logs/notebooks/{notebook}.log",
    benchmark:
        "logs/benchmarks/notebooks/{notebook}.tsv"
    resources:
        **asked("notebook"),
    script:
        "../scripts/notebook.py"


rule notebooks:
    """Execute every notebook."""
    input:
        expand(rules.notebook.output.page, notebook=NOTEBOOKS),
