"""Access tokens: kept while they are valid, replaced before they expire or when they are refused."""

from __future__ import annotations

import base64
import json
import threading
import time
from typing import Callable, Optional, Union

from ._backoff import now
from ._errors import Unauthorized, Unavailable

TokenSource = Union[str, Callable[[], str]]
"""A token, or a function that returns a fresh one on every call. It may be called from any thread, but never by two at once."""

# A token is replaced when this share of its lifetime is left.
_SHARE_LEFT = 0.2


class Tokens:
    """The current token of a source. Thread-safe."""

    def __init__(self, source: TokenSource) -> None:
        if not callable(source):
            _check(source)
        self._source = source
        self._lock = threading.Lock()
        self._token: Optional[str] = None if callable(source) else source
        self._good_until: Optional[float] = None

    @property
    def can_refresh(self) -> bool:
        return callable(self._source)

    def get(self) -> str:
        """The token to send now.

        :raises Unavailable: the source failed; it is asked again with the next request.
        """
        with self._lock:
            if self._token is not None and (self._good_until is None or now() < self._good_until):
                return self._token
            source = self._source
            if not callable(source):
                return source
            try:
                token = source()
            except Exception as failure:
                # Any exception: the source is the caller's code, and may only be out of reach for a while.
                raise Unavailable(f"No token could be obtained: {failure!r}", reached=False) from failure
            _check(token)
            self._token = token
            self._good_until = _good_until(token)
            return token

    def refuse(self, token: str, message: str) -> None:
        """Drops a token that the server did not accept.

        :raises Unauthorized: there is no other.
        """
        if not self.can_refresh:
            raise Unauthorized(401, "invalid_token", message)
        with self._lock:
            if self._token == token:
                self._token = None


def _check(token: object) -> None:
    if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token or " " in token:
        raise ValueError("token must be a non-empty string of printable ASCII characters without spaces, or a function that returns one.")


def _good_until(token: str) -> Optional[float]:
    """When to replace a JWT, by :func:`now`. None if it cannot be read: then it is replaced when it is refused."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        # From its own times if possible: this machine's clock may be wrong.
        lifetime = float(claims["exp"]) - float(claims.get("iat", time.time()))
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
    return now() + lifetime * (1 - _SHARE_LEFT)
