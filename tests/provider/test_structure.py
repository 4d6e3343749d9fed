"""The structure of the package: one name for one thing, no circle, no crowded folder, no code in an ``__init__``."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest

from tests.support.reference import ROOT

PACKAGE = ROOT / "airflow_provider_rma"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "example_dags" not in path.parts)
MOST_MODULES = 20


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def test_no_class_name_comes_twice() -> None:
    found: dict[str, list[str]] = defaultdict(list)
    for path in MODULES:
        for statement in parse(path).body:
            if isinstance(statement, ast.ClassDef):
                found[statement.name].append(str(path.relative_to(PACKAGE)))
    assert {name: paths for name, paths in found.items() if len(paths) > 1} == {}


def test_no_folder_is_crowded() -> None:
    folders = defaultdict(list)
    for path in MODULES:
        if path.name != "__init__.py":
            folders[path.parent].append(path.name)
    crowded = {folder.name: len(names) for folder, names in folders.items() if len(names) > MOST_MODULES}
    assert crowded == {}


@pytest.mark.parametrize(
    "path",
    [path for path in MODULES if path.name == "__init__.py"],
    ids=lambda path: str(path.parent.relative_to(ROOT)),
)
def test_an_init_holds_a_docstring_only(path: Path) -> None:
    """Importing an operator must not import its neighbours, and a name has one place."""
    docstring, *rest = parse(path).body or [None]
    assert isinstance(docstring, ast.Expr)
    assert isinstance(docstring.value, ast.Constant)
    assert [ast.unparse(statement) for statement in rest if not _is_allowed(statement, path)] == []


def _is_allowed(statement: ast.stmt, path: Path) -> bool:
    """The package itself says its version; annotations of the future are no code."""
    if isinstance(statement, ast.ImportFrom):
        return statement.module == "__future__"
    return path.parent == PACKAGE and "__version__" in ast.unparse(statement)


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = grimp.build_graph("airflow_provider_rma", cache_dir=None)
    assert sorted(_circles({name: graph.find_modules_directly_imported_by(name) for name in graph.modules})) == []


def _circles(imports: dict[str, set[str]]) -> Iterator[list[str]]:
    """Find the groups of modules of which each reaches each (Tarjan's strongly connected components)."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    path: list[str] = []

    def visit(name: str) -> Iterator[list[str]]:
        number[name] = lowest[name] = len(number)
        path.append(name)
        for other in sorted(imports[name]):
            if other not in number:
                yield from visit(other)
                lowest[name] = min(lowest[name], lowest[other])
            elif other in path:
                lowest[name] = min(lowest[name], number[other])
        if lowest[name] == number[name]:
            place = path.index(name)
            circle = path[place:]
            del path[place:]
            if len(circle) > 1:
                yield sorted(circle)

    for name in sorted(imports):
        if name not in number:
            yield from visit(name)


def test_circles_are_found() -> None:
    imports = {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": {"e"}, "e": {"d"}, "f": {"a"}}
    assert sorted(_circles(imports)) == [["a", "b", "c"], ["d", "e"]]


def test_no_test_is_skipped_for_data_that_travel() -> None:
    """The oracle and our own payloads lie in tests/data: where one is missing, that is a failure."""
    sources = (ROOT / "tests" / "support" / name for name in ("reference.py", "payloads.py", "posting_oracle.py"))
    assert [path.name for path in sources if "skip" in path.read_text(encoding="utf-8")] == []


def test_the_make_targets_name_files_that_exist() -> None:
    named = re.findall(r"(?<![\w.])tests/[\w/.]+\w", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []
