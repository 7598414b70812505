"""The licences of all locked packages, from what is installed: `make licences` writes the table."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from tests.runs import ROOT

__all__ = ["ALLOWED", "locked", "rejected", "stated", "table"]

ALLOWED = frozenset(
    {
        *("0BSD", "Apache-2.0", "BSD", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT"),
        *("MIT-0", "MIT-CMU", "PSF-2.0", "Public Domain", "Zlib"),
        # of single files or of linked libraries, which are used as they come
        *("GPL", "LGPL-3.0-or-later", "MPL-2.0"),
    }
)
"""Licences under which a dependency may be used without any duty for this project's own code."""

COPYLEFT = {
    "certifi": "MPL-2.0",
    "docutils": "Public Domain, BSD, GPL",
    "hypothesis": "MPL-2.0",
    "pathspec": "MPL-2.0",
    "python-flint": "MIT AND LGPL-3.0-or-later",
    "tqdm": "MPL-2.0 AND MIT",
}
"""The only packages that may have one of them: none is part of what this project distributes."""

ELSEWHERE = {
    "appnope": "BSD-2-Clause",
    "cffi": "MIT-0",
    "colorama": "BSD",
    "pycparser": "BSD-3-Clause",
    "pyreadline3": "BSD",
}
"""Of packages that only other platforms install, as their own metadata says."""

NAMES = {
    "Apache Software License": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "BSD License": "BSD",
    "GNU General Public License (GPL)": "GPL",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
"""What classifiers and free texts call them, where it is not the name of SPDX."""

HEAD = """\
# Licences of the dependencies

Made by `make licences` from the metadata of the installed packages; a test fails on a licence that
is not allowed. The project's own licence is BSD-3-Clause. Nothing here is part of what it
distributes; a few packages have a copyleft licence, by file (MPL-2.0) or of a linked library
(LGPL), and are used as they come.

| package | versions | licence |
|---|---|---|
"""


def locked(files: Iterable[Path] = ()) -> dict[str, list[str]]:
    """Every locked package and its versions, which differ between versions of Python.

    Args:
        files: the lock files; those of the project by default.
    """
    found: dict[str, list[str]] = {}
    for path in files or (ROOT / "requirements.txt", ROOT / "requirements-uv.txt"):
        for line in path.read_text(encoding="utf-8").splitlines():
            if line[:1].isalnum():
                pin = Requirement(line.rstrip("\\"))
                found.setdefault(pin.name, []).append(str(pin.specifier).removeprefix("=="))
    return found


def stated(package: str) -> str:
    """The licence that a package states, the expression of SPDX first; empty if there is none."""
    try:
        about = metadata.metadata(package)
    except metadata.PackageNotFoundError:
        return ELSEWHERE.get(package, "")
    [expression] = about.get_all("License-Expression") or [""]
    if expression:
        return str(expression)
    free = str((about.get_all("License") or [""])[0]).strip()
    if free in ALLOWED or re.fullmatch(r"[\w.-]+( (AND|OR) [\w.-]+)+", free):
        return free
    classifiers = [
        text.split(" :: ")[-1] for text in about.get_all("Classifier") or () if "License ::" in text
    ]
    names = [NAMES.get(name, name) for name in classifiers or [free] if name]
    return ", ".join(names) or _of_file(package)


def _of_file(package: str) -> str:
    """By the first words of the licence's own text, where the metadata say nothing."""
    for path in metadata.files(package) or ():
        if path.name.startswith("LICENSE") and "MIT License" in path.read_text()[:200]:
            return "MIT"
    return ""


def rejected(licences: dict[str, str]) -> dict[str, str]:
    """Those of the packages that are not allowed, unknown ones among them."""
    return {
        package: licence
        for package, licence in licences.items()
        if not _parts(licence) <= ALLOWED
        or not licence
        or (_parts(licence) & {"GPL", "LGPL-3.0-or-later", "MPL-2.0"} and package not in COPYLEFT)
    }


def _parts(licence: str) -> set[str]:
    return set(re.split(r" AND | OR |, ", licence))


def table() -> str:
    """A row for each package, in Markdown."""
    rows = (
        f"| {package} | {', '.join(versions)} | {stated(package)} |\n"
        for package, versions in locked().items()
    )
    return HEAD + "".join(rows)


if __name__ == "__main__":
    print(table(), end="")
