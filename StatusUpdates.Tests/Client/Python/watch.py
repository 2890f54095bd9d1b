"""A feed in a process of its own: ``watch.py URL TOKEN SINCE``, with a line for each item."""

import logging
import sys

import statusupdates as su

url, token, since = sys.argv[1:]
logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(message)s")
print("watches", flush=True)
for item in su.Feed(url, token, since=since):
    print(f"{'resync' if isinstance(item, su.Resync) else 'update'} {item.seq};", flush=True)
