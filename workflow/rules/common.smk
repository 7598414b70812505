"""What the rules share: the library, the checked config, the claims, the grid of n."""

import os
import shlex
import sys
from dataclasses import asdict
from pathlib import Path

from snakemake.utils import update_config

ROOT = Path(workflow.current_basedir).parents[1]  # not where a workflow that uses this one lies

from replication.audit.checks import InequalityCheck
from replication.audit.claims import load_claims, reject_unknown
from replication.llm.settings import load_settings
from replication.pipeline.config import validate_config
from replication.pipeline.grid import integer_grid, real_grid
from replication.pipeline.provenance import code_digest, library_modules, package_versions

# Snakemake writes it into shell commands as it is, also where the folder's name has a quote.
if Path(sys.executable).exists():
    sys.executable = shlex.quote(sys.executable)

CURVE_PER_DECADE = 20  # values of n: kinks are then too small to be seen
DRAWN_FAMILIES = {"uniform", "staircase", "zipf", "markov_language_model"}

try:
    if workflow.modifier.is_main_snakefile():
        update_config(config, from_command_line(workflow.config_settings.config))
    validate_config(config)
    CLAIMS = load_claims(ROOT / "config/claims.yaml")
    N_GRID = integer_grid(**config["n_grid"])
    REAL_GRID = real_grid(CURVE_PER_DECADE, config["n_grid"]["largest"])
    LLM = load_settings(ROOT / config["llm"])
    reject_unknown(CLAIMS, config["policies"], [*N_GRID, *config["certification"]["n"]])
    families = {policy["family"] for policy in config["policies"].values()}
    for family in sorted(DRAWN_FAMILIES - families):
        raise ValueError(f"policies: expected one of the family {family}, which a figure draws")
    if "binary" not in config["policies"]:
        raise ValueError("policies: expected one of the name binary, which a figure draws")
except ValueError as error:
    raise WorkflowError(str(error)) from None

POLICIES = list(config["policies"])
LABELS = {name: policy["label"] for name, policy in config["policies"].items()}
# What a policy is; labels and the like are only shown.
DEFINITIONS = {
    name: {key: policy[key] for key in ("family", "parameters")}
    for name, policy in config["policies"].items()
}
# Statements, sources and the like only concern the audit: editing them rechecks nothing.
CHECKS = {
    claim.id: asdict(claim.check) for claim in CLAIMS if isinstance(claim.check, InequalityCheck)
}

PROMPTS = list(LLM.prompts)
TEMPERATURES = [f"{temperature:g}" for temperature in LLM.candidates]
ALL_CORES = 1024  # as many as --cores says


wildcard_constraints:
    policy="|".join(POLICIES),
    prompt="|".join(PROMPTS),
    temperature="|".join(TEMPERATURES),


def in_project(path):
    """A file of the project, also where the results go elsewhere (--directory)."""
    return local(os.path.relpath(ROOT / path))


def library(script):
    """The library modules a script runs on: an edit of one must rerun the rule."""
    return [local(os.path.relpath(module)) for module in library_modules(ROOT / script)]


def scripts_of(each):
    """What a rule of ours runs, notebooks included; nothing of a workflow that uses this one."""
    script = ROOT / "workflow/scripts" / os.path.basename(each.script or "")
    notebooks = ROOT.glob("notebooks/*.py") if script.name == "notebook.py" else ()
    return [script, *sorted(notebooks)] if script.is_file() else []


def packages(scripts):
    """Versions of what scripts run on: where one changes, results may."""
    modules = [module for script in scripts for module in library(script)]
    return package_versions([*scripts, *modules], ROOT / "requirements.txt")


def of_family(family):
    """The policies of a family, in the order of the config."""
    return [name for name in POLICIES if config["policies"][name]["family"] == family]


def for_policies(stage, policies):
    """A stage's table of each policy."""
    return [f"results/{stage}/{policy}.parquet" for policy in policies]


def labels(policies):
    """What figures call the policies."""
    return [LABELS[policy] for policy in policies]


