"""A device that logs to the journal alone: what `config example --rsyslog` and `--logrotate` print
makes rsyslog write one file that the service can read, and nothing is lost or doubled while the real
logrotate rotates it. The journal's place is taken by a socket of the test's own, which is what it
forwards to."""

import grp
import os
import shutil
import socket
import stat
import subprocess
import unittest
from pathlib import Path

from promise import PromiseCase, die_with_parent, main, wait_until

RSYSLOGD, LOGROTATE = (shutil.which(name, path="/usr/sbin:/sbin:/usr/bin:/bin") for name in ("rsyslogd", "logrotate"))


@unittest.skipUnless(RSYSLOGD and LOGROTATE, "needs rsyslog and logrotate: apt install rsyslog logrotate")
class Promise(PromiseCase):
    def printed(self, option):
        """What `config example` prints, with the places of this test in it."""
        text = self.box.call_plain("config", "example", option).stdout
        self.assertIn("/var/log/all.log", text)
        return text.replace("/var/log/all.log", str(self.box.logs / "all.log"))

    def start_rsyslog(self):
        """As Debian's rsyslog.conf: modules, the drop-ins, then rules of its own."""
        drop_in = self.box.root / "10-edgehose.conf"
        text = self.printed("--rsyslog")
        if os.geteuid() != 0:
            text = text.replace('fileOwner="root" fileGroup="adm" ', "")  # which only root may give
        drop_in.write_text(text)
        self.socket = self.box.root / "log.sock"
        self.default = self.box.root / "syslog"  # where the rules of its own write
        config = self.box.root / "rsyslog.conf"
        config.write_text(f"""
            module(load="imuxsock" SysSock.Use="off")
            input(type="imuxsock" Socket="{self.socket}" RateLimit.Interval="0")
            global(workDirectory="{self.box.root}")
            include(file="{drop_in}")
            *.* -{self.default}
            """)
        checked = subprocess.run([RSYSLOGD, "-N1", "-f", config], capture_output=True, text=True)
        self.assertEqual(checked.returncode, 0, checked.stderr)
        self.assertNotIn("error", checked.stderr)
        self.rsyslog = subprocess.Popen([RSYSLOGD, "-n", "-f", config, "-i", self.box.root / "rsyslog.pid"],
                                        preexec_fn=die_with_parent)
        self.addCleanup(self.rsyslog.wait)
        self.addCleanup(self.rsyslog.kill)
        wait_until(self.socket.exists, 20, "rsyslog listens")

    def rotate(self):
        """The printed stanza; its postrotate talks to the service manager, which is not here."""
        stanza = self.box.root / "logrotate.conf"
        text = self.printed("--logrotate").replace("/usr/lib/rsyslog/rsyslog-rotate",
                                                   f"kill -HUP {self.rsyslog.pid}")
        self.assertIn("kill -HUP", text)
        stanza.write_text(text)
        stanza.chmod(0o644)
        subprocess.run([LOGROTATE, "--force", "--state", self.box.root / "logrotate.state", stanza],
                       check=True, capture_output=True, text=True)

    def send(self, first, count):
        """As the journal forwards: a datagram for each message."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.connect(str(self.socket))
            for n in range(first, first + count):
                s.send(f"<13>Nov 27 12:00:00 app[42]: message {n:06} of a gateway".encode())

    def numbers(self):
        return sorted(int(line.split(b"message ")[1][:6]) for line in self.box.lines() if b"message " in line)

    def test_each_message_once_while_logrotate_rotates(self):
        self.start_rsyslog()
        self.box.start()
        total = 0
        for _ in range(4):
            self.send(total, 3000)
            total += 3000
            self.rotate()
        self.send(total, 3000)
        total += 3000
        wait_until(lambda: len(self.numbers()) >= total, 60, f"{total} messages delivered", step=0.2)
        self.assertEqual(self.numbers(), list(range(total)))
        self.assertTrue(list(self.box.logs.glob("all.log.*.gz")), "logrotate compressed some of them")
        self.assertFalse(self.default.exists(), "the drop-in ends with stop: nothing is written twice")

    def test_programs_that_log_by_the_standard_way_arrive(self):
        self.start_rsyslog()
        for text in ("Grün läuft", "second"):
            subprocess.run(["logger", "-u", self.socket, "-t", "plc", "-p", "daemon.warning", text], check=True)
        log = self.box.logs / "all.log"
        wait_until(lambda: log.exists() and log.read_bytes().count(b"\n") == 2, 20, "both are written")
        self.box.run_once()
        lines = [line.decode() for line in self.box.lines()]
        self.assertEqual(len(lines), 2, lines)
        self.assertRegex(lines[0], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+[+-]\d\d:\d\d \S+ plc: Grün läuft$")

    def test_the_service_may_read_what_is_written_also_after_a_rotation(self):
        self.need_root_for_groups()
        self.start_rsyslog()
        for round in range(2):
            self.send(round, 1)
            log = self.box.logs / "all.log"
            wait_until(lambda: log.exists() and log.stat().st_size > 0, 20, "it is written")
            info = log.stat()
            self.assertEqual(stat.S_IMODE(info.st_mode), 0o640)
            self.assertEqual(grp.getgrgid(info.st_gid).gr_name, "adm")
            self.rotate()
        user = (Path(__file__).parents[2] / "systemd" / "edgehose.sysusers").read_text()
        self.assertRegex(user, r"(?m)^m edgehose adm$")

    def need_root_for_groups(self):
        if os.geteuid() != 0:
            self.skipTest("needs to give a file to the group adm: run as root")


if __name__ == "__main__":
    main()
