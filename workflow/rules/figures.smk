"""The figures: each draws what a file under results/ holds, as SVG, PDF and PNG."""

TIED = [*of_family("verifier"), *of_family("tied_scores"), *of_family("markov_language_model")]


rule draw_figure_1_binary:
    """The binary counterexample: KL stays below log 2 while the formula grows."""
    input:
        curves="results/curves/binary.parquet",
        library=library("workflow/scripts/figure_binary.py"),
    output:
        **drawn("figure_1_binary", "Figure 1: binary counterexample"),
    log:
        "logs/figures/figure_1_binary.log",
    benchmark:
        "logs/benchmarks/figures/figure_1_binary.tsv"
    resources:
        **asked("draw"),
    script:
        "../scripts/figure_binary.py"


rule draw_figure_2_uniform:
    """KL against n, exact, by the formula and estimated: a panel for each policy."""
    input:
        curves=for_policies("curves", of_family("uniform")),
        estimates=for_policies("estimates", of_family("uniform")),
        library=library("workflow/scripts/figure_kl.py"),
    output:
        **drawn("figure_2_uniform", "Figure 2: uniform policies"),
    log:
        "logs/figures/figure_2_uniform.log",
    benchmark:
        "logs/benchmarks/figures/figure_2_uniform.tsv"
    resources:
        **asked("draw"),
    params:
        labels=labels(of_family("uniform")),
    script:
        "../scripts/figure_kl.py"


use rule draw_figure_2_uniform as draw_figure_3_staircase with:
    input:
        curves=for_policies("curves", of_family("staircase")),
        estimates=for_policies("estimates", of_family("staircase")),
        library=library("workflow/scripts/figure_kl.py"),
    output:
        **drawn("figure_3_staircase", "Figure 3: cherry-picked policies"),
    log:
        "logs/figures/figure_3_staircase.log",
    benchmark:
        "logs/benchmarks/figures/figure_3_staircase.tsv"
    params:
        labels=labels(of_family("staircase")),


use rule draw_figure_2_uniform as draw_markov_language_model with:
    input:
        curves=for_policies("curves", of_family("markov_language_model")),
        estimates=for_policies("estimates", of_family("markov_language_model")),
        library=library("workflow/scripts/figure_kl.py"),
    output:
        **drawn("markov_language_model", "an enumerated language model"),
    log:
        "logs/figures/markov_language_model.log",
    benchmark:
        "logs/benchmarks/figures/markov_language_model.tsv"
    params:
        labels=labels(of_family("markov_language_model")),


rule draw_figure_5_tradeoff:
    """Win rate against KL: best-of-n, rewind-and-repeat, the optimum."""
    input:
        policies="results/tradeoffs/policies.parquet",
        curves="results/tradeoffs/curves.parquet",
        language_model="results/llm/curves.parquet",
        library=library("workflow/scripts/figure_tradeoff.py"),
    output:
        **drawn("figure_5_tradeoff", "Figure 5: win rate against KL"),
    log:
        "logs/figures/figure_5_tradeoff.log",
    benchmark:
        "logs/benchmarks/figures/figure_5_tradeoff.tsv"
    resources:
        **asked("draw"),
    params:
        highlight="counterexample",
        labels=LABELS,
        model=LLM.model,
    script:
        "../scripts/figure_tradeoff.py"


rule draw_regime_map:
    """A gap against n delta and n^2 delta, between the paper's bound and the sharp one."""
    input:
        exact=for_policies("exact", POLICIES),
        library=library("workflow/scripts/figure_bounds.py"),
    output:
        **drawn("regime_map", "KL gap and its bounds"),
    log:
        "logs/figures/regime_map.log",
    benchmark:
        "logs/benchmarks/figures/regime_map.tsv"
    resources:
        **asked("draw"),
    params:
        gap="kl_gap",
        labels=LABELS,
    script:
        "../scripts/figure_bounds.py"


use rule draw_regime_map as draw_win_rate_gap with:
    input:
        exact=for_policies("exact", POLICIES),
        library=library("workflow/scripts/figure_bounds.py"),
    output:
        **drawn("win_rate_gap", "win-rate gap and its bounds"),
    log:
        "logs/figures/win_rate_gap.log",
    benchmark:
        "logs/benchmarks/figures/win_rate_gap.tsv"
    params:
        gap="win_rate_gap",
        labels=LABELS,


