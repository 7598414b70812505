import subprocess
import sys
from pathlib import Path

import pytest

from replication.pipeline.provenance import PACKAGES, SOURCE, library_modules

MODULES = {
    ".".join(path.relative_to(SOURCE).with_suffix("").parts): str(path)
    for package in PACKAGES
    for path in sorted(SOURCE.glob(f"{package}/**/*.py"))
    if path.stem != "__init__"
}

REAL_IMPORTS = """
import importlib, sys
packages, modules = sys.argv[1].split(), sys.argv[2:]
def ours():
    return [name for name in sys.modules if name.partition(".")[0] in packages]
for module in modules:
    for name in ours():
        del sys.modules[name]
    importlib.import_module(module)
    print(module, *(sys.modules[name].__file__ for name in ours()))
"""


@pytest.fixture(scope="module")
def real_imports() -> dict[str, set[str]]:
    done = subprocess.run(
        [sys.executable, "-c", REAL_IMPORTS, " ".join(PACKAGES), *MODULES],
        cwd=SOURCE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    return {module: set(paths) for module, *paths in lines}


@pytest.mark.parametrize("module", MODULES)
def test_declared_modules_are_those_really_imported(
    module: str, real_imports: dict[str, set[str]]
) -> None:
    path = MODULES[module]
    declared = library_modules(path)
    assert declared == sorted(declared)
    parents = {str(each / "__init__.py") for each in Path(path).parents if SOURCE in each.parents}
    traced = {*declared, path, *parents, *(x for each in parents for x in library_modules(each))}
    assert real_imports[module] <= traced
    # what starts fast imports late: the trace holds what a call may load too
    assert module.startswith(("bonmeter.cli", "bonmeter.runs")) or traced == real_imports[module]


def names(script: str, folder: Path) -> list[str]:
    path = folder / "script.py"
    path.write_text(script)
    return [Path(module).stem for module in library_modules(path)]


def with_imports(module: str) -> list[str]:
    path = MODULES[module]
    parents = {str(each / "__init__.py") for each in Path(path).parents if SOURCE in each.parents}
    return [Path(each).stem for each in sorted({*library_modules(path), path, *parents})]


KERNELS, EXACT = with_imports("bonmeter.numerics.kernels"), with_imports("bonmeter.exact.values")


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("", []),
        ("import numpy as np\nfrom os import path", []),
        ("from bonmeterish import exact", []),
        ("from bonmeter.numerics.kernels import normalised_gap", KERNELS),
        ("from bonmeter.numerics.kernels import *", KERNELS),
        ("import bonmeter.numerics.kernels", KERNELS),
        ("import os, bonmeter.numerics.kernels as k", KERNELS),
        ("from bonmeter.numerics import kernels", KERNELS),
        ("from bonmeter import exact_kl", EXACT),
        ("from bonmeter import Policy as P, exact_kl", EXACT),
        ("def f():\n    from bonmeter.exact.values import exact_kl", EXACT),
        ("if TYPE_CHECKING:\n    from bonmeter.exact.values import exact_kl", EXACT),
        ("# from bonmeter.exact.values import exact_kl\n'import bonmeter.exact.values'", []),
    ],
)
def test_imports_of_every_form(script: str, expected: list[str], tmp_path: Path) -> None:
    assert names(script, tmp_path) == expected


@pytest.mark.parametrize(
    ("script", "imported"),
    [
        ("import bonmeter", "bonmeter"),
        ("from bonmeter import nothing", "bonmeter.nothing"),
        ("from bonmeter.nothing import x", "bonmeter.nothing.x"),
        ("from . import exact", "."),
        ("from .exact import exact_kl", ".exact"),
    ],
)
def test_what_cannot_be_traced_is_an_error(script: str, imported: str, tmp_path: Path) -> None:
    expected = f"imports {imported}: expected a module or public name of ours"
    with pytest.raises(ValueError, match=expected.replace(".", r"\.")):
        names(script, tmp_path)
