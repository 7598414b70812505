import ast
import doctest
import importlib
import inspect
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import bonmeter

PACKAGE = Path(bonmeter.__file__).parent
STUB = ast.parse((PACKAGE / "__init__.pyi").read_text(encoding="utf-8"))
HOME = {
    alias.name: str(node.module)
    for node in ast.walk(STUB)
    if isinstance(node, ast.ImportFrom)
    for alias in node.names
}
"""Module of each name of the package, as its stub says."""

API = [
    *("Policy", "analytical_kl", "best_of_n_log_pmf", "best_of_n_tradeoff", "best_of_n_weights"),
    *("certify", "estimate_kl", "estimate_win_rate", "exact_kl", "exact_win_rate"),
    *("expected_kl_estimator", "kl_estimator", "kl_gap", "kl_gap_bounds", "rewind_and_repeat"),
    *("tilted_tradeoff", "win_rate_gap", "win_rate_gap_bounds"),
    *("GeometricPolicy", "UniformPolicy", "kl_interval", "mean_interval"),
]
MODULES = sorted(path.stem for path in PACKAGE.glob("*.py") if path.stem != "__init__")


def load(name: str) -> ModuleType:
    return importlib.import_module(f"bonmeter.{name}")


def public(module: ModuleType) -> dict[str, Any]:
    return {name: getattr(module, name) for name in module.__all__}


PUBLIC = {
    f"{module}.{name}": value
    for module in MODULES
    if not module.startswith("_")
    for name, value in public(load(module)).items()
}
FUNCTIONS = {name: value for name, value in PUBLIC.items() if inspect.isfunction(value)}
CLASSES = {name: value for name, value in PUBLIC.items() if inspect.isclass(value)}


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=PACKAGE.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_the_package_exposes_exactly_the_api() -> None:
    [listed] = [ast.literal_eval(n.value) for n in ast.walk(STUB) if isinstance(n, ast.Assign)]
    assert sorted(API) == sorted(listed) == sorted(HOME) == sorted(bonmeter.__all__) == dir(bonmeter)


@pytest.mark.parametrize("name", API)
def test_each_name_is_that_of_its_module(name: str) -> None:
    module = load(HOME[name])
    assert name in module.__all__
    assert getattr(bonmeter, name) is getattr(module, name)
    assert getattr(bonmeter, name).__module__ == module.__name__


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(AttributeError, match="exact_kl_divergence"):
        getattr(bonmeter, "exact_kl_divergence")  # noqa: B009 - mypy would find the attribute missing


def test_importing_the_package_loads_nothing_else() -> None:
    ours = "sorted(m for m in sys.modules if m.startswith('bonmeter') or m in ('numpy', 'flint'))"
    assert run(f"import sys, bonmeter; print(*{ours})") == "bonmeter"
    loaded = run(f"import sys, bonmeter; bonmeter.analytical_kl; print(*{ours})").split()
    assert "bonmeter.exact" in loaded
    assert "bonmeter.certify" not in loaded


@pytest.mark.parametrize("name", sorted(set(API) & set(MODULES)))
@pytest.mark.parametrize("order", ["module first", "name first"])
def test_a_name_shared_with_its_module_is_the_function(name: str, order: str) -> None:
    lines = [f"import bonmeter.{name}", f"from bonmeter import {name} as found"]
    code = "; ".join(lines if order == "module first" else reversed(lines))
    assert (
        run(f"{code}; import bonmeter; print(callable(found), found is bonmeter.{name})")
        == "True True"
    )


@pytest.mark.parametrize("name", MODULES)
def test_modules_say_what_they_are_for_and_what_is_public(name: str) -> None:
    module = load(name)
    assert module.__doc__
    for each, value in public(module).items():
        assert not each.startswith("_")
        if inspect.isfunction(value) or inspect.isclass(value):
            assert value.__module__ == module.__name__


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_public_functions_have_a_doctest_that_checks_something(
    function: Callable[..., Any],
) -> None:
    [found] = doctest.DocTestFinder(recurse=False).find(function, module=False)
    assert [example for example in found.examples if example.want]


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
