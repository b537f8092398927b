#!/usr/bin/env python3
"""The Debian package, installed, upgraded, removed and purged in a Debian that is thrown away.

    EDGEHOSE_PACKAGES=DIRECTORY python3 tests/packages/packages.py Package.test_NAME

DIRECTORY holds the one .deb to be tested (cross/package.sh, or cpack in a build folder).
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import debian_root  # noqa: E402
from debian_root import CannotInstall, Root  # noqa: E402

CONFIG = "/etc/edgehose/edgehose.toml"
STATE = "/var/lib/edgehose"
CREDENTIALS = "/etc/edgehose/credentials"
UNIT = "/usr/lib/systemd/system/edgehose.service"
CROSS = Path(__file__).resolve().parents[2] / "cross"
PREINST, INSTALLER = CROSS / "debian/preinst", CROSS / "static/install.sh"
WANTS = "/etc/systemd/system/multi-user.target.wants/edgehose.service"

# path -> owner and mode
INSTALLED = {
    "/usr/bin/edgehose": "root:root 755",
    UNIT: "root:root 644",
    "/usr/lib/sysusers.d/edgehose.conf": "root:root 644",
    "/usr/lib/tmpfiles.d/edgehose.conf": "root:root 644",
    CONFIG: "root:root 644",
    CREDENTIALS: "root:edgehose 750",
    STATE: "edgehose:edgehose 750",
    "/usr/share/man/man1/edgehose.1.gz": "root:root 644",
    "/usr/share/man/man1/edgehose-buffer-verify.1.gz": "root:root 644",
    "/usr/share/man/man5/edgehose.toml.5.gz": "root:root 644",
    "/usr/share/bash-completion/completions/edgehose": "root:root 644",
    "/usr/share/zsh/vendor-completions/_edgehose": "root:root 644",
    "/usr/share/fish/vendor_completions.d/edgehose.fish": "root:root 644",
    "/usr/share/doc/edgehose/copyright": "root:root 644",
    "/usr/share/doc/edgehose/changelog.gz": "root:root 644",
    "/usr/share/doc/edgehose/OPERATING.md.gz": "root:root 644",
}


class Package(unittest.TestCase):
    def setUp(self):
        try:
            archive = debian_root.tarball()
        except CannotInstall as why:
            self.skipTest(str(why))
        self.deb = debian_root.package()
        self.root = Root(archive)
        self.addCleanup(self.root.remove)

    # --- the package itself ---

    def test_lintian_finds_nothing(self):
        allow = ["--allow-root"] if os.geteuid() == 0 else []
        lintian = subprocess.run(["lintian", *allow, "--fail-on", "error,warning", self.deb],
                                 text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual((lintian.returncode, lintian.stdout), (0, ""))

    def test_armhf_refuses_an_armv6_processor(self):
        """The script alone: another processor's package says nothing of it."""
        (self.root / "/usr/local/bin").mkdir(parents=True, exist_ok=True)
        shutil.copy(PREINST, self.root / "/preinst")
        for machine, code in (("armv6l", 1), ("armv7l", 0), ("aarch64", 0)):
            uname = self.root / "/usr/local/bin/uname"
            uname.write_text(f"#!/bin/sh\necho {machine}\n")
            uname.chmod(0o755)
            said = self.root.run("env", "PATH=/usr/local/bin:/usr/bin:/bin", "DPKG_MAINTSCRIPT_ARCH=armhf",
                                 "/preinst", "install", code=code)
            self.assertEqual("linux-armv6.tar.gz" in said, code == 1, said)

    # --- what is installed ---

    def test_install(self):
        self.root.install(self.deb)
        self.assertEqual({path: self.root.owner(path) for path in INSTALLED}, INSTALLED)
        user = self.root.run("getent", "passwd", "edgehose").strip().split(":")
        self.assertEqual(user[5:], [STATE, "/usr/sbin/nologin"])
        self.assertLess(int(user[2]), 1000, "a system user's number")

    def test_first_install_starts_nothing_and_says_what_is_left(self):
        said = self.root.install(self.deb)
        self.assertFalse(os.path.lexists(self.root / WANTS))
        for step in (CONFIG, "edgehose check --connect", "systemctl enable --now edgehose"):
            self.assertIn(step, said)

    def test_default_config_passes_check(self):
        (self.root / "/etc/machine-id").write_text("0" * 31 + "1\n")  # as the first boot writes one
        self.root.install(self.deb)
        said = self.root.run("edgehose", "check")
        self.assertNotIn("edgehose: error", said)
        self.assertIn("https://destination.invalid", said)

    def test_program_is_stripped_and_finds_its_libraries(self):
        self.root.install(self.deb)
        self.assertTrue(self.root.run("edgehose", "version").startswith("edgehose "))
        sections = debian_root.output("readelf", "--section-headers", "--wide",
                                      self.root / "/usr/bin/edgehose")
        self.assertNotIn(".symtab", sections)

    def test_without_systemd(self):
        """A container: the user and the directories are the same."""
        for tool in ("systemd-sysusers", "systemd-tmpfiles"):
            (self.root / f"/usr/bin/{tool}").rename(self.root / f"/usr/bin/{tool}.away")
        self.root.install(self.deb)
        for path in (STATE, CREDENTIALS):
            self.assertEqual(self.root.owner(path), INSTALLED[path])
        self.assertTrue(self.root.run("getent", "passwd", "edgehose").rstrip()
                        .endswith(f":{STATE}:/usr/sbin/nologin"))

    def test_refuses_a_place_that_another_program_has(self):
        """The static one, or a build put there by hand."""
        program = self.root / "/usr/bin/edgehose"
        program.write_text("#!/bin/sh\n")
        with self.assertRaisesRegex(AssertionError, "install.sh --uninstall"):
            self.root.install(self.deb)
        self.assertEqual(program.read_text(), "#!/bin/sh\n")
        program.unlink()
        self.root.install(self.deb)

    # --- upgrade ---

    def test_upgrade_keeps_a_changed_config(self):
        self.root.install(self.deb)
        mine = (self.root / CONFIG).read_text() + "# mine\n"
        (self.root / CONFIG).write_text(mine)
        self.buffer_file().write_text("records")
        said = self.root.install(self.higher_version("# theirs\n"))
        self.assertIn("9.0.0", self.root.run("dpkg-query", "--show", "edgehose"))
        self.assertEqual((self.root / CONFIG).read_text(), mine)
        self.assertIn("# theirs", (self.root / f"{CONFIG}.dpkg-dist").read_text())
        self.assertEqual(self.buffer_file().read_text(), "records")
        self.assertNotIn("What is left to do", said)

    def test_upgrade_replaces_a_config_that_nobody_changed(self):
        self.root.install(self.deb)
        self.root.install(self.higher_version("# theirs\n"))
        self.assertIn("# theirs", (self.root / CONFIG).read_text())

    def test_enabled_service_stays_enabled(self):
        """Through an upgrade, and through a removal after which it is installed again."""
        self.root.install(self.deb)
        self.root.run("systemctl", "enable", "edgehose")
        self.root.install(self.higher_version())
        self.assertTrue(os.path.lexists(self.root / WANTS))
        self.root.run("apt-get", "remove", "--yes", "edgehose")
        self.root.install(self.deb)
        self.assertTrue(os.path.lexists(self.root / WANTS))
        self.assertFalse(os.path.lexists(self.root / "/etc/systemd/system/edgehose.service"), "masked")

    def test_configured_again(self):
        """The scripts do the same when they run twice, as after a power cut."""
        self.root.install(self.deb)
        self.buffer_file().write_text("records")
        self.root.run("dpkg-reconfigure", "edgehose")
        self.root.install(self.deb)
        self.assertEqual({path: self.root.owner(path) for path in INSTALLED}, INSTALLED)
        self.assertEqual(self.buffer_file().read_text(), "records")

    # --- remove and purge ---

    def test_remove_keeps_what_purge_deletes(self):
        self.root.install(self.deb)
        self.root.run("systemctl", "enable", "edgehose")
        self.buffer_file().write_text("records")
        (self.root / f"{CREDENTIALS}/hec-token").write_text("secret")
        self.root.run("apt-get", "remove", "--yes", "edgehose")
        for path in ("/usr/bin/edgehose", UNIT):
            self.assertFalse((self.root / path).exists(), path)
        self.assertEqual(self.buffer_file().read_text(), "records")
        for path in (CONFIG, f"{CREDENTIALS}/hec-token"):
            self.assertTrue((self.root / path).exists(), path)

        said = self.root.run("apt-get", "purge", "--yes", "edgehose")
        self.assertNotIn("warning", said)
        left = [str(path.relative_to(self.root.path)) for folder in ("etc", "var/lib", "usr", "lib")
                for path in (self.root / folder).rglob("*edgehose*")]
        self.assertEqual(left, [])
        self.assertFalse(os.path.lexists(self.root / WANTS))
        self.root.run("getent", "passwd", "edgehose")  # its number is nobody else's

    def test_purge_leaves_what_another_program_took_over(self):
        self.root.install(self.deb)
        self.buffer_file().write_text("records")
        self.root.run("apt-get", "remove", "--yes", "edgehose")
        (self.root / "/usr/bin/edgehose").write_text("#!/bin/sh\n")
        said = self.root.run("apt-get", "purge", "--yes", "edgehose")
        self.assertIn("its buffer and its credentials stay", said)
        self.assertEqual(self.buffer_file().read_text(), "records")
        self.assertTrue((self.root / CREDENTIALS).is_dir())

    def test_the_static_installer_takes_over_what_a_removed_package_left(self):
        """The real install.sh, with the package's program for the static one."""
        self.root.install(self.deb)
        place = self.root / "/root/static"
        for folder in ("bin", "init", "share/doc/edgehose"):
            (place / folder).mkdir(parents=True)
        shutil.copy(self.root / "/usr/bin/edgehose", place / "bin")
        shutil.copy(self.root / UNIT, place / "init")
        shutil.copy(INSTALLER, place)
        (self.root / CONFIG).write_text("# mine\n")
        self.buffer_file().write_text("records")
        self.root.run("apt-get", "remove", "--yes", "edgehose")
        said = self.root.run("sh", "/root/static/install.sh")
        self.assertIn("purging what dpkg still has", said)
        self.root.run("dpkg-query", "--status", "edgehose", code=1)
        self.assertEqual((self.root / CONFIG).read_text(), "# mine\n")
        self.assertEqual(self.buffer_file().read_text(), "records")
        self.assertTrue((self.root / CREDENTIALS).is_dir())
        self.root.run("edgehose", "version")
        with self.assertRaisesRegex(AssertionError, "install.sh --uninstall"):
            self.root.install(self.deb)

    def test_purge_leaves_what_a_link_of_others_leads_to(self):
        self.root.install(self.deb)
        shutil.rmtree(self.root / STATE)
        (self.root / "/srv/others").mkdir()
        (self.root / "/srv/others/file").write_text("theirs")
        (self.root / STATE).symlink_to("/srv/others")
        self.assertIn("is left as it is", self.root.run("apt-get", "purge", "--yes", "edgehose"))
        self.assertTrue((self.root / "/srv/others/file").exists())

    def test_purge_empties_what_root_has_linked_elsewhere(self):
        self.root.install(self.deb)
        (self.root / STATE).rename(self.root / "/srv/edgehose")
        (self.root / STATE).symlink_to("/srv/edgehose")
        (self.root / "/srv/edgehose/buffer").write_text("records")
        self.root.run("apt-get", "purge", "--yes", "edgehose")
        self.assertFalse(os.path.lexists(self.root / STATE))
        self.assertEqual(list((self.root / "/srv/edgehose").iterdir()), [])

    # --- what comes with it ---

    def test_man_pages(self):
        self.root.install(self.deb)
        listed = self.root.run("dpkg", "--listfiles", "edgehose").split()
        pages = [path for path in listed if re.search(r"/man[15]/", path)]
        self.assertGreater(len(pages), 15)
        for page in pages:
            said = self.root.run("sh", "-c", 'man --warnings -E UTF-8 -l -Tutf8 -Z "$1" 2>&1 >/dev/null',
                                 "sh", page)
            self.assertEqual(said, "", page)
        text = self.root.run("man", "edgehose-buffer-verify")
        self.assertIn("--file FILE", text)
        self.assertIn("batch.max_size", self.root.run("man", "edgehose.toml"))

    def complete(self, *words):
        """What bash offers for the last word."""
        script = ('. /usr/share/bash-completion/bash_completion; _completion_loader edgehose; '
                  'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _edgehose; '
                  'printf "%s\\n" "${COMPREPLY[@]}"')
        return self.root.run("bash", "-c", script, "bash", *words).split()

    def test_completion(self):
        self.root.install(self.deb)
        (self.root / CONFIG).write_text('[sources.app]\n[sinks.archive]\n  [sinks.cloud]\n')
        for words, offered in (
                (("edgehose", "che"), ["check"]),
                (("edgehose", "buffer", "ver"), ["verify"]),
                (("edgehose", "help", "buffer", "ver"), ["verify"]),
                (("edgehose", "run", "--onc"), ["--once"]),
                (("edgehose", "--set", "a=1", "run", "--onc"), ["--once"]),
                (("edgehose", "--log-level", "de"), ["debug"]),
                (("edgehose", "--log-level", "=", "de"), ["debug"]),
                (("edgehose", "dead-letters", "list", "--sink", "c"), ["cloud"]),
                (("edgehose", "buffer", "forget", "a"), ["archive"]),
                (("edgehose", "buffer", "export", "--format", ""), ["lines", "ndjson"]),
                (("edgehose", "--set", "agent.data"), ["agent.data_dir="]),
                (("edgehose", "--set", "sinks.archive.batch.max_s"), ["sinks.archive.batch.max_size="]),
                (("edgehose", "--set", "sources.app.pat"), ["sources.app.paths="]),
                (("edgehose", "--config", "/etc/edgehose/edgehose.t"), [CONFIG]),
                (("edgehose", "--config", "/nowhere", "buffer", "forget", ""), []),
                (("edgehose", "run", "--timeout", ""), []),
                (("edgehose", "nothing", ""), [])):
            with self.subTest(words=words):
                self.assertEqual(self.complete(*words), offered)

    def test_unit_is_one_that_systemd_reads(self):
        self.root.install(self.deb)
        said = self.root.run("systemd-analyze", "verify", "--man=no", UNIT)
        self.assertNotIn("edgehose.service", said)

    # --- help ---

    def buffer_file(self):
        return self.root / f"{STATE}/buffer"

    def higher_version(self, config=""):
        """The same package, of version 9.0.0, with `config` appended to what it ships."""
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        subprocess.run(["dpkg-deb", "--raw-extract", self.deb, folder / "tree"], check=True)
        control = folder / "tree/DEBIAN/control"
        control.write_text(re.sub(r"^Version: .*", "Version: 9.0.0", control.read_text(), flags=re.M))
        with open(folder / f"tree{CONFIG}", "a", encoding="utf-8") as file:
            file.write(config)
        subprocess.run(["dpkg-deb", "--build", "-Znone", folder / "tree", folder / "higher.deb"],
                       check=True, stdout=subprocess.DEVNULL)
        return folder / "higher.deb"


if __name__ == "__main__":
    unittest.main(verbosity=0)
