"""The memory and time that jobs ask of a cluster: what was measured, with room.

Larger policies, pools or logs need more: `--set-resources exact:mem_mb=8000`.
"""

import math

ROOM = 2  # times the memory that was measured, since other policies may be larger
PATIENCE = 30  # times the seconds: nodes and file systems may be slow

# Of the largest job of a full run of the shipped config: MB, seconds (docs/cluster.md).
MEASURED = {
    "policy": (176, 0.4),
    "exact": (278, 7.5),
    "estimates": (205, 1.6),
    "checks": (440, 4.6),
    "tradeoffs": (283, 6.1),
    "concentration": (206, 1.2),
    "gather_study": (92, 0.3),
    "comparison": (137, 0.4),
    "llm_curves": (249, 17.2),
    "llm_growth": (229, 2.8),
    "draw": (286, 3.6),
    "claims": (296, 1.6),
    "audit_report": (363, 2.7),
    "audit_gate": (334, 5.1),
    "notebook": (437, 3.9),
    "report_page": (272, 1.4),
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
