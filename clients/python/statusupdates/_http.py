"""Requests to the API: authorized, and their answers read as data or as an exception that says whether to try again."""

from __future__ import annotations

import email.message
import email.utils
import http.client
import json
import logging
import random
import ssl
import threading
import time
import urllib.parse
from types import TracebackType
from typing import Any, Callable, Dict, Mapping, Optional, Tuple, Type, Union

from ._backoff import T
from ._connections import Body, Connection, Connections, read_body
from ._errors import ApiError, Closed, Forbidden, StatusUpdatesError, Unauthorized, Unavailable
from ._tokens import Tokens
from ._version import VERSION

log = logging.getLogger("statusupdates")

Query = Mapping[str, Union[str, int, float, None]]

# After this many refused tokens in a row, no other is tried.
_MAX_REFUSALS = 3
_REFUSAL_WAIT = 1.0

_MAX_RETRY_AFTER = 600.0

# 4xx that may get another answer later: Request Timeout, Too Early, Too Many Requests.
_TEMPORARY = (408, 425, 429)


class _Refused(Exception):
    """401."""


class Http:
    """The API at one address, for one credential. Thread-safe."""

    def __init__(self, url: str, tokens: Tokens, context: Optional[ssl.SSLContext] = None) -> None:
        self._connections = Connections(url, context)
        self._tokens = tokens
        self._closing = threading.Event()

    @property
    def base(self) -> str:
        return self._connections.base

    @property
    def closing(self) -> threading.Event:
        """Set once it is closed."""
        return self._closing

    def close(self) -> None:
        """Ends all requests, which raise :class:`Closed`. May be called from any thread, also more than once."""
        self._closing.set()
        self._connections.close()

    def interrupt(self) -> None:
        """Ends the requests that are running now, which raise :class:`Unavailable`."""
        self._connections.interrupt()

    def request(
        self, method: str, path: str, *, query: Optional[Query] = None, data: Optional[Any] = None, body: Optional[Body] = None,
        headers: Optional[Mapping[str, str]] = None, timeout: float = 30.0, resend: bool = True,
    ) -> Any:
        """Sends one request and returns its data: None if the answer has none.

        ``data`` is sent as JSON; ``body`` as it is. ``timeout`` bounds each wait for bytes, in seconds. With ``resend`` it is sent again at once if a
        kept connection turns out to be closed.

        :raises ApiError: the API refused it.
        :raises Unavailable: there was no usable answer.
        """
        all_headers = {"Accept": "application/json", **(headers or {})}
        if data is not None:
            body = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
            all_headers["Content-Type"] = "application/json"

        def attempt(token: str) -> Any:
            connection, answer = self._send(method, _target(path, query), self._headers(token, all_headers), body, timeout, resend)
            try:
                text = read_body(answer)
            except (OSError, http.client.HTTPException) as failure:
                self._connections.drop(connection)
                raise self.interrupted(failure) from failure
            except BaseException:
                self._connections.drop(connection)
                raise
            if answer.will_close:
                self._connections.drop(connection)
            else:
                self._connections.give_back(connection)
            return _read(answer.status, answer.headers, text)

        return self._authorized(attempt)

    def stream(self, path: str, query: Query, accept: str, timeout: float) -> Stream:
        """Opens an answer that is read piece by piece.

        :raises ApiError: the API refused it.
        :raises Unavailable: there was no usable answer, or one of another media type.
        """
        def attempt(token: str) -> Stream:
            headers = self._headers(token, {"Accept": accept, "Cache-Control": "no-cache"})
            connection, answer = self._send("GET", _target(path, query), headers, None, timeout, True)
            stream = Stream(self, connection, answer)
            try:
                if answer.status == 200 and answer.headers.get_content_type() == accept:
                    return stream
                text = read_body(answer)
            except (OSError, http.client.HTTPException) as failure:
                stream.close()
                raise self.interrupted(failure) from failure
            stream.close()
            if answer.status == 200:
                raise Unavailable(f"The answer is {answer.headers.get_content_type()} instead of {accept}.", status=200)
            if answer.status == 204:
                raise ApiError(204, "no_content", "There is nothing more to stream.")
            _read(answer.status, answer.headers, text)
            raise Unavailable(f"The server answered {answer.status}.", status=answer.status)

        return self._authorized(attempt)

    def _authorized(self, attempt: Callable[[str], T]) -> T:
        """One 401 is not final: a fresh token is tried at once, and another one after a wait, since the server may not know a new token's key yet."""
        refusals = 0
        while True:
            token = self._tokens.get()
            try:
                return attempt(token)
            except _Refused as refusal:
                refusals += 1
                self._tokens.refuse(token, str(refusal))
                if refusals == _MAX_REFUSALS:
                    raise Unauthorized(401, "invalid_token", f"{refusals} tokens in a row were refused: {refusal}") from None
            if refusals > 1 and self._closing.wait(_REFUSAL_WAIT * (1 + random.random())):
                raise Closed("Closed while waiting for a token.")

    def _send(
        self, method: str, target: str, headers: Mapping[str, str], body: Optional[Body], timeout: float, resend: bool,
    ) -> Tuple[Connection, http.client.HTTPResponse]:
        # A kept connection would be found closed only after a large body was sent for nothing.
        is_fresh = body is not None and not isinstance(body, bytes)
        while True:
            connection = self._connections.take(is_fresh)
            was_kept = connection.is_kept
            try:
                return connection, connection.send(method, target, headers, body, timeout)
            except (ConnectionError, http.client.BadStatusLine) as failure:
                self._connections.drop(connection)
                if not was_kept or not resend or connection.is_aborted:
                    raise self.interrupted(failure) from failure
                # The server had closed it while it was idle, or it is unknown what became of the request.
                is_fresh = True
            except (OSError, http.client.HTTPException) as failure:
                self._connections.drop(connection)
                raise self.interrupted(failure) from failure
            except BaseException:
                self._connections.drop(connection)
                raise

    def _headers(self, token: str, headers: Mapping[str, str]) -> Dict[str, str]:
        return {
            "User-Agent": f"statusupdates-python/{VERSION}", "Authorization": f"Bearer {token}", **self._connections.proxy_headers(), **headers,
        }

    def interrupted(self, failure: Exception) -> StatusUpdatesError:
        """What to raise for a failure of the network: :class:`Closed` if this was the reason."""
        if self._connections.is_closed:
            return Closed("Closed during a request.")
        return Unavailable(f"The connection to {self.base} was lost: {failure or type(failure).__name__}")

    def drop(self, connection: Connection) -> None:
        self._connections.drop(connection)


