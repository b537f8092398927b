"""A program in a process group of its own, and what all of the group cost: from the kernel's accounts."""
import ctypes
import os
import re
import signal
import subprocess
import threading
import time
from pathlib import Path

import agent  # found by bench

PR_SET_CHILD_SUBREAPER = 36
SAMPLE, LOOK = 0.005, 0.1  # seconds: of memory; for processes that came


def members(group):
    """The processes of a group, by /proc/PID/stat: what follows the name in brackets is state, parent, group."""
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                text = Path(entry.path, "stat").read_text()
            except OSError:
                continue
            if int(text.rpartition(")")[2].split()[2]) == group:
                found.append(int(entry.name))
    return found


def anonymous(pid):
    """kB; 0 of one that has ended."""
    try:
        found = re.search(r"RssAnon:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0
    return int(found[1]) if found else 0


def written(pid):
    """Bytes that a process has had written to disks, with those of the children it has waited for. A zombie
    still has its account."""
    text = Path(f"/proc/{pid}/io").read_text()
    account = dict(re.findall(r"(\w+): (\d+)", text))
    return int(account["write_bytes"]) - int(account["cancelled_write_bytes"])


class Peak(threading.Thread):
    """The most anonymous memory, in kB, that the processes of a group had together."""

    def __init__(self, group):
        super().__init__(daemon=True)
        self.group, self.kilobytes, self.done = group, 0, threading.Event()
        self.start()

    def run(self):
        look, pids = 0, []
        while not self.done.wait(SAMPLE):
            if time.monotonic() > look:
                look, pids = time.monotonic() + LOOK, members(self.group)
            self.kilobytes = max(self.kilobytes, sum(map(anonymous, pids)))


class ProcessGroup:
    """After finish(): `cpu` in seconds (user + system), `written` in bytes, `peak` in kB, `killed` where SIGTERM
    was not enough. A process that leaves the group is not seen."""

    def __init__(self, command, output, env=None):
        # What a member leaves behind becomes our child, so that its account comes to us.
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
        self.output_path = Path(output)
        with open(output, "ab") as out:
            self.popen = subprocess.Popen(list(map(str, command)), stdout=out, stderr=out, stdin=subprocess.DEVNULL,
                                          env=env, start_new_session=True, preexec_fn=agent.die_with_parent)
        self.pid, self.cpu, self.written, self.killed, self.code = self.popen.pid, 0, 0, False, None
        self.memory, self.over = Peak(self.pid), False

    def ended(self):
        """Whether the first process has; it is not waited for yet, so that its accounts stay."""
        return self.code is not None or \
            os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def last_words(self, lines=20):
        return "\n".join(self.output_path.read_text(errors="replace").splitlines()[-lines:])

    def signal(self, number):
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            pass

    def finish(self, seconds=30):
        """SIGTERM, SIGKILL when that time is over, and the accounts. Once: the group's number may then be another's."""
        if self.over:
            return
        self.over = True
        self.signal(signal.SIGTERM)
        end = time.monotonic() + seconds
        while not self.ended() and time.monotonic() < end:
            time.sleep(0.01)
        self.killed = not self.ended()
        self.memory.done.set()
        self.memory.join()
        self.signal(signal.SIGKILL)
        while True:
            try:
                child = os.waitid(os.P_PGID, self.pid, os.WEXITED | os.WNOWAIT)
            except ChildProcessError:
                return
            self.account(child.si_pid)

    def account(self, pid):
        self.written += written(pid)
        _, status, usage = os.wait4(pid, 0)
        self.cpu += usage.ru_utime + usage.ru_stime
        if pid == self.pid:
            self.code = self.popen.returncode = os.waitstatus_to_exitcode(status)

    @property
    def peak(self):
        return self.memory.kilobytes
