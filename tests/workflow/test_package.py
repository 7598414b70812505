import ast
import doctest
import inspect
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import bonmeter
from conftest import collect_ignore_glob

SOURCE = Path(bonmeter.__file__).parents[1]
STUB = ast.parse((SOURCE / "bonmeter/__init__.pyi").read_text(encoding="utf-8"))
STUBBED = {
    alias.name: str(node.module)
    for node in ast.walk(STUB)
    if isinstance(node, ast.ImportFrom)
    for alias in node.names
}
"""Module of each public name, as the stub tells type checkers."""

API = [
    *("Policy", "analytical_kl", "best_of_n_log_pmf", "best_of_n_tradeoff", "best_of_n_weights"),
    *("certify", "estimate_kl", "estimate_win_rate", "exact_kl", "exact_win_rate"),
    *("expected_kl_estimator", "kl_estimator", "kl_gap", "kl_gap_bounds", "rewind_and_repeat"),
    *("tilted_tradeoff", "win_rate_gap", "win_rate_gap_bounds"),
    *("GeometricPolicy", "UniformPolicy", "kl_interval", "mean_interval"),
    *("read_log", "write_log"),
    *("write_report", "write_tables"),
    *("TopPolicy", "kl_bracket", "kl_lower_bound"),
]


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts)


UNTESTED = {SOURCE.parent / path for path in collect_ignore_glob}
MODULES = sorted(
    dotted(path) for path in set(SOURCE.glob("*/**/*.py")) - UNTESTED if path.stem != "__init__"
)
PACKAGES = sorted(dotted(path.parent) for path in SOURCE.glob("**/__init__.py"))


def public(module: ModuleType) -> dict[str, Any]:
    return {name: getattr(module, name) for name in module.__all__}


PUBLIC = {
    f"{module}.{name}": value
    for module in MODULES
    for name, value in public(import_module(module)).items()
}
FUNCTIONS = {name: value for name, value in PUBLIC.items() if inspect.isfunction(value)}
CLASSES = {name: value for name, value in PUBLIC.items() if inspect.isclass(value)}


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=SOURCE,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_the_package_exposes_exactly_the_api() -> None:
    assert sorted(API) == sorted(bonmeter.PUBLIC) == sorted(bonmeter.__all__) == dir(bonmeter)


def test_type_checkers_are_told_the_same() -> None:
    assert {name: f"bonmeter.{home}" for name, home in bonmeter.PUBLIC.items()} == STUBBED


@pytest.mark.parametrize("name", API)
def test_each_name_is_that_of_its_module(name: str) -> None:
    module = import_module(f"bonmeter.{bonmeter.PUBLIC[name]}")
    assert name in module.__all__
    value = bonmeter.__getattr__(name)
    assert value is getattr(module, name)
    assert value.__module__ == module.__name__


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(AttributeError, match="exact_kl_divergence"):
        getattr(bonmeter, "exact_kl_divergence")  # noqa: B009 - mypy would find the attribute missing


LOADED = "sorted(m for m in sys.modules if m.startswith('bonmeter') or m in ('numpy', 'flint'))"


def test_importing_the_package_loads_nothing_else() -> None:
    assert run(f"import sys, bonmeter; print(*{LOADED})") == "bonmeter"


@pytest.mark.parametrize("name", sorted(set(API) - {"certify"}))
def test_only_certified_values_load_ball_arithmetic(name: str) -> None:
    assert "flint" not in run(f"import sys; from bonmeter import {name}; print(*{LOADED})").split()


@pytest.mark.parametrize("name", MODULES)
def test_modules_say_what_they_are_for_and_what_is_public(name: str) -> None:
    module = import_module(name)
    assert module.__doc__
    for each, value in public(module).items():
        assert not each.startswith("_")
        if inspect.isfunction(value) or inspect.isclass(value):
            assert value.__module__ == module.__name__


@pytest.mark.parametrize("name", PACKAGES)
def test_packages_say_what_they_are_for_and_load_nothing(name: str) -> None:
    path = SOURCE.joinpath(*name.split("."), "__init__.py")
    body = ast.parse(path.read_text(encoding="utf-8")).body
    assert ast.get_docstring(ast.Module(body, []))
    # what users import from: lazily, and what needs pandas anyway
    assert name in ("bonmeter", "bonmeter.runs") or len(body) == 1


ACT_ON_A_RUN = {
    "replication.audit.cross_check": "replication/test_cross_check.py",
    "replication.audit.tables": "replication/test_tables.py",
    "replication.pipeline.crate": "replication/test_crate.py",
    "replication.pipeline.job": "replication/test_manifest.py",
    "replication.pipeline.lock": "replication/test_lock.py",
    "replication.pipeline.manifest": "replication/test_manifest.py",
    "replication.pipeline.orphans": "replication/test_lock.py",
    "replication.pipeline.places": "replication/test_places.py",
    "replication.pipeline.plain_yaml": "replication/test_read_yaml.py",
    "replication.pipeline.reach": "replication/test_config.py",
    "replication.pipeline.verify": "replication/test_manifest.py",
}
"""Modules whose functions may need the folder of a run, more than an example shows; their tests."""


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_public_functions_have_a_doctest_that_checks_something(
    function: Callable[..., Any],
) -> None:
    [found] = doctest.DocTestFinder(recurse=False).find(function, module=False)
    shown = [example for example in found.examples if example.want]
    assert shown or function.__module__ in ACT_ON_A_RUN


@pytest.mark.parametrize("module", ACT_ON_A_RUN)
def test_what_acts_on_a_run_has_tests_of_its_own(module: str) -> None:
    text = (SOURCE.parent / "tests" / ACT_ON_A_RUN[module]).read_text(encoding="utf-8")
    assert module in text or module.rpartition(".")[2] in text


@pytest.mark.parametrize(
    "thing", [*FUNCTIONS.values(), *CLASSES.values()], ids=[*FUNCTIONS, *CLASSES]
)
def test_public_docstrings_are_complete(thing: Callable[..., Any]) -> None:
    text = inspect.cleandoc(thing.__doc__ or "")
    assert text
    assert not {"TODO", "FIXME", "XXX"} & set(text.split())
    summary = text.split("\n\n", maxsplit=1)[0]
    assert summary.endswith((".", ":"))
    assert "\n" not in summary


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_public_functions_are_annotated_and_describe_their_arguments(
    function: Callable[..., Any],
) -> None:
    signature = inspect.signature(inspect.unwrap(function))
    assert signature.return_annotation is not inspect.Signature.empty
    text = inspect.getdoc(function) or ""
    arguments = text.partition("Args:")[2].partition("\n\n")[0]
    for name, parameter in signature.parameters.items():
        assert parameter.annotation is not inspect.Parameter.empty
        assert not arguments or name in arguments
