"""Indexer acknowledgement at a Splunk collector: nothing is delivered before it is acknowledged. What is
acknowledged late is not sent again; what is lost, forgotten or never acknowledged goes again, over another
channel, seldom, and is counted."""

import time

import promise
from clock import faketime, fast_clocks
from splunk import EVENT, SplunkCase

WINDOW = 2 + 32  # batches of a source that are in flight, and that may wait for acknowledgements


class Promise(SplunkCase):
    def test_nothing_counts_as_delivered_before_it_is_acknowledged(self):
        self.acked()
        self.splunk.state(indexing=False)
        self.box.log(lines=3000)
        agent = self.box.start()
        promise.wait_until(lambda: self.soc()["unacknowledged"] >= 3, 20, "batches wait", 0.1)
        promise.time_passes(agent, 3)
        self.assertEqual(self.soc()["delivered"]["records"], 0)
        self.splunk.state(indexing=True)
        self.wait_for(3000)
        agent.stop()
        self.delivered()
        self.assertEqual(self.soc()["possible_duplicates"], 0)

    def test_killed_before_the_acknowledgement_it_sends_again_and_counts(self):
        self.acked()
        self.splunk.state(indexing=False)
        self.box.log(lines=500)
        agent = self.box.start()
        promise.wait_until(lambda: self.soc()["unacknowledged"] >= 1, 20, "batches wait", 0.1)
        agent.kill()
        self.splunk.restart()  # and forgets what it had not indexed
        self.splunk.state(indexing=True)
        self.box.run_once(timeout=30)
        self.delivered()
        self.assertGreater(self.soc()["possible_duplicates"], 0)

    def test_a_token_that_does_not_acknowledge_parks_and_doubles_nothing(self):
        self.acked(token=self.splunk.sink()["token"])
        self.box.log(lines=300)
        agent = self.box.start()
        self.wait_for_error("ack = false")
        self.assertEqual(self.soc()["delivered"]["records"], 0)
        self.assertEqual(self.splunk.counts()["events"], 300)
        agent.stop()

    def test_killed_again_and_again_it_loses_nothing_and_counts_what_it_doubles(self):
        self.acked()
        self.splunk.state(ack_delay=0.5)
        self.box.log(lines=20000)
        for after in (0.3, 0.7, 1.1, 1.6):
            agent = self.box.start()
            promise.time_passes(agent, after)
            agent.kill()
        self.box.run_once(timeout=60)
        records, doubled = self.told_apart()
        self.assertEqual(records, 20000)
        self.assertGreater(doubled, 0)
        self.assertLessEqual(doubled, self.soc()["possible_duplicates"])

    def test_what_is_refused_alone_is_a_dead_letter_alone(self):
        """The answer that names it has no id for those before it: they are delivered, and not sent again."""
        self.acked(format="json")
        poison = '{"twice":1,"twice":2}'
        lines = [f'{{"n":{n}}}' for n in range(100)]
        self.other(*lines[:50], poison, poison, *lines[50:], poison)
        agent = self.box.start()
        promise.wait_until(lambda: self.soc()["dead_lettered"]["records"] == 3, 20, "refused", 0.2)
        self.wait_for(100)
        agent.stop()
        self.assertEqual(sorted(event["event"]["n"] for event in self.splunk.events()), list(range(100)))
        self.assertIn("code 6", self.box.call("dead-letters", "list").stdout)
        self.assertEqual(self.soc()["possible_duplicates"], 0)

    # --- in simulated time, most with the timeout as it is: five minutes -----------------------------

    def fast_clocks(self, speed):
        if not faketime():
            self.skipTest("libfaketime is not installed")
        return fast_clocks(speed)

    def begin(self, speed, lines):
        """Nothing is indexed for now; an agent whose time passes so many times faster."""
        env = self.fast_clocks(speed)
        self.acked(ack_timeout=None, ack_interval=None, batch={"max_raw_size": "1MiB", "max_age": "20s"})
        self.splunk.state(indexing=False)
        self.box.log(lines=lines)
        return self.box.start(env=env)

    def test_what_is_acknowledged_after_four_minutes_is_not_sent_again(self):
        speed, lines = 20, 80000
        agent = self.begin(speed, lines)
        promise.wait_until(lambda: self.asked(EVENT), 20, "the first is taken", 0.01)
        most, end = 0, time.monotonic() + 4 * 60 / speed
        while time.monotonic() < end:
            promise.time_passes(agent, 0.5)
            most = max(most, self.soc()["unacknowledged"])
        self.assertEqual(self.soc()["delivered"]["records"], 0)
        self.assertLessEqual(most, WINDOW)
        self.assertGreaterEqual(most, WINDOW - 2, "as many wait as may")
        self.assertLessEqual(len(self.asked(EVENT)), WINDOW)
        self.assertGreater(lines, self.splunk.counts()["waiting"], "not all of them may wait at once")
        self.splunk.state(indexing=True)
        self.wait_for(lines, 30)
        agent.stop()
        self.delivered()
        self.assertEqual(self.told_apart(), (lines, 0))
        self.assertEqual(self.soc()["possible_duplicates"], 0)

    def channels_and_times(self):
        """Of each request with events; seconds of the test's since the first."""
        asked = self.asked(EVENT)
        return ([one["headers"]["x-splunk-request-channel"] for one in asked],
                [one["time"] - asked[0]["time"] for one in asked])

    def test_lost_acknowledgements_are_waited_for_five_minutes(self):
        """Indexed, but the indexer does not know the ids any more: it stays at one repetition."""
        speed, lines = 60, 300
        agent = self.begin(speed, lines)
        promise.wait_until(lambda: self.splunk.counts()["waiting"] == lines, 20, "all is taken", 0.02)
        sent = len(self.asked(EVENT))
        self.splunk.state(indexing=True)
        self.splunk.restart()
        self.wait_for(lines, 40)
        agent.stop()
        channels, times = self.channels_and_times()
        self.assertEqual(len(channels), 2 * sent)
        self.assertFalse(set(channels[:sent]) & set(channels[sent:]), "another channel")
        self.assertGreater(times[sent] * speed, 290, "five minutes")
        self.assertEqual(self.soc()["possible_duplicates"], lines)
        self.assertEqual(self.told_apart()[0], lines)

    def test_a_server_that_forgets_gets_it_again_on_another_channel(self):
        """What it had taken, and not indexed, is lost there."""
        speed, lines = 60, 300
        agent = self.begin(speed, lines)
        promise.wait_until(lambda: self.splunk.counts()["waiting"] == lines, 20, "all is taken", 0.02)
        self.splunk.restart()
        self.splunk.state(indexing=True)
        self.wait_for(lines, 40)
        agent.stop()
        self.delivered()
        self.assertEqual(self.soc()["possible_duplicates"], lines)
        self.assertGreater(len(set(self.channels_and_times()[0])), 1)

    def test_acknowledgements_that_never_come_leave_few_duplicates(self):
        """An hour: sent at first, after 5 minutes, 15 and 35, each time over another channel."""
        speed, lines = 240, 300
        agent = self.begin(speed, lines)
        promise.wait_until(lambda: self.splunk.counts()["waiting"] == lines, 20, "all is taken", 0.02)
        sent = len(self.asked(EVENT))
        promise.time_passes(agent, 3600 / speed)
        channels, times = self.channels_and_times()
        self.assertIn(len(channels), range(3 * sent, 4 * sent + 1))
        self.assertGreaterEqual(len(set(channels)), 3)
        self.assertEqual(self.soc()["delivered"]["records"], 0)
        self.assertEqual(self.soc()["backlog"]["records"], lines)
        self.splunk.state(indexing=True)
        self.wait_for(lines, 30)
        agent.stop()
        self.assertEqual(self.told_apart()[0], lines)
        self.assertEqual(self.soc()["possible_duplicates"], lines, "each record counts once")

    def test_indexers_that_a_balancer_mixes_up_lose_nothing(self):
        """Waits its timeout, of half a minute here, and twice that."""
        self.serve("--nodes", 2)  # each request goes to the next one, whatever its channel
        self.acked()
        self.box.log(lines=600)
        agent = self.box.start(env=self.fast_clocks(10))
        self.wait_for(600, 60)
        agent.stop()
        self.assertEqual(self.told_apart()[0], 600)


if __name__ == "__main__":
    promise.main()
