"""A machine of qemu-system: started, spoken to over a port of its own, cut off, its link pulled.

    machine = Machine(folder, image, disk)
    machine.start()                     # until it says that it is ready
    machine.run("systemctl is-active edgehose")
    machine.kill()                      # as a process; a power cut only with `write_log`

The guest runs as root what it is told (guest/control.sh). It reaches the host at 10.0.2.2.

KVM is used where it works: a machine that has not come up with it in KVM_SECONDS is started anew under
emulation, and so are all later ones.
"""
import base64
import bisect
import json
import math
import os
import platform
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from agent import Failed, die_with_parent, wait_until  # noqa: E402

# What a boot under emulation need not spend its time on; and amd64's check of the timer, which panics where a busy host
# makes it late.
QUICK_BOOT = "quiet systemd.show_status=false net.ifnames=0 mitigations=off cryptomgr.notests audit=0 no_timer_check"
KVM_SECONDS = 60
BOOT_SECONDS = 600  # under emulation, on a machine that has other things to do
COMMAND_SECONDS = 600  # under emulation an upgrade of the package takes half a minute, and more on a busy host
# Nehalem: with the AVX of "max" qemu 7.2's emulation has failed systemd's mounts. One emulated core: two, on a
# machine that has other things to do, have hung in the kernel's start.
KINDS = {
    "amd64": ("qemu-system-x86_64", "x86_64", ["-M", "q35"], "ttyS0", "Nehalem"),
    "arm64": ("qemu-system-aarch64", "aarch64", ["-M", "virt"], "ttyAMA0", "cortex-a72"),
}
accelerators = {}  # arch -> what has worked


class NotReady(Failed):
    """The machine did not come up in time."""


