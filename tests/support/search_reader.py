"""What a test asks a search server with, and reads an index or a data stream back with: every
document, its id and its line. Python's own HTTP, and nothing of the agent's.

    reader = SearchReader("http://127.0.0.1:9200", user="writer:secret", ca_file=None)
    reader.ask("PUT", "/logs", {"mappings": {}})       # JSON in, JSON out; Refused
    reader.call("POST", "/_bulk", b"...")              # the answer as it is, whatever it says
    reader.count("logs")
    reader.once("logs")                                # ids; Failed where two share a line
    reader.download("logs", folder)                    # its lines, for check_lines
"""

import base64
import http.client
import json
import ssl
import urllib.parse
from collections import Counter
from pathlib import Path

from agent import Failed

PAGE = 5000
SECONDS = 30


class Refused(Failed):
    """The server said no: `status`, `body`."""

    def __init__(self, what, answer):
        super().__init__(f"{what}: {answer.status}: {answer.body.decode(errors='replace')[:1000]}")
        self.status, self.body = answer.status, answer.body


class Answer:
    """`status`, `headers` (lower case), `body`."""

    def __init__(self, status, headers, body):
        self.status, self.body = status, body
        self.headers = {name.lower(): value for name, value in headers}

    def json(self):
        return json.loads(self.body)


def field(source, path, default=None):
    """"event.sequence" of a document, nested or dotted; `default` where it has none."""
    if path in source:
        return source[path]
    first, dot, rest = path.partition(".")
    if dot and isinstance(source.get(first), dict):
        return field(source[first], rest, default)
    return default


def message(source):
    return field(source, "message")


class SearchReader:
    def __init__(self, endpoint, user=None, ca_file=None):
        self.endpoint, self.headers = urllib.parse.urlsplit(endpoint), {}
        if user:
            self.headers["Authorization"] = "Basic " + base64.b64encode(user.encode()).decode()
        self.context = None
        if self.endpoint.scheme == "https":
            self.context = ssl.create_default_context(cafile=ca_file)

    # --- anything ---------------------------------------------------------------------------------

    def connect(self, timeout=SECONDS):
        host, port = self.endpoint.hostname, self.endpoint.port
        if self.context:
            return http.client.HTTPSConnection(host, port, timeout=timeout, context=self.context)
        return http.client.HTTPConnection(host, port, timeout=timeout)

    def call(self, method, path, body=None, headers=None, timeout=SECONDS):
        """One request; the answer, whatever it says. Errors of the connection are OSError or
        http.client.HTTPException."""
        connection = self.connect(timeout)
        try:
            connection.request(method, path, body, {**self.headers, **(headers or {})})
            response = connection.getresponse()
            return Answer(response.status, response.getheaders(), response.read())
        finally:
            connection.close()

    def ask(self, method, path, value=None, **options):
        """JSON in, JSON out; Refused where the answer is none of success."""
        body = None if value is None else json.dumps(value).encode()
        headers = {"Content-Type": "application/json"} if body else {}
        answer = self.call(method, path, body, headers, **options)
        if not 200 <= answer.status < 300:
            raise Refused(f"{method} {path}", answer)
        return answer.json() if answer.body else None

    # --- reading back -----------------------------------------------------------------------------

    def refresh(self, name):
        """Everything that was accepted can be found from now on."""
        self.ask("POST", f"/{name}/_refresh")

    def count(self, name):
        self.refresh(name)
        return self.ask("GET", f"/{name}/_count")["count"]

    def documents(self, name):
        """(index, id, source) of each, in no order. `name` may be a pattern."""
        self.refresh(name)
        page = self.ask("POST", f"/{name}/_search?scroll=1m",
                        {"size": PAGE, "sort": ["_doc"], "query": {"match_all": {}}})
        while page["hits"]["hits"]:
            for hit in page["hits"]["hits"]:
                yield hit["_index"], hit["_id"], hit["_source"]
            page = self.ask("POST", "/_search/scroll",
                            {"scroll": "1m", "scroll_id": page["_scroll_id"]})
        self.ask("DELETE", "/_search/scroll", {"scroll_id": page["_scroll_id"]})

    def ids(self, name):
        """Of each document: an id that is in two indices is there twice."""
        return [identity for _, identity, _ in self.documents(name)]

    def lines(self, name, line=message, order="event.sequence"):
        """What `line` makes of each document, as bytes, in the order of that field; documents
        without it come first."""
        sources = [source for _, _, source in self.documents(name)]
        sources.sort(key=lambda source: field(source, order, -1))
        return [as_bytes(line(source)) for source in sources]

    def once(self, name, line=message):
        """The ids, after a look that no id and no line is there twice."""
        ids, lines = Counter(), Counter()
        for _, identity, source in self.documents(name):
            ids[identity] += 1
            lines[as_bytes(line(source))] += 1
        for what, counted in (("id", ids), ("line", lines)):
            more = [(one, times) for one, times in counted.most_common(3) if times > 1]
            if more:
                raise Failed(f"{name}: one {what} in more than one document: {more}")
        return list(ids)

    def download(self, name, folder, **options):
        """Its lines in a file below `folder`, for check_lines; the path."""
        path = Path(folder) / f"{name.replace('*', '_')}.log"
        path.write_bytes(b"".join(line + b"\n" for line in self.lines(name, **options)))
        return path


def as_bytes(line):
    return line if isinstance(line, bytes) else str(line).encode()
