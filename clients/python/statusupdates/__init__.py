"""StatusUpdates for Python: workers that do generations, and clients that submit them and follow their updates. No dependencies.

Logs go to the logger ``statusupdates``.
"""

from ._errors import ApiError, Closed, Forbidden, StatusUpdatesError, Unauthorized, Unavailable
from ._version import VERSION as __version__
from .client import Client
from .feed import Feed
from .job import Job, Permanent, Postpone, Retry, Stopped
from .models import Generation, History, Resync, Update
from .results import Bytes, File, Link, Output, Text
from .worker import Worker

__all__ = [
    "ApiError", "Bytes", "Client", "Closed", "Feed", "File", "Forbidden", "Generation", "History", "Job", "Link", "Output", "Permanent", "Postpone",
    "Resync", "Retry", "StatusUpdatesError", "Stopped", "Text", "Unauthorized", "Unavailable", "Update", "Worker",
    "__version__",
]
