"""Which library modules a script runs on, read from its import statements.

Snakemake does not see a library: a rule whose inputs lack these files would serve stale results.
"""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from itertools import accumulate
from pathlib import Path

from bonmeter import PUBLIC

__all__ = ["SOURCE", "code_digest", "library_modules"]

SOURCE = Path(__file__).parents[2]
"""The folder of our packages."""

PACKAGES = tuple(path.parent.name for path in SOURCE.glob("*/__init__.py"))


def library_modules(script: str | Path) -> list[str]:
    """Paths of our packages' modules that `script` imports, directly or through others (ours).

    Args:
        script: path of a Python file that says what it imports, as in `from bonmeter.exact.values
            import exact_kl` or `from bonmeter import exact_kl`; not `import bonmeter`.

    Returns:
        Sorted paths, among them the `__init__.py` of each package on the way; empty if the script
        uses none.

    Raises:
        ValueError: if a name is neither a module nor what a module holds, or an import is relative.

    Examples:
        >>> found = library_modules(SOURCE / "bonmeter/numerics/kernels.py")
        >>> for path in found:
        ...     print(Path(path).relative_to(SOURCE))
        bonmeter/__init__.py
        bonmeter/numerics/__init__.py
        bonmeter/numerics/validation.py
    """
    found: set[Path] = set()
    pending = [Path(script)]
    while pending:
        imported = _imported(pending.pop()) - found
        found |= imported
        pending += imported
    return sorted(str(path) for path in found)


def code_digest(module: str) -> str:
    """SHA-256 of what a module of ours does, with all modules of ours that it runs on.

    Comments, docstrings and layout do not count.

    Args:
        module: such as "replication.studies.compare".

    Examples:
        >>> len(code_digest("bonmeter.numerics.kernels"))
        64
    """
    path = _file(module)
    digest = hashlib.sha256()
    for each in sorted({str(path), *library_modules(path)}):
        tree = ast.parse(Path(each).read_text(encoding="utf-8"))
        digest.update(f"{Path(each).relative_to(SOURCE)}\n{ast.dump(_bare(tree))}\n".encode())
    return digest.hexdigest()


def _bare(tree: ast.Module) -> ast.Module:
    """Without docstrings."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [each for each in body if not _is_text(each)]  # type: ignore[attr-defined]
    return tree


def _is_text(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _imported(path: Path) -> set[Path]:
    names = [name for node in _imports(path) for name in _names(node)]
    ours = [name for name in names if name.split(".")[0] in (*PACKAGES, "")]
    return {module for name in ours for module in _module_and_parents(name, path)}


def _imports(path: Path) -> list[ast.Import | ast.ImportFrom]:
    return _imports_at(path, path.stat().st_mtime_ns)


@cache
def _imports_at(path: Path, _modified: int) -> list[ast.Import | ast.ImportFrom]:
    """Parsed once for all the scripts that share the module: a second in each run of Snakemake."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]


def _names(node: ast.Import | ast.ImportFrom) -> list[str]:
    """The modules, or names in modules, that a statement imports."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if node.level:
        return ["." * node.level + (node.module or "")]
    return [f"{node.module}.{alias.name}" for alias in node.names]


def _module_and_parents(name: str, script: Path) -> list[Path]:
    """The file of a module, or of the module that holds a name, after those of its packages."""
    package, _, last = name.rpartition(".")
    if name == "bonmeter.PUBLIC":  # all that a package holds itself
        return [SOURCE / "bonmeter/__init__.py"]
    homes = [name, package, f"{package}.{PUBLIC[last]}" if last in PUBLIC else ""]
    found = next((home for home in homes if home and _file(home).is_file()), None)
    if found is None:
        raise ValueError(f"{script} imports {name}: expected a module or public name of ours")
    parents = accumulate(found.split(".")[:-1], lambda above, each: f"{above}.{each}")
    return [*(_file(parent).with_suffix("") / "__init__.py" for parent in parents), _file(found)]


def _file(module: str) -> Path:
    return SOURCE.joinpath(*module.split(".")).with_suffix(".py")
