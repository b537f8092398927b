"""A request to a Splunk receiver of the tests: who asks, on which channel, and for what."""

import base64
import json
import re
import zlib

from splunk_codes import Refused

GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class TooLarge(Exception):
    """What is sent, unpacked, is over the limit."""


class Asked:
    """A request with its query, as the endpoints see it."""

    def __init__(self, request, parameters, limit):
        self.request, self.parameters, self.limit = request, parameters, limit
        self.headers = request.headers
        self.token_in_query = "authorization" not in self.headers and "token" in parameters

    def token(self):
        if self.token_in_query:
            return self.parameters["token"]
        scheme, blank, token = self.headers.get("authorization", "").partition(" ")
        if not scheme:
            raise Refused(2)
        if scheme == "Basic":  # any name, and the token as its password
            try:
                return base64.b64decode(token, validate=True).decode().split(":", 1)[1]
            except (ValueError, IndexError):
                raise Refused(3)
        if scheme != "Splunk" or not token or token != token.strip():
            raise Refused(3)
        return token

    def channel(self, needed):
        name = self.headers.get("x-splunk-request-channel") or self.parameters.get("channel")
        if not name:
            if needed:
                raise Refused(10)
            return None
        if not GUID.fullmatch(name):
            raise Refused(11)
        return name.lower()

    def must_be(self, kind):
        if self.headers.get("content-type", "").partition(";")[0].strip() != kind:
            raise Refused(6)

    def body(self):
        """Unpacked; the limit counts what it unpacks to."""
        encoding, body = self.headers.get("content-encoding", "identity"), self.request.body
        if encoding == "gzip":
            unpacker = zlib.decompressobj(wbits=31)
            try:
                body = unpacker.decompress(body, self.limit + 1)
            except zlib.error:
                raise Refused(6)
            if len(body) <= self.limit and not unpacker.eof:
                raise Refused(6)
        elif encoding != "identity":
            raise Refused(6)
        if len(body) > self.limit:
            raise TooLarge
        return body


def ack_ids(body):
    try:
        ids = json.loads(body)["acks"]
    except (ValueError, TypeError, KeyError):
        raise Refused(6)
    if not ids:
        raise Refused(5)
    if not isinstance(ids, list) or any(type(one) is not int or one < 0 for one in ids):
        raise Refused(6)
    return ids
