"""Drives the real agent from a test: a sandbox with a config, a log, a buffer and a sink's directory.

    with Sandbox() as box:
        box.config(sink={"compression": "gzip"})
        box.log(lines=1000)
        box.run_once()
        box.check()                     # every line exactly once

The agent is $EDGEHOSE (or --agent of the script), the tools are in $EDGEHOSE_TOOLS. A sandbox that a
failed test leaves behind is kept, and its place is told.
"""

import ctypes
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
AGENT = os.environ.get("EDGEHOSE", str(ROOT / "build-tests/agent/edgehose"))
TOOLS = Path(os.environ.get("EDGEHOSE_TOOLS", ROOT / "build-tests/tests/support"))
PR_SET_PDEATHSIG = 1


class Failed(AssertionError):
    """What a check found wrong, in words for a person."""


def die_with_parent():
    """In a child: no agent outlives a test that was killed."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def toml(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(toml(v) for v in value) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{toml_key(k)} = {toml(v)}" for k, v in value.items()) + " }"
    return json.dumps(str(value), ensure_ascii=False)


def toml_key(name):
    return name if re.fullmatch(r"[\w-]+", name, re.ASCII) else toml(name)


def secret(path, text):
    """A secret's place in a config: a file that holds it."""
    path.touch(mode=0o600)
    path.write_text(text)
    return {"file": path}


def wait_until(condition, seconds=10.0, what="the condition", step=0.01):
    """The condition's first true value; Failed when it stays false. Not a pause: returns at once."""
    end = time.monotonic() + seconds
    while True:
        try:
            value = condition()
        except (LookupError, StopIteration):  # not even there yet
            value = None
        if value:
            return value
        if time.monotonic() > end:
            raise Failed(f"after {seconds:g} s still not: {what}")
        time.sleep(step)


class Process:
    """A running agent."""

    def __init__(self, command, log, env=None):
        self.log_path = Path(log)
        self.log_start = self.log_path.stat().st_size if self.log_path.exists() else 0
        with open(log, "ab") as out:
            self.popen = subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL,
                                          env=env, preexec_fn=die_with_parent)
        self.pid = self.popen.pid

    def running(self):
        return self.popen.poll() is None

    def output(self):
        with open(self.log_path, "rb") as f:
            f.seek(self.log_start)
            return f.read().decode("utf8", "replace")

    def kill(self):
        """SIGKILL; false where it had ended by itself."""
        alive = self.running()
        if alive:
            self.popen.send_signal(signal.SIGKILL)
        self.popen.wait()
        return alive

    def handles_sigterm(self):
        """Whether it has come so far that SIGTERM is a request: caught, or waited for (blocked)."""
        return self.blocks(signal.SIGTERM) or self.signal_mask("Cgt") >> (signal.SIGTERM - 1) & 1 == 1

    def blocks(self, number):
        return self.signal_mask("Blk") >> (number - 1) & 1 == 1

    def signal_mask(self, kind):
        return int(re.search(rf"^Sig{kind}:\s+(\w+)", Path(f"/proc/{self.pid}/status").read_text(), re.M)[1], 16)

    def stop(self, seconds=5.0):
        """SIGTERM; how long it took. Failed where it took longer than promised."""
        begin = time.monotonic()
        self.popen.send_signal(signal.SIGTERM)
        try:
            code = self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failed(f"SIGTERM did not end the agent in {seconds:g} s:\n{self.output()}")
        if code != 0:
            raise Failed(f"SIGTERM: exit code {code}:\n{self.output()}")
        return time.monotonic() - begin

    def wait(self, seconds=20.0):
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failed(f"did not end in {seconds:g} s:\n{self.output()}")

    def io(self):
        """/proc/PID/io as numbers."""
        text = Path(f"/proc/{self.pid}/io").read_text()
        return {k: int(v) for k, v in re.findall(r"(\w+): (\d+)", text)}

    def status_field(self, name):
        return int(re.search(rf"^{name}:\s+(\d+)", Path(f"/proc/{self.pid}/status").read_text(), re.M)[1])