# Of a long study the settings it depends on, and what computes it.
STUDIES = {
    "estimators": (("pool_sizes", "n", "repeats"), "replication.studies.compare"),
    "classes": (("class_policies", "repeats"), "replication.studies.classes"),
    "adversary": (("evaluations",), "replication.studies.adversary"),
}


# Of the code of each, asked for by several rules.
DIGESTS = {name: code_digest(module) for name, (_, module) in STUDIES.items()}


def full_study(name):
    """The table of a long study at full size, if there is one."""
    places = {
        "kept": [in_project(f"study/{name}.csv")],
        "full": [f"results/study/{name}_full.csv"],
        "quick": [],
    }
    return places[config["study"]]


def largest_study(name):
    """The table of a long study at the largest size there is."""
    return [*full_study(name), f"results/study/{name}_quick.csv"][0]


def chunks_of_study(wildcards):
    """The tables of the jobs that share a study, which count from 1."""
    chunks = config["studies"][wildcards.size]["chunks"]
    name = f"{wildcards.study}_{wildcards.size}"
    return [
        f"results/study/chunks/{name}_{chunk}_of_{chunks}.parquet" for chunk in range(1, chunks + 1)
    ]


def kept_studies():
    """What says of what the kept studies were made."""
    names = STUDIES if config["study"] == "kept" else ()
    return {name: in_project(f"study/{name}.json") for name in names}


def study_made_of(name):
    """What a long study at full size is made of now."""
    settings, _ = STUDIES[name]
    return {
        "seed": config["seed"],
        "settings": {key: config["studies"]["full"][key] for key in settings},
        "code": DIGESTS[name],
        **({"policies": DEFINITIONS} if name == "estimators" else {}),
        **({"checks": CHECKS} if name == "adversary" else {}),
    }


def logs_of_samples(wildcards):
    """Your own logs, which must be named to be analysed."""
    if not config["samples"]:
        raise WorkflowError("samples: expected a log, as in --config samples=my.jsonl")
    return config["samples"]


def report_templates():
    """What the page about a run is made of, besides Python."""
    folder = ROOT / "src/bonmeter/report/templates"
    return [in_project(path.relative_to(ROOT)) for path in sorted(folder.iterdir())]


def listed(paths):
    """The files of an input, which may be one."""
    return [paths] if isinstance(paths, str) else list(paths)


def artifacts(paths):
    """Those of them that jobs make."""
    return sorted(str(path) for path in paths if str(path).startswith(("results/", "figures/")))


def exhibits():
    """What draws each figure: the rule, its script and its tables."""
    return {
        each.name.removeprefix("draw_"): {
            "rule": each.name,
            "script": os.path.basename(each.script),
            "tables": [
                os.path.relpath(path)
                for name in each.input.keys()
                if name != "library"
                for path in listed(each.input.get(name))
            ],
        }
        for each in workflow.rules
        if each.name.startswith("draw_")
    }


def drawn(name, label):
    """The files of a figure, the SVG in the report with its caption and under a label."""
    paper = name.startswith("figure_")
    return {
        "svg": report(
            f"figures/{name}.svg",
            caption=f"../report/{name}.rst",
            category="The paper's figures" if paper else "Beyond the paper",
            labels={"figure": label},
        ),
        "pdf": f"figures/{name}.pdf",
        "png": f"figures/{name}.png",
    }


def kept_of_llm(name=""):
    """A table kept of the language model, or their folder; each file of settings has its own."""
    return in_project(f"study/{Path(config['llm']).stem}/{name}")


def for_prompts(stage):
    """A stage's table of each prompt and temperature."""
    return expand(
        f"results/llm/{stage}/{{prompt}}_{{temperature}}.parquet",
        prompt=PROMPTS,
        temperature=TEMPERATURES,
    )


def about_prompts(names):
    """What the figures say and their captions tell of the model."""
    return {
        "prompts": list(names),
        "labels": [LLM.prompts[name].label for name in names],
        "settings": LLM.model_dump(mode="json"),
    }
