"""Real search servers for tests: OpenSearch and Elasticsearch, started on loopback, stopped by pid.

    with search_servers.start("opensearch", settings={"http.max_content_length": "1mb"}) as server:
        server.endpoint, server.user, server.ca_file
        server.search.count("logs")     # reads back: search_reader.py
        server.kill()                   # SIGKILL; what it has stored stays,
        server.start()                  # and is there again at the same port

With tls=True they speak TLS, with user="writer:secret" they ask for it (basic authentication). Of
Elasticsearch TLS is to be had with a user only, and it comes without ingest processors, scripts and
GET /, as it is packed for tests of its own.

Settings that make bad days: http.max_content_length (413), network.breaker.inflight_requests.limit
(429 of a circuit breaker), thread_pool.write.size and .queue_size (429 of a full queue).

    search_servers.py NAME [--tls] [--user NAME:PASSWORD] [--set NAME=VALUE]...
        starts one, prints its endpoint, and stops it when standard input ends
"""

import argparse
import base64
import hashlib
import http.client
import os
import shutil
import signal
import sys
from pathlib import Path

from agent import secret
from local_server import LocalServer, need_installed
from search_install import JAVA, RECIPES, SETTINGS, write_settings
from search_reader import SearchReader

INSTALLER = "search_install.py"
START_SECONDS = 500  # 12 s of CPU, on a machine that others may hold
STOP_SECONDS = 15
NOBODY = 65534
# It can map no archive of its classes; a third of its start is to verify their bytes.
UNCHECKED = ["-XX:+UnlockDiagnosticVMOptions", "-XX:-BytecodeVerificationRemote"]
# Of an Elasticsearch with a user (which may everything): others, and what they may.
LIMITED_USERS = {"limited:a secret": "some", "none:a secret": None}
ROLES = """some:
  indices:
    - names: ["allowed-*"]
      privileges: ["create_doc", "auto_configure"]
"""


class Server(LocalServer):
    start_seconds, stop_seconds = START_SECONDS, STOP_SECONDS
    flavour = ""  # of the recorded answers: search_answers.py

    def __init__(self, tls=None, user=None, settings=None):
        super().__init__(tls)
        self.user, self.more = user, settings or {}
        self.recipe = RECIPES[self.name]
        self.version = self.recipe.version
        self.search = None

    # --- of each kind -----------------------------------------------------------------------------

    def found_port(self):
        """Where it listens, or None as long as it has not said."""
        raise NotImplementedError

    # --- of all -----------------------------------------------------------------------------------

    def settings(self):
        # A second start takes the port of the first.
        return {**SETTINGS, "http.port": self.port, **self.more}

    def start(self):
        self.spawn()
        if not self.comes_up():
            self.give_up("ended while it started")

    def speaks(self):
        """Not only a port: a cluster that takes documents."""
        self.port = self.port or self.found_port() or 0
        if not self.port:
            return False
        self.search = SearchReader(self.endpoint, self.user, self.ca_file)
        try:
            answer = self.search.call("GET", "/_cluster/health?wait_for_status=yellow&timeout=1s")
        except (OSError, http.client.HTTPException):
            return False
        return answer.status == 200

    def sink(self, port=None, **options):
        """A sink's table for Sandbox.config(); `port` of a relay before this server."""
        auth = None
        if self.user:
            name, password = self.user.split(":", 1)
            auth = {"user": name, "password": secret(self.state / "password", password)}
        return {"type": "elasticsearch", "path": None, "compression": None, "auth": auth,
                "endpoints": [f"{self.scheme}://127.0.0.1:{port or self.port}"],
                "tls": {"ca_file": self.ca_file} if self.tls else None,
                "batch": {"max_age": "1s"}, **options}


class OpenSearch(Server):
    name = "opensearch"

    def prepare(self):
        self.address = self.state / "address"
        self.address.unlink(missing_ok=True)
        settings = {**self.settings(), "path.home": self.state / "home"}
        write_settings(self.state / "settings", settings)

    def command(self):
        command = [*JAVA, "-Xlog:disable"]
        if self.recipe.archive.exists():  # one of another Java is left aside, in silence
            command.append(f"-XX:SharedArchiveFile={self.recipe.archive}")
        if self.user:
            command.append(f"-Dtests.user={self.user}")
        if self.tls:
            command.append(f"-Dtests.keystore={self.key_store()}")
        return [*command, "-cp", self.recipe.class_path(), "OpenSearchNode",
                self.state / "settings", self.address]

    def found_port(self):
        return int(self.address.read_text().rsplit(":", 1)[1]) if self.address.exists() else None


