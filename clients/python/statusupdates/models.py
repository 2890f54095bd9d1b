"""What the API answers, as Python objects. Members that this version does not know are in ``raw``."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass, field
from typing import Any, List, Mapping, Optional, Tuple

Json = Mapping[str, Any]

_CURSOR = re.compile(r"\d{1,16}(-[0-9a-f]{8})?")
_FRACTION = re.compile(r"\.(\d+)")


@dataclass(frozen=True)
class Update:
    """One change of one generation.

    ``status`` is ``pending``, ``processing``, ``completed``, ``failed`` or ``canceled``. ``timestamp`` is Unix time in milliseconds. ``seq`` is the
    number in the user's log, from 1, and ``cursor`` the position after it; both are None for an update that is in no log. ``progress`` is percent.
    """

    generation_id: str
    user_id: str
    type: str
    status: str
    timestamp: int
    seq: Optional[int]
    cursor: Optional[str]
    result_urls: Tuple[str, ...]
    tokens_used: Optional[int]
    progress: Optional[int]
    attempt: Optional[int]
    error_message: Optional[str]
    metadata: Json = field(repr=False)
    raw: Json = field(repr=False)

    @property
    def is_terminal(self) -> bool:
        """Whether the generation has ended: nothing follows for it."""
        return self.status in TERMINAL

    @classmethod
    def of(cls, raw: Json) -> Update:
        """:raises ValueError: it is not an update."""
        try:
            metadata: Json = raw.get("metadata") or {}
            return cls(
                generation_id=str(raw["generationId"]), user_id=str(raw["userId"]), type=str(raw["type"]), status=str(raw["status"]),
                timestamp=int(raw["timestamp"]), seq=None if raw.get("seq") is None else int(raw["seq"]), cursor=raw.get("cursor"),
                result_urls=tuple(metadata.get("resultUrls") or ()), tokens_used=metadata.get("tokensUsed"), progress=metadata.get("progress"),
                attempt=metadata.get("attempt"), error_message=metadata.get("errorMessage"), metadata=metadata, raw=raw)
        except (KeyError, TypeError, AttributeError) as failure:
            raise ValueError(f"Not an update: {failure!r}") from failure


@dataclass(frozen=True)
class Resync:
    """The server's log cannot continue from the cursor: updates were missed.

    Read the state with :meth:`Client.list` or :meth:`Client.get`, and ignore updates whose ``seq`` is not above that of their generation there. The
    feed continues after ``seq``.
    """

    seq: int
    cursor: str


@dataclass(frozen=True)
class Generation:
    """A generation as it is now. ``seq`` and ``cursor`` are those of its latest update. Times have a time zone."""

    id: str
    user_id: str
    type: str
    status: str
    seq: int
    cursor: Optional[str]
    prompt: str
    created_at: datetime.datetime
    updated_at: datetime.datetime
    task: Optional[str]
    options: Json
    progress: Optional[int]
    result_urls: Tuple[str, ...]
    tokens_used: Optional[int]
    error_message: Optional[str]
    started_at: Optional[datetime.datetime]
    completed_at: Optional[datetime.datetime]
    deadline: Optional[datetime.datetime]
    cancel_requested_at: Optional[datetime.datetime]
    raw: Json = field(repr=False)

    @property
    def is_terminal(self) -> bool:
        """Whether it has ended: it will not change again."""
        return self.status in TERMINAL

    @classmethod
    def of(cls, raw: Json) -> Generation:
        """:raises ValueError: it is not a generation."""
        try:
            return cls(
                id=str(raw["id"]), user_id=str(raw["userId"]), type=str(raw["type"]), status=str(raw["status"]), seq=int(raw["seq"]),
                cursor=raw.get("cursor"), prompt=str(raw["prompt"]), created_at=parse_time(raw["createdAt"]), updated_at=parse_time(raw["updatedAt"]),
                task=raw.get("task"), options=raw.get("options") or {}, progress=raw.get("progress"),
                result_urls=tuple(raw.get("resultUrls") or ()), tokens_used=raw.get("tokensUsed"), error_message=raw.get("errorMessage"),
                started_at=_optional_time(raw, "startedAt"), completed_at=_optional_time(raw, "completedAt"),
                deadline=_optional_time(raw, "deadline"), cancel_requested_at=_optional_time(raw, "cancelRequestedAt"), raw=raw)
        except (KeyError, TypeError, AttributeError) as failure:
            raise ValueError(f"Not a generation: {failure!r}") from failure


@dataclass(frozen=True)
class History:
    """A generation's updates, in order. ``complete`` is False if retention has removed some."""

    items: List[Update]
    complete: bool


TERMINAL = frozenset(("completed", "failed", "canceled"))
"""The statuses in which a generation has ended."""


def check_since(since: object) -> Optional[str]:
    """A cursor, or a bare seq, as text."""
    text = str(since) if isinstance(since, int) and not isinstance(since, bool) else since
    if text is None or (isinstance(text, str) and _CURSOR.fullmatch(text)):
        return text
    raise ValueError(f"since must be a cursor such as 42-9f3ab2c1, a whole number from 0, or None; it is {since!r}.")


def seq_of(cursor: str) -> int:
    return int(cursor.partition("-")[0])


def place_of(raw: Json) -> Tuple[int, str]:
    """A position as messages give it, ``{"seq": …, "cursor": …}``. Servers of earlier versions send only the seq."""
    seq = int(raw["seq"])
    return seq, str(raw.get("cursor") or seq)


def to_wire_time(time: datetime.datetime) -> str:
    if time.tzinfo is None:
        raise ValueError("A time must have a time zone, for example datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1).")
    return time.isoformat()


def parse_time(text: str) -> datetime.datetime:
    # Python before 3.11 reads neither "Z" nor fractions of any length.
    return datetime.datetime.fromisoformat(_FRACTION.sub(lambda m: "." + m.group(1)[:6].ljust(6, "0"), text.replace("Z", "+00:00")))


def _optional_time(raw: Json, name: str) -> Optional[datetime.datetime]:
    text = raw.get(name)
    return None if text is None else parse_time(text)
