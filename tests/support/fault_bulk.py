"""A stand-in for a search server, where no Java is to be had: fault_server.py --bulk. It keeps
documents by index and id, answers bulk requests in the shape of OpenSearch (fault_bulk_test.py
holds it against what was recorded), refuses what that refuses, and can be read back by
search_reader.py. It knows no mappings, templates and pipelines. Faults stand for them:

    refuse   does what is asked, but for the documents whose text holds `holding` (default: all),
             which get `status`, `type` and `reason`; or `each`, a list of such
    items    does what is asked, and answers with the first `keep` items only, with one `more`, or
             with all of them `reversed`; with `each` it refuses as well

PUT /NAME/_block makes each document for that index 403 (cluster_block_exception), DELETE ends it.
GET /__bulks tells of each bulk request its answer: {"status": 200, "items": {"201": n, "409": n}};
GET /__forgotten how many documents came with --forget; GET /__marks/INDEX what is kept with --marks.
"""

import base64
import collections
import fnmatch
import gzip
import itertools
import json
import re
import urllib.parse
import zlib

import faults

JSON = {"Content-Type": "application/json; charset=UTF-8"}
ID_BYTES = 512
INVALID = "action_request_validation_exception"
BULK = re.compile(r"^(?:/([^/]+))?/_bulk$")
# An action, whoever wrote it: with an id or without one, an index in front of it or not.
ACTION = re.compile(rb'^\{"(create|index)":\{(?:[^\n}]*?"_id":"([^"\n]+)")?', re.M)
MARK = re.compile(rb"id=RUN-\d+")  # of a gateway's line, once in each
CREATED = b'{"create":{"_id":"%s","status":201}}'
CONFLICT = b'{"create":{"_id":"%s","status":409,"error":{"type":"version_conflict_engine_exception","reason":"there"}}}'
PARAMETERS = {"filter_path", "pipeline", "routing", "refresh", "timeout", "require_alias"}


def add_arguments(parser):
    parser.add_argument("--bulk", action="store_true", help="a search server")
    parser.add_argument("--user", metavar="NAME:PASSWORD", help="401 to everybody else")
    parser.add_argument("--limit", type=int, default=100 << 20, metavar="BYTES",
                        help="413 to bodies that unpack to more")
    parser.add_argument("--forget", action="store_true",
                        help="takes all documents, looks at none and keeps none: to measure with")
    parser.add_argument("--marks", action="store_true",
                        help="creates once, and keeps of each document its id and its line's id=RUN-...: for hours")


class Malformed(Exception):
    """The whole request is refused: type and reason."""


def error(status, kind, reason):
    cause = {"type": kind, "reason": reason}
    return status, {"error": {"root_cause": [cause], **cause}, "status": status}


