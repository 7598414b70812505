"""A real language model: what is drawn from kept results, and how these are renewed (`llm`).

Another model: `--config llm=config/llm_gemma.yaml`, whose results go to study/llm_gemma/.
"""


rule llm_curves:
    """KL and win rate of every prompt, temperature and reward: proved, and estimated."""
    input:
        config=in_project(config["llm"]),
        pools=kept_of_llm("pools.parquet"),
        found=kept_of_llm("found.parquet"),
        library=library("workflow/scripts/llm_curves.py"),
    output:
        curves="results/llm/curves.parquet",
    log:
        "logs/llm/curves.log",
    benchmark:
        "logs/benchmarks/llm/curves.tsv"
    priority: 1  # the longest job of all
    resources:
        **asked("llm_curves"),
    params:
        n=N_GRID,
    script:
        "../scripts/llm_curves.py"


rule llm_growth:
    """Estimators on the real policy as pools grow, against the proved KL."""
    input:
        config=in_project(config["llm"]),
        pools=kept_of_llm("pools.parquet"),
        found=kept_of_llm("found.parquet"),
        library=library("workflow/scripts/llm_growth.py"),
    output:
        growth="results/llm/growth.parquet",
    log:
        "logs/llm/growth.log",
    benchmark:
        "logs/benchmarks/llm/growth.tsv"
    resources:
        **asked("llm_growth"),
    script:
        "../scripts/llm_growth.py"


rule draw_figure_4_language_model:
    """KL of best-of-n on a real language model under the paper's two rewards."""
    input:
        curves="results/llm/curves.parquet",
        library=library("workflow/scripts/figure_language_model.py"),
    output:
        **drawn("figure_4_language_model", "Figure 4: language model"),
    log:
        "logs/figures/figure_4_language_model.log",
    benchmark:
        "logs/benchmarks/figures/figure_4_language_model.tsv"
    resources:
        **asked("draw"),
    params:
        **about_prompts(LLM.figure_4),
    script:
        "../scripts/figure_language_model.py"


rule draw_language_model_rewards:
    """The same for every prompt, reward and temperature."""
    input:
        curves="results/llm/curves.parquet",
        library=library("workflow/scripts/figure_language_model_rewards.py"),
    output:
        **drawn("language_model_rewards", "language model: every prompt and reward"),
    log:
        "logs/figures/language_model_rewards.log",
    benchmark:
        "logs/benchmarks/figures/language_model_rewards.tsv"
    resources:
        **asked("draw"),
    params:
        **about_prompts(PROMPTS),
    script:
        "../scripts/figure_language_model_rewards.py"


rule draw_language_model_growth:
    """Estimators against the proved KL as pools grow."""
    input:
        growth="results/llm/growth.parquet",
        library=library("workflow/scripts/figure_language_model_growth.py"),
    output:
        **drawn("language_model_growth", "language model: estimators as pools grow"),
    log:
        "logs/figures/language_model_growth.log",
    benchmark:
        "logs/benchmarks/figures/language_model_growth.tsv"
    resources:
        **asked("draw"),
    params:
        **about_prompts(PROMPTS),
    script:
        "../scripts/figure_language_model_growth.py"


# Below: what needs the model. One job at a time has it, with all cores or the GPU.


rule llm_draw:
    """Candidates of one prompt at one temperature, drawn and scored."""
    input:
        config=in_project(config["llm"]),
        library=library("workflow/scripts/llm_draw.py"),
    output:
        pool="results/llm/drawn/{prompt}_{temperature}.parquet",
    log:
        "logs/llm/drawn_{prompt}_{temperature}.log",
    benchmark:
        "logs/benchmarks/llm/drawn_{prompt}_{temperature}.tsv"
    threads: ALL_CORES
    resources:
        **asked("llm_draw"),
    params:
        chunks="results/llm/chunks/{prompt}_{temperature}",
    script:
        "../scripts/llm_draw.py"


rule llm_search:
    """Every response whose probability reaches the threshold."""
    input:
        config=in_project(config["llm"]),
        library=library("workflow/scripts/llm_search.py"),
    output:
        found="results/llm/found/{prompt}_{temperature}.parquet",
    log:
        "logs/llm/found_{prompt}_{temperature}.log",
    benchmark:
        "logs/benchmarks/llm/found_{prompt}_{temperature}.tsv"
    threads: ALL_CORES
    resources:
        **asked("llm_search"),
    script:
        "../scripts/llm_search.py"


rule llm_precision:
    """How far log-probabilities move with batch shape, cache and dtype."""
    input:
        config=in_project(config["llm"]),
        library=library("workflow/scripts/llm_precision.py"),
    output:
        precision="results/llm/precision/{prompt}.parquet",
    log:
        "logs/llm/precision_{prompt}.log",
    benchmark:
        "logs/benchmarks/llm/precision_{prompt}.tsv"
    threads: ALL_CORES
    resources:
        **asked("llm_precision"),
    script:
        "../scripts/llm_precision.py"


rule llm:
    """Sample, search and score anew, and renew what study/ keeps of it; not part of a full run."""
    input:
        config=in_project(config["llm"]),
        pools=for_prompts("drawn"),
        found=for_prompts("found"),
        precision=expand("results/llm/precision/{prompt}.parquet", prompt=PROMPTS),
        library=library("workflow/scripts/llm_keep.py"),
    log:
        "logs/llm/keep.log",
    resources:
        **asked("llm"),
    params:
        folder=kept_of_llm(),
        prompts=PROMPTS,
        temperatures=list(LLM.candidates),
    script:
        "../scripts/llm_keep.py"
