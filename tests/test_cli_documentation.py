"""docs/command-line.md names everything that the command line has."""

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from connector import views
from connector.cli import commands
from connector.cli.exits import Exit
from connector.store import StoredAlert
from connector.testing.by_hand import make_alert

PAGE = (Path(__file__).parent.parent / "docs" / "command-line.md").read_text(encoding="utf-8")


def words_of(command: click.Command) -> Iterator[str]:
    """Yield the name of a command, of its options, and of all commands below it."""
    yield command.name or ""
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.name not in ("help", "version"):
            yield parameter.opts[-1]
    for each in command.commands.values() if isinstance(command, click.Group) else ():
        yield from words_of(each)


@pytest.mark.parametrize("word", sorted(set(words_of(commands))))
def test_the_page_names_every_command_and_option(word: str) -> None:
    """What can be typed is written down."""
    assert word in PAGE


@pytest.mark.parametrize("code", list(Exit))
def test_the_page_explains_every_exit_code(code: Exit) -> None:
    """The table has a row for each."""
    assert f"| {code.value} | " in PAGE


def test_the_page_shows_every_key_of_an_alert() -> None:
    """The example has the keys that are printed."""
    for key in views.of_stored_alert(StoredAlert(make_alert(), ())):
        assert f'"{key}": ' in PAGE
