"""Cases of bulk requests that are answered as a whole: malformed, refused, too much."""

import gzip
import json
import threading
import time

from agent import Failed
from search_case import LIMIT_BYTES, NDJSON, STAMP, TIGHT, USER, action, body, bulk, bulk_as, \
    case, cluster_setting, create, exchange, make

# --- whole requests -------------------------------------------------------------------------------


@case()
def no_final_newline(server, index):
    """A body that does not end with a newline."""
    return bulk(server, create(index, STAMP)[:-1])


@case()
def empty(server, index):
    """A body of nothing."""
    return bulk(server, b"")


@case()
def id_too_long(server, index):
    """One id of more than 512 bytes: none is created."""
    make(server, index)
    return bulk(server, create(index, STAMP) + body(action("create", index, "x" * 513), "{}"))


@case()
def unknown_action(server, index):
    """A line that is no action."""
    return bulk(server, body(action("invent", index, "1"), "{}"))


@case()
def content_type(server, index):
    """A content type that the endpoint does not take."""
    return bulk(server, create(index, STAMP), {"Content-Type": "text/plain"})


@case()
def gzip_cut(server, index):
    """A body in gzip without its end."""
    return bulk(server, gzip.compress(create(index, STAMP))[:-20], {"Content-Encoding": "gzip"})


@case()
def gzip_label_only(server, index):
    """Said to be gzip, but is not: the connection ends."""
    return bulk(server, create(index, STAMP), {"Content-Encoding": "gzip"})


@case()
def zstd_label(server, index):
    """Said to be zstd, and is plain: the one tries to unpack it, the other takes no notice."""
    return bulk(server, create(index, STAMP), {"Content-Encoding": "zstd"})


@case()
def no_such_path(server, index):
    """Another path."""
    return exchange(server, "POST", "/no/such/path/_bulk", NDJSON, create(index, STAMP))


@case()
def root(server, _):
    """What the server is: version and flavour."""
    return exchange(server, "GET", "/", {}, None)


@case(user=USER)
def unauthorised(server, index):
    """No credentials."""
    return bulk_as(server, None, create(index, STAMP))


@case(user=USER)
def unauthorised_wrong(server, index):
    """Wrong credentials."""
    return bulk_as(server, "writer:another", create(index, STAMP))


@case(user=USER, only="elasticsearch")
def forbidden(server, index):
    """A user who may write into one index and not into another: that item."""
    return bulk_as(server, "limited:a secret", create(index, STAMP) + create("allowed-1", STAMP))


@case(user=USER, only="elasticsearch")
def forbidden_whole(server, index):
    """A user who may nothing: the whole request."""
    return bulk_as(server, "none:a secret", create(index, STAMP))


@case()
def blocked_cluster(server, index):
    """A cluster that is read only: the whole request."""
    make(server, index)
    with cluster_setting(server, "cluster.blocks.read_only", True):
        return bulk(server, create(index, STAMP))


# --- too much -------------------------------------------------------------------------------------


def too_much(index):
    return create(index, {"message": "x" * (LIMIT_BYTES + 1)})


@case(TIGHT)
def too_large(server, index):
    """A body over http.max_content_length."""
    return bulk(server, too_much(index))


@case(TIGHT)
def too_large_gzipped(server, index):
    """Small as it is sent: the limit counts what it unpacks to."""
    return bulk(server, gzip.compress(too_much(index)), {"Content-Encoding": "gzip"})


@case(TIGHT)
def too_large_chunked(server, index):
    """Without a length beforehand."""
    sent = too_much(index)
    return bulk(server, (sent[at:at + 65536] for at in range(0, len(sent), 65536)),
                {"Transfer-Encoding": "chunked"})


@case()
def circuit_breaker(server, index):
    """More in flight than the circuit breaker lets: the whole request."""
    with cluster_setting(server, "network.breaker.inflight_requests.limit", "100kb"):
        return bulk(server, create(index, {"message": "x" * 200_000}))


@case(TIGHT)
def indexing_pressure(server, index):
    """More to index than the node takes on."""
    make(server, index)
    return bulk(server, create(index, {"message": "x" * 900_000}))


def crowd(server, index, wanted):
    """Asks from many threads until one answer is `wanted`."""
    make(server, index, settings={"number_of_shards": 4})
    found, end = [], time.monotonic() + 60
    sent = body(*[action("create", index), json.dumps({"message": "x" * 200})] * 12)
    def ask():
        while not found and time.monotonic() < end:
            asked = bulk(server, sent)
            if wanted(asked.answer):
                found.append(asked)
    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if not found:
        raise Failed("the queue was never full in a minute")
    return found[0]


@case(TIGHT, shuffled=True)
def queue_full(server, index):
    """The queue of the write threads is full for some of the shards: items of 429 among others."""
    def some_refused(answer):
        if answer.status != 200:
            return False
        return {429} < {item["create"]["status"] for item in answer.json()["items"]}
    return crowd(server, index, some_refused)


@case(TIGHT, shuffled=True, only="elasticsearch")
def queue_full_whole(server, index):
    """The same, and the whole request is refused."""
    return crowd(server, index, lambda answer: answer.status == 429)
