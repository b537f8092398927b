#!/usr/bin/env python3
"""Each check of structure.py passes a small sound tree, and complains about it with one thing broken."""
import sys
import unittest

sys.dont_write_bytecode = True
import structure

SOUND = {
    "README.md": "See [the buffer](buffer/README.md#top) and store.h.\n",
    "agent/base/README.md": "Nothing of ours.\n",
    "agent/base/text.h": "#pragma once\n",
    "agent/config/README.md": "",
    "agent/config/value.h": '#pragma once\n#include "agent/base/text.h"\n',
    "buffer/README.md": "",
    "buffer/store.h": '#pragma once\n#include "agent/base/text.h"\n',
    "buffer/store.cpp": '#include "buffer/store.h"\n\n#include <vector>\n',
    "buffer/lmdb.cpp": "#include <lmdb.h>\n",
    "sinks/README.md": "",
    "sinks/sink.h": "#pragma once\n",
    "sinks/delivery/README.md": "",
    "sinks/delivery/courier.h": '#pragma once\n#include "sinks/sink.h"\n',
    "sinks/shelf/README.md": "",
    "sinks/shelf/shelf.h": '#pragma once\n#include "sinks/delivery/courier.h"\n',
    "tests/README.md": "",
    "tests/buffer/README.md": "| folder | what |\n|---|---|\n| old/ | formats |\n",
    "tests/buffer/store_test.cpp": '#include "buffer/store.h"\n#include "sinks/sink.h"\n',
    "tests/buffer/old/format.txt": "",
}

# check: what breaks it (file, text), and words of the complaint.
BROKEN = [
    ("includes", "agent/base/text.h", '#pragma once\n#include "buffer/store.h"\n', "nothing of ours"),
    ("includes", "buffer/store.h", '#pragma once\n#include "agent/config/value.h"\n', "buffer/store.h:2"),
    ("includes", "sinks/sink.h", '#pragma once\n#include "sinks/delivery/courier.h"\n', "may not include"),
    ("includes", "sinks/other/other.h", '#pragma once\n#include "sinks/shelf/shelf.h"\n', "sinks/other/"),
    ("includes", "sinks/delivery/courier.h", '#include "sinks/shelf/shelf.h"\n', "may not include"),
    ("includes", "buffer/lanes.cpp", '#include "store.h"\n', "by its path from the top"),
    ("includes", "attic/old.h", "#pragma once\n", "MAY_INCLUDE"),
    ("libraries", "buffer/store.cpp", '#include "buffer/store.h"\n#include <lmdb.h>\n', "buffer/lmdb.cpp"),
    ("libraries", "tests/buffer/store_test.cpp", "#include <curl/curl.h>\n", "sinks/http/exchange.h"),
    ("headers", "buffer/store.h", "", "no #pragma once"),
    ("headers", "buffer/store.h", "// #pragma once\n", "no #pragma once"),
    ("headers", "buffer/store.cpp", '#include <vector>\n#include "buffer/store.h"\n', "before anything"),
    ("readmes", "sinks/new/new.h", "#pragma once\n", "sinks/new/"),
    ("readmes", "sinks/shelf/top/top.h", "#pragma once\n", "sinks/shelf/top/"),
    ("readmes", "tests/buffer/older/format.txt", "", "tests/buffer/older/"),
    ("links", "README.md", "[gone](buffer/GONE.md)", "leads to no file"),
    ("links", "README.md", "[a folder](buffer)", "name its README.md"),
    ("names", "README.md", "see shop.h\n", "there is no shop.h"),
    ("words", "buffer/store.h", "// See i" "ssue 12.\n", "number of an issue"),
    ("words", "README.md", "built in /w" "ork/main\n", "one machine"),
    ("words", "README.md", "from https://registry" ".example.com/x\n", "package registry"),
]


class CanFail(unittest.TestCase):
    def test_a_sound_tree_passes(self):
        for name, check in structure.CHECKS.items():
            self.assertEqual(list(check(structure.Tree(SOUND))), [], name)

    def test_each_broken_tree_is_complained_about(self):
        for name, path, text, said in BROKEN:
            complaints = list(structure.CHECKS[name](structure.Tree({**SOUND, path: text})))
            self.assertEqual(len(complaints), 1, (name, path, complaints))
            self.assertIn(said, complaints[0])
            self.assertIn(path.rsplit("/", 1)[0] if name == "readmes" else path, complaints[0])

    def test_each_check_is_broken_once(self):
        self.assertEqual({name for name, *_ in BROKEN}, set(structure.CHECKS))


if __name__ == "__main__":
    unittest.main()
