"""Kill runs at random moments, start them again by the same command, and compare every byte.

`make faults` does fifty and writes the table of docs/faults.md.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from replication.pipeline.lock import UNFINISHED
from tests.runs import ROOT, TINY, configure, copy_project, succeed

PAGE = ROOT / "docs/faults.md"
TABLE = re.compile(r"(?<=<!-- kills -->\n).*(?=<!-- /kills -->)", re.DOTALL)
"""The part of the page that is measured here."""

LATE = 2.0
"""Seconds after a run in which nothing may be written any more."""

LEAVES = (
    *("results/notebooks/tour.html", "results/report.html"),
    *("figures/ties.*", "figures/figure_1_binary.*"),
)
"""Of a finished project, what is made anew: a notebook, the report and figures."""

TABLES = tuple(
    f"results/{stage}/{name}.parquet"
    for stage in ("exact", "checks")
    for name in ("binary", "uniform_10", "staircase", "zipf")
)
"""In a folder with nothing in it, what is asked for: exact values and verdicts of some policies."""


def main_only(run: psutil.Process) -> None:
    run.kill()


def whole_tree(run: psutil.Process) -> None:
    """Parent first: nothing of it can react."""
    for process in (run, *run.children(recursive=True)):
        _send(process, signal.SIGKILL)


def one_job(run: psutil.Process) -> None:
    """Or what comes next to one, when none is running."""
    _send((run.children() or [run])[0], signal.SIGKILL)


def to_group(number: signal.Signals) -> Callable[[psutil.Process], None]:
    """As a terminal or a batch system sends it."""
    return lambda run: os.killpg(run.pid, number)


def everything(run: psutil.Process) -> None:
    """The signals a batch system sends one after the other, without a pause."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.killpg(run.pid, number)
    whole_tree(run)


ATTACKS: Mapping[str, Callable[[psutil.Process], None]] = {
    "SIGKILL to the main process": main_only,
    "SIGKILL to it and all below it": whole_tree,
    "SIGKILL to one job": one_job,
    "SIGTERM to the group": to_group(signal.SIGTERM),
    "SIGINT to the group": to_group(signal.SIGINT),
    "SIGHUP to the group": to_group(signal.SIGHUP),
    "all of them at once": everything,
}


def _send(process: psutil.Process, number: signal.Signals) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)


@dataclass(frozen=True)
class Scene:
    """Something to make, and what it is like when nothing disturbs the making.

    Attributes:
        project: the folder of the code.
        folder: where Snakemake runs.
        targets: arguments after `snakemake`.
        clear: puts the folder back to the beginning.
        digests: of its results.
    """

    project: Path
    folder: Path
    targets: tuple[str, ...]
    clear: Callable[[], None]
    digests: Mapping[str, str]

    def start(self) -> subprocess.Popen[str]:
        return _start(self.project, self.folder, self.targets)


def _start(project: Path, folder: Path, targets: Iterable[str]) -> subprocess.Popen[str]:
    """The command of the documentation, in a group of its own."""
    return subprocess.Popen(
        [*(sys.executable, "-m", "snakemake", "--cores", "all"), *targets],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(project / "src")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        start_new_session=True,
    )


def scene(
    project: Path, folder: Path, targets: tuple[str, ...], clear: Callable[[], None]
) -> Scene:
    clear()
    done = _start(project, folder, targets)
    output, _ = done.communicate()
    assert done.returncode == 0, output[-4000:]
    return Scene(project, folder, targets, clear, digests(folder))


def scenes(place: Path, *, leaves: bool) -> list[Scene]:
    """Tables from nothing and, if asked for, pages and figures of a finished project."""
    project, elsewhere = place / "project", place / "elsewhere"
    if not project.exists():
        configure(copy_project(project), TINY)
    targets = ("--directory", str(elsewhere), *TABLES)
    made = [scene(project, elsewhere, targets, lambda: shutil.rmtree(elsewhere, True))]
    if leaves:
        succeed(project)
        made.append(scene(project, project, (), lambda: remove(project, LEAVES)))
    return made


def remove(project: Path, patterns: Iterable[str]) -> None:
    for pattern in patterns:
        for path in project.glob(pattern):
            path.unlink()


def files(folder: Path) -> Iterator[Path]:
    for top in ("results", "figures"):
        yield from (path for path in sorted((folder / top).rglob("*")) if path.is_file())


