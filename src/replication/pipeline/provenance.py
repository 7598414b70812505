"""What a script runs on, read from its import statements: modules of ours, and packages.

Snakemake sees neither: a rule that does not name them would serve stale results.
"""

from __future__ import annotations

import ast
import hashlib
import re
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import metadata
from itertools import accumulate
from pathlib import Path

from bonmeter import PUBLIC

__all__ = ["SOURCE", "code_digest", "library_modules", "package_versions"]

SOURCE = Path(__file__).parents[2]
"""The folder of our packages."""

PACKAGES = tuple(path.parent.name for path in SOURCE.glob("*/__init__.py"))

DISTRIBUTIONS = {"flint": "python-flint", "yaml": "pyyaml"}
"""Of packages that are installed under another name than they are imported."""


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
    for each in map(Path, sorted({str(path), *library_modules(path)})):
        tree = ast.parse(each.read_text(encoding="utf-8"))
        digest.update(f"{each.relative_to(SOURCE)}\n{ast.dump(_bare(tree))}\n".encode())
    return digest.hexdigest()


def _bare(tree: ast.Module) -> ast.Module:
    """Without docstrings."""
    for node in (tree, *_statements(tree)):
        if hasattr(node, "body"):
            node.body = [each for each in node.body if not _is_text(each)]
    return tree


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """All below a node, and the clauses they have; expressions, most of a tree, hold none."""
    for block in ("body", "handlers", "orelse", "finalbody", "cases"):
        for each in getattr(node, block, ()):
            yield each
            yield from _statements(each)


def _is_text(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def package_versions(files: Iterable[str | Path], lock: str | Path) -> list[str]:
    r"""The packages that Python files import, and those that these need, with versions (ours).

    Args:
        files: a script and its `library_modules`.
        lock: a file of lines `name==version`, and further ones that say for which platform.

    Returns:
        Sorted lines: a package, the version installed and those locked. A package that is not
        installed is left out.

    Examples:
        >>> import tempfile
        >>> from importlib.metadata import version
        >>> with tempfile.NamedTemporaryFile("w", suffix=".txt") as lock:
        ...     _ = lock.write("numpy==1.0 ; python_version < '3'\nnumpy==2.0")
        ...     lock.flush()
        ...     (line,) = package_versions([SOURCE / "bonmeter/numerics/kernels.py"], lock.name)
        >>> line == f"numpy {version('numpy')}, locked 1.0 2.0"
        True
    """
    names = {name.split(".")[0] for path in files for name in _imported_names(path)}
    foreign = names - {*PACKAGES, *sys.stdlib_module_names, "snakemake", ""}  # it runs them
    pins: dict[str, str] = {}
    for name, pin in re.findall(r"^([\w.-]+)==([^\s;]+)", Path(lock).read_text("utf-8"), re.M):
        pins[name] = f"{pins.get(name, '')} {pin}"
    found = _with_requirements(DISTRIBUTIONS.get(name, name) for name in foreign)
    return [f"{name} {found[name]}, locked{pins.get(name, '')}" for name in sorted(found)]


def _with_requirements(names: Iterable[str]) -> dict[str, str]:
    """Packages and what they need, but for extras: their versions, of those installed."""
    found: dict[str, str] = {}
    pending = list(names)
    while pending:
        name = re.sub(r"[-_.]+", "-", pending.pop()).lower()
        if name not in found and (known := _distribution(name)):
            found[name], requirements = known
            pending += requirements
    return found


@cache
def _distribution(name: str) -> tuple[str, tuple[str, ...]] | None:
    """Version and requirements, read once for all the scripts."""
    try:
        found = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None
    required = (text for text in found.requires or () if "extra ==" not in text)
    return found.version, tuple(re.split(r"[^\w.-]", text, maxsplit=1)[0] for text in required)


def _imported(path: Path) -> frozenset[Path]:
    return _imported_at(path, path.stat().st_mtime_ns)


@cache
def _imported_at(path: Path, _modified: int) -> frozenset[Path]:
    """Looked up once for all the scripts that share the module."""
    ours = [name for name in _imported_names(path) if name.split(".")[0] in (*PACKAGES, "")]
    return frozenset(module for name in ours for module in _module_and_parents(name, path))


def _imported_names(path: str | Path) -> list[str]:
    whole = Path(path).absolute()
    return _imported_names_at(whole, whole.stat().st_mtime_ns)


@cache
def _imported_names_at(path: Path, _modified: int) -> list[str]:
    """Parsed once for all the scripts that share the module: a second in each run of Snakemake."""
    statements = _statements(ast.parse(path.read_text(encoding="utf-8")))
    imports = [node for node in statements if isinstance(node, ast.Import | ast.ImportFrom)]
    return [name for node in imports for name in _names(node)]


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