rule draw_all_bounds:
    """Every bound on the gaps, relative to the exact gap of a Zipf policy."""
    input:
        exact=for_policies("exact", of_family("zipf")[:1]),
        library=library("workflow/scripts/figure_all_bounds.py"),
    output:
        **drawn("all_bounds", "every bound on the gaps"),
    log:
        "logs/figures/all_bounds.log",
    benchmark:
        "logs/benchmarks/figures/all_bounds.tsv"
    resources:
        **asked("draw"),
    script:
        "../scripts/figure_all_bounds.py"


rule draw_estimator_errors:
    """Error of the formula, RMSE and bias of the paper's estimator, on every policy."""
    input:
        estimates=for_policies("estimates", POLICIES),
        library=library("workflow/scripts/figure_estimator.py"),
    output:
        **drawn("estimator_errors", "errors of the paper's estimator"),
    log:
        "logs/figures/estimator_errors.log",
    benchmark:
        "logs/benchmarks/figures/estimator_errors.tsv"
    resources:
        **asked("draw"),
    params:
        labels=LABELS,
    script:
        "../scripts/figure_estimator.py"


rule draw_pool_estimators:
    """Estimators from one pool of scored candidates: bias, RMSE, coverage."""
    input:
        comparison="results/study/comparison.parquet",
        library=library("workflow/scripts/figure_pool.py"),
    output:
        **drawn("pool_estimators", "estimators from a pool"),
    log:
        "logs/figures/pool_estimators.log",
    benchmark:
        "logs/benchmarks/figures/pool_estimators.tsv"
    resources:
        **asked("draw"),
    script:
        "../scripts/figure_pool.py"


rule draw_ties:
    """What it costs to take tied rewards for distinct ones."""
    input:
        curves=for_policies("curves", TIED),
        library=library("workflow/scripts/figure_ties.py"),
    output:
        **drawn("ties", "what forgetting ties costs"),
    log:
        "logs/figures/ties.log",
    benchmark:
        "logs/benchmarks/figures/ties.tsv"
    resources:
        **asked("draw"),
    params:
        labels=labels(TIED),
    script:
        "../scripts/figure_ties.py"


rule draw_rivals:
    """Excess KL over the optimum, and draws, for best-of-n and its rivals."""
    input:
        curves="results/tradeoffs/curves.parquet",
        library=library("workflow/scripts/figure_rivals.py"),
    output:
        **drawn("rivals", "best-of-n and its rivals"),
    log:
        "logs/figures/rivals.log",
    benchmark:
        "logs/benchmarks/figures/rivals.tsv"
    resources:
        **asked("draw"),
    script:
        "../scripts/figure_rivals.py"


rule draw_divergences:
    """Other divergences of best-of-n, of every policy and without atoms."""
    input:
        curves=for_policies("curves", POLICIES),
        library=library("workflow/scripts/figure_divergences.py"),
    output:
        **drawn("divergences", "other divergences"),
    log:
        "logs/figures/divergences.log",
    benchmark:
        "logs/benchmarks/figures/divergences.tsv"
    resources:
        **asked("draw"),
    params:
        labels=LABELS,
    script:
        "../scripts/figure_divergences.py"


rule figures:
    """Draw every figure."""
    input:
        rules.draw_figure_1_binary.output,
        rules.draw_figure_2_uniform.output,
        rules.draw_figure_3_staircase.output,
        rules.draw_figure_4_language_model.output,
        rules.draw_figure_5_tradeoff.output,
        rules.draw_regime_map.output,
        rules.draw_win_rate_gap.output,
        rules.draw_all_bounds.output,
        rules.draw_estimator_errors.output,
        rules.draw_pool_estimators.output,
        rules.draw_ties.output,
        rules.draw_rivals.output,
        rules.draw_divergences.output,
        rules.draw_markov_language_model.output,
        rules.draw_language_model_rewards.output,
        rules.draw_language_model_growth.output,
