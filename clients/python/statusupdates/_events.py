"""Server-sent events, as the WHATWG's HTML standard defines them (section 9.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Iterator, List, Optional

from ._errors import Unavailable

_LINE_END = re.compile(rb"\r\n|\n|\r")

# Far above any update, which is 64 KiB at most.
_MAX_EVENT = 1024 * 1024


@dataclass(frozen=True)
class Event:
    """One event. ``id`` is None if the event had none of its own. ``retry`` is the latest reconnection time of the stream, in seconds."""

    type: str
    data: str
    id: Optional[str]
    retry: Optional[float]


class EventParser:
    """Turns a stream's bytes, cut anywhere, into events. What is not complete when the stream ends is dropped, as the standard says."""

    def __init__(self) -> None:
        self._rest = b""
        self._size = 0
        self._skip_newline = False
        self._is_first = True
        self._data: List[str] = []
        self._type = ""
        self._id: Optional[str] = None
        self.retry: Optional[float] = None

    def feed(self, data: bytes) -> Iterator[Event]:
        """The events that are complete with these bytes.

        :raises Unavailable: an event is larger than any of the API's.
        """
        if self._skip_newline and data:
            # The second half of a \\r\\n that was cut.
            data = data[1:] if data.startswith(b"\n") else data
            self._skip_newline = False
        buffer = self._rest + data
        lines = _LINE_END.split(buffer)
        self._rest = lines.pop()
        self._skip_newline = buffer.endswith(b"\r")
        for line in lines:
            if self._is_first:
                line = line[3:] if line.startswith(b"\xef\xbb\xbf") else line
                self._is_first = False
            self._size += len(line)
            event = self._line(line.decode("utf-8", "replace"))
            if event is not None:
                yield event
        if self._size + len(self._rest) > _MAX_EVENT:
            raise Unavailable(f"The server sent an event of more than {_MAX_EVENT} bytes.")

    def _line(self, line: str) -> Optional[Event]:
        if not line:
            return self._dispatch()
        name, _, value = line.partition(":")
        value = value[1:] if value.startswith(" ") else value
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._type = value
        elif name == "id" and "\0" not in value:
            self._id = value
        elif name == "retry" and value.isascii() and value.isdigit():
            self.retry = int(value) / 1000
        elif name == "":
            # A comment between events; one within an event counts with it.
            self._size = 0 if not self._data else self._size
        return None

    def _dispatch(self) -> Optional[Event]:
        event = Event(self._type or "message", "\n".join(self._data), self._id, self.retry) if self._data else None
        self._data, self._type, self._id, self._size = [], "", None, 0
        return event
