"""The portable static build: one file that needs nothing of the system that it runs on, and an
installation that can be undone. $EDGEHOSE_STATIC is that file; the archive lies beside it."""

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

PROMISES = Path(__file__).resolve().parents[1] / "promises"
sys.path.insert(0, str(PROMISES))
import promise  # noqa: E402
import s3  # noqa: E402

STATIC = Path(os.environ.get("EDGEHOSE_STATIC", promise.SUPPORT.parents[1] / "build-static/edgehose-amd64"))
MOST_BYTES = 6_500_000
STACK = 1 << 20  # of each thread: musl gives 128 KiB unless the file says more
CA_PLACES = ("etc/ssl/certs/ca-certificates.crt", "etc/pki/tls/certs/ca-bundle.crt", "etc/ssl/cert.pem")
BUSYBOX = Path("/bin/busybox")


def readelf(option, program=STATIC):
    return subprocess.run(["readelf", option, program], capture_output=True, text=True, check=True).stdout


class EmptyRoot:
    """A root directory with what is put into it, and nothing else."""

    def __init__(self, path):
        self.path = path
        path.mkdir()

    def put(self, place, content, mode=0o644):
        file = self.path / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        file.chmod(mode)

    def run(self, *command, timeout=60):
        return subprocess.run(["chroot", self.path, *command], capture_output=True, text=True,
                              env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, timeout=timeout, stdin=subprocess.DEVNULL)


