"""The way to a server, which a test can cut, have fall silent, or have answer in its place."""

import contextlib
import selectors
import socket
import threading


class Cable:
    """Hands on what is sent to its own port; both ends of a connection are one pair of sockets."""

    def __init__(self, host: str, port: int, *, at: str = "127.0.0.1") -> None:
        self._target = host, port
        self._server = socket.create_server((at, 0))
        self.port = self._server.getsockname()[1]
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        # A connection from before a silence, or from within it, is dead for ever.
        self._age, self._is_silent = 0, False
        self._answer, self._cue = b"", b""
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """End all connections; new ones can be made."""
        pairs, self._pairs = self._pairs, []
        for end in (end for pair in pairs for end in pair):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def silence(self) -> None:
        """Nothing is handed on any more, and nobody is told: a firewall forgot the connections."""
        self._age, self._is_silent = self._age + 1, True

    def answer(self, words: bytes, *, cue: bytes = b"") -> None:
        """Say this to whoever asks, and hang up; from the first time on that a cue is sent."""
        self._answer, self._cue = words, cue

    def heal(self) -> None:
        """New connections work; those that were there stay silent."""
        self._pairs, self._answer, self._cue = [], b"", b""
        self._age, self._is_silent = self._age + 1, False

    def close(self) -> None:
        self.cut()
        self._server.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _address = self._server.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(self._target, timeout=2)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            pair = near, far
            self._pairs.append(pair)
            threading.Thread(target=self._hand_on, args=(pair,), daemon=True).start()

    def _hand_on(self, pair: tuple[socket.socket, socket.socket]) -> None:
        (near, far), age = pair, self._age
        with near, far, selectors.DefaultSelector() as ready, contextlib.suppress(OSError):
            ready.register(near, selectors.EVENT_READ, far)
            ready.register(far, selectors.EVENT_READ, near)
            while True:
                for key, _events in ready.select():
                    data = key.fileobj.recv(65536)
                    if not data:
                        return
                    if self._answer and self._cue in data:
                        self._cue = b""
                        near.sendall(self._answer)
                        return
                    if age == self._age and not self._is_silent:
                        key.data.sendall(data)
