"""The report: figures, captions, audit, versions and times on one page that needs no network."""

PICTURES = [path for path in rules.figures.input if str(path).endswith(".svg")]
# Of the rules that draw them: captions name some.
DRAWING = {
    each.name.removeprefix("draw_"): dict(each.params.items())
    for each in workflow.rules
    if each.name.startswith("draw_")
}


rule report_page:
    """Every figure with its caption, and the audit."""
    input:
        figures=PICTURES,
        claims="results/audit/claims.parquet",
        passed="results/audit/passed.txt",
        template=in_project("workflow/report/report.html.jinja"),
        texts=[
            in_project("workflow/report/report.css"),
            *(in_project(f"workflow/report/{Path(path).stem}.rst") for path in PICTURES),
        ],
        library=library("workflow/scripts/report_page.py"),
    output:
        page="results/report.html",
    log:
        "logs/report.log",
    resources:
        **asked("report_page"),
    params:
        drawing=DRAWING,
        benchmarks="logs/benchmarks",
    script:
        "../scripts/report_page.py"
