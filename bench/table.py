"""The table that `make bench` prints, as Markdown, so that it can stand in a document as it is."""

from __future__ import annotations

from collections.abc import Sequence

from bench.ratios import Row

_HEAD = ("part", "what", "ours", "ceiling", "ratio", "quartiles", "aim", "")


def shown(rows: Sequence[Row]) -> str:
    """Return the rows as a table."""
    lines = [_HEAD, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD))]
    lines.insert(1, tuple("-" * width for width in widths))
    return "\n".join(_line(line, widths) for line in lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return f"| {' | '.join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))} |"


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.part,
        row.what,
        f"{_number(row.ours)} {row.unit}",
        f"{_number(row.ceiling)} {row.unit}",
        f"{row.ratio:.2f}",
        f"{row.low:.2f} - {row.high:.2f}",
        str(row.aim or ""),
        row.verdict,
    )


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
