"""Connections to one server over ``http.client``: kept alive, closed from any thread, through the proxy that the environment names."""

from __future__ import annotations

import base64
import http.client
import socket
import ssl
import threading
import urllib.parse
import urllib.request
from typing import Iterator, List, Mapping, Optional, Set, Union

from ._backoff import now
from ._errors import Closed, Unavailable

CONNECT_TIMEOUT = 10.0

# Proxies and servers close idle connections after a minute or more; a younger one is rarely found closed.
_MAX_IDLE = 20.0

_BLOCK = 64 * 1024

# What is read of an answer at most. An answer of the API is far smaller; a stream is not read by this.
_MAX_BODY = 64 * 1024 * 1024

Body = Union[bytes, "FileBody"]


class FileBody:
    """A request's body that is read from a file while it is sent. Each use opens the file anew, so that a request can be repeated."""

    def __init__(self, path: str, size: int) -> None:
        self._path = path
        self.size = size

    def blocks(self) -> Iterator[bytes]:
        """The content, no more than the size that was announced."""
        left = self.size
        with open(self._path, "rb") as file:
            while left > 0:
                block = file.read(min(_BLOCK, left))
                if not block:
                    raise OSError(f"{self._path} has become shorter while it was sent.")
                left -= len(block)
                yield block


class Connection:
    """One connection, used by one thread at a time; only :meth:`abort` may be called by others."""

    def __init__(self, owner: Connections) -> None:
        self._owner = owner
        self._http = owner.create()
        # Kept here too: http.client forgets the socket of an answer that ends with its connection.
        self._socket: Optional[socket.socket] = None
        self.is_kept = False
        self.is_aborted = False
        self.idle_since = 0.0

    def send(self, method: str, target: str, headers: Mapping[str, str], body: Optional[Body], timeout: float) -> http.client.HTTPResponse:
        """Sends a request and returns the head of its answer. ``timeout`` bounds each wait for bytes, in seconds."""
        if self._http.sock is None:
            self._http.timeout = CONNECT_TIMEOUT
            try:
                self._http.connect()
            except (OSError, http.client.HTTPException) as failure:
                raise Unavailable(f"{self._owner.base} cannot be reached: {failure}", reached=False) from failure
            self._socket = self._http.sock
            self._owner.check_open(self)
        self.set_timeout(timeout)
        target = self._owner.target(target)
        try:
            if isinstance(body, FileBody):
                self._http.request(method, target, body.blocks(), {**headers, "Content-Length": str(body.size)})
            else:
                self._http.request(method, target, body, dict(headers))
        except (BrokenPipeError, ConnectionResetError):
            # A server that refuses a body may answer and close before it has read all of it.
            pass
        return self._http.getresponse()

    def abort(self) -> None:
        """Ends what is being sent or received on it, from any thread."""
        self.is_aborted = True
        if self._socket is not None:
            try:
                # Not SSLSocket.shutdown: that would pull the TLS state away from the thread that reads.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
            except OSError:
                # Not connected any more.
                pass

    def set_timeout(self, timeout: float) -> None:
        """How long each wait for bytes may last, in seconds."""
        if self._socket is not None:
            self._socket.settimeout(timeout)

    def close(self) -> None:
        self._http.close()