class Stream:
    """An answer that is read piece by piece. Used by one thread; closing the :class:`Http` ends it."""

    def __init__(self, owner: Http, connection: Connection, answer: http.client.HTTPResponse) -> None:
        self._owner = owner
        self._connection = connection
        self._answer = answer

    def read(self) -> bytes:
        """The next bytes, as soon as there are any; empty at the end.

        :raises Unavailable: it was cut, or nothing arrived in time.
        """
        try:
            return self._answer.read1(64 * 1024)
        except (OSError, http.client.HTTPException, ValueError) as failure:
            raise self._owner.interrupted(failure) from failure

    def patience(self, timeout: float) -> None:
        """How long each wait for bytes may last from now on, in seconds."""
        self._connection.set_timeout(timeout)

    def close(self) -> None:
        self._answer.close()
        self._owner.drop(self._connection)

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], failure: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        self.close()


def _target(path: str, query: Optional[Query]) -> str:
    text = urllib.parse.urlencode({name: value for name, value in (query or {}).items() if value is not None})
    return f"{path}?{text}" if text else path


def segment(text: str) -> str:
    """One segment of a path."""
    if not isinstance(text, str) or not text:
        raise ValueError(f"An id must be a non-empty string; it is {text!r}.")
    return urllib.parse.quote(text, safe="")


def _read(status: int, headers: email.message.Message, text: bytes) -> Any:
    try:
        document = json.loads(text) if text else None
    except ValueError:
        document = None
    body = document if isinstance(document, dict) else {}
    if status == 204:
        return None
    if 200 <= status < 300 and body.get("success") is True:
        return body.get("data")
    message = _message(status, headers, body)
    if status == 401:
        raise _Refused(message)
    # Only an answer of the API itself is final: what a proxy or a captive portal says instead may be over in a minute.
    by_api = body.get("success") is False
    if by_api and 400 <= status < 500 and status not in _TEMPORARY:
        errors = body.get("errors")
        raise (Forbidden if status == 403 else ApiError)(
            status, str(body.get("code", "")), message, errors if isinstance(errors, dict) else None)
    raise Unavailable(message, retry_after=_retry_after(headers), status=status, by_api=by_api)


def _message(status: int, headers: email.message.Message, body: Mapping[str, Any]) -> str:
    if 300 <= status < 400:
        return f"The server answered {status} and points to {headers.get('Location', 'nowhere')}: redirects are not followed."
    return str(body.get("detail") or body.get("title") or f"The server answered {status}.")


def _retry_after(headers: email.message.Message) -> Optional[float]:
    """Seconds or a date (RFC 9110, section 10.2.3)."""
    text = (headers.get("Retry-After") or "").strip()
    try:
        delay = float(text) if text.isascii() and text.isdigit() else email.utils.parsedate_to_datetime(text).timestamp() - time.time()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return min(delay, _MAX_RETRY_AFTER) if delay > 0 else None
