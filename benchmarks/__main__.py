"""The command: measures interaqt beside handwritten code and prints one table."""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import os
import platform
import sqlite3
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import attrs
import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from benchmarks.filling import Filling, PostgreSQLDatabase, SQLiteFile
from benchmarks.handwritten_postgresql import HandwrittenPostgreSQL, PipelinedPostgreSQL
from benchmarks.handwritten_sqlite import HandwrittenSQLite
from benchmarks.harness import OPERATIONS, Measurement, Side, Track, measure

LIKES = (100, 100_000)
WARM_UP = 4


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    found: list[Measurement] = []
    with (
        tempfile.TemporaryDirectory(prefix="interaqt-benchmark-", dir=options.directory) as folder,
        ExitStack() as stack,
    ):
        found += run("SQLite", sqlite_tracks(Path(folder), options, stack), options)
    print(f"# Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, a file, WAL, synchronous=NORMAL")

    reason = unreachable(options.postgresql)
    if reason:
        print(f"# PostgreSQL left out: {reason}")
    else:
        with ExitStack() as stack:
            found += run("PostgreSQL", postgresql_tracks(options, stack), options)
        print(f"# {describe(options.postgresql)}")

    runs = options.rounds * options.batch
    print(f"# medians of {runs} runs of each, {options.batch} at a time in turn, microseconds")
    print()
    for line in table(found):
        print(line)
    if options.json:
        described = {"python": platform.python_version(), "machine": platform.machine(), "cores": os.cpu_count()}
        text = json.dumps({**described, "measurements": [attrs.asdict(each) for each in found]}, indent=2)
        options.json.write_text(text + "\n", "utf-8")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--postgresql",
        metavar="DSN",
        default="postgresql://postgres@127.0.0.1/postgres",
        help="a server on which databases may be made and dropped (default: %(default)s)",
    )
    parser.add_argument("--likes", type=int, nargs="+", default=LIKES, help="likes on the post (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=40, help="turns of each side (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=50, help="operations in a turn (default: %(default)s)")
    parser.add_argument("--handwritten-only", action="store_true", help="leave interaqt out")
    parser.add_argument("--directory", type=Path, help="where SQLite files are made (default: the temporary directory)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the measurements there")
    return parser.parse_args(arguments)


def run(database: str, tracks: Sequence[Track], options: argparse.Namespace) -> list[Measurement]:
    print(f"measuring on {database} ...", file=sys.stderr)
    gc.collect()
    return measure(database, tracks, rounds=options.rounds, batch=options.batch, warm_up=WARM_UP)


# -- the sides on each database ----------------------------------------------------------


def sqlite_tracks(folder: Path, options: argparse.Namespace, stack: ExitStack) -> list[Track]:
    makers: list[Callable[[Path], Side]] = [HandwrittenSQLite]
    if not options.handwritten_only:
        import interaqt as iq
        from benchmarks.ours import Ours

        makers.append(lambda path: Ours(iq.SQLiteDB(str(path))))
    tracks = []
    for number, (likes, make) in enumerate(itertools.product(options.likes, makers)):
        path = folder / f"{number}.db"
        side, store = make(path), SQLiteFile(path)
        stack.callback(side.close)
        stack.callback(store.close)
        tracks.append(Track(side, store, filling(likes, options)))
    return tracks


def postgresql_tracks(options: argparse.Namespace, stack: ExitStack) -> list[Track]:
    makers: list[Callable[[str], Side]] = [HandwrittenPostgreSQL, PipelinedPostgreSQL]
    if not options.handwritten_only:
        import interaqt as iq
        from benchmarks.ours import Ours

        makers.append(lambda dsn: Ours(iq.PostgreSQLDB(dsn)))
    tracks = []
    for likes, make in itertools.product(options.likes, makers):
        dsn = stack.enter_context(new_database(options.postgresql))
        side, store = make(dsn), PostgreSQLDatabase(dsn)
        stack.callback(side.close)
        stack.callback(store.close)
        tracks.append(Track(side, store, filling(likes, options)))
    return tracks


def filling(likes: int, options: argparse.Namespace) -> Filling:
    return Filling(likes, spare=(options.rounds + WARM_UP) * options.batch)


def describe(dsn: str) -> str:
    with psycopg.connect(dsn) as server:
        version = server.info.server_version
        (fsync,) = server.execute("SELECT current_setting('fsync')").fetchone() or ("?",)
    return f"PostgreSQL {version // 10000}.{version % 10000}, fsync={fsync}"


def unreachable(dsn: str) -> str:
    """Why the server can't be used, or nothing."""
    try:
        psycopg.connect(dsn, connect_timeout=5).close()
    except psycopg.OperationalError as error:
        return str(error).strip().splitlines()[0]
    return ""


@contextmanager
def new_database(dsn: str) -> Iterator[str]:
    """A database of its own on the server, dropped at the end."""
    with psycopg.connect(dsn, autocommit=True) as server:
        name = f"interaqt_benchmark_{uuid.uuid4().hex[:12]}"
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield make_conninfo(dsn, dbname=name)
        finally:
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


# -- the outcome -------------------------------------------------------------------------


def table(found: Sequence[Measurement]) -> Iterator[str]:
    """One row for each operation, database and number of likes.

    ``growth`` is ours at this number of likes as a multiple of ours at the smallest; while there is
    no "ours", it is that of the handwritten code.
    """
    by_key = {(each.operation, each.database, each.likes, each.side): each for each in found}
    header = ("operation", "likes", "database", "handwritten", "ours", "ratio", "growth", "pipelined")
    rows: list[tuple[str, ...]] = [header]
    databases = list(dict.fromkeys(each.database for each in found))
    numbers = sorted({each.likes for each in found})
    for database in databases:
        for operation in OPERATIONS:
            for likes in numbers:
                theirs = by_key[operation, database, likes, "handwritten"]
                ours = by_key.get((operation, database, likes, "ours"))
                pipelined = by_key.get((operation, database, likes, "pipelined"))
                grown = ours or theirs
                base = by_key[operation, database, numbers[0], grown.side]
                rows.append(
                    (
                        operation,
                        f"{likes:,}",
                        database,
                        f"{theirs.median:.1f}",
                        f"{ours.median:.1f}" if ours else "-",
                        f"{ours.median / theirs.median:.2f}" if ours else "-",
                        f"{grown.median / base.median:.2f}",
                        f"{pipelined.median:.1f}" if pipelined else "-",
                    )
                )
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    for row in (header, tuple("-" * width for width in widths), *rows[1:]):
        cells = (
            text.ljust(width) if column in (0, 2) else text.rjust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
