"""A finished run in a form that other tools read."""

DEFINING = ["Snakefile", "LICENSE", "requirements.txt", "pyproject.toml", config["llm"]]


rule crate:
    """All that a full run read and made, as a Workflow Run RO-Crate; not part of a full run."""
    input:
        rules.all.input,
        workflow=[
            *map(in_project, DEFINING),
            *(
                in_project(path.relative_to(ROOT))
                for path in sorted(ROOT.glob("workflow/rules/*"))
            ),
            *(os.path.relpath(path) for path in workflow.configfiles),
        ],
        library=library("workflow/scripts/crate.py"),
    output:
        crate="results/run.crate.zip",
    log:
        "logs/crate.log",
    resources:
        **asked("crate"),
    params:
        project=in_project("."),
    script:
        "../scripts/crate.py"
