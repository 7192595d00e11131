"""`adapters list`: which adapters are installed, from where, and whether each can be had."""

from __future__ import annotations

import click

from connector.cli.exits import Exit
from connector.cli.options import with_output
from connector.cli.output import show_json, show_table
from connector.registry import InstalledAdapter, Registry, RegistryError


@click.group()
def adapters() -> None:
    """Which adapters are installed."""


@adapters.command("list")
@with_output
def list_adapters(output: str) -> int:
    """List the installed adapters; 1 if one of them cannot be imported."""
    registry = Registry()
    found = [(registry.describe(name), _problem(registry, name)) for name in registry.names()]
    if output == "json":
        show_json([_document(adapter, problem) for adapter, problem in found])
    else:
        rows = [(each.name, each.distribution, each.version, problem or "loaded") for each, problem in found]
        show_table(("NAME", "DISTRIBUTION", "VERSION", "STATE"), rows)
    return Exit.NEGATIVE if any(problem for _, problem in found) else Exit.OK


def words_of(adapter: InstalledAdapter) -> str:
    """Return the name of an adapter and the distribution that it comes from."""
    return f"{adapter.name} ({adapter.distribution} {adapter.version})"


def _problem(registry: Registry, name: str) -> str | None:
    try:
        registry.adapter_class(name)
    except RegistryError as error:
        return str(error)
    return None


def _document(adapter: InstalledAdapter, problem: str | None) -> dict[str, object]:
    return {
        "name": adapter.name,
        "distribution": adapter.distribution,
        "version": adapter.version,
        "entry_point": adapter.entry_point,
        "loaded": problem is None,
        "problem": problem,
    }
