"""Which library modules a script runs on, read from its import statements.

Snakemake does not see a library: a rule whose inputs lack these files would serve stale results.
"""

from __future__ import annotations

import ast
from pathlib import Path

__all__ = ["library_modules"]

PACKAGE = Path(__file__).parent


def library_modules(script: str | Path) -> list[str]:
    """Paths of the modules of this package that `script` imports, directly or through others (ours).

    Args:
        script: path of a Python file, whose imports of the package name modules, not lazy names:
            `from bestofn.exact import exact_kl`.

    Returns:
        Sorted paths, among them the package's `__init__.py`; empty if the script uses none.

    Raises:
        ValueError: if the script imports a name of the package that is not a module.

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
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names = [node.module]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        modules |= {_module_path(name, path) for name in names if name.split(".")[0] == PACKAGE.name}
    return modules | {PACKAGE / "__init__.py"} if modules else modules


def _module_path(name: str, script: Path) -> Path:
    path = PACKAGE.parent.joinpath(*name.split(".")).with_suffix(".py")
    if not path.is_file():
        raise ValueError(f"{script} imports {name}: expected a module, as in bestofn.exact")
    return path