def digests(folder: Path) -> dict[str, str]:
    """Of all results; the report's without the times it tells."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(
            path.read_bytes().partition(b'<section id="times">')[0]
        ).hexdigest()
        for path in files(folder)
        if path.name != "report_page.json"  # the record of the whole page, times and all
    }


def temporary(folder: Path) -> list[str]:
    """What a run should not leave."""
    hidden = [path for path in files(folder) if UNFINISHED.fullmatch(path.name)]
    kept = [*folder.glob(".snakemake/scripts/*"), *folder.glob(".snakemake/tmp/*")]
    locks = [*folder.glob(".snakemake/locks/*"), *folder.glob(".snakemake/incomplete/*")]
    return [str(path.relative_to(folder)) for path in (*hidden, *kept, *locks)]


def processes(folder: Path) -> list[str]:
    """What still works in a folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()) == folder and process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found


@dataclass(frozen=True)
class Outcome:
    """What came of an attack: the faults found, none if all is well.

    Attributes:
        attack: its name.
        done: the share of the files that were there when it struck.
        before: whether the run had ended already.
        faults: in words.
    """

    attack: str
    done: float
    before: bool
    faults: tuple[str, ...]


def strike(scene: Scene, attack: str, share: float, delay: float) -> Outcome:
    """Start, attack, start again at once by the same command, look at everything.

    Args:
        scene: what is made.
        attack: one of `ATTACKS`.
        share: of the files, after which it strikes.
        delay: seconds that it waits then.
    """
    scene.clear()
    wanted = _missing(scene)
    run = scene.start()
    while run.poll() is None and len(_missing(scene)) > (1 - share) * len(wanted):
        time.sleep(0.02)
    time.sleep(delay)
    done = 1 - len(_missing(scene)) / len(wanted)
    before = run.poll() is not None
    if not before:
        ATTACKS[attack](psutil.Process(run.pid))
    run.wait()  # after SIGTERM, for its jobs
    again = scene.start()
    output, _ = again.communicate()
    if run.stdout:
        run.stdout.close()
    return Outcome(attack, done, before, tuple(_faults(scene, again.returncode, output)))


def _missing(scene: Scene) -> list[str]:
    return [name for name in scene.digests if not (scene.folder / name).exists()]


def _faults(scene: Scene, code: int, output: str) -> Iterator[str]:
    if code:
        yield f"the second run failed: {output[-2000:]}"
        return
    first = digests(scene.folder)
    written = {path: path.stat().st_mtime_ns for path in files(scene.folder)}
    for name in sorted(first.keys() ^ scene.digests.keys()):
        yield f"{name} is {'new' if name in first else 'missing'}"
    for name in sorted(first.keys() & scene.digests.keys()):
        if first[name] != scene.digests[name]:
            yield f"{name} differs"
    yield from (f"{name} stays" for name in temporary(scene.folder))
    time.sleep(LATE)
    yield from (f"still at work: {command}" for command in processes(scene.folder))
    if written != {path: path.stat().st_mtime_ns for path in files(scene.folder)}:
        yield "something was written after the end"


def plan(tries: int, seed: int) -> Iterator[tuple[str, float, float, int]]:
    """Attack, share of the files, delay and scene of each; each attack as often as the others."""
    draw = random.Random(seed)
    for i in range(tries):
        share = draw.uniform(0, 0.95)
        yield list(ATTACKS)[i % len(ATTACKS)], share, draw.uniform(0, 1.5), draw.randrange(4)


def run_all(place: Path, tries: int, seed: int, *, leaves: bool) -> Iterator[Outcome]:
    """One after the other; of four, one makes the leaves, if they are asked for."""
    made = scenes(place, leaves=leaves)
    for attack, share, delay, drawn in plan(tries, seed):
        where = made[-1 if drawn == 0 else 0]
        yield strike(where, attack, share, delay)


def table(outcomes: Iterable[Outcome], seed: int) -> str:
    """Markdown: how often each attack was tried, and what came of it."""
    outcomes = [each for each in outcomes if not each.before]
    tried = Counter(each.attack for each in outcomes)
    lost = Counter(each.attack for each in outcomes if each.faults)
    rows = [
        f"| {name} | {tried[name]} | {tried[name] - lost[name]} | {lost[name]} |"
        for name in ATTACKS
    ]
    total = (
        f"| all, seed {seed} | {tried.total()} | {tried.total() - lost.total()} | {lost.total()} |"
    )
    head = ["| attack | tried | recovered | lost |", "|---|---|---|---|"]
    return "\n".join([*head, *rows, total]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("place", type=Path, help="an empty folder to work in")
    parser.add_argument("--tries", type=int, default=50)
    parser.add_argument("--seed", type=int, default=13)
    given = parser.parse_args()
    outcomes: list[Outcome] = []
    for outcome in run_all(given.place.absolute(), given.tries, given.seed, leaves=True):
        outcomes.append(outcome)
        print(f"{len(outcomes):3} of {given.tries}  {outcome}", flush=True)
        text = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(TABLE.sub(lambda _: table(outcomes, given.seed), text), encoding="utf-8")
    sys.exit(any(each.faults for each in outcomes))


if __name__ == "__main__":
    main()
