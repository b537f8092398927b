"""What a case is (search_item_cases.py, search_request_cases.py): a function of (server, index)
that puts a search server into a state and asks it once, whose first line says what it shows.
`index` is a name of its own. It returns the exchange that it is about.
"""

import contextlib
import http.client
import json

from search_reader import Answer, SearchReader

NDJSON = {"Content-Type": "application/x-ndjson"}
TIGHT = {  # settings of a server that soon has enough
    "http.max_content_length": "1mb",
    "indexing_pressure.memory.limit": "600kb",
    "thread_pool.write.size": 1,
    "thread_pool.write.queue_size": 1,
}
LIMIT_BYTES = 1 << 20
USER = "writer:a secret"
STAMP = {"@timestamp": "2026-03-04T05:06:07.000Z", "message": "a"}  # a document

CASES = {}  # name -> the case; its attributes: what it is declared with


class Exchange:
    """`request`: method, path, headers, body. `answer`, None where the server hung up instead."""

    def __init__(self, method, path, headers, body, answer):
        self.method, self.path, self.headers, self.body = method, path, headers, body
        self.answer = answer


def case(settings=None, user=None, only=None, shuffled=False):
    """`settings`, `user` of its server; `only`: the one server that has it; `shuffled`: which items
    fare how is a matter of timing."""
    def declare(function):
        function.settings, function.user = settings or {}, user
        function.only, function.shuffled = only, shuffled
        CASES[function.__name__] = function
        return function
    return declare


# --- asking ---------------------------------------------------------------------------------------


def action(op, index, identity=None, **more):
    target = {"_index": index, **({} if identity is None else {"_id": identity}), **more}
    return json.dumps({op: target})


def create(index, *documents):
    """A body that creates these, under the ids 1, 2, ..."""
    lines = []
    for number, document in enumerate(documents, 1):
        lines += [action("create", index, str(number)), json.dumps(document)]
    return body(*lines)


def body(*lines):
    return "".join(line + "\n" for line in lines).encode()


def bulk(server, sent, headers=None, query=""):
    return exchange(server, "POST", f"/_bulk{query}", {**NDJSON, **(headers or {})}, sent)


def bulk_as(server, user, sent):
    """By another user, or by nobody."""
    own = server.search
    server.search = SearchReader(server.endpoint, user, server.ca_file)
    try:
        return bulk(server, sent)
    finally:
        server.search = own


def exchange(server, method, path, headers, sent):
    """As the server's reader asks; also where the server answers before it has read it all."""
    connection = server.search.connect()
    try:
        chunked = "Transfer-Encoding" in headers
        return Exchange(method, path, headers, sent, read_answer(
            connection, lambda: connection.request(method, path, sent, {
                **server.search.headers, **headers}, encode_chunked=chunked)))
    finally:
        connection.close()


def read_answer(connection, send):
    try:
        send()
    except ConnectionError:
        pass  # it may have answered all the same
    try:
        response = connection.getresponse()
    except (ConnectionError, http.client.BadStatusLine):
        return None
    return Answer(response.status, response.getheaders(), response.read())


def make(server, index, mappings=None, settings=None):
    server.search.ask("PUT", f"/{index}", {
        "settings": {"number_of_replicas": 0, "number_of_shards": 1, **(settings or {})},
        "mappings": mappings or {}})


@contextlib.contextmanager
def cluster_setting(server, name, value):
    def put(now):
        server.search.ask("PUT", "/_cluster/settings", {"persistent": {name: now}})
    put(value)
    try:
        yield
    finally:
        put(None)


def make_data_stream_template(server, index):
    server.search.ask("PUT", f"/_index_template/{index}", {
        "index_patterns": [index], "data_stream": {}, "priority": 500,
        "template": {"settings": {"number_of_replicas": 0}}})


def pipeline(server, name, *processors):
    server.search.ask("PUT", f"/_ingest/pipeline/{name}", {"processors": list(processors)})