class Connections:
    """The connections to the server of one base address. Thread-safe."""

    def __init__(self, base: str, context: Optional[ssl.SSLContext] = None) -> None:
        parts = urllib.parse.urlsplit(base if isinstance(base, str) else "")
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
            raise ValueError(f"url must be an http or https address without user, query and fragment, such as http://localhost:5080; it is {base!r}.")
        self.base = urllib.parse.urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/") + "/", "", ""))
        self._is_secure = parts.scheme == "https"
        self._context = (context or ssl.create_default_context()) if self._is_secure else None
        self._host = parts.hostname
        self._port = parts.port or (443 if self._is_secure else 80)
        self._path = parts.path.rstrip("/")
        self._proxy = _find_proxy(parts.scheme, parts.netloc)
        self._lock = threading.Lock()
        self._idle: List[Connection] = []
        self._used: Set[Connection] = set()
        self._is_closed = False

    def take(self, fresh: bool = False) -> Connection:
        """A connection for one request; give it back with :meth:`give_back` or :meth:`drop`."""
        with self._lock:
            while self._idle and not fresh:
                connection = self._idle.pop()
                if now() - connection.idle_since < _MAX_IDLE:
                    self._used.add(connection)
                    return connection
                connection.close()
            if self._is_closed:
                raise Closed("It is closed.")
            connection = Connection(self)
            self._used.add(connection)
            return connection

    def give_back(self, connection: Connection) -> None:
        """Keeps a connection whose answer was read to its end."""
        connection.is_kept = True
        connection.idle_since = now()
        with self._lock:
            self._used.discard(connection)
            if not self._is_closed:
                self._idle.append(connection)
                return
        connection.close()

    def drop(self, connection: Connection) -> None:
        with self._lock:
            self._used.discard(connection)
        connection.close()

    def close(self) -> None:
        """Ends all requests, which raise :class:`Closed`. No other can be made."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()
        self.interrupt()

    def interrupt(self) -> None:
        """Ends the requests that are running now."""
        with self._lock:
            used = list(self._used)
        for connection in used:
            connection.abort()

    @property
    def is_closed(self) -> bool:
        return self._is_closed

    def check_open(self, connection: Connection) -> None:
        # A close that came while it was connecting found no socket to end.
        if self._is_closed:
            connection.abort()
            raise Closed("It is closed.")

    def create(self) -> http.client.HTTPConnection:
        proxy = self._proxy
        host, port = (self._host, self._port) if proxy is None else (proxy.host, proxy.port)
        connection: http.client.HTTPConnection
        if self._context is None:
            return http.client.HTTPConnection(host, port, blocksize=_BLOCK)
        connection = http.client.HTTPSConnection(host, port, context=self._context, blocksize=_BLOCK)
        if proxy is not None:
            connection.set_tunnel(self._host, self._port, proxy.headers)
        return connection

    def target(self, path: str) -> str:
        """What stands in the request line for a path below the base address."""
        return (self.base if self._proxy is not None and not self._is_secure else f"{self._path}/") + path

    def proxy_headers(self) -> Mapping[str, str]:
        return self._proxy.headers if self._proxy is not None and not self._is_secure else {}


class _Proxy:
    def __init__(self, host: str, port: int, headers: Mapping[str, str]) -> None:
        self.host = host
        self.port = port
        self.headers = dict(headers)


def _find_proxy(scheme: str, netloc: str) -> Optional[_Proxy]:
    """The proxy for an address: HTTP_PROXY, HTTPS_PROXY and NO_PROXY, or the system's setting, as ``urllib.request`` reads them."""
    text = urllib.request.getproxies().get(scheme)
    if not text or urllib.request.proxy_bypass(netloc):
        return None
    parts = urllib.parse.urlsplit(text if "://" in text else f"http://{text}")
    if not parts.hostname:
        raise ValueError(f"The proxy for {scheme} must be an address such as http://proxy.example.com:3128; it is {text!r}.")
    headers = {}
    if parts.username is not None:
        user = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
        headers["Proxy-Authorization"] = "Basic " + base64.b64encode(user.encode()).decode()
    return _Proxy(parts.hostname, parts.port or 80, headers)


def read_body(answer: http.client.HTTPResponse) -> bytes:
    """All of an answer.

    :raises http.client.HTTPException: it was cut, or is far larger than any answer of the API.
    """
    body = bytearray()
    while True:
        # In blocks: Python 3.9 allocates what is asked for.
        block = answer.read(_BLOCK)
        body += block
        if len(body) > _MAX_BODY:
            raise http.client.HTTPException(f"The answer has more than {_MAX_BODY} bytes.")
        if not block:
            break
    if answer.length:
        raise http.client.IncompleteRead(bytes(body), answer.length)
    return bytes(body)
