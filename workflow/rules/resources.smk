"""The memory and time that jobs ask of a cluster: what was measured, with room.

Larger policies, pools or logs need more: `--set-resources exact:mem_mb=8000`.
"""

import math

ROOM = 2  # times the memory that was measured, since other policies may be larger
PATIENCE = 30  # times the seconds: nodes and file systems may be slow

# Of the largest job of a full run of the shipped config: MB, seconds (docs/cluster.md).
MEASURED = {
    "policy": (176, 0.3),
    "exact": (268, 1.6),
    "estimates": (178, 0.6),
    "checks": (397, 2),
    "tradeoffs": (286, 1.6),
    "concentration": (237, 0.7),
    "gather_study": (92, 0.2),
    "comparison": (137, 0.4),
    "llm_curves": (246, 4.3),
    "llm_growth": (212, 1.4),
    "draw": (227, 1.5),
    "claims": (216, 1.1),
    "audit_report": (428, 2.5),
    "audit_gate": (343, 1.7),
    "notebook": (375, 2.6),
    "report_page": (210, 1),
}
# Where the config sets the work, or no full run has it: MB and minutes to ask for.
SET = {
    "estimator_study": (2000, 120),
    "class_study": (500, 120),
    "adversary": (500, 120),
    "study": (500, 5),
    "samples": (4000, 60),
    "llm_draw": (16000, 1440),
    "llm_search": (16000, 1440),
    "llm_precision": (16000, 240),
    "llm": (2000, 10),
    "readme": (500, 5),
    "exhibits": (500, 5),
    "crate": (500, 5),
    "verify": (500, 5),
}


def asked(name):
    """What the jobs so named ask for, as keywords of `resources`."""
    if name in SET:
        return dict(zip(("mem_mb", "runtime"), SET[name]))
    memory, seconds = MEASURED[name]
    return {
        "mem_mb": math.ceil(ROOM * memory / 100) * 100,
        "runtime": math.ceil(PATIENCE * seconds / 60) + 1,
    }
