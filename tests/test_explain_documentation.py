"""The page on decisions lists the steps that are recorded, no more and no fewer."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
MAKERS = {"Decision", "decided"}


def recorded_steps() -> set[str]:
    """Return every step that the code names where it makes a decision."""
    steps: set[str] = set()
    for folder in ("connector", "adapters"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and _name(node.func) in MAKERS and node.args:
                    step = node.args[0]
                    if isinstance(step, ast.Constant) and isinstance(step.value, str):
                        steps.add(step.value)
    return steps


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def test_the_page_lists_the_steps() -> None:
    """Each step has its line on docs/explain.md."""
    page = (ROOT / "docs" / "explain.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE)) == recorded_steps()
