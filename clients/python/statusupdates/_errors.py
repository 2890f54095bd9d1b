"""What can go wrong between a program and the API."""

from __future__ import annotations

from typing import Mapping, Optional, Sequence


class StatusUpdatesError(Exception):
    """Base of all errors that this package raises because of the API or the network."""


class ApiError(StatusUpdatesError):
    """The API refused the request. Sending it again gets the same answer.

    ``status`` is the HTTP status and ``code`` the stable code of the problem (RFC 9457), such as ``not_found``. ``errors`` says for each invalid
    member what is allowed.
    """

    def __init__(self, status: int, code: str, message: str, errors: Optional[Mapping[str, Sequence[str]]] = None) -> None:
        details = "; ".join(f"{name}: {' '.join(texts)}" for name, texts in (errors or {}).items())
        super().__init__(f"{message} ({details})" if details else message)
        self.status = status
        self.code = code
        self.errors = dict(errors or {})


class Unauthorized(ApiError):
    """No token was accepted: the given one is not valid and cannot be replaced, or fresh ones were refused too (401)."""


class Forbidden(ApiError):
    """The token is valid, but not for this: no permission, or another user's (403)."""


class Unavailable(StatusUpdatesError):
    """No usable answer: the network failed, the server is busy, restarting or away. The same request may succeed later.

    ``retry_after`` is how many seconds the server asks to wait, if it does. ``status`` is the HTTP status; None without an answer.
    """

    def __init__(
        self, message: str, *, retry_after: Optional[float] = None, status: Optional[int] = None, reached: bool = True, by_api: bool = False,
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.status = status
        # Whether the request reached anything.
        self.reached = reached
        # Whether the API itself said so, not something in between.
        self.by_api = by_api


class Closed(StatusUpdatesError):
    """The client, feed or worker was closed while the request was running."""