class Promise(promise.PromiseCase):
    def setUp(self):
        super().setUp()
        if not STATIC.exists():
            self.skipTest(f"{STATIC} is not there: cross/static/build.sh makes it")
        if os.geteuid() != 0:
            self.skipTest("changes its root directory: run as root")

    # --- the file ------------------------------------------------------------------------------------

    def test_it_needs_no_library_and_is_small(self):
        self.assertNotIn("INTERP", readelf("-lW"))
        self.assertNotIn("NEEDED", readelf("-dW"))
        self.assertLess(STATIC.stat().st_size, MOST_BYTES)

    def test_its_threads_have_room(self):
        stack = re.search(r"GNU_STACK\s+\S+ \S+ \S+ \S+ (0x\w+) (\w+)", readelf("-lW"))
        self.assertEqual((int(stack[1], 16), stack[2]), (STACK, "RW"))

    # --- in an empty root ----------------------------------------------------------------------------

    def empty_root(self, sink):
        """The program, its config and a log of 20,000 lines: no /proc, no /dev, no user database."""
        root = EmptyRoot(self.box.root / "root")
        root.put("edgehose", STATIC.read_bytes(), 0o755)
        root.put("edgehose.toml", '[agent]\nid = "gw-test"\ndata_dir = "/data"\n'
                 '[buffer]\nfree_disk_percent = 0\n'
                 '[sources.app]\ntype = "file"\npaths = ["/log/*.log"]\n'
                 f'[sinks.one]\ncompression = "zstd"\n{sink}')
        for folder in ("log", "data", "out"):
            (root.path / folder).mkdir()
        self.box.logs, self.box.out = root.path / "log", root.path / "out"
        self.box.log(lines=20000)
        return root

    def run_once(self, root):
        return root.run("/edgehose", "run", "--once", "--timeout", "30s", "--config", "/edgehose.toml")

    def delivers(self, root):
        done = self.run_once(root)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_in_an_empty_root_it_delivers_to_a_directory(self):
        root = self.empty_root('type = "directory"\npath = "/out"\n')
        self.delivers(root)
        self.delivers(root)  # and again nothing
        self.box.check("--in-order")

    def https(self):
        certificates = self.box.root / "certificates"
        certificates.mkdir()
        subprocess.run(["bash", promise.SUPPORT / "make_certs.sh", certificates], check=True)
        server = s3.FaultServer("--tls", certificates / "server.pem", certificates / "server.key")
        self.addCleanup(server.close)
        keys = '{ access_key_id = "AKIDEXAMPLE", secret_access_key = { file = "/key" } }'
        root = self.empty_root(f'type = "s3"\nbucket = "telemetry"\nregion = "eu-west-1"\n'
                               f'endpoint = "{server.url}"\ncredentials = {keys}\n')
        root.put("key", s3.SECRET, 0o400)
        return root, server, (certificates / "ca.pem").read_bytes()

    def test_in_an_empty_root_it_delivers_over_https_through_a_failure(self):
        root, server, authority = self.https()
        root.put(CA_PLACES[0], authority)
        server.faults(s3.refusal(503, "SlowDown"), {"do": "lost"})
        self.delivers(root)
        server.download(self.box.out)
        self.box.check("--in-order")

    def test_authorities_are_found_where_other_systems_have_them(self):
        root, server, authority = self.https()
        for place in CA_PLACES:
            with self.subTest(place):
                root.put(place, authority)
                self.delivers(root)
                (root.path / place).unlink()
                shutil.rmtree(root.path / "data")
                (root.path / "data").mkdir()
        refused = self.run_once(root)
        self.assertNotEqual(refused.returncode, 0, "delivered without an authority")
        self.assertIn("certificate", refused.stdout + refused.stderr)

    # --- the installation ----------------------------------------------------------------------------

    def unpack(self, root):
        """The archive, where a person would unpack it: its folder as seen from that root."""
        arch = STATIC.name.removeprefix("edgehose-")
        archives = sorted(STATIC.parent.glob(f"edgehose-*-linux-{arch}.tar.gz"))
        if not archives:
            self.skipTest(f"no archive lies beside {STATIC}")
        subprocess.run(["tar", "-xf", archives[-1], "-C", root / "tmp"], check=True)
        return f"/tmp/{archives[-1].name.removesuffix('.tar.gz')}"

    def busybox_root(self):
        if not BUSYBOX.exists() or "INTERP" in readelf("-lW", BUSYBOX):
            self.skipTest("busybox-static is not installed")
        root = EmptyRoot(self.box.root / "root")
        for folder in ("bin", "sbin", "usr/bin", "usr/sbin", "etc/init.d", "tmp", "var/log"):
            (root.path / folder).mkdir(parents=True)
        (root.path / "dev").mkdir()
        os.mknod(root.path / "dev/null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        root.put("bin/busybox", BUSYBOX.read_bytes(), 0o755)
        for word in subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True).stdout.split():
            if word != "busybox":
                (root.path / "bin" / word).symlink_to("busybox")
        root.put("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
        root.put("etc/group", "root:x:0:\nadm:x:4:daemon\nsystemd-journal:x:5:\n")
        root.put("etc/shadow", "root:!:0:0:99999:7:::\n", 0o600)
        root.put("var/log/messages", "Nov  1 00:00:00 gw app: a line\n")
        return root

    def installs_and_is_undone(self, root, service):
        folder = self.unpack(root.path)

        def install(*option):
            done = root.run("/bin/sh", "-c", f"umask 077; exec /bin/sh {folder}/install.sh {' '.join(option)}")
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            return done.stdout

        before = self.files(root)
        config = root.path / "etc/edgehose/edgehose.toml"
        install()
        self.assertEqual(root.run("/usr/bin/edgehose", "version").returncode, 0)
        users = [(root.path / "etc" / name).read_text() for name in ("passwd", "group")]
        self.assertIn("\nedgehose:", users[0])
        for group in re.findall(r"^(?:adm|systemd-journal):.*", users[1], re.M):
            self.assertRegex(group, r"[:,]edgehose$")
        self.assertTrue((root.path / service).exists())
        for place in ("usr/bin/edgehose", "etc/edgehose"):
            self.assertEqual((root.path / place).stat().st_mode & 0o777, 0o755, place)
        config.write_text("# mine\n")
        self.assertIn("is left as it is", install())
        self.assertEqual(config.read_text(), "# mine\n")
        (root.path / "var/lib/edgehose/buffer").write_text("lines")

        install("--uninstall")
        self.assertFalse((root.path / "usr/bin/edgehose").exists())
        self.assertFalse((root.path / service).exists())
        self.assertEqual(config.read_text(), "# mine\n")
        self.assertTrue((root.path / "var/lib/edgehose/buffer").exists())

        install("--purge")
        self.assertEqual(self.files(root) - before, set())
        self.assertEqual(users, [(root.path / "etc" / name).read_text() for name in ("passwd", "group")],
                         "the user stays, and joined its groups once")

    @staticmethod
    def files(root):
        """All that could be left behind; the copies that tools for users keep of their lists are theirs."""
        found = set()
        for folder in ("etc", "usr/bin", "usr/share", "var/lib", "run"):
            for place, _, names in os.walk(root.path / folder):
                found.update(f"{place}/{name}" for name in names if not name.endswith("-"))
        return found

    def test_it_installs_with_busybox_alone_under_openrc(self):
        root = self.busybox_root()
        root.put("sbin/openrc-run", "#!/bin/sh\n", 0o755)
        self.installs_and_is_undone(root, "etc/init.d/edgehose")

    def test_it_installs_without_tools_for_users_under_procd(self):
        root = self.busybox_root()
        root.put("sbin/procd", "#!/bin/sh\n", 0o755)
        root.put("etc/rc.common", "#!/bin/sh\n", 0o755)
        for word in ("adduser", "addgroup", "deluser", "delgroup"):
            (root.path / "bin" / word).unlink(missing_ok=True)
        self.installs_and_is_undone(root, "etc/init.d/edgehose")

    def test_it_installs_on_debian_with_systemd(self):
        """This machine's own root below a layer that takes every change."""
        layers, merged = self.box.root / "layers", self.box.root / "root"
        layers.mkdir()
        root = EmptyRoot(merged)
        self.box.mount_tmpfs(layers, "256m")
        for name in ("upper", "work"):
            (layers / name).mkdir()
        self.box.mount(["-t", "overlay", "-o", f"lowerdir=/,upperdir={layers}/upper,workdir={layers}/work",
                        "overlay"], merged)
        root.put("usr/lib/systemd/systemd", "", 0o755)
        for place in ("etc/edgehose", "var/lib/edgehose"):
            if (merged / place).exists():
                self.skipTest("edgehose is installed here")
        self.installs_and_is_undone(root, "etc/systemd/system/edgehose.service")


if __name__ == "__main__":
    promise.main()
