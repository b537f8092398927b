"""AWS's own client, driven by lines of JSON: what s3_client.py runs where boto3 is installed.

A line of standard input asks, a line of standard output answers. Bytes are {"base64": "..."}.

    {"as": {...}, "service": "s3", "call": "head_object", "with": {"Bucket": "b", "Key": "k"}}
      -> {"answer": {...}}   or {"refused": {"code": "...", "message": "...", "status": 404}}
    {"as": {...}, "raw": {"method": "PUT", "path": "/b/k", "headers": {}, "body": {"base64": ""},
                          "unsigned": {}, "sent_body": null, "skew_s": 0}}
      -> {"answer": {"status": 200, "headers": {}, "body": {"base64": ""}}}

"as" says who asks: endpoint, access_key, secret_key, session_token, region, ca_file, style. `raw`
is signed by botocore and then sent as it is, with `unsigned` headers on top, another body than was
signed, or by a clock that is off.
"""

import base64
import datetime
import http.client
import json
import socket
import ssl
import sys
import urllib.parse

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.config
import botocore.credentials
import botocore.exceptions

CLIENTS = {}
SECONDS = 30  # one answer


def resolve_localhost(host, *arguments, _system=socket.getaddrinfo, **more):
    """BUCKET.s3.localhost is this machine (RFC 6761), whatever its resolver says."""
    return _system("127.0.0.1" if str(host).endswith(".localhost") else host, *arguments, **more)


def from_json(value):
    if isinstance(value, dict):
        if set(value) == {"base64"}:
            return base64.b64decode(value["base64"])
        return {name: from_json(v) for name, v in value.items()}
    return [from_json(v) for v in value] if isinstance(value, list) else value


def to_json(value):
    if hasattr(value, "read"):
        value = value.read()
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    raise TypeError(type(value))


def client(service, who):
    key = service, json.dumps(who, sort_keys=True)
    if key not in CLIENTS:
        config = botocore.config.Config(
            retries={"total_max_attempts": 2},  # s3proxy may close a connection that it has refused on
            connect_timeout=5, read_timeout=SECONDS,
            request_checksum_calculation="when_required", s3={"addressing_style": who["style"]})
        CLIENTS[key] = boto3.client(
            service, endpoint_url=who["endpoint"], region_name=who["region"], verify=who["ca_file"],
            aws_access_key_id=who["access_key"], aws_secret_access_key=who["secret_key"],
            aws_session_token=who["session_token"], config=config)
    return CLIENTS[key]


def call(request):
    method = getattr(client(request["service"], request["as"]), request["call"])
    try:
        return {"answer": method(**from_json(request["with"]))}
    except botocore.exceptions.ClientError as e:
        error = e.response.get("Error", {})
        return {"refused": {"code": error.get("Code", ""), "message": error.get("Message", ""),
                            "status": e.response["ResponseMetadata"]["HTTPStatusCode"]}}


def sign(who, request, body):
    prepared = botocore.awsrequest.AWSRequest(
        method=request["method"], url=who["endpoint"] + request["path"], data=body,
        headers=dict(request.get("headers", {})))
    keys = botocore.credentials.Credentials(
        who["access_key"], who["secret_key"], who["session_token"])
    offset = datetime.timedelta(seconds=request.get("skew_s", 0))
    true_time = botocore.auth.get_current_datetime
    botocore.auth.get_current_datetime = lambda *a, **k: true_time(*a, **k) + offset
    try:
        signer = botocore.auth.S3SigV4Auth(keys, "s3", who["region"])
        prepared.context["payload_signing_enabled"] = True
        signer.add_auth(prepared)
    finally:
        botocore.auth.get_current_datetime = true_time
    return {name: str(value) for name, value in prepared.headers.items()}


def raw(request):
    who, asked = request["as"], from_json(request["raw"])
    body = asked.get("body") or b""
    headers = {**sign(who, asked, body), **asked.get("unsigned", {})}
    url = urllib.parse.urlsplit(who["endpoint"])
    if url.scheme == "https":
        context = ssl.create_default_context(cafile=who["ca_file"])
        connection = http.client.HTTPSConnection(
            url.hostname, url.port, timeout=SECONDS, context=context)
    else:
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=SECONDS)
    sent = asked.get("sent_body")
    connection.request(asked["method"], asked["path"], body if sent is None else sent, headers)
    answer = connection.getresponse()
    found = {"status": answer.status, "body": answer.read(),
             "headers": {name.lower(): value for name, value in answer.getheaders()}}
    connection.close()
    return {"answer": found}


def main():
    socket.getaddrinfo = resolve_localhost
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = raw(request) if "raw" in request else call(request)
            text = json.dumps(answer, default=to_json)
        except Exception as e:  # told to the test, whatever it is: the loop goes on
            text = json.dumps({"failed": f"{type(e).__name__}: {e}"})
        print(text, flush=True)


if __name__ == "__main__":
    main()
