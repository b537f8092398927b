#!/usr/bin/env python3
"""peers.py counts right: with a stand-in for the other agent that delivers all, loses lines, doubles some or ends.
No speed is asserted."""
import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
import agent  # noqa: E402
import bench  # noqa: E402
import pairs  # noqa: E402
import peers  # noqa: E402
from arrivals import SINKS, Tally  # noqa: E402
from process_group import ProcessGroup  # noqa: E402

MB = 0.3
LINES = int(MB * 1e6 / 148.2)
PLACEHOLDERS = {"log", "data", "out", "root", "endpoint", "host", "port", "bucket", "index", "compression", "age",
                "config"}
BURNS = """
import os, signal
if os.fork() == 0:
    for _ in range(3_000_000): pass
    kept = bytearray(os.urandom(1 << 20)) * 30
    with open(os.environ["OUT"], "wb") as out:
        out.write(b"x" * 3_000_000)
        os.fsync(out.fileno())
    signal.pause()
os._exit(0)
"""


class Bench(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(dir="/var/tmp")
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)

    def arguments(self, *more):
        return ["--agent", agent.AGENT, "--tools", str(agent.TOOLS.parent), "--pairs", "1", "--mb", str(MB), "--age", "1",
                "--quiet", "8", "--no-device", "--directory", str(self.root), *map(str, more)]

    def stand_in(self, **does):
        config = self.root / "stand-in.json"
        config.write_text(json.dumps({"log": "{log}", "endpoint": "{endpoint}", **does}))
        return ("--peer", sys.executable, "--arguments", f"{HERE}/stand_in_peer.py {{config}}", "--config", config)

    def output(self, *arguments):
        with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()):
            peers.main(self.arguments(*arguments))
        return out.getvalue()

    def row(self, report, figure):
        """Of both agents."""
        found = [line.split("|") for line in report.splitlines() if line.startswith(f"| {figure}")]
        self.assertEqual(len(found), 1, report)
        return [float(cell) for cell in found[0][2:4]]

    # --- counting ---------------------------------------------------------------------------------

    def test_peers_counts_each_line_once(self):
        report = self.output(*self.stand_in())
        for figure in ("lines missing", "lines doubled"):
            self.assertEqual(self.row(report, figure), [0, 0])
        for figure in ("CPU s", "anonymous MB", "s until the last line"):
            self.assertGreater(min(self.row(report, figure)), 0)
        self.assertGreater(self.row(report, "MB written to disks")[0], 0)

    def test_peers_sees_lines_lost_and_doubled(self):
        report = self.output(*self.stand_in(lose=500, double=700))
        lost, doubled = set(range(1, LINES, 500)), set(range(1, LINES, 700))
        self.assertEqual(self.row(report, "lines missing"), [0, len(lost)])
        self.assertEqual(self.row(report, "lines doubled"), [0, len(doubled - lost)])

    def test_peers_tells_the_last_words_of_one_that_ends(self):
        with self.assertRaises(SystemExit) as ended:
            self.output(*self.stand_in(end=1000))
        for words in ("ended by itself", f"1000 of {LINES}", "the stand-in has had enough"):
            self.assertIn(words, str(ended.exception))

    def test_peers_reads_directory_and_search(self):
        for sink in ("directory", "search"):
            report = self.output("--sink", sink, "--peer", agent.AGENT, "--config", peers.OURS)
            self.assertEqual(self.row(report, "lines missing"), [0, 0], report)
            self.assertEqual(self.row(report, "lines doubled"), [0, 0], report)

    def test_peers_skips_where_there_is_no_other(self):
        for arguments in ((), ("--peer", "/nowhere/agent", "--config", peers.OURS)):
            self.assertRegex(self.output(*arguments), r"^OK \(skipped: no other agent")

    def test_peers_counts_what_nobody_wrote(self):
        tally = Tally(3)
        tally.take(b"id=RUN-0000000001 id=RUN-0000000001 id=RUN-0000000003 id=RUN-1")
        self.assertEqual((tally.came, tally.missing, tally.doubled, tally.unknown), (1, 2, 1, 1))

    # --- what it costs ----------------------------------------------------------------------------

    def test_peers_accounts_for_children_that_are_left_behind(self):
        out = self.root / "out"
        group = ProcessGroup([sys.executable, "-c", BURNS], self.root / "output", {**os.environ, "OUT": str(out)})
        agent.wait_until(lambda: out.exists() and out.stat().st_size == 3_000_000, 60, "the child has written")
        agent.wait_until(lambda: group.peak * 1024 > 20e6, 60, "its memory was seen")
        group.finish()
        self.assertEqual(group.code, 0, group.last_words())
        self.assertGreater(group.cpu, 0.03)
        self.assertGreater(group.peak * 1024, 20e6)
        self.assertGreaterEqual(group.written, 3_000_000)

    def test_peers_takes_turns_and_ratios_by_pairs(self):
        asked, said = [], []
        rows = iter(({"CPU s": n} for n in (1, 2, 8, 2)))
        found = pairs.in_turn(2, ["a", "b"], lambda name: asked.append(name) or next(rows))
        self.assertEqual(asked, ["a", "b", "b", "a"])
        pairs.table(["a", "b"], found, said.append)
        self.assertIn("| 1.5 | 5 | 0.38 (0.25 to 0.50) |", said[-1])

    # --- templates --------------------------------------------------------------------------------

    def test_peers_templates_fit_each_choice(self):
        values = {name: f"<{name}>" for name in PLACEHOLDERS}
        for template in sorted((HERE / "peers").iterdir()):
            for sink in SINKS:
                for variant in ("durable", "shipped"):
                    with self.subTest(template=template.name, sink=sink, variant=variant):
                        text = template.read_text()
                        if f"# only {sink}:" not in text:
                            self.assertRaises(agent.Failed, peers.chosen, text, {sink, variant})
                            continue
                        made = peers.filled(peers.chosen(text, {sink, variant}), values)
                        self.assertNotRegex(made, r"# (only|end)\b")
                        self.assertFalse({"{%s}" % name for name in PLACEHOLDERS if "{%s}" % name in made})
                        self.assertIn("<log>", made)
                        self.assertIn("<out>" if sink == "directory" else "<port>" if "<port>" in made else "<endpoint>",
                                      made)

    def test_peers_own_template_is_a_config(self):
        for sink, kind in SINKS.items():
            values = {"log": "/var/log/app.log", "data": self.root, "out": self.root, "root": self.root, "age": 1,
                      "endpoint": "http://127.0.0.1:1", "compression": kind.compression, **peers.NAMES}
            config = self.root / "edgehose.toml"
            config.write_text(peers.filled(peers.chosen(peers.OURS.read_text(), {sink, "durable"}), values))
            told = subprocess.run([agent.AGENT, "check", "--config", config], capture_output=True, text=True)
            self.assertEqual(told.returncode, 0, told.stdout + told.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=0)
