"""Beyond single policies: trade-offs, and the studies of estimators and inequalities."""

# Of a long study; at full size both together take an hour on two cores.
MINUTES = {"quick": 5, "full": 120}


rule tradeoffs:
    """Win rate against KL: best-of-n and its rivals, on every policy and as curves without atoms."""
    input:
        policies=for_policies("policies", POLICIES),
        exact=for_policies("exact", POLICIES),
        library=library("workflow/scripts/tradeoffs.py"),
    output:
        policies="results/tradeoffs/policies.parquet",
        rivals="results/tradeoffs/rivals.parquet",
        curves="results/tradeoffs/curves.parquet",
        thresholds="results/tradeoffs/thresholds.parquet",
    log:
        "logs/tradeoffs.log",
    benchmark:
        "logs/benchmarks/tradeoffs/tradeoffs.tsv"
    resources:
        mem_mb=500,
        runtime=5,
    params:
        policies=POLICIES,
        rivals=config["rivals"],
    script:
        "../scripts/tradeoffs.py"


rule concentration:
    """How often the mean of the paper's estimator is off, for as many selections as it needs."""
    input:
        policies=for_policies("policies", POLICIES),
        library=library("workflow/scripts/concentration.py"),
    output:
        parquet="results/study/concentration.parquet",
    log:
        "logs/study/concentration.log",
    benchmark:
        "logs/benchmarks/study/concentration.tsv"
    params:
        policies=POLICIES,
        concentration=config["concentration"],
        seed=config["seed"],
    script:
        "../scripts/concentration.py"


rule estimator_study:
    """Estimators from one pool of scored candidates: bias, RMSE and coverage."""
    input:
        policies=for_policies("policies", POLICIES),
        library=library("workflow/scripts/study.py"),
    output:
        parquet="results/study/estimators_{size}.parquet",
        csv="results/study/estimators_{size}.csv",
    log:
        "logs/study/estimators_{size}.log",
    benchmark:
        "logs/benchmarks/study/estimators_{size}.tsv"
    resources:
        runtime=lambda wildcards: MINUTES[wildcards.size],
    params:
        policies=POLICIES,
        study=lookup(dpath="studies/{size}", within=config),
        seed=config["seed"],
    script:
        "../scripts/study.py"


rule class_study:
    """Intervals from pools of random policies of a few reward classes: coverage."""
    input:
        library=library("workflow/scripts/class_study.py"),
    output:
        parquet="results/study/classes_{size}.parquet",
        csv="results/study/classes_{size}.csv",
    log:
        "logs/study/classes_{size}.log",
    benchmark:
        "logs/benchmarks/study/classes_{size}.tsv"
    params:
        study=lookup(dpath="studies/{size}", within=config),
        seed=config["seed"],
    script:
        "../scripts/class_study.py"


rule comparison:
    """The errors of the estimators side by side, a row for each policy, pool size and n."""
    input:
        study=largest_study("estimators"),
        library=library("workflow/scripts/comparison.py"),
    output:
        comparison="results/study/comparison.parquet",
    log:
        "logs/study/comparison.log",
    benchmark:
        "logs/benchmarks/study/comparison.tsv"
    script:
        "../scripts/comparison.py"


rule adversary:
    """Search for a violation of every inequality, the false ones among them."""
    input:
        library=library("workflow/scripts/adversary.py"),
    output:
        parquet="results/study/adversary_{size}.parquet",
        csv="results/study/adversary_{size}.csv",
    log:
        "logs/study/adversary_{size}.log",
    benchmark:
        "logs/benchmarks/study/adversary_{size}.tsv"
    resources:
        runtime=lambda wildcards: MINUTES[wildcards.size],
    params:
        checks=CHECKS,
        study=lookup(dpath="studies/{size}", within=config),
        seed=config["seed"],
    script:
        "../scripts/adversary.py"


rule study:
    """Run the long studies at full size and renew study/; not part of a full run."""
    input:
        **{name: f"results/study/{name}_full.csv" for name in STUDIES},
        library=library("workflow/scripts/keep_study.py"),
    log:
        "logs/study/keep.log",
    params:
        made_of={name: study_made_of(name) for name in STUDIES},
        folder=in_project("study"),
    script:
        "../scripts/keep_study.py"