class Elasticsearch(Server):
    """A launcher, and the node as its child: `pid` is the node's."""

    name = "elasticsearch"

    def __init__(self, tls=None, user=None, settings=None):
        super().__init__(tls, user, settings)
        self.pid_file = self.state / "pid"
        self.ports = self.state / "logs" / "http.ports"

    def prepare(self):
        for folder in ("config", "data", "logs", "tmp"):
            (self.state / folder).mkdir(exist_ok=True)
        for name in ("elasticsearch.yml", "jvm.options", "log4j2.properties"):
            shutil.copy(self.recipe.home / "config" / name, self.state / "config")
        if self.user:
            self.write_users()
        if self.tls:  # it reads nothing elsewhere
            shutil.copy(self.certificate, self.state / "config")
            shutil.copy(self.key, self.state / "config")
        self.pid_file.unlink(missing_ok=True)
        self.ports.unlink(missing_ok=True)
        if os.geteuid() == 0:
            for path in (self.state, *self.state.rglob("*")):
                os.chown(path, NOBODY, NOBODY)

    def write_users(self):
        config = self.state / "config"
        users = {self.user: "superuser", **LIMITED_USERS}
        named = [(*user.split(":", 1), role) for user, role in users.items()]
        (config / "users").write_text("".join(
            f"{name}:{hashed(password)}\n" for name, password, _ in named))
        (config / "users_roles").write_text("".join(
            f"{role}:{name}\n" for name, _, role in named if role))
        (config / "roles.yml").write_text(ROLES)

    def security(self):
        if not self.user:
            return {"xpack.security.enabled": "false"}
        found = {"xpack.security.enabled": "true",
                 "xpack.security.autoconfiguration.enabled": "false"}
        if self.tls:
            http = "xpack.security.http.ssl"
            found.update({f"{http}.enabled": "true", f"{http}.key": "server.key",
                          f"{http}.certificate": "server.pem"})
        return found

    def as_nobody(self):
        """It refuses to run as root. What was installed is root's, so nobody may read it too."""
        if os.geteuid() != 0:
            return []
        return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
                "--securebits=+no_setuid_fixup",  # or access() tells that it may not
                "--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override",
                "--pdeathsig=KILL"]

    def command(self):
        settings = {**self.settings(), "path.data": self.state / "data",
                    "path.logs": self.state / "logs", "node.portsfile": "true",
                    **self.security()}
        return [*self.as_nobody(), self.recipe.home / "bin" / "elasticsearch", "-p", self.pid_file,
                *(f"-E{name}={value}" for name, value in settings.items())]

    def environment(self):
        java = Path(shutil.which("java")).resolve().parent.parent
        home = f"-Duser.home={self.state}"  # nobody's own is made where it is not there
        return {"ES_JAVA_HOME": java, "ES_PATH_CONF": self.state / "config",
                "ES_TMPDIR": self.state / "tmp", "CLI_JAVA_OPTS": f"-XX:TieredStopAtLevel=1 {home}",
                "ES_JAVA_OPTS": " ".join([*JAVA[1:], *UNCHECKED, home, "-Xlog:disable", "-XX:-UseG1GC",
                                          "-XX:-AlwaysPreTouch"])}

    def found_port(self):
        if not self.ports.exists():
            return None
        found = [line for line in self.ports.read_text().split() if line.startswith("127.0.0.1:")]
        return int(found[0].rsplit(":", 1)[1]) if found else None

    @property
    def pid(self):
        return int(self.pid_file.read_text())

    def kill(self):
        """SIGKILL to the node; the launcher ends with it."""
        if self.alive() and self.pid_file.exists():
            os.kill(self.pid, signal.SIGKILL)
            self.process.wait()
        else:
            super().kill()


def hashed(password):
    """As its file of users has it."""
    salt, rounds = os.urandom(32), 10000
    key = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, rounds, 32)
    return "{PBKDF2}%d$%s$%s" % (rounds, *(base64.b64encode(x).decode() for x in (salt, key)))


KINDS = {kind.name: kind for kind in (OpenSearch, Elasticsearch)}


def start(name, **options):
    """A server that takes documents; see the module for one that is missing."""
    need_installed(INSTALLER, RECIPES, name)
    server = KINDS[name](**options)
    try:
        server.start()
    except BaseException:
        server.stop()
        raise
    return server


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=KINDS)
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--user", metavar="NAME:PASSWORD")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    args = parser.parse_args()
    settings = dict(one.split("=", 1) for one in args.set)
    with start(args.name, tls=args.tls, user=args.user, settings=settings) as server:
        print(server.endpoint, *([server.ca_file] if server.tls else []), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
