"""A service that is killed and started again, always found at one address.

The address belongs to a forwarder in this process, so that no other test can take the port while
the service is down; connections to a service that is not there are closed at once.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).parent.parent.parent
_SERVER = """
import sys
from pathlib import Path
from service.server import run_server
from tests.fakes import FakeEncoder
from tests.service.running import settings_for

run_server(
    settings_for(Path(sys.argv[1]), port=0),
    on_ready=lambda address: print(address, flush=True),
    encoder=FakeEncoder(),
)
"""


class Forwarder:
    """Passes connections on to a port that may change."""

    def __init__(self) -> None:
        """Listen, with nothing behind it yet."""
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.port: int | None = None
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop listening and wait for the connections to end."""
        self.port = -1
        # Wakes the thread that waits for a connection.
        socket.create_connection(self._listening.getsockname()).close()
        for thread in list(self._threads):
            thread.join(120)
            assert not thread.is_alive()
        self._listening.close()

    def _accept(self) -> None:
        while True:
            client, _ = self._listening.accept()
            if self.port == -1:
                client.close()
                return
            thread = threading.Thread(target=self._serve, args=(client,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket) -> None:
        with (
            client,
            suppress(OSError),
            socket.create_connection(("127.0.0.1", self.port)) as server,
        ):
            back = threading.Thread(target=_copy, args=(server, client))
            back.start()
            _copy(client, server)
            back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    """Pass bytes on until one side ends, then end both."""
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


class RestartingService:
    """A service over one gallery folder."""

    def __init__(self, folder: Path, forwarder: Forwarder, stack: ExitStack) -> None:
        """Start the first process."""
        self._folder, self._forwarder, self._stack = folder, forwarder, stack
        self.url = forwarder.url
        self._process = self._start()

    def kill_and_restart(self) -> None:
        """Kill the process with SIGKILL, wait for its end, and start another one."""
        # The port of the dead process may go to another test's server.
        self._forwarder.port = 0
        self._process.kill()
        self._process.wait(120)
        self._process = self._start()

    def _start(self) -> subprocess.Popen[str]:
        process = self._stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-c", _SERVER, str(self._folder)],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        )
        self._stack.callback(process.kill)
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address, "the server did not start"
        self._forwarder.port = int(address.rpartition(":")[2])
        return process


@contextmanager
def restarting_service(folder: Path) -> Iterator[RestartingService]:
    """Run a service that can be killed and started again."""
    with Forwarder() as forwarder, ExitStack() as stack:
        yield RestartingService(folder, forwarder, stack)