class Bulk(faults.Backend):
    own_faults = ("refuse", "items")

    def __init__(self, args):
        self.user = args.user and "Basic " + base64.b64encode(args.user.encode()).decode()
        self.limit, self.forget, self.marks = args.limit, args.forget, args.marks
        self.indices, self.blocked, self.made = {}, set(), itertools.count(1)
        self.told, self.forgotten = [], 0

    # --- requests ---------------------------------------------------------------------------------

    def serve(self, request, refuse=(), alter=lambda items: items):
        if self.too_large(request):
            self.told.append({"status": 413, "items": {}})
            return 413, b"", {}
        if request.method == "POST" and (self.forget or self.marks):
            return self.forgets(request) if self.forget else self.remembers(request)
        if self.user and request.headers.get("authorization") != self.user:
            return 401, b"Unauthorized", {
                "WWW-Authenticate": 'Basic realm="OpenSearch Security"',
                "Content-Type": "text/plain; charset=UTF-8"}
        path, query = urllib.parse.urlsplit(request.path)[2:4]
        parameters = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        found = BULK.match(path)
        if found and request.method in ("POST", "PUT"):
            index = found[1] and urllib.parse.unquote(found[1])
            status, value = self.bulk(request, index, parameters, refuse, alter)
            self.told.append({"status": status, "items": statuses(value)})
        else:
            status, value = self.read(request.method, path, parameters, request.body)
        return status, as_json(filtered(value, parameters.get("filter_path"))), JSON

    def forgets(self, request):
        """An answer of the size and the form of a real one's, for as little work as can be."""
        actions = ACTION.findall(body_of(request))
        self.forgotten += len(actions)
        items = b",".join(b'{"%s":{"_id":"%s","status":201}}' % one for one in actions)
        return packed_for(request, b'{"errors":false,"items":[%s]}' % items)

    def remembers(self, request):
        """As little work for each as that, but that an id is created once."""
        body = body_of(request)
        held = self.indices.setdefault(BULK.match(request.path.partition("?")[0])[1], {})
        items = []
        for (_, identity), mark in zip(ACTION.findall(body), MARK.findall(body)):
            new = held.setdefault(identity, mark) is mark
            items.append((CREATED if new else CONFLICT) % identity)
        return packed_for(request, b'{"errors":true,"items":[%s]}' % b",".join(items))

    def fault(self, fault, request):
        refuse = fault.get("each", [fault] if fault["do"] == "refuse" else [])
        return self.serve(request, refuse, lambda items: altered(items, fault))

    def control(self, request):
        if request.path.startswith("/__marks/"):
            return 200, b"\n".join(self.indices.get(request.path[len("/__marks/"):], {}).values()), {}
        told = {"/__bulks": self.told, "/__forgotten": self.forgotten}.get(request.path)
        return None if told is None else (200, as_json(told), JSON)

    def too_large(self, request):
        if request.headers.get("content-encoding") != "gzip":
            return len(request.body) > self.limit
        unpacked = zlib.decompressobj(wbits=31)
        try:
            return len(unpacked.decompress(request.body, self.limit + 1)) > self.limit
        except zlib.error:
            return False

    def bulk(self, request, index, parameters, refuse, alter):
        try:
            check_parameters(parameters)
            wanted = parsed(body_of(request), index)
        except Malformed as why:
            return error(400, *why.args)
        items = [self.item(*one, refuse) for one in wanted]
        failed = any("error" in inner for item in items for inner in item.values())
        return 200, {"took": 1, "errors": failed, "items": alter(items)}

    def item(self, op, index, identity, text, refuse):
        told = {"_index": index, "_id": identity or f"made-{next(self.made)}"}
        refused = self.refusal(op, told, text, refuse)
        if refused:
            status, kind, reason = refused
            return {op: {**told, "status": status, "error": {"type": kind, "reason": reason}}}
        held = self.indices.setdefault(index, {})
        new = told["_id"] not in held
        held[told["_id"]] = text
        return {op: {**told, "_version": 1, "result": "created" if new else "updated",
                     "_shards": {"total": 1, "successful": 1, "failed": 0},
                     "_seq_no": len(held) - 1, "_primary_term": 1, "status": 201 if new else 200}}

    def refusal(self, op, told, text, refuse):
        index, identity = told["_index"], told["_id"]
        if index != index.lower():
            return 400, "invalid_index_name_exception", f"Invalid index name [{index}]"
        for one in refuse:
            if one.get("holding", "").encode() in text:
                return (one.get("status", 400), one.get("type", "mapper_parsing_exception"),
                        one.get("reason", "refused on command"))
        if index in self.blocked:
            return (403, "cluster_block_exception",
                    f"index [{index}] blocked by: [FORBIDDEN/8/index write (api)];")
        if not is_object(text):
            return 400, "mapper_parsing_exception", "failed to parse"
        if op == "create" and identity in self.indices.get(index, {}):
            return (409, "version_conflict_engine_exception",
                    f"[{identity}]: version conflict, document already exists")
        return None

    # --- reading back -----------------------------------------------------------------------------

    def read(self, method, path, parameters, body):
        if path == "/":
            return 200, {"name": "n1", "cluster_name": "stand-in",
                         "version": {"distribution": "opensearch", "number": "2.19.4"}}
        if path == "/_cluster/health":
            return 200, {"status": "green"}
        if path == "/_search/scroll":
            return 200, {"_scroll_id": "none", "hits": {"hits": []}}
        name, _, what = path.lstrip("/").partition("/")
        name = urllib.parse.unquote(name)
        if what == "_block":
            (self.blocked.add if method == "PUT" else self.blocked.discard)(name)
            return 200, {"acknowledged": True}
        if method == "PUT" and not what:
            return 200, {"acknowledged": True}
        held = {index: documents for index, documents in self.indices.items()
                if fnmatch.fnmatchcase(index, name)}
        if what == "_refresh":
            return 200, {}
        if what == "_count":
            return 200, {"count": sum(map(len, held.values()))}
        if what == "_search":
            return 200, {"_scroll_id": "none", "hits": {"hits": [
                {"_index": index, "_id": identity, "_source": json.loads(text)}
                for index, documents in held.items() for identity, text in documents.items()]}}
        return 400, {"error": f"no handler found for uri [{path}] and method [{method}]"}


