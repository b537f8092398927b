"""A gateway under test: a machine with edgehose and a program that logs, a bucket and a search server on the
host, and at the end the count of every line.

The agent delivers to three places: the bucket and the index of the host's stand-ins, and a directory of the
machine's own disk. The machine is turned off before the count, and its file system is read from outside.
"""
import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import agent  # noqa: E402
import lines  # noqa: E402
from agent import Failed, wait_until  # noqa: E402
from fault_client import FaultServer  # noqa: E402
from image import run  # noqa: E402
from machine import Machine  # noqa: E402
from search_reader import SearchReader  # noqa: E402

HOST = "10.0.2.2"
LOGS, ARCHIVE, CONFIG = "/var/log/app", "/srv/archive", "/etc/edgehose/edgehose.toml"
INDEX = "gateway-*"
SAMPLE_BYTES = 1 << 32  # all of it
DRAIN_SECONDS = 600
TOLD_SECONDS = 300


class Gateway:
    """`tls`: the bucket is behind https, verified by an authority that the machine is given. `archive`: the directory
    to deliver to; `medium`: a file of the machine with the file system that is mounted there; None: it is no other."""

    def __init__(self, image, folder, tls=False, commit_interval="2s", archive=ARCHIVE, medium=None):
        self.image, self.folder, self.commit_interval = image, Path(folder), commit_interval
        self.disk = image.copy_to(self.folder / "disk.img")
        self.archive, self.medium = archive, medium
        self.lives, self.authority = 0, None
        arguments = ["fault_server.py"]
        if tls:
            run("bash", Path(agent.__file__).parent / "make_certs.sh", self.folder)
            self.authority = (self.folder / "ca.pem").read_text()
            arguments += ["--tls", self.folder / "server.pem", self.folder / "server.key"]
        self.sample = self.folder / "index.sample"  # what the index was sent
        self.bucket = FaultServer(*arguments)
        self.index = FaultServer("fault_server.py", "--bulk", "--sample", self.sample, SAMPLE_BYTES)
        self.machine = self.new_machine()

    def new_machine(self, write_log=None):
        self.machine = Machine(self.folder, self.image, self.disk, write_log)
        return self.machine

    def close(self):
        self.machine.kill()
        self.bucket.close()
        self.index.close()

    def expect_page_size(self):
        """The kernel is the one that was meant."""
        kernel, size = self.machine.run("uname -rm; getconf PAGESIZE").splitlines()
        print(f"Linux {kernel}, pages of {size} bytes", flush=True)
        if int(size) != self.image.system.page_size:
            raise Failed(f"the kernel has pages of {size} bytes, not of {self.image.system.page_size}")

    # --- the agent --------------------------------------------------------------------------------

    def start_agent(self):
        """A config; starts the service."""
        self.configure()
        self.machine.run(f"chown edgehose: {ARCHIVE}; systemctl daemon-reload; systemctl enable edgehose; "
                         "systemctl restart edgehose")

    def configure(self):
        scheme = "https" if self.authority else "http"
        common = {"batch": {"max_size": "64KiB", "max_age": "1s"}, "retry": {"initial": "200ms", "max": "2s"}}
        tables = {
            "agent": {"id": "gw-vm"},
            "buffer": {"commit_interval": self.commit_interval},
            "sources.app": {"type": "file", "paths": [f"{LOGS}/*.log"]},
            "sinks.cloud": {"type": "s3", "bucket": "telemetry", "region": "eu-west-1",
                            "endpoint": f"{scheme}://{HOST}:{self.bucket.port}",
                            "credentials": {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "no/secret"},
                            "compression": "zstd", **common},
            "sinks.archive": {"type": "directory", "path": self.archive, "compression": "zstd", **common},
            "sinks.search": {"type": "elasticsearch", "endpoints": [f"http://{HOST}:{self.index.port}"],
                             "index": "gateway-!{timestamp:yyyy.MM.dd}", "retry": common["retry"],
                             "batch": {"max_raw_size": "64KiB", "max_age": "1s"}},
        }
        if self.authority:
            tables["sinks.cloud"]["tls"] = {"ca_file": "/etc/edgehose/ca.pem"}
            self.machine.put("/etc/edgehose/ca.pem", self.authority)
        self.machine.put(CONFIG, "\n".join(
            f"[{name}]\n" + "".join(f"{key} = {agent.toml(value)}\n" for key, value in table.items())
            for name, table in tables.items()))
        self.machine.run("chmod 755 /etc/edgehose; chmod 644 /etc/edgehose/*.toml")

    def status(self):
        """The agent's own report; {} while it does not answer."""
        _, told = self.machine.answer("edgehose status --json 2>/dev/null")
        try:
            return json.loads(told)
        except json.JSONDecodeError:
            return {}

    def sink(self, name):
        return next(sink for sink in self.status()["sinks"] if sink["name"] == name)

    def unit(self):
        """What systemd says of the service, as a dictionary."""
        told = self.machine.run("systemctl show edgehose --property=ActiveState,SubState,Result,NRestarts,MainPID")
        return dict(line.split("=", 1) for line in told.splitlines() if "=" in line)

    def expect_active(self, restarts=0):
        unit = self.unit()
        if (unit["ActiveState"], unit["NRestarts"]) != ("active", str(restarts)):
            _, journal = self.machine.answer("journalctl -u edgehose -n 30 --no-pager")
            raise Failed(f"the unit is {unit}, not active with {restarts} restarts:\n{journal}")

    def keep_journal(self):
        """After a failure: what the machine says of itself, where it still speaks."""
        try:
            _, journal = self.machine.answer("systemctl status edgehose app --no-pager; df -h; "
                                             "journalctl -b --no-pager -n 200", 60)
            (self.folder / "journal").write_text(journal)
        except Exception:  # turned off, or does not answer: what failed before is what is to be told
            pass

    # --- the program that logs --------------------------------------------------------------------

    def write(self, rate):
        """Starts to write lines, of a run of their own; returns when the first are there."""
        self.lives += 1
        name = f"L{self.lives:03}"
        self.machine.run(f"printf 'APP_FILE={LOGS}/app.log\\nAPP_RUN={name}\\nAPP_RATE={rate}\\n' > /run/app.env && "
                         "systemctl restart app && "
                         f"until tail -n 1 {LOGS}/app.log 2>/dev/null | grep -q ^id={name}; do sleep 0.2; done")

    def stop_writing(self):
        self.machine.run("systemctl stop app")

    def written(self):
        """How many lines the last run has written, as it says itself; the journal has that a little later."""
        def said():
            told = self.machine.run("journalctl -u app -n 20 -o cat --no-pager")
            return next(line.split()[0] for line in reversed(told.splitlines()) if line.endswith(" lines"))
        return int(wait_until(said, 60, "the journal has what the writer said", 1))

    def settle(self, restarts=0):
        """Stops writing, and waits until everything has arrived; the service has not ended meanwhile."""
        self.stop_writing()
        held = int(self.machine.run(f"cd {LOGS} && zcat -f -- * | wc -l"))
        index, seen = SearchReader(self.index.url), {}

        def settled():
            # The index is asked too: a status tells of what the agent has seen of a file so far.
            seen.clear()
            seen.update(self.status(), in_the_index=index.count(INDEX), held_by_files=held)
            return (all(source["behind_bytes"] == 0 for source in seen["sources"])
                    and all(sink["backlog"]["records"] == 0 for sink in seen["sinks"])
                    and seen["in_the_index"] >= held)
        try:
            wait_until(settled, DRAIN_SECONDS, "everything has arrived", 1)
        except Failed as failure:
            raise Failed(f"{failure}: {json.dumps(seen)[:3000]}") from None
        self.expect_active(restarts)

    def told_and_mended(self, cause, beside, mend):
        """Waits until the status tells a reason like the pattern `cause`; runs `mend` in the machine, and waits
        until the agent is healthy. Meanwhile it may tell what is like `beside`, nothing else. The reasons told."""
        told = []

        def reasons():
            now = self.status()["reasons"]
            for reason in now:
                if not re.search(f"{cause}|{beside}", reason):
                    raise Failed(f"the status tells of something else than {cause}: {reason}")
            return now

        def seen():
            told[:] = reasons()
            return any(re.search(cause, reason) for reason in told)
        wait_until(seen, TOLD_SECONDS, f"the status tells of {cause}", 1)
        self.machine.run(mend)
        wait_until(lambda: reasons() == [], TOLD_SECONDS, "the agent is healthy again", 1)
        return told

    # --- the count --------------------------------------------------------------------------------

    def download_bucket(self, folder):
        """Its objects as files. A key that came twice must have come with the same bytes."""
        hashes = {}
        for entry in self.bucket.log("PUT"):
            if hashes.setdefault(entry["path"], entry["sha256"]) != entry["sha256"]:
                raise Failed(f"{entry['path']} came twice, with other content")
        for path in hashes:
            target = folder / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(self.bucket.get(path))

    def count(self, beyond=False):
        """Turns the machine off. Of each sink its lines.Count; Failed where one is not right. `beyond`: lines may
        have arrived that no file holds any more."""
        self.machine.power_off()
        check_file_system(self.disk)
        for name in ("cloud", "search"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
            (self.folder / name).mkdir()
        self.download_bucket(self.folder / "cloud")
        SearchReader(self.index.url).download(INDEX, self.folder / "search")
        return counted(dump_lines(self.disk, LOGS, self.folder / "held"),
                       {"cloud": lines.read_folder(self.folder / "cloud"),
                        "archive": self.archived(),
                        "search": lines.read_folder(self.folder / "search")}, beyond)

    def archived(self):
        """The lines in the directory, the machine being turned off."""
        if not self.medium:
            return dump_lines(self.disk, self.archive, self.folder / "archive")
        medium = self.folder / "medium.img"
        run("debugfs", "-R", f"dump {self.medium} {medium}", self.disk)
        check_file_system(medium)
        return dump_lines(medium, "/", self.folder / "archive")


def counted(held, delivered, beyond):
    """Of each sink the Count of what it was delivered; Failed where one is not right."""
    counts = {name: lines.Count(held, found) for name, found in delivered.items()}
    wrong = [f"{name}: {count}" for name, count in counts.items() if not count.is_right(beyond)]
    if wrong:
        raise Failed("\n".join(wrong))
    return counts


def check_file_system(disk):
    """After a clean end it must be clean: else the count would be of what fsck made of it."""
    run("e2fsck", "-f", "-n", disk)


def dump_lines(disk, folder, target):
    """The lines in a folder of a machine's file system that nobody has mounted; the folder is left in `target`."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    dump(disk, folder, target)
    return lines.read_folder(target)


def dump(disk, folder, target):
    done = subprocess.run(["debugfs", "-R", f"rdump {folder} {target}", str(disk)], capture_output=True, text=True)
    errors = [line for line in done.stderr.splitlines() if not line.startswith("debugfs ")]
    if done.returncode != 0 or errors:
        raise Failed(f"debugfs cannot read {folder} of {disk}: {errors[:5]}")


def told(counts):
    """One line for all sinks, where they agree on what counts."""
    first = next(iter(counts.values()))
    each = ", ".join(f"{name} {count.delivered}" for name, count in counts.items())
    beyond = max(len(count.beyond) for count in counts.values())
    tail = f" (up to {beyond} of them held by no file any more)" if beyond else ""
    return f"{first.held} lines held by files, delivered: {each}{tail}; 0 lost, 0 doubled"


def wait(seconds):
    """Time that has to pass in the machine."""
    time.sleep(seconds)
