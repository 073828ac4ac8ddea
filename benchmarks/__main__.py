"""The command: measures interaqt beside handwritten code and prints a table for each thing that is asked about it."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import attrs

from benchmarks.places import MySQLPlace, Place, PostgreSQLPlace, SQLitePlace, Unreachable
from benchmarks.report import Options, Section, table
from benchmarks.sections.batch import BATCH
from benchmarks.sections.processes import PROCESSES
from benchmarks.sections.rebuild import REBUILD
from benchmarks.sections.setup import SETUP
from benchmarks.sections.singles import COMPUTATIONS, GROWTH, NETWORK, SOCIAL

__all__ = ["SECTIONS", "main"]

SECTIONS: dict[str, Section] = {
    each.name: each for each in (SOCIAL, COMPUTATIONS, GROWTH, BATCH, REBUILD, NETWORK, PROCESSES, SETUP)
}


def main(arguments: Sequence[str] | None = None) -> None:
    given = parse(arguments)
    chosen = [SECTIONS[name] for name in given.sections or SECTIONS]
    kept = []
    with tempfile.TemporaryDirectory(prefix="interaqt-benchmark-", dir=given.directory) as folder:
        options = Options.of(given, reachable(given, Path(folder)))
        for section in chosen:
            lines = []
            for line in section.run(options, Path(folder)):
                print(f"{section.name}: {line.what} on {line.database}: {line.ratio:.2f}", file=sys.stderr)
                lines.append(line)
                kept.append({"section": section.name, **attrs.asdict(line), "ratio": line.ratio})
            print()
            for text in table(section, lines):
                print(text)
    if given.json:
        described = {"python": platform.python_version(), "machine": platform.machine(), "cores": os.cpu_count()}
        given.json.write_text(json.dumps({**described, "lines": kept}, indent=2) + "\n", "utf-8")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "sections", nargs="*", choices=[*SECTIONS, []], metavar="SECTION", help=f"all, or some of {', '.join(SECTIONS)}"
    )
    parser.add_argument(
        "--postgresql",
        metavar="DSN",
        default="postgresql://postgres@127.0.0.1:5432/postgres",
        help="a server on which databases may be made and dropped (default: %(default)s)",
    )
    parser.add_argument(
        "--mysql",
        metavar="URL",
        default="mysql://root@127.0.0.1:3306/mysql",
        help="the same for MariaDB or MySQL (default: %(default)s)",
    )
    parser.add_argument("--on", nargs="+", choices=["sqlite", "postgresql", "mysql"], help="only these databases")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="only these computations")
    parser.add_argument("--rounds", type=int, default=20, help="turns of each side (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=50, help="operations in a turn (default: %(default)s)")
    parser.add_argument(
        "--sizes", type=int, nargs=2, default=(100, 100_000), help="related records (default: %(default)s)"
    )
    parser.add_argument("--rows", type=int, default=200_000, help="rows to rebuild (default: %(default)s)")
    parser.add_argument("--events", type=int, default=10_000, help="events of a batch (default: %(default)s)")
    parser.add_argument("--processes", type=int, default=8, help="processes at once (default: %(default)s)")
    parser.add_argument("--delay", type=float, default=1.0, help="ms that the network takes each way (%(default)s)")
    parser.add_argument("--directory", type=Path, help="where SQLite files are made (default: the temporary directory)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the outcome there")
    return parser.parse_args(arguments)


def reachable(given: argparse.Namespace, folder: Path) -> list[Place]:
    """The databases that are there, each named in a line; what is not there is said."""
    places: dict[str, Place] = {
        "sqlite": SQLitePlace(folder),
        "postgresql": PostgreSQLPlace(given.postgresql),
        "mysql": MySQLPlace(given.mysql),
    }
    print(f"# Python {platform.python_version()}, {os.cpu_count()} cores")
    found = []
    for name in given.on or places:
        place = places[name]
        try:
            print(f"# {place.describe()}")
        except Unreachable as reason:
            print(f"# {place.name} left out: {reason}")
        else:
            found.append(place)
    return found


if __name__ == "__main__":
    main()
