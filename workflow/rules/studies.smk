"""Beyond single policies: trade-offs, and the studies of estimators and inequalities."""

CHUNK = "{size}_{chunk}_of_{chunks}"


wildcard_constraints:
    study="|".join(STUDIES),
    size="quick|full",
    chunk=r"\d+",
    chunks=r"\d+",


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
        **asked("tradeoffs"),
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
    resources:
        **asked("concentration"),
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
        table=f"results/study/chunks/estimators_{CHUNK}.parquet",
    log:
        f"logs/study/chunks/estimators_{CHUNK}.log",
    benchmark:
        f"logs/benchmarks/study/estimators_{CHUNK}.tsv"
    resources:
        **asked("estimator_study"),
    params:
        policies=POLICIES,
        study=lookup(dpath="studies/{size}", within=config),
        seed=config["seed"],
        chunk="{chunk}",
        chunks="{chunks}",
    script:
        "../scripts/study.py"


rule class_study:
    """Intervals from pools of random policies of a few reward classes: coverage."""
    input:
        library=library("workflow/scripts/class_study.py"),
    output:
        table=f"results/study/chunks/classes_{CHUNK}.parquet",
    log:
        f"logs/study/chunks/classes_{CHUNK}.log",
    benchmark:
        f"logs/benchmarks/study/classes_{CHUNK}.tsv"
    resources:
        **asked("class_study"),
    params:
        study=lookup(dpath="studies/{size}", within=config),
        seed=config["seed"],
        chunk="{chunk}",
        chunks="{chunks}",
    script:
        "../scripts/class_study.py"


rule adversary:
    """Search for a violation of every inequality, the false ones among them."""
    input:
        library=library("workflow/scripts/adversary.py"),
    output:
        table=f"results/study/chunks/adversary_{CHUNK}.parquet",
    log:
        f"logs/study/chunks/adversary_{CHUNK}.log",
    benchmark:
        f"logs/benchmarks/study/adversary_{CHUNK}.tsv"
    resources:
        **asked("adversary"),
    params:
        checks=CHECKS,
        study=lookup(dpath="studies/{size}", within=config),
        seed=config["seed"],
        chunk="{chunk}",
        chunks="{chunks}",
    script:
        "../scripts/adversary.py"


rule gather_study:
    """A long study from its chunks: the same whatever their number."""
    input:
        chunks=chunks_of_study,
        library=library("workflow/scripts/gather.py"),
    output:
        parquet="results/study/{study}_{size}.parquet",
        csv="results/study/{study}_{size}.csv",
    log:
        "logs/study/{study}_{size}.log",
    benchmark:
        "logs/benchmarks/study/{study}_{size}.tsv"
    resources:
        **asked("gather_study"),
    script:
        "../scripts/gather.py"


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
    resources:
        **asked("comparison"),
    script:
        "../scripts/comparison.py"


rule study:
    """Run the long studies at full size and renew study/; not part of a full run."""
    input:
        **{name: f"results/study/{name}_full.csv" for name in STUDIES},
        library=library("workflow/scripts/keep_study.py"),
    log:
        "logs/study/keep.log",
    resources:
        **asked("study"),
    params:
        made_of={name: study_made_of(name) for name in STUDIES},
        folder=in_project("study"),
    script:
        "../scripts/keep_study.py"
