"""The figures: each draws what a file under results/ holds, as SVG, PDF and PNG."""

TIED = [*of_family("verifier"), *of_family("tied_scores"), *of_family("markov_language_model")]


rule draw_figure_1_binary:
    """The binary counterexample: KL stays below log 2 while the formula grows."""
    input:
        exact="results/exact/binary.parquet",
        library=library("workflow/scripts/figure_binary.py"),
    output:
        svg=report(
            "figures/figure_1_binary.svg",
            caption="../report/figure_1_binary.rst",
            category="The paper's figures",
            labels={"figure": "Figure 1: binary counterexample"},
        ),
        pdf="figures/figure_1_binary.pdf",
        png="figures/figure_1_binary.png",
    log:
        "logs/figures/figure_1_binary.log",
    benchmark:
        "logs/benchmarks/figures/figure_1_binary.tsv"
    script:
        "../scripts/figure_binary.py"


rule draw_figure_2_uniform:
    """KL against n, exact, by the formula and estimated: a panel for each policy."""
    input:
        exact=for_policies("exact", of_family("uniform")),
        estimates=for_policies("estimates", of_family("uniform")),
        library=library("workflow/scripts/figure_kl.py"),
    output:
        svg=report(
            "figures/figure_2_uniform.svg",
            caption="../report/figure_2_uniform.rst",
            category="The paper's figures",
            labels={"figure": "Figure 2: uniform policies"},
        ),
        pdf="figures/figure_2_uniform.pdf",
        png="figures/figure_2_uniform.png",
    log:
        "logs/figures/figure_2_uniform.log",
    benchmark:
        "logs/benchmarks/figures/figure_2_uniform.tsv"
    params:
        labels=labels(of_family("uniform")),
    script:
        "../scripts/figure_kl.py"


use rule draw_figure_2_uniform as draw_figure_3_staircase with:
    input:
        exact=for_policies("exact", of_family("staircase")),
        estimates=for_policies("estimates", of_family("staircase")),
        library=library("workflow/scripts/figure_kl.py"),
    output:
        svg=report(
            "figures/figure_3_staircase.svg",
            caption="../report/figure_3_staircase.rst",
            category="The paper's figures",
            labels={"figure": "Figure 3: cherry-picked policies"},
        ),
        pdf="figures/figure_3_staircase.pdf",
        png="figures/figure_3_staircase.png",
    log:
        "logs/figures/figure_3_staircase.log",
    benchmark:
        "logs/benchmarks/figures/figure_3_staircase.tsv"
    params:
        labels=labels(of_family("staircase")),


use rule draw_figure_2_uniform as draw_figure_4_language_model with:
    input:
        exact=for_policies("exact", of_family("markov_language_model")),
        estimates=for_policies("estimates", of_family("markov_language_model")),
        library=library("workflow/scripts/figure_kl.py"),
    output:
        svg=report(
            "figures/figure_4_language_model.svg",
            caption="../report/figure_4_language_model.rst",
            category="The paper's figures",
            labels={"figure": "Figure 4: language model"},
        ),
        pdf="figures/figure_4_language_model.pdf",
        png="figures/figure_4_language_model.png",
    log:
        "logs/figures/figure_4_language_model.log",
    benchmark:
        "logs/benchmarks/figures/figure_4_language_model.tsv"
    params:
        labels=labels(of_family("markov_language_model")),


rule draw_figure_5_tradeoff:
    """Win rate against KL: best-of-n, rewind-and-repeat, the optimum."""
    input:
        policies="results/tradeoffs/policies.parquet",
        curves="results/tradeoffs/curves.parquet",
        library=library("workflow/scripts/figure_tradeoff.py"),
    output:
        svg=report(
            "figures/figure_5_tradeoff.svg",
            caption="../report/figure_5_tradeoff.rst",
            category="The paper's figures",
            labels={"figure": "Figure 5: win rate against KL"},
        ),
        pdf="figures/figure_5_tradeoff.pdf",
        png="figures/figure_5_tradeoff.png",
    log:
        "logs/figures/figure_5_tradeoff.log",
    benchmark:
        "logs/benchmarks/figures/figure_5_tradeoff.tsv"
    params:
        highlight="counterexample",
    script:
        "../scripts/figure_tradeoff.py"


rule draw_regime_map:
    """A gap against n delta and n^2 delta, between the paper's bound and the sharp one."""
    input:
        exact=for_policies("exact", POLICIES),
        library=library("workflow/scripts/figure_bounds.py"),
    output:
        svg=report(
            "figures/regime_map.svg",
            caption="../report/regime_map.rst",
            category="Beyond the paper",
            labels={"figure": "KL gap and its bounds"},
        ),
        pdf="figures/regime_map.pdf",
        png="figures/regime_map.png",
    log:
        "logs/figures/regime_map.log",
    benchmark:
        "logs/benchmarks/figures/regime_map.tsv"
    params:
        gap="kl_gap",
    script:
        "../scripts/figure_bounds.py"


