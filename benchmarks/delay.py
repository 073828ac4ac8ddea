"""A network of one's own: a proxy on this machine, in a process of its own, that hands on what it gets later."""

from __future__ import annotations

import asyncio
import multiprocessing
import selectors
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection

__all__ = ["delaying"]


@contextmanager
def delaying(port: int, seconds: float) -> Iterator[int]:
    """A port that leads to another one, with so much time each way."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(port, seconds, there), daemon=True)
    process.start()
    try:
        yield here.recv()
    finally:
        process.terminate()
        process.join(5)


def _serve(port: int, seconds: float, ready: Connection) -> None:
    # An event loop over epoll sleeps whole milliseconds, which would be added to each part of an answer.
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())) as runner:
        runner.run(_forward(port, seconds, ready))


async def _forward(port: int, seconds: float, ready: Connection) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(_carry(reader, far_writer, seconds), _carry(far_reader, writer, seconds))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    ready.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


async def _carry(source: asyncio.StreamReader, target: asyncio.StreamWriter, seconds: float) -> None:
    """What arrives goes on so much later, in its order; much of it is on the way at once."""
    loop = asyncio.get_running_loop()
    on_the_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def deliver() -> None:
        while True:
            due, data = await on_the_way.get()
            await asyncio.sleep(max(0.0, due - loop.time()))
            if not data:
                break
            target.write(data)
        with suppress(ConnectionError):
            target.close()
            await target.wait_closed()

    delivery = asyncio.create_task(deliver())
    data = b"-"
    while data:
        try:
            data = await source.read(65536)
        except ConnectionError:
            data = b""
        on_the_way.put_nowait((loop.time() + seconds, data))
    await delivery
