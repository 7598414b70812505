"""What the rules share: the library, the checked config, the claims, the grid of n."""

import os
import sys
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError

ROOT = Path(workflow.basedir)
sys.path.insert(0, str(ROOT / "src"))  # scripts inherit it

from bestofn.claims import InequalityCheck, load_claims
from bestofn.config import validate_config
from bestofn.grid import integer_grid
from bestofn.provenance import library_modules

CLAIMS_FILE = ROOT / "config" / "claims.yaml"

try:
    validate_config(
        config, yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
    )
    CLAIMS = load_claims(CLAIMS_FILE)
except ValueError as error:
    raise WorkflowError(str(error)) from None

POLICIES = list(config["policies"])
N_GRID = integer_grid(**config["n_grid"])
LABELS = {name: policy["label"] for name, policy in config["policies"].items()}
# Statements, sources and the like only concern the audit: editing them rechecks nothing.
CHECKS = {
    claim.id: claim.check.model_dump()
    for claim in CLAIMS
    if isinstance(claim.check, InequalityCheck)
}


wildcard_constraints:
    policy="|".join(POLICIES),


def library(script):
    """The library modules a script runs on: an edit of one must rerun the rule."""
    modules = library_modules(ROOT / "workflow" / "scripts" / script)
    return [os.path.relpath(module) for module in modules]