use rule draw_regime_map as draw_win_rate_gap with:
    input:
        exact=for_policies("exact", POLICIES),
        library=library("workflow/scripts/figure_bounds.py"),
    output:
        svg=report(
            "figures/win_rate_gap.svg",
            caption="../report/win_rate_gap.rst",
            category="Beyond the paper",
            labels={"figure": "win-rate gap and its bounds"},
        ),
        pdf="figures/win_rate_gap.pdf",
        png="figures/win_rate_gap.png",
    log:
        "logs/figures/win_rate_gap.log",
    benchmark:
        "logs/benchmarks/figures/win_rate_gap.tsv"
    params:
        gap="win_rate_gap",


rule draw_all_bounds:
    """Every bound on the gaps, relative to the exact gap of a Zipf policy."""
    input:
        exact=for_policies("exact", of_family("zipf")[:1]),
        library=library("workflow/scripts/figure_all_bounds.py"),
    output:
        svg=report(
            "figures/all_bounds.svg",
            caption="../report/all_bounds.rst",
            category="Beyond the paper",
            labels={"figure": "every bound on the gaps"},
        ),
        pdf="figures/all_bounds.pdf",
        png="figures/all_bounds.png",
    log:
        "logs/figures/all_bounds.log",
    benchmark:
        "logs/benchmarks/figures/all_bounds.tsv"
    script:
        "../scripts/figure_all_bounds.py"


rule draw_estimator_errors:
    """Bias and RMSE of the paper's estimator."""
    input:
        estimates=for_policies("estimates", POLICIES),
        library=library("workflow/scripts/figure_estimator.py"),
    output:
        svg=report(
            "figures/estimator_errors.svg",
            caption="../report/estimator_errors.rst",
            category="Beyond the paper",
            labels={"figure": "errors of the paper's estimator"},
        ),
        pdf="figures/estimator_errors.pdf",
        png="figures/estimator_errors.png",
    log:
        "logs/figures/estimator_errors.log",
    benchmark:
        "logs/benchmarks/figures/estimator_errors.tsv"
    params:
        labels=labels(POLICIES),
    script:
        "../scripts/figure_estimator.py"


rule draw_pool_estimators:
    """Estimators from one pool of scored candidates: bias, RMSE, coverage."""
    input:
        study=full_study("estimators"),
        library=library("workflow/scripts/figure_pool.py"),
    output:
        svg=report(
            "figures/pool_estimators.svg",
            caption="../report/pool_estimators.rst",
            category="Beyond the paper",
            labels={"figure": "estimators from a pool"},
        ),
        pdf="figures/pool_estimators.pdf",
        png="figures/pool_estimators.png",
    log:
        "logs/figures/pool_estimators.log",
    benchmark:
        "logs/benchmarks/figures/pool_estimators.tsv"
    script:
        "../scripts/figure_pool.py"


rule draw_ties:
    """What it costs to take tied rewards for distinct ones."""
    input:
        exact=for_policies("exact", TIED),
        library=library("workflow/scripts/figure_ties.py"),
    output:
        svg=report(
            "figures/ties.svg",
            caption="../report/ties.rst",
            category="Beyond the paper",
            labels={"figure": "what forgetting ties costs"},
        ),
        pdf="figures/ties.pdf",
        png="figures/ties.png",
    log:
        "logs/figures/ties.log",
    benchmark:
        "logs/benchmarks/figures/ties.tsv"
    params:
        labels=labels(TIED),
    script:
        "../scripts/figure_ties.py"


rule draw_rivals:
    """Excess KL over the optimum, for best-of-n and its rivals."""
    input:
        curves="results/tradeoffs/curves.parquet",
        library=library("workflow/scripts/figure_rivals.py"),
    output:
        svg=report(
            "figures/rivals.svg",
            caption="../report/rivals.rst",
            category="Beyond the paper",
            labels={"figure": "best-of-n and its rivals"},
        ),
        pdf="figures/rivals.pdf",
        png="figures/rivals.png",
    log:
        "logs/figures/rivals.log",
    benchmark:
        "logs/benchmarks/figures/rivals.tsv"
    script:
        "../scripts/figure_rivals.py"


rule draw_divergences:
    """Other divergences of best-of-n, of every policy and without atoms."""
    input:
        exact=for_policies("exact", POLICIES),
        library=library("workflow/scripts/figure_divergences.py"),
    output:
        svg=report(
            "figures/divergences.svg",
            caption="../report/divergences.rst",
            category="Beyond the paper",
            labels={"figure": "other divergences"},
        ),
        pdf="figures/divergences.pdf",
        png="figures/divergences.png",
    log:
        "logs/figures/divergences.log",
    benchmark:
        "logs/benchmarks/figures/divergences.tsv"
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