def check_parameters(parameters):
    unknown = sorted(parameters.keys() - PARAMETERS)
    if unknown:
        raise Malformed("illegal_argument_exception",
                        f"request [/_bulk] contains unrecognized parameter: {unknown}")


def packed_for(request, answer):
    """For one who cannot unpack it, and does not ask for it, it is left as it is."""
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return 200, answer, JSON
    packed = zlib.compressobj(1, wbits=31)
    return 200, packed.compress(answer) + packed.flush(), {**JSON, "Content-Encoding": "gzip"}


def body_of(request):
    kind = request.headers.get("content-type", "").partition(";")[0]
    if kind not in ("application/x-ndjson", "application/json"):
        raise Malformed("media_type_header_exception", f"Content-Type [{kind}] is not supported")
    if request.headers.get("content-encoding") == "gzip":
        try:
            return gzip.decompress(request.body)
        except (OSError, EOFError, zlib.error) as why:
            raise Malformed("parse_exception", str(why))
    return request.body


def parsed(body, index):
    """(op, index, id, document's text) of each action."""
    if not body:
        raise Malformed("parse_exception", "request body is required")
    if not body.endswith(b"\n"):
        raise Malformed("illegal_argument_exception",
                        "The bulk request must be terminated by a newline [\\n]")
    lines, wanted = body[:-1].split(b"\n"), []
    if len(lines) % 2:
        raise Malformed("illegal_argument_exception", "an action without its document")
    for action, text in zip(lines[::2], lines[1::2]):
        wanted.append((*action_of(action, index), text))
    return wanted


def action_of(line, index):
    try:
        (op, target), = json.loads(line).items()
        target = {"_index": index, "_id": None, **target}
    except (ValueError, AttributeError, TypeError):
        raise Malformed("illegal_argument_exception", f"Malformed action/metadata line {line[:99]}")
    if op not in ("create", "index"):
        raise Malformed("illegal_argument_exception", f"unknown action [{op}]")
    if not target["_index"]:
        raise Malformed(INVALID, "Validation Failed: 1: index is missing;")
    if len((target["_id"] or "").encode()) > ID_BYTES:
        raise Malformed(INVALID, f"Validation Failed: 1: id is too long, over {ID_BYTES} bytes;")
    return op, target["_index"], target["_id"]


def is_object(text):
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def statuses(value):
    return collections.Counter(inner["status"] for item in value.get("items", [])
                               for inner in item.values())


def altered(items, fault):
    items = items[:fault.get("keep", len(items))]
    if fault.get("more"):
        items = items + items[-1:]
    return items[::-1] if fault.get("reversed") else items


def filtered(value, wanted):
    """Of an object only what filter_path names, for paths of names and "*"."""
    if not wanted or not isinstance(value, dict):
        return value
    return kept(value, [path.split(".") for path in wanted.split(",")])


def kept(value, paths):
    if [] in paths:
        return value
    if isinstance(value, list):  # no step of a path
        inside = [kept(one, paths) for one in value]
        return [one for one in inside if one not in ({}, [])]
    if not isinstance(value, dict):
        return {}
    found = {}
    for name, inner in value.items():
        rest = [path[1:] for path in paths if path[0] in (name, "*")]
        inside = kept(inner, rest) if rest else {}
        if rest and (inside not in ({}, []) or [] in rest):
            found[name] = inside
    return found


def as_json(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
