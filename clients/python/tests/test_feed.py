import threading

import statusupdates as su
from tests.scripted import ScriptedCase, connected, cursor, event, in_turn, status_update, update


def stream(*texts, then="cut"):
    def script(request):
        request.begin_stream()
        for text in texts:
            request.chunk(text)
        {"cut": request.cut, "end": request.end_stream, "hang": request.until_closed}[then]()
    return script


def by_path(on_stream, on_poll):
    return lambda request: (on_stream if request.path.startswith("/api/v1/status/stream") else on_poll)(request)


def page(*seqs, head=None, **more):
    seq = head if head is not None else seqs[-1]
    return {"items": [update(s) for s in seqs], "seq": seq, "cursor": cursor(seq), "more": False, **more}


class FeedTest(ScriptedCase):
    def take(self, feed, count):
        self.addCleanup(feed.close)
        items = []
        for item in feed:
            items.append(item)
            if len(items) == count:
                break
        return items

    def seqs(self, feed, count):
        return [item.seq for item in self.take(feed, count)]

    def feed(self, server, token="a-token", **options):
        return su.Feed(server.url, token, **options)

    def test_repeats_are_ignored_and_a_connection_continues_from_where_the_last_one_ended(self):
        server = self.serve(in_turn(
            stream(connected(2), status_update(2), status_update(3), status_update(None), status_update(5), status_update(4),
                   event("position", {"seq": 9, "cursor": cursor(9)}, cursor(9)), event("of a later server", {"seq": 1}, "1")),
            stream(connected(9), status_update(8), event("resync", {"seq": 4, "cursor": cursor(4)}, cursor(4)), status_update(5), then="hang")))
        feed = self.feed(server)
        items = self.take(feed, 5)

        self.assertEqual([3, None, 5, 4, 5], [item.seq for item in items])
        self.assertEqual(su.Resync(4, cursor(4)), items[3])
        self.assertEqual((cursor(5), 5), (feed.cursor, feed.seq))
        self.assertEqual(["GET /api/v1/status/stream", f"GET /api/v1/status/stream?since={cursor(9)}"], server.lines)
        self.assertEqual("Bearer a-token", server.requests[0].headers["Authorization"])

    def test_an_event_that_was_cut_in_the_middle_is_received_again_whole(self):
        whole = status_update(2, progress=50)
        for length in [*range(1, len(whole) - 3, 9), len(whole) - 2, len(whole) - 1]:
            server = self.serve(in_turn(stream(connected(1), whole[:length]), stream(connected(1), whole, then="hang")))
            items = self.take(self.feed(server, since=1), 1)
            self.assertEqual([(2, 50)], [(item.seq, item.progress) for item in items])

    def test_a_server_that_starts_at_another_position_than_requested_causes_a_resync(self):
        server = self.serve(stream(connected(12), then="hang"))
        self.assertEqual([su.Resync(12, cursor(12))], self.take(self.feed(server, since=7), 1))

    def test_a_bare_seq_gets_its_check_from_the_server(self):
        server = self.serve(in_turn(stream(connected(7), status_update(None), then="cut"), stream(connected(7), status_update(8), then="hang")))
        self.assertEqual([None, 8], self.seqs(self.feed(server, since=7), 2))
        self.assertEqual(f"GET /api/v1/status/stream?since={cursor(7)}", server.lines[1])

    def test_a_server_of_an_earlier_version_sends_no_cursors(self):
        server = self.serve(in_turn(
            stream(event("connected", {"userId": "alice", "seq": 3}, "3"), event("status_update", update(4, check=False), "4")),
            stream(event("connected", {"userId": "alice", "seq": 4}, "4"), event("status_update", update(5, check=False), "5"), then="hang")))
        feed = self.feed(server, since=3)
        self.assertEqual([4, 5], self.seqs(feed, 2))
        self.assertEqual("5", feed.cursor)

    def test_invalid_events_end_the_connection_but_not_the_feed(self):
        for invalid in ("event: status_update\ndata: no JSON\n\n", event("status_update", {"seq": 3}), event("resync", {}), event("position", [])):
            server = self.serve(in_turn(stream(connected(2), invalid, then="hang"), stream(connected(2), status_update(3), then="hang")))
            self.assertEqual([3], self.seqs(self.feed(server), 1))

    def test_one_refused_token_is_replaced_at_once_and_a_third_one_is_an_error(self):
        server = self.serve(in_turn(
            lambda r: r.problem(401, "invalid_token"), stream(connected(1), status_update(2), then="hang")))
        tokens = iter(["old", "new"])
        self.assertEqual([2], self.seqs(self.feed(server, lambda: next(tokens)), 1))
        self.assertEqual(["Bearer old", "Bearer new"], [r.headers["Authorization"] for r in server.requests])

        refusing = self.serve(lambda r: r.problem(401, "invalid_token", "It has expired."))
        with self.assertRaisesRegex(su.Unauthorized, "3 tokens in a row were refused: It has expired."):
            self.take(self.feed(refusing, lambda: "bad"), 1)
        self.assertEqual(3, len(refusing.requests))

        with self.assertRaises(su.Unauthorized):
            self.take(self.feed(refusing, "fixed"), 1)
        self.assertEqual(4, len(refusing.requests))

    def test_a_token_source_that_fails_is_asked_again(self):
        server = self.serve(stream(connected(1), status_update(2), then="hang"))
        answers = iter([OSError("The issuer is away."), "token"])

        def token():
            answer = next(answers)
            if isinstance(answer, Exception):
                raise answer
            return answer

        self.assertEqual([2], self.seqs(self.feed(server, token), 1))

    def test_a_token_of_another_user_is_an_error(self):
        server = self.serve(in_turn(stream(connected(1), status_update(2)), stream(connected(2, user="bob"), then="hang")))
        with self.assertRaisesRegex(su.Forbidden, "this feed follows alice"):
            self.take(self.feed(server), 2)

    def test_what_the_API_refuses_for_good_is_an_error(self):
        for status, kind in ((400, su.ApiError), (403, su.Forbidden), (404, su.ApiError)):
            server = self.serve(lambda r: r.problem(status, "code", "Because.", errors={"since": ["Must be a cursor."]}))
            with self.assertRaisesRegex(kind, r"Because. \(since: Must be a cursor.\)") as caught:
                self.take(self.feed(server), 1)
            self.assertEqual((status, "code", 1), (caught.exception.status, caught.exception.code, len(server.requests)))

    def test_a_temporary_refusal_is_waited_out_whether_it_comes_as_a_status_or_as_a_stream(self):
        for refusal in (
            lambda r: r.problem(429, "too_many_connections", headers={"Retry-After": "1"}),
            lambda r: r.problem(503, "draining", headers={"Retry-After": "1"}),
            stream("retry: 900\n" + event("unavailable", {"status": 429, "title": "Too Many", "detail": "Later."}), then="end"),
        ):
            server = self.serve(in_turn(refusal, stream(connected(1), status_update(2), then="hang")))
            waits = []
            feed = self.feed(server)
            wait = feed._http.closing.wait
            feed._http.closing.wait = lambda delay: waits.append(delay) or wait(0)
            self.assertEqual([2], self.seqs(feed, 1))
            self.assertEqual(["GET /api/v1/status/stream"] * 2, server.lines)
            self.assertGreaterEqual(waits[0], 0.9)

    def test_a_stream_that_does_not_get_through_is_replaced_by_polling(self):
        hanging = lambda r: (r.begin_stream(), r.until_closed())
        for broken in (
            lambda r: r.answer(200, b"<h1>Hello</h1>", "text/html"), lambda r: r.answer(404, b"<h1>What?</h1>", "text/html"),
            lambda r: r.answer(502, b"", "text/html"), lambda r: r.answer(503, b"", "text/html"), lambda r: r.cut(), hanging, stream(then="end"),
        ):
            polls = in_turn(lambda r: r.ok(page(head=4)), lambda r: r.ok(page(5, 6)), lambda r: r.ok(page(6, 7)), lambda r: r.hang())
            server = self.serve(by_path(broken, polls))
            import statusupdates.feed as module
            with _constant(module, "_CONNECT_TIMEOUT", 0.2):
                self.assertEqual([5, 6, 7], self.seqs(self.feed(server), 3))
            self.assertEqual([
                "GET /api/v1/status/stream", "GET /api/v1/status/poll?timeout=0", f"GET /api/v1/status/poll?since={cursor(4)}&timeout=25",
                f"GET /api/v1/status/poll?since={cursor(6)}&timeout=25"], server.lines[:4])

    def test_a_stream_that_is_cut_again_and_again_is_replaced_by_polling(self):
        server = self.serve(by_path(stream(connected(4)), lambda r: r.ok(page(5))))
        self.assertEqual([5], self.seqs(self.feed(server), 1))
        self.assertEqual(3, sum("stream" in line for line in server.lines))

    def test_after_a_while_of_polling_the_stream_is_tried_again(self):
        import statusupdates.feed as module
        server = self.serve(by_path(
            in_turn(lambda r: r.answer(404), stream(connected(5), status_update(6), then="hang")), lambda r: r.ok(page(5))))
        with _constant(module, "_STREAM_RETRY", 0.05):
            self.assertEqual([5, 6], self.seqs(self.feed(server), 2))

    def test_while_nothing_answers_it_does_not_poll_but_waits(self):
        server = self.serve(lambda r: None)
        url = server.url
        server.stop()
        feed = su.Feed(url, "token")
        waits = []

        def wait(delay):
            waits.append(delay)
            if len(waits) == 5:
                feed.close()

        feed._http.closing.wait = wait
        self.assertEqual([], list(feed))
        self.assertEqual([0.01, 0.02, 0.04, 0.08, 0.15], [round(w, 3) for w in waits])

    def test_a_poll_that_resyncs_is_surfaced_and_a_filtered_one_shows_only_its_generation(self):
        def poll(request):
            request.ok(page(head=3, resync=True)) if "since=9" in request.path else request.ok(
                {"items": [update(4, generation="gen-2"), update(5)], "seq": 6, "cursor": cursor(6), "more": False})

        server = self.serve(by_path(lambda r: r.answer(404), poll))
        feed = self.feed(server, since=9, generation_id="gen-1")
        self.assertEqual([su.Resync(3, cursor(3)), 5], [i if isinstance(i, su.Resync) else i.seq for i in self.take(feed, 2)])
        self.assertEqual(5, feed.seq)

    def test_close_ends_an_iteration_that_waits_for_the_next_update(self):
        server = self.serve(stream(connected(1), status_update(2), then="hang"))
        feed = self.feed(server)
        threads = []
        items = []
        for item in feed:
            items.append(item)
            threads.append(threading.Timer(0.05, feed.close))
            threads[0].start()
        self.assertEqual(1, len(items))
        self.assertEqual([], list(feed))

    def test_leaving_the_loop_closes_the_connection_and_iterating_again_continues(self):
        server = self.serve(in_turn(stream(connected(1), status_update(2), status_update(3), then="hang"),
                                    stream(connected(2), status_update(3), then="hang")))
        feed = self.feed(server)
        self.assertEqual([2], self.seqs(feed, 1))
        self.assertEqual([3], self.seqs(feed, 1))
        self.assertEqual(f"GET /api/v1/status/stream?since={cursor(2)}", server.lines[1])

    def test_one_feed_is_not_iterated_twice_at_once(self):
        server = self.serve(stream(connected(1), status_update(2), then="hang"))
        feed = self.feed(server)
        items = iter(feed)
        next(items)
        with self.assertRaisesRegex(RuntimeError, "already being iterated"):
            next(iter(feed))
        feed.close()

    def test_an_invalid_argument_is_named_with_what_is_allowed(self):
        for options, text in (
            ({"url": "localhost:5080"}, "url must be an http or https address"), ({"since": "x"}, "since must be a cursor"),
            ({"since": -1}, "since must be"), ({"token": ""}, "token must be a non-empty string"), ({"token": "a b"}, "token must be"),
            ({"generation_id": ""}, "generation_id must be"),
        ):
            with self.assertRaisesRegex(ValueError, text):
                su.Feed(**{"url": "http://localhost", "token": "t", **options})


class _constant:
    def __init__(self, module, name, value):
        self.arguments = module, name, value

    def __enter__(self):
        module, name, value = self.arguments
        self.before = getattr(module, name)
        setattr(module, name, value)

    def __exit__(self, *_):
        setattr(self.arguments[0], self.arguments[1], self.before)
