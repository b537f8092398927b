"""Multipart uploads, as far as fault_server.py keeps them: S3's answers, without its limits."""

import hashlib
import re
import urllib.parse
import xml.sax.saxutils


def refusal(status, code):
    return status, f"<Error><Code>{code}</Code><Message>words</Message></Error>".encode(), {}


def element(name, **texts):
    inside = "".join(f"<{n}>{xml.sax.saxutils.escape(t)}</{n}>" for n, t in texts.items())
    return f"<?xml version='1.0'?>\n<{name}>{inside}</{name}>".encode()


class Uploads:
    """`store`: path -> bytes of whole objects, where completed ones go."""

    def __init__(self, store):
        self.store, self.open, self.begun = store, {}, 0

    def mine(self, query):
        return any(key in ("uploads", "uploadId") for key, _ in parameters(query))

    def serve(self, method, path, query, body):
        asked = dict(parameters(query))
        upload = asked.get("uploadId")
        if method == "POST" and upload is None:
            return self.begin(path)
        if method == "GET":
            return self.list(path, asked.get("prefix", ""))
        if self.open.get(upload, (None,))[0] != path:
            return refusal(404, "NoSuchUpload")
        if method == "PUT":
            tag = '"%s"' % hashlib.md5(body).hexdigest()
            self.open[upload][1][int(asked["partNumber"])] = (tag, body)
            return 200, b"", {"ETag": tag}
        if method == "DELETE":
            del self.open[upload]
            return 204, b"", {}
        return self.complete(path, upload, body.decode())

    def begin(self, path):
        self.begun += 1
        upload = f"upload {self.begun}/+"
        self.open[upload] = (path, {})
        return 200, element("InitiateMultipartUploadResult", UploadId=upload), {}

    def list(self, bucket, prefix):
        bucket = bucket.rstrip("/") + "/"
        keys = {upload: urllib.parse.unquote(path.removeprefix(bucket))
                for upload, (path, _) in self.open.items() if path.startswith(bucket)}
        entries = b"".join(element("Upload", Key=key, UploadId=upload).split(b"\n")[1]
                           for upload, key in keys.items() if key.startswith(prefix))
        name = b"ListMultipartUploadsResult"
        return 200, b"<%s>%s</%s>" % (name, entries, name), {}

    def complete(self, path, upload, text):
        there = self.open[upload][1]
        listed = re.findall(r"<PartNumber>(\d+)</PartNumber><ETag>([^<]*)</ETag>", text)
        listed = [(int(n), xml.sax.saxutils.unescape(tag, {"&quot;": '"'})) for n, tag in listed]
        if any(there.get(number, (None,))[0] != tag for number, tag in listed) or not listed:
            return refusal(400, "InvalidPart")
        self.store[path] = b"".join(there[number][1] for number, _ in listed)
        del self.open[upload]
        return 200, element("CompleteMultipartUploadResult", ETag='"%d parts"' % len(listed)), {}


def parameters(query):
    return urllib.parse.parse_qsl(query, keep_blank_values=True)
