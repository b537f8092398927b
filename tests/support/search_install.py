#!/usr/bin/env python3
"""Puts the search servers of the tests where they stay (install.py): OpenSearch, of jars and of
OpenSearchNode.java, and Elasticsearch, as it is packed for the tests of its own plugins.

    search_install.py [NAME...]     both, or those named; tells what is there and what is not
"""

import shutil
import sys
import zipfile
from pathlib import Path

import install
from install import Maven, run

HERE = Path(__file__).resolve().parent
NODE = HERE / "OpenSearchNode.java"
JAVA = ["java", "-Xms512m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
SETTINGS = {  # of every node, of either kind
    "discovery.type": "single-node",
    "network.host": "127.0.0.1",
    "transport.port": 0,
    "node.name": "n1",
    "node.processors": 2,
    "cluster.routing.allocation.disk.threshold_enabled": "false",  # whatever this disk has free
}


class OpenSearch(Maven):
    """lib/ with its jars and node.jar; `archive`, where this Java makes one: the classes that a
    start loads, ready to be mapped, which halves the start."""

    VERSION = "2.19.4"
    PARTS = ("plugin:transport-netty4-client", "plugin:ingest-common", "plugin:lang-painless",
             "plugin:mapper-extras-client", "plugin:reindex-client")

    def __init__(self):
        wanted = [f"org.opensearch:opensearch:{self.VERSION}"]
        wanted += [f"org.opensearch.{part}:{self.VERSION}" for part in self.PARTS]
        wanted += ["org.apache.logging.log4j:log4j-core:2.21.0",  # as old as its log4j-api
                   "org.eclipse.jdt:ecj:3.33.0"]  # a JRE has no compiler
        super().__init__("opensearch", wanted)
        self.text += NODE.read_text()

    @property
    def archive(self):
        return self.folder / "archive.jsa"

    def class_path(self):
        """In the order of the archive: with another it is of no use."""
        return ":".join(map(str, sorted((self.folder / "lib").glob("*.jar"))))

    def make(self):
        super().make()
        self.compile()
        self.start_once()

    def compile(self):
        classes = self.folder / "classes"
        run(["java", "-cp", self.class_path(), "org.eclipse.jdt.internal.compiler.batch.Main",
             "-17", "-proc:none", "-nowarn", "-d", classes, NODE])
        with zipfile.ZipFile(self.folder / "lib" / "node.jar", "w") as jar:
            for path in sorted(classes.iterdir()):
                jar.write(path, path.name)
        shutil.rmtree(classes)

    def start_once(self):
        """Writes the archive."""
        home, settings = self.folder / "once", self.folder / "once.properties"
        write_settings(settings, {**SETTINGS, "path.home": home, "http.port": 0})
        run([*JAVA, f"-XX:ArchiveClassesAtExit={self.archive}", "-Xlog:disable", "-Xlog:all=error",
             "-cp", self.class_path(), "OpenSearchNode", settings])
        shutil.rmtree(home)


class Elasticsearch(Maven):
    VERSION = "8.19.21"

    def __init__(self):
        super().__init__("elasticsearch", [
            f"org.elasticsearch.distribution.integ-test-zip:elasticsearch:{self.VERSION}:zip"])

    @property
    def home(self):
        return self.folder / f"elasticsearch-{self.VERSION}"

    def make(self):
        super().make()
        packed, = (self.folder / "lib").glob("*.zip")
        with zipfile.ZipFile(packed) as archive:
            archive.extractall(self.folder)
        packed.unlink()
        for program in (self.home / "bin").iterdir():
            program.chmod(0o755)


def write_settings(path, settings):
    path.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))


RECIPES = {recipe.name: recipe for recipe in (OpenSearch(), Elasticsearch())}


if __name__ == "__main__":
    sys.exit(install.main(RECIPES, sys.argv[1:]))
