"""Objects in several parts: what broke off goes on, nothing is left behind, nothing of others is
touched. Against fault_server.py, which does on command what real servers do on bad days, and into
real buckets, from which AWS's own client reads back."""

import re
import subprocess
import urllib.parse

import promise
import s3_servers  # found by promise
from s3 import FaultServer, refusal

BUCKET = "telemetry"
# 24 MB: an object of three and a half parts by its size, the others when the log has ended.
LOG = {"lines": 2400, "long_every": 4, "long_bytes": 40_000}
PARTS = {"part_size": "5MiB", "compression": "none", "concurrency": 1,
         "batch": {"max_size": "17MiB", "max_age": "60s"}}


class Promise(promise.PromiseCase):
    # --- a server that fails on command -----------------------------------------------------------

    def fault_server(self, **options):
        self.server = FaultServer()
        self.addCleanup(self.server.close)
        keys = {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "secret"}
        self.box.config(sinks={"cloud": {
            "type": "s3", "path": None, "bucket": BUCKET, "region": "eu-west-1",
            "endpoint": self.server.url, "credentials": keys, **PARTS, **options}})
        self.box.log(**LOG)

    def parts(self):
        """How often each part was sent: {(path, number): times}."""
        sent = {}
        for entry in self.server.log("PUT"):
            path, _, query = entry["path"].partition("?")
            number = dict(urllib.parse.parse_qsl(query)).get("partNumber")
            if number:
                sent[path, int(number)] = sent.get((path, int(number)), 0) + 1
        return sent

    def unfinished(self):
        text = self.server.get(f"/{BUCKET}?uploads=").decode()
        return re.findall(r"<Key>([^<]*)</Key>", text)

    def download(self):
        paths = {entry["path"].partition("?")[0] for entry in self.server.log("PUT")}
        for path in paths:
            name = self.box.out / path.removeprefix(f"/{BUCKET}/")
            name.parent.mkdir(parents=True, exist_ok=True)
            name.write_bytes(self.server.get(path))

    def delivered(self):
        """All that was written is there, once, and no upload is left."""
        self.download()
        self.box.check("--in-order")
        self.assertEqual(self.unfinished(), [])

    def broken_off_at_part_3(self, end):
        """The agent is ended while part 3 has no answer, and another one goes on."""
        self.server.faults({"do": "silent", "query": "partNumber=3"})
        agent = self.box.start()
        promise.wait_until(lambda: any(n == 3 for _, n in self.parts()), 30, "part 3 is sent", 0.05)
        end(agent)
        self.server.faults()
        self.box.run_once(timeout=60)

    def only_part_3_was_repeated(self):
        self.assertEqual([n for (_, n), times in self.parts().items() if times > 1], [3])

    def test_a_stop_in_the_middle_goes_on_behind_the_last_part(self):
        self.fault_server()
        self.broken_off_at_part_3(lambda agent: agent.stop())
        self.delivered()
        self.only_part_3_was_repeated()

    def test_a_kill_goes_on_behind_the_last_part_that_a_commit_held(self):
        def committed():
            return self.source(self.box.status())["committed"]["records"]

        def commit_and_kill(agent):
            before = committed()
            self.box.log(lines=50, first=LOG["lines"], file="b.log", manifest=self.box.root / "more")
            promise.wait_until(lambda: committed() > before, 15, "a commit", 0.1)
            agent.kill()
        self.fault_server()
        self.broken_off_at_part_3(commit_and_kill)
        self.only_part_3_was_repeated()
        self.download()
        lines = self.box.lines()
        self.assertEqual(len(lines), LOG["lines"] + 50)
        self.assertEqual(len(set(lines)), len(lines))
        self.assertEqual(self.unfinished(), [])

    def test_what_is_encrypted_begins_anew_under_fresh_keys(self):
        self.fault_server(encrypt={"age": [self.box.age_recipient()]})
        self.broken_off_at_part_3(lambda agent: agent.stop())
        self.delivered()
        again = [n for (_, n), times in self.parts().items() if times > 1]
        self.assertEqual(sorted(again), [1, 2, 3])
        self.assertEqual(len(self.server.log("DELETE")), 1, "what was begun is aborted")

    def test_a_link_that_breaks_costs_a_part_also_of_what_is_encrypted(self):
        self.fault_server(encrypt={"age": [self.box.age_recipient()]})
        self.server.faults({"do": "reset", "query": "partNumber=2", "after": 100_000},
                           {"do": "reset", "query": "partNumber=3", "after": 3_000_000},
                           {**refusal(503, "SlowDown"), "query": "partNumber=3"})
        self.box.run_once(timeout=60)
        self.delivered()
        again = {n: times for (_, n), times in self.parts().items() if times > 1}
        self.assertLessEqual(set(again), {2, 3})

    def test_a_completion_that_answers_200_with_an_error_is_none(self):
        self.fault_server()
        error = refusal(200, "InternalError", query="uploadId=")
        self.server.faults({**error, "method": "POST"}, {**error, "method": "POST"})
        self.box.run_once(timeout=60)
        self.delivered()
        self.assertEqual(set(self.parts().values()), {1}, "the parts were there")

    def test_answers_that_are_lost_leave_nothing_behind(self):
        self.fault_server()
        lost = {"do": "lost", "method": "POST"}
        self.server.faults({**lost, "query": "uploads="}, {**lost, "query": "uploadId="},
                           {"do": "lost", "query": "partNumber=2"})
        self.box.run_once(timeout=60)
        self.delivered()
        self.assertEqual({n for (_, n), times in self.parts().items() if times > 1}, {2})

    def test_what_is_refused_for_good_leaves_no_upload_behind(self):
        # What the dead letters have room for.
        self.fault_server(batch={"max_size": "11MiB", "max_age": "60s"})
        self.server.faults({**refusal(400, "InvalidStorageClass", query="uploadId="),
                            "method": "POST"})
        self.box.start("--once", "--timeout", "60s").wait(70)
        listed = self.box.call("dead-letters", "list")
        self.assertIn("InvalidStorageClass", listed.stdout)
        self.assertEqual(self.unfinished(), [])

    def test_a_completion_that_is_never_taken_costs_the_object_once(self):
        self.fault_server()
        self.server.faults({**refusal(400, "BadDigest", query="uploadId=", times=99),
                            "method": "POST"})
        agent = self.box.start()
        promise.wait_until(lambda: "BadDigest to the completion" in
                           self.sink(self.box.status(), "cloud")["last_error"], 30, "it is told", 0.2)
        self.assertEqual(self.sink(self.box.status(), "cloud")["state"], "parked")
        agent.stop()
        self.assertEqual(set(self.parts().values()), {1})
        self.assertEqual(self.unfinished(), [])
        self.assertEqual(self.box.call("dead-letters", "list").stdout.splitlines()[1:], ["none"])
        self.server.faults()
        self.box.run_once(timeout=60)
        self.delivered()

    # --- real servers -----------------------------------------------------------------------------

    def real_server(self, name, **options):
        server = s3_servers.start(name, **options)
        self.addCleanup(server.stop)
        return server

    def deliver(self, server, bucket, reading=None, **options):
        """Everything goes up, in parts, and comes back as it was. What S3 says of the first."""
        server.make_bucket(bucket)
        self.box.config(sinks={"cloud": {**server.sink(bucket), **PARTS, **options}})
        self.empty_out()
        self.box.run_once(timeout=90)
        server.s3.download(bucket, self.box.out, **(reading or {}))
        self.box.check("--in-order")
        for key in server.s3.keys(bucket):  # MinIO lists those of one key only
            self.assertEqual(server.s3.uploads(bucket, Prefix=key), [])
        head = server.s3.head(bucket, server.s3.keys(bucket)[0], **(reading or {}))
        self.assertRegex(head["etag"], r"-4", "in four parts")
        return head

    def empty_out(self):
        subprocess.run(["rm", "-rf", self.box.out, self.box.data], check=True)
        self.box.out.mkdir()

    def everything(self, server):
        self.box.log(**LOG)
        head = self.deliver(server, "as-it-is", metadata={"site": "north pole"}, create_only=True)
        self.assertEqual(head["x-amz-meta-site"], "north pole")
        for kind in ("crc32c", "sha256"):
            if f"checksum_{kind}" in server.honours:
                self.deliver(server, f"with-{kind}", checksum=kind)
        recipient = self.box.age_recipient()
        self.deliver(server, "encrypted", checksum="none", encrypt={"age": [recipient]})
        self.box.identity = None
        if "tags" in server.honours:
            self.deliver(server, "tagged", tags={"site": "north"})
            key = server.s3.keys("tagged")[0]
            kept = server.s3.call("get_object_tagging", Bucket="tagged", Key=key)["TagSet"]
            self.assertEqual(kept, [{"Key": "site", "Value": "north"}])
        if "sse_c" in server.honours:
            key = self.box.root / "customer.key"
            key.write_bytes(bytes(range(32)))
            key.chmod(0o600)
            self.deliver(server, "sse-c", create_only=True,
                         server_side_encryption={"type": "customer", "customer_key": {"file": key}},
                         reading={"SSECustomerAlgorithm": "AES256",
                                  "SSECustomerKey": bytes(range(32)).decode()})

    def test_s3proxy(self):
        self.everything(self.real_server("s3proxy"))

    def test_moto(self):
        self.everything(self.real_server("moto"))

    def test_versitygw(self):
        self.everything(self.real_server("versitygw"))

    def test_minio(self):
        self.everything(self.real_server("minio"))

    def test_what_is_left_over_of_ours_is_aborted_and_nothing_else(self):
        server = self.real_server("versitygw", buckets=[BUCKET])
        self.box.config(sinks={"cloud": {**server.sink(BUCKET), **PARTS, "prefix": "logs/"}})
        self.box.log(lines=200)
        self.box.run_once()
        ours = re.sub(r"-\d{12}-\d{12}\.log$", "-000000900001-000000900002.log",
                      server.s3.keys(BUCKET)[0])
        others = [ours.replace("gw-test", "gw-other"), ours.replace("logs/", "elsewhere/"),
                  re.sub(r"[0-9a-f]{32}", "0" * 32, ours), "logs/a-program's-own"]
        for key in (ours, *others):
            server.s3.call("create_multipart_upload", Bucket=BUCKET, Key=key)
        self.box.log(first=200, append=True, manifest=self.box.root / "more", **LOG)
        agent = self.box.start()
        promise.wait_until(lambda: ours not in dict(server.s3.uploads(BUCKET)), 30,
                           "the upload of a claim that is gone is aborted", 0.1)
        agent.stop()
        self.box.run_once(timeout=60)
        self.assertEqual(sorted(key for key, _ in server.s3.uploads(BUCKET)), sorted(others))


if __name__ == "__main__":
    promise.main()
