"""Replication of "Theoretical guarantees on the best-of-n alignment policy", end to end."""

from snakemake.utils import min_version

min_version("9.16")


include: "workflow/rules/start.smk"


configfile: f"{workflow.current_basedir}/config/config.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/resources.smk"
include: "workflow/rules/policies.smk"
include: "workflow/rules/studies.smk"
include: "workflow/rules/audit.smk"
include: "workflow/rules/llm.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/notebooks.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/samples.smk"


for each in workflow.rules:
    if scripts := scripts_of(each):
        each.set_params(packages=packages(scripts))


rule all:
    default_target: True
    input:
        [for_policies(stage, POLICIES) for stage in ("policies", "exact", "estimates", "checks")],
        rules.tradeoffs.output,
        rules.audit.input,
        "results/study/comparison.parquet",
        rules.figures.input,
        rules.notebooks.input,
        rules.report_page.output,


include: "workflow/rules/verify.smk"
include: "workflow/rules/crate.smk"