class Machine:
    """Not thread-safe. `write_log`: where the disk's writes are logged; `disk` is left as it was then."""

    def __init__(self, folder, image, disk, write_log=None):
        self.folder, self.image, self.arch, self.disk, self.write_log = Path(folder), image, image.arch, disk, write_log
        self.console, self.process, self.control, self.monitor = self.folder / "console", None, None, None
        self.number = 0

    # --- life -------------------------------------------------------------------------------------

    def start(self, *words, link=True):
        """Boots, with `words` at the end of the kernel's command line; returns when it can be spoken to."""
        for accelerator, seconds in choices(self.arch):
            try:
                self.launch(accelerator, words, link)
                self.wait_ready(seconds)
            except NotReady:
                self.kill()
                if accelerator == "tcg":
                    raise
                print("KVM does not work here: the processor is emulated", flush=True)
                accelerators[self.arch] = "tcg"
                continue
            accelerators[self.arch] = accelerator
            return self

    def boot_only(self):
        """Boots, and does not wait. Only where a machine has been started before."""
        self.launch(accelerators[self.arch], (), True)

    def launch(self, accelerator, words, link):
        sockets = {name: self.folder / f"{name}.socket" for name in ("control", "monitor")}
        for path in sockets.values():
            path.unlink(missing_ok=True)
        program, _, board, console, cpu = KINDS[self.arch]
        cpu = self.image.system.processor or cpu
        command = [program, *board, "-accel", "tcg,thread=multi" if accelerator == "tcg" else accelerator,
                   *(["-cpu", "host", "-smp", "2"] if accelerator == "kvm" else ["-cpu", cpu, "-smp", "1"]), "-m", "512",
                   "-kernel", self.image.kernel, "-initrd", self.image.initrd,
                   "-append", " ".join([f"root=/dev/vda rw console={console} panic=-1 {QUICK_BOOT}", *words]),
                   *self.drive(),
                   "-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,id=nic",
                   "-device", "virtio-rng-pci", "-device", "virtio-serial-pci",
                   "-chardev", f"socket,id=control,path={sockets['control']},server=on,wait=off",
                   "-device", "virtserialport,chardev=control,name=edgehose.control",
                   "-qmp", f"unix:{sockets['monitor']},server=on,wait=off",
                   "-serial", f"file:{self.console}", "-display", "none", "-nodefaults", "-S"]
        self.errors = open(self.folder / "qemu.errors", "ab")
        self.process = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL,
                                        stdout=self.errors, stderr=self.errors, preexec_fn=die_with_parent)
        self.monitor = Line(sockets["monitor"], self.process)
        self.monitor.read(20, NotReady)
        self.ask("qmp_capabilities")
        self.control = Line(sockets["control"], self.process)
        self.set_link(link)
        self.ask("cont")

    def drive(self):
        """The host itself is never turned off: what the guest flushes need not reach the host's own disk."""
        def file(path, name):
            return ["-blockdev", f"driver=file,filename={path},node-name={name},cache.no-flush=on"]
        if not self.write_log:
            return [*file(self.disk, "file"), "-device", "virtio-blk-pci,drive=file"]
        overlay = self.folder / "life.qcow2"
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", self.disk, overlay], check=True)
        Path(self.write_log).write_bytes(b"")
        return [*file(overlay, "file"), "-blockdev", "driver=qcow2,file=file,node-name=disk",
                *file(self.write_log, "log"),
                "-blockdev", "driver=blklogwrites,node-name=logged,file=disk,log=log,log-sector-size=512",
                "-device", "virtio-blk-pci,drive=logged"]

    def wait_ready(self, seconds=BOOT_SECONDS):
        """The id of the boot, when the machine says that it is ready."""
        end = time.monotonic() + seconds
        while True:
            text = self.control.read(end - time.monotonic(), NotReady)
            if text.startswith("ready "):
                return text.split()[1]

    def kill(self):
        """SIGKILL to qemu: nothing more is written, to no disk and to no network."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        if self.process:
            self.process.wait()
            self.errors.close()
        for line in (self.control, self.monitor):
            if line:
                line.close()
        self.process = self.control = self.monitor = None

    def power_off(self, seconds=BOOT_SECONDS):
        """A clean end: everything is on the disk afterwards."""
        self.send("systemctl poweroff")
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"systemctl poweroff: still running after {seconds} s; {self.last_words()}") from None
        if code != 0:
            raise Failed(f"qemu ended with exit code {code}: {self.last_words()}")
        self.kill()

    def reboot(self, seconds=BOOT_SECONDS):
        self.send("systemctl reboot")
        return self.wait_ready(seconds)

    def last_words(self):
        lines = self.console.read_bytes().decode(errors="replace").splitlines() if self.console.exists() else []
        errors = (self.folder / "qemu.errors").read_text(errors="replace")[-1000:]
        return "\n  ".join([f"the console's last lines ({errors.strip()}):", *lines[-15:]])

    # --- speaking to it ---------------------------------------------------------------------------

    def send(self, command):
        self.number += 1
        self.control.write(f"{self.number} {base64.b64encode(command.encode()).decode()}\n")

    def answer(self, command, seconds=COMMAND_SECONDS):
        """(exit code, output) of a command that bash runs in the machine."""
        self.send(command)
        end = time.monotonic() + seconds
        while True:
            number, _, rest = self.control.read(end - time.monotonic()).partition(" ")
            if number == str(self.number):
                code, _, output = rest.partition(" ")
                return int(code), base64.b64decode(output).decode(errors="replace")

    def run(self, command, seconds=COMMAND_SECONDS):
        """The output of a command; Failed where it fails."""
        code, output = self.answer(command, seconds)
        if code != 0:
            raise Failed(f"in the machine: {command[:300]}: exit code {code}:\n{output}")
        return output

    def put(self, path, text):
        self.run(f"mkdir -p {os.path.dirname(path)}; base64 -d > {path} <<'E'\n"
                 f"{base64.b64encode(text.encode()).decode()}\nE")

    # --- the monitor ------------------------------------------------------------------------------

    def ask(self, command, **arguments):
        self.monitor.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        while True:
            told = json.loads(self.monitor.read(30, NotReady))
            if "error" in told:
                raise Failed(f"qemu: {command}: {told['error']['desc']}")
            if "return" in told:
                return told["return"]

    def set_link(self, up):
        self.ask("set_link", name="nic", up=up)


def choices(arch):
    """(accelerator, seconds to come up) to be tried."""
    if arch in accelerators:
        return [(accelerators[arch], BOOT_SECONDS)]
    here = os.access("/dev/kvm", os.R_OK | os.W_OK) and platform.machine() == KINDS[arch][1]
    return [("kvm", KVM_SECONDS)] * here + [("tcg", BOOT_SECONDS)]


class Line:
    """A socket of qemu's, by lines."""

    def __init__(self, path, process):
        self.socket, self.buffer, self.process = socket.socket(socket.AF_UNIX), b"", process

        def connected():
            if process.poll() is not None:
                raise NotReady(f"qemu did not start: exit code {process.returncode}; see {path.parent}/qemu.errors")
            try:
                self.socket.connect(str(path))
                return True
            except OSError:
                return False
        wait_until(connected, 30, f"a connection to {path}", 0.05)

    def write(self, text):
        self.socket.sendall(text.encode())

    def read(self, seconds, error=Failed):
        end = time.monotonic() + seconds
        while b"\n" not in self.buffer:
            self.socket.settimeout(max(0.01, min(1.0, end - time.monotonic())))
            try:
                data = self.socket.recv(1 << 16)
            except socket.timeout:
                data = None
            except ConnectionError:
                data = b""
            if data:
                self.buffer += data
            elif data == b"" or time.monotonic() > end:
                raise error("qemu has ended" if data == b"" else f"the machine was silent for {seconds:.0f} s")
        line, _, self.buffer = self.buffer.partition(b"\n")
        return re.sub(rb"^\0+", b"", line).decode(errors="replace")

    def close(self):
        self.socket.close()


class Growth:
    """When a log of writes had which length: a thread that looks every few milliseconds."""

    def __init__(self, path):
        self.path, self.seen, self.ended = path, [], threading.Event()
        self.thread = threading.Thread(target=self.look, daemon=True)
        self.thread.start()

    def look(self):
        while not self.ended.wait(0.002):
            self.seen.append((time.monotonic(), os.stat(self.path).st_size))

    def stop(self):
        self.ended.set()
        self.thread.join()

    def length_after(self, moment):
        """A length that the log had not yet at `moment`, or just then. None where nobody looked since."""
        looks = bisect.bisect_right(self.seen, (moment, math.inf))
        return self.seen[looks][1] if looks < len(self.seen) else None

    def length_before(self, moment):
        """A length that the log had already at `moment`: of the last look that was over. 0 where there was none."""
        looks = bisect.bisect_right(self.seen, (moment, math.inf))
        return self.seen[looks - 2][1] if looks > 1 else 0
