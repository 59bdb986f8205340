"""Bounds the time of a whole exchange: a server that sends a byte now and then never breaks the limit of a silence.

The limit holds for everything from the first byte sent to the last byte read, headers and TLS included; it is kept
where bytes pass the socket, so that no thread has to watch.
"""

import io
import socket
import time
from http.client import HTTPResponse
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.poolmanager import PoolManager, ProxyManager

_PIECE = 1 << 16  # bytes that are sent before the clock is looked at again


class TooSlowError(TimeoutError):
    """The time of the whole exchange is over."""


class BoundedAdapter(HTTPAdapter):
    """Gives each exchange `seconds` in all."""

    def __init__(self, seconds: float) -> None:
        self._pools = _pools(seconds)
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **more: Any) -> None:
        super().init_poolmanager(*args, **more)
        _use(self._pools, self.poolmanager)

    def proxy_manager_for(self, *args: Any, **more: Any) -> ProxyManager:
        manager: ProxyManager = super().proxy_manager_for(*args, **more)
        _use(self._pools, manager)
        return manager


def _use(pools: dict[str, type[HTTPConnectionPool]], manager: PoolManager) -> None:
    manager.pool_classes_by_scheme = pools


def _pools(limit: float) -> dict[str, type[HTTPConnectionPool]]:
    class Plain(_Bounded, HTTPConnection):
        seconds = limit

    class Secure(_Bounded, HTTPSConnection):
        seconds = limit

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


class _Bounded(HTTPConnection):
    """A connection each of whose exchanges has an end."""

    seconds: float
    _deadline = 0.0

    def connect(self) -> None:
        self._begin()
        super().connect()

    def putrequest(self, *args: Any, **more: Any) -> None:
        self._begin()
        super().putrequest(*args, **more)

    def _begin(self) -> None:
        self._deadline = deadline = time.monotonic() + self.seconds
        if self.sock is not None:
            self.sock.settimeout(self.timeout)

        def response(sock: socket.socket, *args: Any, **more: Any) -> HTTPResponse:
            return _BoundedResponse(deadline, sock, *args, **more)

        self.response_class = response  # type: ignore[assignment]

    def send(self, data: Any) -> None:
        if not isinstance(data, bytes) or len(data) <= _PIECE:
            super().send(data)
            return
        for start in range(0, len(data), _PIECE):
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise TooSlowError
            if self.sock is not None and self.sock.gettimeout() is not None:
                self.sock.settimeout(min(self.sock.gettimeout() or left, left))
            try:
                super().send(data[start : start + _PIECE])
            except TimeoutError:
                if time.monotonic() >= self._deadline:
                    raise TooSlowError from None
                raise


class _BoundedResponse(HTTPResponse):
    """An answer that is read until a deadline, be it in its headers or in its body."""

    def __init__(self, deadline: float, sock: socket.socket, *args: Any, **more: Any) -> None:
        super().__init__(sock, *args, **more)
        self.fp = io.BufferedReader(_Bytes(self.fp.detach(), sock, deadline))


class _Bytes(io.RawIOBase):
    """The bytes of a socket; each wait for some is cut to what is left of the whole."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, deadline: float) -> None:
        self._raw = raw
        self._sock = sock
        self._silence = sock.gettimeout()
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TooSlowError
        self._sock.settimeout(left if self._silence is None else min(self._silence, left))
        try:
            return self._raw.readinto(buffer)
        except TimeoutError:
            if time.monotonic() >= self._deadline:
                raise TooSlowError from None
            raise

    def close(self) -> None:
        self._raw.close()
        super().close()
