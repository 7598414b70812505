"""One chain per policy: its responses, exact values, estimates and bound checks."""


rule policy:
    """Data generation: the responses of a policy declared in the config."""
    input:
        library=library("workflow/scripts/policies.py"),
    output:
        policy="results/policies/{policy}.parquet",
    log:
        "logs/policies/{policy}.log",
    benchmark:
        "logs/benchmarks/policies/{policy}.tsv"
    resources:
        **asked("policy"),
    params:
        family=lookup(dpath="policies/{policy}/family", within=config),
        parameters=lookup(dpath="policies/{policy}/parameters", within=config),
        seed=config["seed"],
    script:
        "../scripts/policies.py"


rule exact:
    """Exact KL, win rate, their gaps and every bound on them, at whole n and at real ones."""
    input:
        policy="results/policies/{policy}.parquet",
        library=library("workflow/scripts/exact.py"),
    output:
        exact="results/exact/{policy}.parquet",
        curves="results/curves/{policy}.parquet",
    log:
        "logs/exact/{policy}.log",
    benchmark:
        "logs/benchmarks/exact/{policy}.tsv"
    resources:
        **asked("exact"),
    params:
        exact=N_GRID,
        curves=REAL_GRID,
    script:
        "../scripts/exact.py"


rule estimates:
    """The paper's estimator on simulated selections: bias, standard error and RMSE."""
    input:
        policy="results/policies/{policy}.parquet",
        exact="results/exact/{policy}.parquet",
        library=library("workflow/scripts/estimates.py"),
    output:
        estimates="results/estimates/{policy}.parquet",
    log:
        "logs/estimates/{policy}.log",
    benchmark:
        "logs/benchmarks/estimates/{policy}.tsv"
    resources:
        **asked("estimates"),
    params:
        name="{policy}",
        simulation=config["simulation"],
        seed=config["seed"],
    script:
        "../scripts/estimates.py"


rule checks:
    """The verdict on every claimed inequality at every n."""
    input:
        policy="results/policies/{policy}.parquet",
        library=library("workflow/scripts/checks.py"),
    output:
        checks="results/checks/{policy}.parquet",
    log:
        "logs/checks/{policy}.log",
    benchmark:
        "logs/benchmarks/checks/{policy}.tsv"
    resources:
        **asked("checks"),
    params:
        name="{policy}",
        n=N_GRID,
        checks=CHECKS,
        certification=config["certification"],
    script:
        "../scripts/checks.py"
