"""The house rules that a machine can hold: small modules, small functions, plain names, nothing asynchronous."""

import ast
from pathlib import Path

import pytest

from tests.paths import ROOT

PACKAGES = ("adapters", "consent", "gateway", "mappings")
MODULES = sorted(p for package in PACKAGES for p in (ROOT / package).rglob("*.py"))
USERS = sorted(p for folder in ("tests", "benchmarks") for p in (ROOT / folder).rglob("*.py"))
LONGEST_MODULE = 400
LONGEST_FUNCTION = 50
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "misc", "base_manager"}
# where the framework gives no other shape: ASGI middleware
ASYNC_ALLOWED = {
    "gateway/api/answers.py",
    "gateway/api/access.py",
}  # middleware, and a dependency that awaits nothing


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", [*MODULES, *USERS], ids=_name)
def test_a_module_is_short(path):
    assert len(path.read_text().splitlines()) <= LONGEST_MODULE


@pytest.mark.parametrize("path", [p for p in MODULES if "migrations" not in p.parts], ids=_name)
def test_a_function_is_short(path):
    long = [
        f"{node.name}: {_length(node)} lines"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _length(node) > LONGEST_FUNCTION
    ]
    assert not long


def test_a_module_is_named_by_a_word_of_the_field():
    assert not [_name(path) for path in MODULES if path.stem in BANNED_NAMES]


@pytest.mark.parametrize("path", USERS, ids=_name)
def test_what_another_folder_takes_from_a_module_has_a_public_name(path):
    private = [
        f"{node.module}.{taken.name}"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in PACKAGES
        for taken in node.names
        if taken.name.startswith("_")
    ]
    assert not private


def test_nothing_is_asynchronous():
    asynchronous = [
        _name(path)
        for path in MODULES
        if any(isinstance(node, ast.AsyncFunctionDef) for node in ast.walk(ast.parse(path.read_text())))
    ]
    assert set(asynchronous) <= ASYNC_ALLOWED


def test_no_task_is_left_in_a_comment():
    left = ("TO" + "DO", "FIX" + "ME", "XX" + "X", "NotImplemented" + "Error")
    assert not [f"{_name(path)}: {word}" for path in MODULES for word in left if word in path.read_text()]


def test_what_sockets_accept_is_made_where_a_release_or_a_recall_is_committed_and_nowhere_else():
    """ARCHITECTURE §6. A recall says that a permission ended and shows nothing of the record."""
    makers = {
        _name(path)
        for path in MODULES
        if not _name(path).startswith(("tests/", "benchmarks/"))
        and any(
            isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Sealed"
            for node in ast.walk(ast.parse(path.read_text()))
        )
    }
    assert makers == {"gateway/exchange/release.py", "gateway/exchange/recall_sending.py"}
