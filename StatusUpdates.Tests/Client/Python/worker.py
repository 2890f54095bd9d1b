"""A worker in a process of its own: ``worker.py URL TOKEN CONCURRENCY LEASE SECONDS``. Each generation takes so many seconds; the first attempt at one
whose prompt is "hold" never ends."""

import logging
import sys

import statusupdates as su

url, token, concurrency, lease, seconds = sys.argv[1:]
logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(message)s")
worker = su.Worker(url, token, concurrency=int(concurrency), lease=int(lease))


@worker.task("product_card")
def product_card(job):
    logging.info("begins %s %d;", job.id, job.attempt)
    job.progress(10)
    job.wait(3600 if job.prompt == "hold" and job.attempt == 1 else float(seconds))
    job.progress(90)
    return su.Link(f"https://python.test/{job.id}")


worker.run()
