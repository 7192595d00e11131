"""`make bench`: measures, then prints one table.

`--quick` takes shorter and fewer slices, `--only` some of the parts, `--engine` one database.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping

from bench import accept, delivery, footprint, lifecycle, volume
from bench.ratios import Row
from bench.stage import ENGINES, Stage, set_up
from bench.table import shown

PARTS: Mapping[str, Callable[[Stage], Iterator[Row]]] = {
    "accept": accept.measure,
    "delivery": delivery.measure,
    "lifecycle": lifecycle.measure,
    "volume": volume.measure,
    "footprint": footprint.measure,
}


def main() -> int:
    """Measure what is asked for; exit 0 whatever the figures are."""
    options = _options()
    rows: list[Row] = []
    with set_up(quick=options.quick, engines=options.engine) as stage:
        for part in options.only:
            for row in PARTS[part](stage):
                rows.append(row)
                print(f"{row.part}: {row.what} {row.ratio:.2f}", file=sys.stderr, flush=True)
    print(shown(rows))
    for note in stage.notes:
        print(f"* {note}")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench ARGS=…", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a few minutes instead of half an hour")
    parser.add_argument("--only", type=_chosen(PARTS), default=tuple(PARTS), metavar=",".join(PARTS))
    parser.add_argument("--engine", type=_chosen(ENGINES), default=ENGINES, metavar=",".join(ENGINES))
    return parser.parse_args()


def _chosen(known: Mapping[str, object] | tuple[str, ...]) -> Callable[[str], tuple[str, ...]]:
    def choose(words: str) -> tuple[str, ...]:
        chosen = tuple(words.split(","))
        if unknown := [each for each in chosen if each not in known]:
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)} is none of {', '.join(known)}")
        return chosen

    return choose


if __name__ == "__main__":
    sys.exit(main())
