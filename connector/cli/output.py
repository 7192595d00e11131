"""What a command prints: data on stdout as a table or JSON, words on stderr.

Every value that comes from an alert or a vendor is made harmless before it reaches a terminal.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime

import click

from connector.report import clean, clean_line, utc

WIDEST = 60
"""A cell of a table is cut to this many characters; `-o json` has the whole value."""

_HARMFUL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff]")


def say(words: str) -> None:
    """Say something to the person at the terminal, on stderr."""
    click.echo(clean(words), err=True)


def show(line: str = "") -> None:
    """Print one line of data: what an alert says can never look like a line of ours."""
    click.echo(clean(line).replace("\n", " "))


def show_lines(text: str, indent: str = "") -> None:
    """Print text of several lines, each after an indent."""
    for line in clean(text).split("\n"):
        show(indent + line)


def show_json(document: object) -> None:
    """Print a JSON document; what a terminal would act on stands in it as an escape."""
    is_unicode = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    text = json.dumps(document, indent=2, ensure_ascii=not is_unicode)
    click.echo(_HARMFUL.sub(lambda match: f"\\u{ord(match[0]):04x}", text))


def show_table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under headings; without rows nothing at all."""
    cells = [[cell(each) for each in row] for row in rows]
    if not cells:
        return
    table = [list(headings), *cells]
    widths = [max(len(row[column]) for row in table) for column in range(len(headings))]
    for number, row in enumerate(table):
        line = "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        click.echo(bold(line) if number == 0 else line)


def cell(value: object) -> str:
    """Return a value as the text of a table's cell: one harmless line of bounded width."""
    if isinstance(value, datetime):
        return utc(value)
    text = clean_line("-" if value is None or value == "" else str(value))
    return text if len(text) <= WIDEST else text[: WIDEST - 1] + "…"


def visible(text: str) -> str:
    """Return text of several lines with what a terminal would act on written as an escape."""
    return _HARMFUL.sub(lambda match: match[0].encode("unicode_escape", "surrogatepass").decode(), text)


def bold(text: str) -> str:
    """Return the text for a heading: bold on a terminal that wants colours."""
    return click.style(text, bold=True) if _wants_colour() else text


def _wants_colour() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
