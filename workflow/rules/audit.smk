"""The audit: one table of claims, its report, and the gate that a wrong verdict does not pass."""

AUDIT_TEMPLATES = (
    "audit.md.jinja",
    "audit.html.jinja",
    "heat_map.html.jinja",
    "audit.css",
    "audit.js",
    "theory.html.jinja",
)


# All that the audit rests on; the gate reads it as well, to take no table on trust.
EVIDENCE = {
    "claims": in_project("config/claims.yaml"),
    "policies": for_policies("policies", POLICIES),
    "checks": for_policies("checks", POLICIES),
    "exact": for_policies("exact", POLICIES),
    "estimates": for_policies("estimates", POLICIES),
    "concentration": "results/study/concentration.parquet",
    "curves": "results/tradeoffs/curves.parquet",
    "rivals": "results/tradeoffs/rivals.parquet",
    "language_model": "results/llm/curves.parquet",
    "language_model_growth": "results/llm/growth.parquet",
    **{name: [f"results/study/{name}_quick.csv", *full_study(name)] for name in STUDIES},
    "kept": list(kept_studies().values()),
}


rule claims:
    """One verdict per claim, from the cells of all policies."""
    input:
        **EVIDENCE,
        library=library("workflow/scripts/claims.py"),
    output:
        parquet="results/audit/claims.parquet",
        cells="results/audit/cells.parquet",
        csv="results/audit/claims.csv",
        json="results/audit/claims.json",
    log:
        "logs/audit/claims.log",
    benchmark:
        "logs/benchmarks/audit/claims.tsv"
    resources:
        **asked("claims"),
    params:
        policies=POLICIES,
        kept={name: [path, study_made_of(name)] for name, path in kept_studies().items()},
    script:
        "../scripts/claims.py"


rule audit_report:
    """The audit as pages to read."""
    input:
        claims="results/audit/claims.parquet",
        cells="results/audit/cells.parquet",
        theory=in_project("docs/theory.md"),
        schema=in_project("workflow/schemas/claims.schema.json"),
        templates=[in_project(f"workflow/report/{name}") for name in AUDIT_TEMPLATES],
        library=library("workflow/scripts/audit_report.py"),
    output:
        markdown="results/audit/claims.md",
        theory="results/audit/theory.html",
        html=report(
            "results/audit/claims.html",
            caption="../report/audit.rst",
            category="Audit",
            labels={"audit": "every claim and its verdict"},
        ),
    log:
        "logs/audit/report.log",
    benchmark:
        "logs/benchmarks/audit/report.tsv"
    resources:
        **asked("audit_report"),
    params:
        project=in_project("."),
    script:
        "../scripts/audit_report.py"


rule audit_gate:
    """Fails when a claim that should hold does not, or a negative control is not refuted."""
    input:
        **EVIDENCE,
        written=rules.claims.output,
        library=library("workflow/scripts/audit_gate.py"),
    output:
        passed="results/audit/passed.txt",
    log:
        "logs/audit/gate.log",
    benchmark:
        "logs/benchmarks/audit/gate.tsv"
    resources:
        **asked("audit_gate"),
    params:
        policies=POLICIES,
        kept=rules.claims.params.kept,
        checks=CHECKS,
        certification=config["certification"],
    script:
        "../scripts/audit_gate.py"


rule readme:
    """Bring the tables of the README and of docs/ up to date; not part of a full run."""
    input:
        claims="results/audit/claims.parquet",
        claims_template=in_project("workflow/report/claims.md.jinja"),
        study=largest_study("estimators"),
        study_template=in_project("workflow/report/estimators.md.jinja"),
        library=library("workflow/scripts/readme.py"),
    log:
        "logs/audit/readme.log",
    resources:
        **asked("readme"),
    params:
        readme=in_project("README.md"),
        study=in_project("docs/estimators.md"),
    script:
        "../scripts/readme.py"


rule exhibits:
    """Bring the page of exhibits up to date, with the times of the last run of each job."""
    input:
        rules.audit_gate.output,
        lambda wildcards: rules.figures.input,
        library=library("workflow/scripts/exhibits.py"),
    log:
        "logs/audit/exhibits.log",
    resources:
        **asked("exhibits"),
    params:
        page=in_project("docs/exhibits.md"),
        exhibits=lambda wildcards: exhibits(),
        benchmarks="logs/benchmarks",
    script:
        "../scripts/exhibits.py"


rule audit:
    """Check every claim."""
    input:
        rules.audit_report.output,
        rules.claims.input,
        rules.claims.output,
        rules.audit_gate.output,
