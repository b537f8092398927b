"""How what the tests need from elsewhere (servers, clients) comes here and stays: once, outside the
work tree. s3_install.py and search_install.py say what; this is how.

It is kept in $XDG_CACHE_HOME/edgehose-tests (~/.cache/edgehose-tests), each in a folder that names
its exact version. A folder is whole when its `recipe` is there and says what would be installed
today; one that is not is made anew, so a download that broke is repaired by the next run. Two
installers at once wait for each other. What is there already costs milliseconds and no network.

Exit code of an installer: 1 when something is missing and $CI is "true". Elsewhere 0: what needs it
skips by name.
"""

import concurrent.futures
import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgehose-tests"
IN_CI = os.environ.get("CI") == "true"
GO_NEEDED = (1, 25)
STEP_SECONDS = 1800  # one download or build
TRIES = 2


class CannotInstall(Exception):
    """Not to be had on this machine, or failed; in words for a person."""


def tool(name, why):
    path = shutil.which(name)
    if not path:
        raise CannotInstall(f"{name} is not on PATH: {why}")
    return path


def run(command, seconds=STEP_SECONDS, **options):
    try:
        done = subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              errors="replace", timeout=seconds, **options)
    except subprocess.TimeoutExpired:
        raise CannotInstall(f"{command[0]} took longer than {seconds} s")
    if done.returncode != 0:
        last = "\n  ".join(done.stdout.strip().splitlines()[-15:])
        what = " ".join(map(str, command))
        raise CannotInstall(f"{what}: exit code {done.returncode}:\n  {last}")
    return done.stdout


class Recipe:
    """How one server comes here. `text` is all that decides what is installed."""

    def __init__(self, name, version, text):
        self.name, self.version, self.text = name, version, text

    @property
    def folder(self):
        return CACHE / f"{self.name}-{self.version}"

    def is_there(self):
        try:
            return (self.folder / "recipe").read_text() == self.text
        except OSError:
            return False

    def possible(self):
        """CannotInstall where this machine lacks what it takes."""

    def make(self):
        """Fills the empty folder."""
        raise NotImplementedError


class Maven(Recipe):
    POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>edgehose.tests</groupId><artifactId>{name}</artifactId><version>1</version>
  <dependencyManagement><dependencies>{pinned}</dependencies></dependencyManagement>
  <dependencies>{wanted}</dependencies>
</project>
"""
    PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"

    @staticmethod
    def dependency(coordinates):
        group, artifact, version, *kind = coordinates.split(":")
        kind = f"<type>{kind[0]}</type>" if kind else ""
        return (f"<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>"
                f"<version>{version}</version>{kind}</dependency>")

    def __init__(self, name, wanted, pinned=()):
        """`wanted`: what it is called for first, and what else is to be there;
        group:artifact:version or group:artifact:version:kind each."""
        self.pom = self.POM.format(name=name, wanted="".join(map(self.dependency, wanted)),
                                   pinned="".join(map(self.dependency, pinned)))
        super().__init__(name, wanted[0].split(":")[2], self.pom)

    def possible(self):
        for name in ("mvn", "java"):
            tool(name, "cross/install-deps.sh --tests installs it")

    def make(self):
        pom = self.folder / "pom.xml"
        pom.write_text(self.pom)
        # -U: what failed to download before is asked for again.
        run(["mvn", "-B", "-q", "-U", "-f", pom, self.PLUGIN, "-DincludeScope=runtime",
             f"-DoutputDirectory={self.folder / 'lib'}"])


class Venv(Recipe):
    def __init__(self, name, requirements):
        text = requirements.read_text()
        super().__init__(name, re.search(rf"^{name}(?:\[.*\])?==(\S+)", text, re.M)[1], text)
        self.requirements = requirements

    def make(self):
        try:
            run([sys.executable, "-m", "venv", self.folder])
        except CannotInstall as e:
            raise CannotInstall(f"{e}\n  (Debian's package is python3-venv)")
        run([self.folder / "bin/python", "-m", "pip", "install", "-q", "--no-deps", "-r",
             self.requirements])


class Go(Recipe):
    def __init__(self, name, package, version):
        # Not optimised, without names for a debugger: a third less time to build, and to link.
        self.options = ["-gcflags=all=-N -l", "-ldflags=-s -w"]
        self.package = f"{package}@{version}"
        super().__init__(name, version, " ".join(["go install", *self.options, self.package]) + "\n")

    def possible(self):
        need = ".".join(map(str, GO_NEEDED))
        tool("go", f"Go {need} or newer builds {self.name}")
        found = re.search(r"go(\d+)\.(\d+)", run(["go", "version"], env=self.environment()))
        if not found or tuple(map(int, found.groups())) < GO_NEEDED:
            raise CannotInstall(f"{found[0] if found else 'this go'} is too old: {self.name} "
                                f"needs Go {need} or newer on PATH")

    def environment(self):
        """Sources and objects, gigabytes, do not stay in the caches of whoever runs the tests."""
        build = self.folder / "build"
        return {**os.environ, "GOBIN": str(self.folder), "GOMODCACHE": str(build / "mod"),
                "GOCACHE": str(build / "cache"), "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}

    def make(self):
        run(["go", "install", "-modcacherw", *self.options, self.package], env=self.environment())
        shutil.rmtree(self.folder / "build")


@contextlib.contextmanager
def locked(path):
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def install(recipe):
    """Makes the folder whole; CannotInstall where that is not to be had."""
    if recipe.is_there():
        return
    recipe.possible()
    CACHE.mkdir(parents=True, exist_ok=True)
    with locked(CACHE / f"{recipe.name}.lock"):
        for left in reversed(range(TRIES)):
            if recipe.is_there():  # another installer was faster
                return
            print(f"{recipe.name} {recipe.version}: installing", flush=True)
            shutil.rmtree(recipe.folder, ignore_errors=True)
            recipe.folder.mkdir()
            try:
                recipe.make()
            except CannotInstall:
                if not left:
                    raise
                continue
            whole = recipe.folder / "recipe.new"
            whole.write_text(recipe.text)
            whole.rename(recipe.folder / "recipe")


def main(recipes, names):
    """The exit code of an installer of `recipes` (by name), or of those of them that are named."""
    unknown = set(names) - set(recipes)
    if unknown:
        sys.exit(f"no such server: {', '.join(sorted(unknown))}; there are {', '.join(recipes)}")
    chosen = [recipes[name] for name in names or recipes]
    missing = False
    with concurrent.futures.ThreadPoolExecutor(len(chosen)) as pool:
        running = {recipe: pool.submit(install, recipe) for recipe in chosen}
    for recipe, done in running.items():
        error = done.exception()
        if error and not isinstance(error, CannotInstall):
            raise error
        state = f"MISSING: {error}" if error else recipe.folder
        print(f"{recipe.name} {recipe.version}: {state}")
        missing = missing or bool(error)
    return 1 if missing and IN_CI else 0
