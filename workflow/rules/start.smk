"""Before all else: are the packages there, what the terminal shows, and may the config be read."""

import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

try:
    from replication.pipeline.lock import RECORD, begin, is_locked, refuse_unlock
    from replication.pipeline.places import keep_inside
    from replication.pipeline.plain_yaml import from_command_line, read_yaml
    from replication.pipeline.terminal import ending, show_briefly
except ImportError as error:
    raise WorkflowError(
        f"{error}: the environment that runs Snakemake lacks it. Run `make`, which sets up one that "
        "has it, or install the packages: pip install -e '.[certify,pipeline]'"
    ) from None


SHIPPED = Path(workflow.current_basedir).parents[1] / "config/config.yaml"

try:
    # Snakemake's own reader lets a key appear twice, and code run
    for path in (SHIPPED, *workflow.overwrite_configfiles):
        if not workflow.modifier.skip_configfile and path.is_file():
            read_yaml(path)
except ValueError as error:
    raise WorkflowError(str(error)) from None


def closing(seconds, log=""):
    """What a run says at its end."""
    return ending({str(path) for job in workflow.dag.jobs for path in job.output}, seconds, log)


MAIN = workflow.modifier.is_main_snakefile() and workflow.exec_mode.name == "DEFAULT"


def hold_folder(message):
    """Take the folder as Snakemake begins to execute, before it looks at files and locks them."""
    if str(getattr(message, "event", "")) == "workflow_started":
        or_end(begin)
        lift_limit()
    return True


def lift_limit():
    """On one machine, of Snakemake's own limit, 100 jobs a second, if the user has not set another.

    It wakes the scheduler every second once more for each job that has ended: 3,588 times for 116
    jobs, 3 s of processor time.
    """
    settings = workflow.scheduling_settings
    limit = settings.max_jobs_per_timespan
    if workflow.local_exec and limit and (limit.max_jobs, limit.timespan) == (100, 1):
        settings.max_jobs_per_timespan = None


def or_end(hold):
    """A folder that cannot be had ends Snakemake: all it needs is said in one line."""
    try:
        hold(Path.cwd())
    except (OSError, ValueError) as error:
        logger.error(str(error))
        sys.exit(1)


if MAIN and not workflow.output_settings.dryrun:
    logger.addFilter(hold_folder)
if MAIN and "--unlock" in sys.argv:
    or_end(refuse_unlock)

keep_inside(Path(".snakemake"))

TERMINAL = None
if MAIN and not (workflow.output_settings.dryrun or workflow.output_settings.verbose):
    TERMINAL = show_briefly(logger, closing, quiet=bool(workflow.output_settings.quiet))


onsuccess:
    if TERMINAL:
        print(closing(TERMINAL.seconds()), file=TERMINAL.stream)


onerror:
    if TERMINAL:
        print(ending((), TERMINAL.seconds(), log[0] if log else ""), file=TERMINAL.stream)
