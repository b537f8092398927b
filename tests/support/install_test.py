#!/usr/bin/env python3
"""The installers of the servers: whole or made anew, once, and loud about what is missing."""

import contextlib
import io
import os
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path
from unittest import mock

import install as installer
from install import CannotInstall, Recipe, install


class Stub(Recipe):
    """Installs a file; `fails` so many times before."""

    def __init__(self, text="v1", fails=0):
        super().__init__("stub", "1", text)
        self.made, self.fails = 0, fails
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()

    def make(self):
        self.made += 1
        (self.folder / "half").write_text(self.text)
        self.begun.set()
        self.go_on.wait(20)
        if self.made <= self.fails:
            raise CannotInstall("the download broke")


class Install(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory(prefix="edgehose-install-")
        self.addCleanup(place.cleanup)
        self.enter(mock.patch.object(installer, "CACHE", Path(place.name) / "cache"))
        self.output = io.StringIO()
        self.enter(contextlib.redirect_stdout(self.output))

    def enter(self, context):
        context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)

    def main(self, recipe, in_ci):
        with mock.patch.object(installer, "IN_CI", in_ci):
            return installer.main({"stub": recipe}, [])

    def test_what_is_there_is_left_alone(self):
        install(Stub())
        again = Stub()
        install(again)
        self.assertEqual(again.made, 0)

    def test_another_recipe_is_made_anew(self):
        install(Stub())
        (Stub().folder / "left over").touch()
        install(Stub("v2"))
        self.assertEqual((Stub().folder / "half").read_text(), "v2")
        self.assertFalse((Stub().folder / "left over").exists())

    def test_a_download_that_breaks_is_tried_again(self):
        recipe = Stub(fails=1)
        install(recipe)
        self.assertTrue(recipe.is_there())

    def test_a_failed_one_is_not_there_and_the_next_run_repairs_it(self):
        with self.assertRaises(CannotInstall):
            install(Stub(fails=installer.TRIES))
        self.assertFalse(Stub().is_there())
        install(Stub())
        self.assertTrue(Stub().is_there())

    def test_two_at_once_install_once(self):
        first, second = Stub(), Stub()
        first.go_on.clear()
        threads = [threading.Thread(target=install, args=[first])]
        threads[0].start()
        self.assertTrue(first.begun.wait(20))
        threads.append(threading.Thread(target=install, args=[second]))
        threads[1].start()
        for cleanup in (threads[1].join, threads[0].join, first.go_on.set):
            self.addCleanup(cleanup)
        self.assertFalse(second.begun.wait(0.3), "the second waits for the first")
        first.go_on.set()
        for thread in threads:
            thread.join(20)
        self.assertEqual((first.made, second.made), (1, 0))
        self.assertTrue(second.is_there())

    def test_one_that_is_missing_is_named_and_fails_ci(self):
        for in_ci, code in ((False, 0), (True, 1)):
            self.assertEqual(self.main(Stub(fails=installer.TRIES), in_ci), code)
            self.assertIn("stub 1: MISSING: the download broke", self.output.getvalue())

    def test_a_test_without_its_server_skips_and_fails_in_ci(self):
        search = "test_over_tls_and_only_for_its_user"
        for script, test, name in (
                ("s3_servers_test.py", "Minio.test_what_is_stored_comes_back", "minio"),
                ("search_servers_test.py", f"OpenSearch.{search}", "opensearch"),
                ("search_servers_test.py", f"Elasticsearch.{search}", "elasticsearch")):
            for in_ci, said in (("", "OK (skipped=1)"), ("true", "FAILED (")):
                with self.subTest(test, in_ci=in_ci):
                    self.without_its_server(script, test, name, in_ci, said)

    def without_its_server(self, script, test, name, in_ci, said):
        command = [sys.executable, Path(__file__).with_name(script), test]
        done = subprocess.run(command, capture_output=True, text=True, env={
            **os.environ, "CI": in_ci, "XDG_CACHE_HOME": str(installer.CACHE)})
        self.assertIn(f"MISSING: {name} is not installed", done.stderr)
        self.assertIn(said, done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=0)
