"""A wrong config is told before anything runs: file, line, what is wrong, the nearest right name; all
errors at once. (The exact words are golden files beside agent/config; here: the binary says them.)"""

import promise


class Promise(promise.PromiseCase):
    def wrong(self, *mentioned, command=("check",), **tables):
        path = self.box.config(**tables)
        result = self.box.call(*command)
        told = result.stdout + result.stderr
        self.assertNotEqual(result.returncode, 0, told)
        for text in mentioned:
            self.assertIn(text, told)
        return path, told

    def line_of(self, text):
        return 1 + next(i for i, line in enumerate(self.box.config_path.read_text().splitlines()) if text in line)

    def test_an_unknown_key_has_its_line_and_the_nearest_name(self):
        _, told = self.wrong("compresion", "compression", sink={"compresion": "gzip"})
        self.assertIn(f"{self.box.config_path.name}:{self.line_of('compresion')}", told)

    def test_run_refuses_what_check_refuses(self):
        self.wrong("compresion", command=("run", "--once", "--timeout", "5s"), sink={"compresion": "gzip"})
        self.assertEqual(list(self.box.data.iterdir()), [], "nothing was begun")

    def test_all_errors_in_one_run(self):
        self.wrong("when_full", "compression", "max_age",
                   buffer={"when_full": "explode"}, sink={"compression": "rar", "batch": {"max_age": "5"}})

    def test_undefined_variable(self):
        self.wrong("NO_SUCH_VARIABLE", sink={"path": "${NO_SUCH_VARIABLE}"})

    def test_variable_with_a_default(self):
        self.box.config(agent={"id": "${NO_SUCH_VARIABLE:-gw-default}"})
        self.assertEqual(self.box.call("check").returncode, 0)

    def test_percent_y_has_the_right_spelling(self):
        self.wrong("yyyy", sink={"prefix": "!{timestamp:%Y/%m}/"})

    def test_unknown_source_in_inputs(self):
        self.wrong("ap", "app", sink={"inputs": ["ap"]})

    def test_not_toml_at_all(self):
        self.box.config_path.write_text("[agent\nid = \n")
        result = self.box.call("check")
        self.assertNotEqual(result.returncode, 0)
        self.assertIn(f"{self.box.config_path.name}:1", result.stdout + result.stderr)

    def test_no_such_file(self):
        self.box.config_path.unlink()
        result = self.box.call("run")
        self.assertNotEqual(result.returncode, 0)
        self.assertIn(str(self.box.config_path), result.stdout + result.stderr)

    def test_set_goes_over_the_file(self):
        other = self.box.root / "other"
        other.mkdir()
        self.box.log(lines=10)
        self.box.run_once("--set", f"sinks.archive.path={other}")
        self.box.check(directory=other)
        self.assertEqual(self.box.objects(), [])


promise.main()
