"""The rules of the house that no linter knows: names, docstrings, broad excepts, no traces of a machine."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted(path for package in ("connector", "adapters") for path in (ROOT / package).rglob("*.py"))
SHELF = ("model", "adapter", "lifecycle", "vendor_http", "report", "templates", "testing")

BROAD_EXCEPTS = {
    "connector/auth/authenticator.py:Authenticator._keep_fresh": "outermost loop of the thread that refreshes keys",
    "connector/auth/key_cache.py:KeyCache._fly": "end of the fetching thread; somebody waits for its word",
    "connector/cli/quarantine.py:_considered": "end of a command; a fault in reading is why the body was kept",
    "connector/dispatch.py:Dispatcher._deliver": "whatever an adapter raises becomes adapter-fault",
    "connector/dispatch.py:Dispatcher._settle_one_by_one": "one bad receipt holds up no other",
    "connector/dispatch.py:Dispatcher._work": "one bad receipt holds up no other",
    "connector/dispatch.py:Supervised._run": "outermost loop of a supervised thread",
    "connector/intake.py:Intake.take_in": "last net of the way in: into quarantine, never lost",
    "connector/metrics.py:_BacklogCollector._rows": "end of a scrape",
    "connector/store/look.py:Look._run": "end of a thread, handed on to the one that asks",
    "connector/store/commits.py:SharedCommits._write_batch": "handed on to the threads of the requests",
    "connector/web/endpoints.py:_LastNet.__call__": "end of a request",
    "connector/web/server.py:Server._serve": "end of the HTTP thread",
}
"""The broad excepts there are, as `file:function`, and why each ends something and hides nothing."""

BROAD = ("Exception", "BaseException")
VAGUE = re.compile(r"(^|_)(utils?|helpers?|managers?|misc)($|_)|^_?base_|(Manager|Helper|Utils?)$|^_?Base[A-Z]")
MACHINE = re.compile(r"/(?:root|work|home|Users)/\w", re.IGNORECASE)

Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def scopes(tree: ast.AST, inside: str = "<module>") -> Iterator[tuple[str, ast.AST]]:
    """Yield each node with the dotted name of the class or function that it stands in."""
    for node in ast.iter_child_nodes(tree):
        yield inside, node
        named = isinstance(node, Function | ast.ClassDef)
        outer = "" if inside == "<module>" else f"{inside}."
        yield from scopes(node, f"{outer}{node.name}" if named else inside)


def is_broad(handler: ast.ExceptHandler) -> bool:
    """Whether it keeps what it cannot know. Cleaning up and raising on is no such thing."""
    last = handler.body[-1]
    if isinstance(last, ast.Raise) and last.exc is None:
        return False
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(each is None or (isinstance(each, ast.Name) and each.id in BROAD) for each in caught)


def broad_excepts(path: Path) -> set[str]:
    nodes = scopes(ast.parse(path.read_text(encoding="utf-8")))
    return {
        f"{name_of(path)}:{where}" for where, node in nodes if isinstance(node, ast.ExceptHandler) and is_broad(node)
    }


def definitions(tree: ast.Module) -> Iterator[ast.ClassDef | Function]:
    """Yield classes, functions and methods; nothing local to a function, no method of a private class."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef | Function):
            yield node
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from (child for child in node.body if isinstance(child, Function))


def is_public(path: Path) -> bool:
    return not any(part.startswith("_") and part != "__init__.py" for part in path.relative_to(ROOT).parts)


def on_the_shelf(path: Path) -> bool:
    first, second = path.relative_to(ROOT).parts[:2]
    return first == "connector" and second.removesuffix(".py") in SHELF


def tracked() -> list[Path]:
    """What the project ships; outside a checkout, its sources."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode != 0:
        return SOURCES
    return [path for name in listed.stdout.decode().split("\0") if name and (path := ROOT / name).is_file()]


def test_broad_excepts_are_the_listed_ones() -> None:
    """An `except Exception` stands only where a thread or a request ends, and is known by name."""
    found = set().union(*(broad_excepts(path) for path in SOURCES))
    assert sorted(found - BROAD_EXCEPTS.keys()) == [], "name a type, or argue for it and list it in BROAD_EXCEPTS"
    assert sorted(BROAD_EXCEPTS.keys() - found) == [], "gone: take it off BROAD_EXCEPTS"


@pytest.mark.parametrize("source", ["except Exception: pass", "except (OSError, BaseException): pass", "except: pass"])
def test_the_scan_sees_a_broad_except(source: str) -> None:
    """Every spelling of a broad except is seen; a narrow one, and one that raises on, is none."""
    others = "\n".join(
        f"def {n}():\n try: pass\n except {what}" for n, what in [("g", "OSError: pass"), ("h", "Exception: raise")]
    )
    tree = ast.parse(f"def f():\n try: pass\n {source}\n{others}")
    seen = [where for where, node in scopes(tree) if isinstance(node, ast.ExceptHandler) and is_broad(node)]
    assert seen == ["f"]


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_a_module_says_what_it_is(path: Path) -> None:
    """A module with code opens with a docstring."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not tree.body or ast.get_docstring(tree), "a sentence on where it stands on the path of an alert is missing"


def test_names_say_what_a_thing_is() -> None:
    """No utils, helpers, managers or bases, in names of files, classes or functions."""
    names = [f"{name_of(path)}" for path in SOURCES if VAGUE.search(path.stem)]
    for path in SOURCES:
        nodes = definitions(ast.parse(path.read_text(encoding="utf-8")))
        names += [f"{name_of(path)}:{node.name}" for node in nodes if VAGUE.search(node.name)]
    assert names == []


@pytest.mark.parametrize("path", [path for path in SOURCES if on_the_shelf(path) and is_public(path)], ids=name_of)
def test_the_public_shelf_is_documented(path: Path) -> None:
    """Each public class, function and method of the shelf has its sentence."""
    nodes = definitions(ast.parse(path.read_text(encoding="utf-8")))
    bare = [f"{node.lineno}: {node.name}" for node in nodes if not node.name.startswith("_") and not described(node)]
    assert bare == []


def described(node: ast.ClassDef | Function) -> bool:
    """Whether it has a docstring of its own, or takes over that of what it overrides."""
    overrides = any("override" in ast.unparse(decorator) for decorator in node.decorator_list)
    return overrides or ast.get_docstring(node) is not None


def test_the_model_needs_the_standard_library_only() -> None:
    """`connector.model` can be read, and used, with nothing installed."""
    tree = ast.parse((ROOT / "connector" / "model.py").read_text(encoding="utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "." for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in imported} <= sys.stdlib_module_names


def test_nothing_tells_of_the_machine_it_was_made_on() -> None:
    """No file of the project names somebody's home or working directory."""
    told = []
    for path in tracked():
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path != Path(__file__) else []
        told += [f"{name_of(path)}:{number}" for number, line in enumerate(lines, 1) if MACHINE.search(line)]
    assert told == []
