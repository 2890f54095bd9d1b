import datetime
import threading

import statusupdates as su
from tests.real import BASE_URL, RealCase, user_token


class RealClientTest(RealCase):
    def test_a_generation_is_submitted_once_read_listed_and_canceled(self):
        key = f"key-{self.user}"
        deadline = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
        first = self.client.submit("chat", "Hello, wörld", options={"seed": 7}, deadline=deadline, key=key)
        again = self.client.submit("chat", "Hello, wörld", options={"seed": 7}, deadline=deadline, key=key)
        second = self.client.submit("sora", "A kite")

        self.assertEqual((first.id, 1, "pending", self.user), (again.id, first.seq, first.status, first.user_id))
        self.assertEqual(("chat_processing", {"seed": 7}), (first.task, first.options))
        self.assertLess(abs(first.deadline - deadline), datetime.timedelta(milliseconds=1))
        with self.assertRaises(su.ApiError) as caught:
            self.client.submit("chat", "Another", key=key)
        self.assertEqual((422, "idempotency_key_reused"), (caught.exception.status, caught.exception.code))

        self.assertEqual([second.id, first.id], [g.id for g in self.client.list(page=1)])
        tomorrow = datetime.date.today() + datetime.timedelta(days=1)
        self.assertEqual([first.id], [g.id for g in self.client.list(type="chat", status="pending", end=tomorrow)])
        self.assertEqual("canceled", self.client.cancel(first.id).status)
        self.assertEqual("canceled", self.client.cancel(second.id).status)
        self.assertTrue(self.client.get(first.id).is_terminal)
        history = self.client.history(first.id)
        self.assertEqual((["pending", "canceled"], True), ([u.status for u in history.items], history.complete))
        self.assertEqual(["canceled"], [u.status for u in self.client.history(first.id, since=history.items[0].cursor).items])

    def test_what_the_API_refuses_is_explained(self):
        for call, status, text in (
            (lambda: self.client.submit("no_such_type", "x"), 400, "type"), (lambda: self.client.submit("chat", " "), 400, "prompt"),
            (lambda: self.client.get("gen-unknown"), 404, ""), (lambda: list(self.client.list(page=1000)), 400, "limit"),
            (lambda: su.Client(BASE_URL, "no.real.token").get("gen-1"), 401, ""),
        ):
            with self.assertRaises(su.ApiError) as caught:
                call()
            self.assertEqual(status, caught.exception.status)
            self.assertIn(text, str(caught.exception))

    def test_every_update_arrives_once_and_in_order_on_either_transport_and_from_any_cursor(self):
        feeds = [self.feed(), self.feed()]
        # As if no stream got through.
        feeds[1]._poll_until = float("inf")
        received = [[], []]

        def follow(feed, items):
            for item in feed:
                items.append(item.seq)
                if item.seq == 200:
                    return

        threads = [threading.Thread(target=follow, args=arguments) for arguments in zip(feeds, received)]
        for thread in threads:
            thread.start()
        generations = []

        def submit():
            for _ in range(25):
                generations.append(self.client.cancel(self.client.submit("chat", "x").id))

        writers = [threading.Thread(target=submit) for _ in range(4)]
        for writer in writers:
            writer.start()
        for thread in writers + threads:
            thread.join(120)
        self.assertEqual([list(range(1, 201))] * 2, received)
        self.assertEqual(1, len({feed.cursor for feed in feeds}))

        one = next(g for g in generations if g.seq > 100)
        filtered = self.feed(generation_id=one.id)
        self.assertEqual(["pending", "canceled"], [item.status for _, item in zip(range(2), filtered)])

    def test_a_cursor_outside_the_log_is_reported_as_a_resync_and_the_feed_continues(self):
        self.client.submit("chat", "x")
        for is_polling in (False, True):
            feed = self.feed(since=900)
            feed._poll_until = float("inf") if is_polling else 0.0
            items = iter(feed)
            resync = next(items)
            self.assertIsInstance(resync, su.Resync)
            generation = self.client.submit("chat", "y")
            self.assertEqual((generation.id, resync.seq + 1), ((update := next(items)).generation_id, update.seq))
        for generation in self.client.list():
            self.client.cancel(generation.id)

    def test_a_fresh_token_of_another_user_is_noticed(self):
        tokens = iter([self.token, user_token(self.user + "-other")])
        feed = su.Feed(BASE_URL, lambda: next(tokens), since=0)
        self.addCleanup(feed.close)
        self.client.cancel(self.client.submit("chat", "x").id)
        with self.assertRaises(su.Forbidden):
            for item in feed:
                feed._http._tokens.refuse(self.token, "As if it had expired.")
                feed._http.interrupt()
