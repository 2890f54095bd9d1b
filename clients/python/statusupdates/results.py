"""What a task returns: one of these, a list of them, or a plain string, which is a text."""

from __future__ import annotations

import mimetypes
import os
import urllib.parse
from dataclasses import dataclass
from typing import List, Optional, Sequence, Union

from ._connections import Body, FileBody

# Limits of what an update can reasonably contain.
_MAX_RESULTS = 16
_MAX_URL = 2048


@dataclass(frozen=True)
class Bytes:
    """Content in memory, which the API stores and serves.

    :param content_type: Its media type (RFC 9110, section 8.3.1), such as ``image/png``.
    """

    data: bytes
    content_type: str


@dataclass(frozen=True)
class Text:
    """Text, which the API stores and serves."""

    text: str
    content_type: str = "text/plain; charset=utf-8"


@dataclass(frozen=True)
class File:
    """The content of a file, of any size, which the API stores and serves; it is read while it is sent. It must not change until then.

    :param content_type: Its media type; by default by the file's name.
    """

    path: Union[str, "os.PathLike[str]"]
    content_type: Optional[str] = None


@dataclass(frozen=True)
class Link:
    """A result that is served elsewhere: an absolute http or https address."""

    url: str


Output = Union[Text, Bytes, File, Link, str]
Returned = Union[Output, Sequence[Output]]


def check_outputs(returned: object) -> List[Union[Text, Bytes, File, Link]]:
    """The results that a task has returned.

    :raises ValueError: they cannot be results; the message says why.
    """
    items: Sequence[object] = returned if isinstance(returned, (list, tuple)) else [returned]
    if not 1 <= len(items) <= _MAX_RESULTS:
        raise ValueError(f"A task must return 1 to {_MAX_RESULTS} results; it returned {len(items)}.")
    return [_check(item) for item in items]


def _check(item: object) -> Union[Text, Bytes, File, Link]:
    if isinstance(item, str):
        item = Text(item)
    if isinstance(item, Link):
        parts = urllib.parse.urlsplit(item.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or len(item.url) > _MAX_URL:
            raise ValueError(f"A link must be an absolute http or https address of at most {_MAX_URL} characters; it is {item.url!r}.")
    elif isinstance(item, (Text, Bytes)):
        if not (item.text if isinstance(item, Text) else item.data):
            raise ValueError("A result must not be empty.")
    elif not isinstance(item, File):
        raise ValueError(f"A task must return Text, Bytes, File, Link, a string, or a list of these; it returned {type(item).__name__}.")
    return item


def content_of(output: Union[Text, Bytes, File]) -> "tuple[Body, str]":
    """What to send for a result, and its media type.

    :raises OSError: the file cannot be read.
    """
    if isinstance(output, Text):
        return output.text.encode("utf-8", "replace"), output.content_type
    if isinstance(output, Bytes):
        return bytes(output.data), output.content_type
    path = os.fspath(output.path)
    content_type = output.content_type or mimetypes.guess_type(path)[0] or "application/octet-stream"
    return FileBody(path, os.stat(path).st_size), content_type