class Sandbox:
    def __init__(self, keep=False, discard=False, parent=None):
        self.root = Path(tempfile.mkdtemp(prefix="edgehose-test-", dir=parent))
        self.keep = keep
        self.discard = discard  # also when it failed
        self.logs = self.root / "logs"
        self.stick = self.root / "stick"  # taken away as a whole: a missing directory is made anew
        self.out = self.stick / "out"
        self.data = self.root / "data"
        self.agent_log = self.root / "agent.log"
        self.config_path = self.root / "edgehose.toml"
        self.manifest = self.root / "manifest"
        self.agent = AGENT  # another one where a test says so
        self.left_damaged = False  # the test ends with a buffer, or a config, that `buffer verify` refuses
        self.identity = None
        self.mounts = []
        self.processes = []
        for d in (self.logs, self.out, self.data):
            d.mkdir(parents=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        for p in self.processes:
            p.kill()
        unsound = self.unsound() if kind is None else None
        if unsound:
            kind = Failed
        if kind is not None and not issubclass(kind, unittest.SkipTest):
            self.keep = not self.discard
            if self.agent_log.exists():
                tail = self.agent_log.read_text(errors="replace").splitlines()[-25:]
                print("the agent's last lines:", *tail, sep="\n  ", file=sys.stderr)
            if self.keep:
                print(f"kept for a look: {self.root}", file=sys.stderr)
        for m in reversed(self.mounts):
            subprocess.run(["umount", "-l", m], check=False, capture_output=True)
        if not self.keep:
            subprocess.run(["chmod", "-R", "u+rwX", self.root], check=False, capture_output=True)
            shutil.rmtree(self.root, ignore_errors=True)
        if unsound:
            raise Failed(unsound)

    def unsound(self):
        """What is wrong with the buffer at the end of a test that ran an agent: of each lane committed = delivered +
        buffered + dropped + dead-lettered, and all else that `buffer verify` checks. None where nothing is."""
        if self.left_damaged or not self.processes or not (self.data / "buffer.mdb").exists():
            return None
        try:
            done = self.call("buffer", "verify", timeout=60)
        except (subprocess.SubprocessError, OSError) as why:
            return f"at the end: buffer verify: {why}"
        return f"at the end: buffer verify: exit code {done.returncode}:\n{done.stdout}{done.stderr}" \
            if done.returncode != 0 else None

    # --- what is there ---------------------------------------------------------------------------

    def config(self, agent=None, buffer=None, source=None, sink=None, sinks=None, text=""):
        """Writes the config: one source "app", one sink "archive", with what is given on top."""
        tables = {
            "agent": {"id": "gw-test", "data_dir": self.data,
                      "status_socket": self.root / "status.sock", **(agent or {})},
            "buffer": {"free_disk_percent": 0, "commit_interval": "100ms", **(buffer or {})},
            "sources.app": {"type": "file", "paths": [f"{self.logs}/*.log*"], "poll_interval": "1s",
                            **(source or {})},
        }
        base = {"type": "directory", "path": self.out, "compression": "zstd",
                "retry": {"initial": "100ms", "max": "1s"}, "batch": {"max_size": "64KiB", "max_age": "1s"}}
        for name, options in (sinks or {"archive": sink or {}}).items():
            tables[f"sinks.{name}"] = {**base, **options}
        lines = []
        for name, fields in tables.items():
            lines.append(f"[{name}]")
            lines += [f"{k} = {toml(v)}" for k, v in fields.items() if v is not None]
            lines.append("")
        self.config_path.write_text("\n".join(lines) + text)
        return self.config_path

    def buffer_key(self, name="buffer.key"):
        """A new wrapping key, as { file = ... }."""
        path = self.root / name
        path.write_text(os.urandom(32).hex() + "\n")
        path.chmod(0o600)
        return {"file": path}

    def age_recipient(self):
        """Makes an identity; its public key."""
        self.identity = self.root / "identity.txt"
        made = subprocess.run(["age-keygen", "-o", self.identity], capture_output=True, text=True, check=True)
        return re.search(r"age1\w+", made.stderr + self.identity.read_text())[0]

    # --- the log ---------------------------------------------------------------------------------

    def log_command(self, *, manifest=None, file="app.log", **options):
        command = [TOOLS / "gateway_log", "--output", self.logs / file, "--manifest", manifest or self.manifest]
        for name, value in options.items():
            flag = "--" + name.replace("_", "-")
            command += [flag] if value is True else [flag, str(value)]
        return command

    def log(self, **options):
        """Writes lines and returns when they are there."""
        subprocess.run(self.log_command(**options), check=True, capture_output=True)

    def writer(self, env=None, **options):
        """Writes lines beside the test; stop_writer() ends it."""
        return subprocess.Popen(self.log_command(**options), stdout=subprocess.PIPE, text=True, env=env,
                                preexec_fn=die_with_parent)

    @staticmethod
    def stop_writer(writer):
        writer.send_signal(signal.SIGTERM)
        out, _ = writer.communicate(timeout=20)
        if writer.returncode != 0:
            raise Failed("gateway_log failed")
        return out.strip()

    # --- the agent -------------------------------------------------------------------------------

    def command(self, *arguments):
        return [self.agent, *map(str, arguments), "--config", str(self.config_path)]

    def start(self, *arguments, env=None):
        p = Process(self.command("run", *arguments), self.agent_log, env)
        self.processes.append(p)
        return p

    def call(self, *arguments, timeout=20, env=None):
        """Runs a command of the agent to its end."""
        return subprocess.run(self.command(*arguments), capture_output=True, text=True, errors="replace",
                              timeout=timeout, env=env, preexec_fn=die_with_parent)

    @staticmethod
    def call_plain(*arguments, timeout=20):
        """The same of a command that reads no config."""
        return subprocess.run([AGENT, *map(str, arguments)], capture_output=True, text=True,
                              errors="replace", timeout=timeout, preexec_fn=die_with_parent)

    def run_once(self, *arguments, timeout=15, env=None):
        p = self.start("--once", "--timeout", f"{timeout}s", *arguments, env=env)
        code = p.wait(timeout + 10)
        if code != 0:
            raise Failed(f"run --once: exit code {code}:\n{p.output()}")
        return p

    def status(self):
        result = self.call("status", "--json")
        try:
            return json.loads(result.stdout)
        except json.JSONDecodeError:
            raise Failed(f"status --json is not JSON (exit code {result.returncode}):\n{result.stdout}{result.stderr}")

    def verify(self):
        result = self.call("buffer", "verify", timeout=60)
        if result.returncode != 0:
            raise Failed(f"buffer verify: exit code {result.returncode}:\n{result.stdout}{result.stderr}")

    def take_sink_away(self):
        """The sink's directory and its parent are gone: deliveries fail, and the sink parks."""
        self.stick.rename(self.root / "away")

    def give_sink_back(self):
        (self.root / "away").rename(self.stick)

    # --- what was delivered ----------------------------------------------------------------------

    def objects(self, directory=None):
        """Delivered objects, oldest name first; temporary ones are not objects."""
        found = []
        for folder, _, names in os.walk(directory or self.out):
            found += [Path(folder) / n for n in names if not n.startswith(".")]
        return sorted(found, key=lambda p: [int(x) if x.isdigit() else x for x in re.split(r"(\d+)", p.name)])

    def read(self, path):
        """An object's bytes, opened by the standard tools."""
        data, name = Path(path).read_bytes(), Path(path).name
        while True:
            name, dot, suffix = name.rpartition(".")
            tool = {"age": ["age", "-d", "-i", self.identity], "zst": ["zstd", "-dcq"], "gz": ["gzip", "-dc"]}.get(suffix)
            if not dot or not tool:
                return data
            done = subprocess.run(tool, input=data, capture_output=True)
            if done.returncode != 0:
                raise Failed(f"{tool[0]} cannot read {path}: {done.stderr.decode()}")
            data = done.stdout

    def lines(self, directory=None):
        """Every delivered line, in order."""
        return [line for o in self.objects(directory) for line in self.read(o).split(b"\n")[:-1]]

    def check_result(self, *arguments, directory=None, manifest=None):
        command = [TOOLS / "check_lines", "--manifest", manifest or self.manifest, *map(str, arguments)]
        if self.identity:
            command += ["--identity", self.identity]
        return subprocess.run([*command, directory or self.out], capture_output=True, text=True, errors="replace")

    def check(self, *arguments, **where):
        """Every line of the manifest exactly once, else Failed with the first that are not."""
        result = self.check_result(*arguments, **where)
        if result.returncode != 0:
            raise Failed(result.stdout + result.stderr)
        return result.stdout

    def delivered(self, count, seconds=10):
        """Waits until that many lines are there."""
        return wait_until(lambda: len(self.lines()) >= count, seconds, f"{count} lines delivered", step=0.05)

    # --- file systems (root) ---------------------------------------------------------------------

    def mount_tmpfs(self, path, size):
        self.mount(["-t", "tmpfs", "-o", f"size={size}", "tmpfs"], path)

    def mount(self, arguments, path):
        done = subprocess.run(["mount", *map(str, arguments), str(path)], capture_output=True, text=True)
        if done.returncode != 0:
            raise unittest.SkipTest(f"a small file system cannot be mounted here ({done.stderr.strip()}): run as root")
        self.mounts.append(str(path))

    def mount_ext4(self, path, size):
        """A file system of its own, in a file."""
        image = self.root / (Path(path).name + ".img")
        with open(image, "wb") as f:
            f.truncate(size)
        made = subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], capture_output=True, text=True)
        if made.returncode != 0:
            raise unittest.SkipTest(f"mkfs.ext4: {made.stderr}")
        self.mount(["-o", "loop", image], path)
