"""Cases of bulk requests whose documents fare differently: delivered, refused, blocked, dropped."""

import gzip
import json

from search_case import STAMP, action, body, bulk, case, cluster_setting, create, make, \
    make_data_stream_template, pipeline

# --- delivered ------------------------------------------------------------------------------------


@case()
def created(server, index):
    """Two documents in an index that is made by the first."""
    return bulk(server, create(index, STAMP, STAMP))


@case()
def created_filtered(server, index):
    """The same, with a filter_path: of what succeeded only id and status."""
    return bulk(server, create(index, STAMP, STAMP),
                query="?filter_path=errors,items.*._id,items.*.status,items.*.error")


@case()
def duplicate(server, index):
    """The first was there already: 409, and the second is created."""
    make(server, index)
    bulk(server, create(index, STAMP))
    return bulk(server, create(index, STAMP, STAMP))


@case()
def without_ids(server, index):
    """Ids that the server makes."""
    make(server, index)
    return bulk(server, body(action("create", index), json.dumps(STAMP)))


@case()
def gzipped(server, index):
    """A body in gzip, said so."""
    make(server, index)
    return bulk(server, gzip.compress(create(index, STAMP)), {"Content-Encoding": "gzip"})


@case()
def data_stream(server, index):
    """A data stream that is made by its first document; the item names the index behind it."""
    make_data_stream_template(server, index)
    return bulk(server, create(index, STAMP))


@case()
def data_stream_duplicate(server, index):
    """The same document again."""
    make_data_stream_template(server, index)
    bulk(server, create(index, STAMP))
    return bulk(server, create(index, STAMP))


# --- items that are refused -----------------------------------------------------------------------


@case()
def mapping_conflict(server, index):
    """A number was promised; the documents before and after are created."""
    make(server, index, {"properties": {"n": {"type": "long"}}})
    return bulk(server, create(index, {"n": 1}, {"n": "x"}, {"n": 3}))


@case()
def mapping_conflict_filtered(server, index):
    """The same, with a filter_path."""
    make(server, index, {"properties": {"n": {"type": "long"}}})
    return bulk(server, create(index, {"n": 1}, {"n": "x"}, {"n": 3}),
                query="?filter_path=errors,items.*._id,items.*.status,items.*.error")


@case()
def strict_mapping(server, index):
    """A field that the mapping forbids."""
    make(server, index, {"dynamic": "strict", "properties": {"n": {"type": "long"}}})
    return bulk(server, create(index, {"n": 1}, {"m": 2}))


@case()
def too_many_fields(server, index):
    """One field more than the mapping may have."""
    make(server, index, settings={"index.mapping.total_fields.limit": 1})
    return bulk(server, create(index, {"a": 1}, {"b": 2}))


@case()
def immense_term(server, index):
    """A keyword longer than Lucene takes."""
    make(server, index, {"properties": {"k": {"type": "keyword"}}})
    return bulk(server, create(index, {"k": "x" * 40000}))


@case()
def malformed_document(server, index):
    """A line that is no JSON; the one behind it is created."""
    make(server, index)
    return bulk(server, body(action("create", index, "1"), '{"a":', action("create", index, "2"),
                             '{"a":1}'))


@case()
def data_stream_op_index(server, index):
    """Data streams take only "create"."""
    make_data_stream_template(server, index)
    bulk(server, create(index, STAMP))
    return bulk(server, body(action("index", index, "2"), json.dumps(STAMP)))


@case()
def data_stream_no_timestamp(server, index):
    """Data streams want @timestamp."""
    make_data_stream_template(server, index)
    return bulk(server, create(index, {"message": "a"}))


@case()
def require_data_stream(server, index):
    """No template makes a data stream of it: 404; OpenSearch 2 knows no such parameter."""
    return bulk(server, create(index, STAMP), query="?require_data_stream=true")


@case()
def bad_index_name(server, index):
    """A name that no index can have."""
    return bulk(server, create(index.upper(), STAMP))


@case()
def index_missing(server, index):
    """It is not there, and may not be made on the way."""
    with cluster_setting(server, "action.auto_create_index", "false"):
        return bulk(server, create(index, STAMP))


@case()
def index_closed(server, index):
    """A closed index."""
    make(server, index)
    server.search.ask("POST", f"/{index}/_close")
    return bulk(server, create(index, STAMP))


# --- blocks ---------------------------------------------------------------------------------------


def blocked_by(server, index, name):
    make(server, index)
    make(server, f"{index}-free")
    server.search.ask("PUT", f"/{index}/_settings", {f"index.blocks.{name}": True})
    return bulk(server, create(index, STAMP) + create(f"{index}-free", STAMP))


@case()
def blocked_write(server, index):
    """An index that takes no writes; the document for another one is created."""
    return blocked_by(server, index, "write")


@case()
def blocked_flood_stage(server, index):
    """An index behind a disk that is nearly full; the document for another one is created."""
    return blocked_by(server, index, "read_only_allow_delete")


@case()
def blocked_read_only(server, index):
    """An index that takes neither writes nor settings."""
    return blocked_by(server, index, "read_only")


# --- pipelines ------------------------------------------------------------------------------------

DROP = {"drop": {"if": "ctx.do == 'drop'"}}
FAIL = {"fail": {"if": "ctx.do == 'fail'", "message": "not this one"}}


def piped(server, index, *what):
    make(server, index)
    pipeline(server, index, DROP, FAIL)
    return bulk(server, create(index, *({"do": one} for one in what)), query=f"?pipeline={index}")


@case(only="opensearch")
def pipeline_drops(server, index):
    """A document that the pipeline drops: noop."""
    return piped(server, index, "ok", "drop", "ok")


@case(only="opensearch")
def pipeline_fails(server, index):
    """A document that the pipeline refuses."""
    return piped(server, index, "ok", "fail", "ok")


@case(only="opensearch")
def pipeline_out_of_order(server, index):
    """Failed and dropped ones in one request: its items come back in another order."""
    return piped(server, index, "fail", "ok", "drop")


@case(only="opensearch")
def pipeline_missing(server, index):
    """No such pipeline: items without an id."""
    make(server, index)
    return bulk(server, create(index, STAMP, STAMP), query="?pipeline=no-such-pipeline")
