"""A clock that is a year off, another one in each life, changes stamps: never what arrives, nor when it goes."""

import glob
import os

import promise


def faketime():
    found = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
    return found[0] if found else None


UNSET = "@1970-01-01 00:00:10"


def fast_clocks(speed):
    """An environment in which an agent's time, timers too, passes so many times faster."""
    return {**os.environ, "LD_PRELOAD": faketime(), "FAKETIME": f"+0 x{speed}", "NO_FAKE_STAT": "1"}


def environment(case, offset):
    if not faketime():
        case.skipTest("libfaketime is not installed")
    return {**os.environ, "LD_PRELOAD": faketime(), "FAKETIME": offset, "NO_FAKE_STAT": "1",
            "DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


class Promise(promise.PromiseCase):
    def lines_under(self, first, lines, offset):
        self.box.log(lines=lines, first=first, append=True, manifest=self.box.root / "part")
        agent = self.box.start(env=environment(self, offset) if offset else None)
        self.box.delivered(first + lines)
        agent.stop()

    def test_a_year_back_and_a_year_ahead(self):
        self.box.config(sink={"prefix": "!{timestamp:yyyy}/"})
        for i, offset in enumerate(("", "-1y", "", "+1y", "")):
            self.lines_under(i * 300, 300, offset)
        self.box.manifest.write_text((self.box.root / "part").read_text().splitlines()[0] +
                                     "\nfirst=0 lines=1500 bytes=0 rotations=0\n")
        self.box.check("--in-order")
        years = {o.relative_to(self.box.out).parts[0] for o in self.box.objects()}
        self.assertEqual(len(years), 3, f"the clock was really off: {years}")

    def test_unset_at_boot(self):
        """1970, as on a board without a clock's battery."""
        self.lines_under(0, 300, UNSET)
        self.lines_under(300, 300, "")
        self.box.manifest.write_text((self.box.root / "part").read_text().splitlines()[0] +
                                     "\nfirst=0 lines=600 bytes=0 rotations=0\n")
        self.box.check("--in-order")


if __name__ == "__main__":
    promise.main()
