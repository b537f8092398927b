#!/usr/bin/env python3
"""What is refused before anything is made: a system on a processor that it is not for, the package where its libraries
are not; and that every other one has what it says."""
import unittest

from image import SYSTEMS, debian


class Refusals(unittest.TestCase):
    def test_a_kernel_of_arm64_alone(self):
        self.assertIn("arm64 alone", SYSTEMS["debian-12-16k"].refusal("amd64", archive=None))
        self.assertIsNone(SYSTEMS["debian-12-16k"].refusal("arm64", archive=None))

    def test_ubuntu_is_for_amd64_and_takes_the_archive(self):
        ubuntu = SYSTEMS["ubuntu-20.04"]
        self.assertIn("amd64 alone", ubuntu.refusal("arm64", archive="edgehose.tar.gz"))
        self.assertIn("--archive", ubuntu.refusal("amd64", archive=None))
        self.assertIsNone(ubuntu.refusal("amd64", archive="edgehose.tar.gz"))

    def test_debian_takes_every_processor_and_either(self):
        for arch in debian.MACHINES:
            for archive in (None, "edgehose.tar.gz"):
                self.assertIsNone(SYSTEMS["debian-12"].refusal(arch, archive))


class Tables(unittest.TestCase):
    def test_processors_are_known(self):
        for name, system in SYSTEMS.items():
            self.assertLessEqual(set(system.architectures), set(debian.MACHINES), name)


if __name__ == "__main__":
    unittest.main()
