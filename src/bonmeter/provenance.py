"""Which library modules a script runs on, read from its import statements.

Snakemake does not see a library: a rule whose inputs lack these files would serve stale results.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

__all__ = ["library_modules"]

PACKAGE = Path(__file__).parent
OURS = (PACKAGE.name, "")
"""First part of a module's name, as imported; empty in a relative import."""


def library_modules(script: str | Path) -> list[str]:
    """Paths of this package's modules that `script` imports, directly or through others (ours).

    Args:
        script: path of a Python file that says what it imports, as in `from bonmeter.exact import
            exact_kl` or `from bonmeter import exact_kl`; not `import bonmeter`.

    Returns:
        Sorted paths, among them the package's `__init__.py`; empty if the script uses none.

    Raises:
        ValueError: if a module or name is not one of the package, or an import is relative.

    Examples:
        >>> [Path(path).name for path in library_modules(PACKAGE / "kernels.py")]
        ['__init__.py', '_validation.py']
    """
    found: set[Path] = set()
    pending = [Path(script)]
    while pending:
        imported = _imported(pending.pop()) - found
        found |= imported
        pending += imported
    return sorted(str(path) for path in found)


def _imported(path: Path) -> set[Path]:
    modules: set[Path] = set()
    for node in _imports(path):
        names = _names(node)
        modules |= {_path(name, path) for name in names if name.split(".")[0] in OURS}
    return modules | {PACKAGE / "__init__.py"} if modules else modules


def _imports(path: Path) -> list[ast.Import | ast.ImportFrom]:
    return _imports_at(path, path.stat().st_mtime_ns)


@cache
def _imports_at(path: Path, _modified: int) -> list[ast.Import | ast.ImportFrom]:
    """Parsed once for all the scripts that share the module: a second in each run of Snakemake."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]


def _names(node: ast.Import | ast.ImportFrom) -> list[str]:
    """The modules that a statement imports, by name."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if node.module != PACKAGE.name or node.level:
        return ["." * node.level + (node.module or "")]
    home = _home_of_public_names()
    return [f"{PACKAGE.name}.{home.get(alias.name, alias.name)}" for alias in node.names]


def _home_of_public_names() -> dict[str, str]:
    stub = _imports(PACKAGE / "__init__.pyi")
    imports = [node for node in stub if isinstance(node, ast.ImportFrom)]
    return {alias.name: str(node.module) for node in imports for alias in node.names}


def _path(name: str, script: Path) -> Path:
    path = PACKAGE.parent.joinpath(*name.split(".")).with_suffix(".py")
    if not path.is_file():
        raise ValueError(f"{script} imports {name}: expected a module or public name of bonmeter")
    return path
