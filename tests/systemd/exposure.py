#!/usr/bin/env python3
"""What systemd/README.md says of the unit and of each drop-in is what systemd-analyze finds.

    python3 tests/systemd/exposure.py            compares; 77 where systemd-analyze is not there
    python3 tests/systemd/exposure.py --show     prints the table's numbers, to put them there

Each drop-in also says its exposure in its own head. The least systemd whose analysis works on files
is 250; the numbers are of 252 (Debian 12), another release may weigh otherwise and is skipped.
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

SYSTEMD = pathlib.Path(__file__).resolve().parents[2] / "systemd"
RELEASE = 252
BOUND = 1.5  # of the unit alone
SKIPPED = 77
ROW = re.compile(r"^\| \[([\w-]+\.(?:service|conf))\]\([\w./-]+\) \|.*\| (\d+\.\d) \|$", re.M)


def release():
    if not shutil.which("systemd-analyze"):
        return None
    out = subprocess.run(["systemd-analyze", "--version"], capture_output=True, text=True).stdout
    found = re.match(r"systemd (\d+)", out)
    return int(found[1]) if found else None


def last_line(*drop_ins):
    """Of the analysis of the unit with these drop-ins, merged as systemd does: one behind the other."""
    with tempfile.TemporaryDirectory() as folder:
        unit = pathlib.Path(folder) / "edgehose.service"
        unit.write_text("\n".join(p.read_text() for p in (SYSTEMD / "edgehose.service", *drop_ins)))
        done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", unit],
                              capture_output=True, text=True)
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines:
        raise SystemExit(f"systemd-analyze: {done.stderr or done.stdout}")
    return lines[-1].removeprefix("→").strip()


def number(line):
    return re.search(r"(\d+\.\d)", line)[1]


def complaints():
    page = (SYSTEMD / "README.md").read_text()
    rows = dict(ROW.findall(page))
    overall = last_line()
    found = {"edgehose.service": number(overall)}
    for drop_in in sorted((SYSTEMD / "drop-ins").glob("*.conf")):
        found[drop_in.name] = number(last_line(drop_in))
        told = re.search(r"^# Exposure (\d+\.\d)", drop_in.read_text(), re.M)
        if not told or told[1] != found[drop_in.name]:
            yield f"{drop_in.name}: its head says {told and told[1]}, it is {found[drop_in.name]}"
    if float(found["edgehose.service"]) > BOUND:
        yield f"edgehose.service: {found['edgehose.service']} is above {BOUND}"
    if re.sub(r"\W+$", "", overall) not in page:
        yield f"README.md does not show: {overall}"
    for name in sorted(found.keys() | rows.keys()):
        if found.get(name) != rows.get(name):
            yield f"README.md: {name} has {rows.get(name)}, it is {found.get(name)}"


def main():
    if release() != RELEASE:
        print(f"skipped: needs systemd-analyze of systemd {RELEASE}, found {release()}")
        return SKIPPED
    if sys.argv[1:] == ["--show"]:
        for drop_in in (None, *sorted((SYSTEMD / "drop-ins").glob("*.conf"))):
            print(drop_in.name if drop_in else "edgehose.service", last_line(*filter(None, [drop_in])))
        return 0
    found = list(complaints())
    print("\n".join(found) or "the README says what systemd-analyze finds")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
