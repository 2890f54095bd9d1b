import random
import unittest

from statusupdates import Unavailable
from statusupdates._events import EventParser

STREAM = (
    "\ufeffretry: 2143\n"
    ": a comment\n"
    "event: connected\ndata: {\"seq\":41}\nid: 41-07d2c4e9\n\n"
    ":\n\n"
    "data: one\ndata:two\ndata\n\n"
    "event: nothing\nid: 9\n\n"
    "unknown: field\nid: has\0null\ndata: grüße\n\n"
    "event: late\ndata: is dropped: no blank line"
)

EXPECTED = [
    ("connected", '{"seq":41}', "41-07d2c4e9"),
    ("message", "one\ntwo\n", None),
    ("message", "grüße", None),
]


class EventParserTest(unittest.TestCase):
    def test_events_are_those_of_the_standard_with_every_line_end_however_the_bytes_are_cut(self):
        dice = random.Random(1)
        for end in ("\n", "\r", "\r\n"):
            data = STREAM.replace("\n", end).encode()
            for size in [1, 2, 3, len(data)] + [0] * 20:
                parser = EventParser()
                events = []
                place = 0
                while place < len(data):
                    length = size or dice.randint(1, 40)
                    events += parser.feed(data[place:place + length])
                    place += length
                self.assertEqual(EXPECTED, [(e.type, e.data, e.id) for e in events], (end, size))
                self.assertEqual(2.143, parser.retry)

    def test_an_event_larger_than_any_of_the_API_is_an_error_before_it_fills_the_memory(self):
        for data in (b"data: " + b"x" * 500_000, b"data: " + b"x" * 500_000 + b"\n"):
            with self.assertRaises(Unavailable):
                parser = EventParser()
                for _ in range(3):
                    list(parser.feed(data))

    def test_many_events_and_comments_are_no_large_event(self):
        parser = EventParser()
        for _ in range(100):
            self.assertEqual(1, len(list(parser.feed(b": " + b"c" * 20_000 + b"\ndata: " + b"x" * 20_000 + b"\n\n"))))
