"""What an S3 server honours, asked by boto3: one function for each name in s3_servers.HONOURS.

    honoured("tags", server)

Each uses buckets of its own, or "logs", which is there.
"""

import base64
import functools
import hashlib

import s3_servers
from s3_client import Refused

BODY = b"one line of a gateway\n"
PART = 5 << 20  # the smallest that is not the last
CLASSES = ["STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER",
           "DEEP_ARCHIVE"]
CHECKSUMS = {"CRC64NVME": 8, "CRC32C": 4, "SHA256": 32}  # bytes of each
SSE_C = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}
SSE = "x-amz-server-side-encryption"
PROBES = {}


def probe(function):
    """What it returns is whether the server honours what the function is called."""
    PROBES[function.__name__] = function
    return function


def refuses(call, *arguments, status=None, **parameters):
    """True where the call is refused, False where it is carried out."""
    try:
        call(*arguments, **parameters)
    except Refused as e:
        return status is None or e.status == status
    return False


def put(server, key="k", bucket="logs", **parameters):
    return server.s3.call("put_object", Bucket=bucket, Key=key, Body=BODY, **parameters)


def told_again(server, header, value, **parameters):
    """True where the object is stored, and HEAD says what was asked for."""
    put(server, "told", **parameters)
    return value in server.s3.head("logs", "told").get(header, "")


def raw_put(server, **request):
    return server.s3.raw("PUT", "/logs/raw", body=BODY, **request)["status"]


def honoured(name, server):
    try:
        return PROBES[name](server)
    except Refused:  # what it does not know is refused whole
        return False


# --- who asks -------------------------------------------------------------------------------------


@probe
def signature(server):
    return refuses(put, server, who={"secret_key": "wrong"}, status=403)


@probe
def session_token(server):
    """Temporary credentials, good with their token only."""
    keys = server.temporary_credentials()
    put(server, who=keys)
    return refuses(put, server, who={**keys, "session_token": "wrong"})


@probe
def signed_headers(server):
    return raw_put(server, unsigned={"x-amz-meta-not-signed": "1"}) == 403


@probe
def body_hash(server):
    """A body other than the one whose hash was signed."""
    return raw_put(server, sent_body=BODY.upper()) == 400


@probe
def region(server):
    """boto3 would follow where it is sent, so this one is sent raw."""
    return raw_put(server, who={"region": "us-west-2"}) in (400, 403)


@probe
def clock_skew(server):
    return raw_put(server, skew_s=-1200) == 403


@probe
def bucket_owner(server):
    put(server, ExpectedBucketOwner=s3_servers.OWNER)
    return refuses(put, server, ExpectedBucketOwner="999999999999", status=403)


@probe
def virtual_host(server):
    put(server, "of-a-virtual-host", who={"style": "virtual", "endpoint": server.virtual_endpoint})
    return "of-a-virtual-host" in server.s3.keys("logs")


# --- how it is kept -------------------------------------------------------------------------------


@probe
def metadata(server):
    return told_again(server, "x-amz-meta-line", "7", Metadata={"line": "7"})


@probe
def content_headers(server):
    return told_again(server, "content-encoding", "zstd", ContentEncoding="zstd") and \
        told_again(server, "content-type", "text/x-log", ContentType="text/x-log")


@probe
def storage_classes(server):
    return all(told_again(server, "x-amz-storage-class", one, StorageClass=one) for one in CLASSES)


@probe
def tags(server):
    put(server, Tagging="site=north%20hall&line=7")
    found = server.s3.call("get_object_tagging", Bucket="logs", Key="k")["TagSet"]
    return {tag["Key"]: tag["Value"] for tag in found} == {"site": "north hall", "line": "7"}


@probe
def sse_s3(server):
    return told_again(server, SSE, "AES256", ServerSideEncryption="AES256")


@probe
def sse_kms(server):
    return told_again(server, f"{SSE}-aws-kms-key-id", server.kms_key,
                      ServerSideEncryption="aws:kms", SSEKMSKeyId=server.kms_key)


@probe
def sse_kms_dsse(server):
    return told_again(server, SSE, "aws:kms:dsse", ServerSideEncryption="aws:kms:dsse",
                      SSEKMSKeyId=server.kms_key)


@probe
def sse_kms_bucket_key(server):
    return told_again(server, f"{SSE}-bucket-key-enabled", "true", ServerSideEncryption="aws:kms",
                      SSEKMSKeyId=server.kms_key, BucketKeyEnabled=True)


@probe
def sse_c(server):
    """Only who has the key reads it."""
    put(server, "sealed", **SSE_C)
    return refuses(server.s3.get, "logs", "sealed") and \
        server.s3.get("logs", "sealed", **SSE_C) == BODY


def put_locked(server, bucket, **parameters):
    """Into a bucket of its own, with the digest that a lock needs; its version."""
    server.make_bucket(bucket, ObjectLockEnabledForBucket=True)
    digest = base64.b64encode(hashlib.md5(BODY).digest()).decode()
    return put(server, bucket=bucket, ContentMD5=digest, **parameters).get("VersionId", "null")


@probe
def object_lock(server):
    put_locked(server, "locked", ObjectLockMode="GOVERNANCE",
               ObjectLockRetainUntilDate="2099-07-01T00:00:00Z")
    told = server.s3.head("locked", "k")
    return told.get("x-amz-object-lock-mode") == "GOVERNANCE" and \
        told.get("x-amz-object-lock-retain-until-date", "").startswith("2099-07-01T00:00:00")


@probe
def object_lock_enforced(server):
    version = put_locked(server, "kept", ObjectLockMode="COMPLIANCE",
                         ObjectLockRetainUntilDate="2099-07-01T00:00:00Z")
    return refuses(server.s3.call, "delete_object", Bucket="kept", Key="k", VersionId=version)


@probe
def legal_hold(server):
    put_locked(server, "held", ObjectLockLegalHoldStatus="ON")
    return server.s3.head("held", "k").get("x-amz-object-lock-legal-hold") == "ON"


# --- how it arrives -------------------------------------------------------------------------------


def checks(name, size, server):
    """A wrong checksum is refused."""
    wrong = base64.b64encode(bytes(size)).decode()
    return refuses(put, server, **{f"Checksum{name}": wrong}, status=400)


for name, size in CHECKSUMS.items():
    PROBES[f"checksum_{name.lower()}"] = functools.partial(checks, name, size)


@probe
def checksum_kept(server):
    """HEAD tells the checksum that came with the object."""
    value = base64.b64encode(hashlib.sha256(BODY).digest()).decode()
    put(server, "summed", ChecksumSHA256=value)
    told = server.s3.head("logs", "summed", ChecksumMode="ENABLED")
    return told.get("x-amz-checksum-sha256") == value


@probe
def create_only(server):
    put(server, "once")
    return refuses(put, server, "once", IfNoneMatch="*", status=412)


def begin(server, key):
    return server.s3.call("create_multipart_upload", Bucket="logs", Key=key)["UploadId"]


def part(server, key, upload, number, body):
    answer = server.s3.call("upload_part", Bucket="logs", Key=key, UploadId=upload,
                            PartNumber=number, Body=body)
    return {"ETag": answer["ETag"], "PartNumber": number}


def complete(server, key, upload, parts, **parameters):
    return server.s3.call("complete_multipart_upload", Bucket="logs", Key=key, UploadId=upload,
                          MultipartUpload={"Parts": parts}, **parameters)


@probe
def create_only_multipart(server):
    put(server, "once")
    upload = begin(server, "once")
    parts = [part(server, "once", upload, 1, BODY)]
    return refuses(complete, server, "once", upload, parts, IfNoneMatch="*", status=412)


@probe
def multipart(server):
    """Parts are listed, put together, and the upload is gone."""
    upload = begin(server, "large")
    pieces = [bytes([65]) * PART, BODY]
    parts = [part(server, "large", upload, n, body) for n, body in enumerate(pieces, 1)]
    listed = server.s3.call("list_parts", Bucket="logs", Key="large", UploadId=upload)["Parts"]
    complete(server, "large", upload, parts)
    return [p["PartNumber"] for p in listed] == [1, 2] and \
        server.s3.get("logs", "large") == b"".join(pieces) and \
        ("large", upload) not in server.s3.uploads("logs")


@probe
def uploads_listed(server):
    """All of a bucket's, whatever their keys; aborted ones are not."""
    upload = begin(server, "a/b/left-behind")
    found = ("a/b/left-behind", upload) in server.s3.uploads("logs")
    server.s3.call("abort_multipart_upload", Bucket="logs", Key="a/b/left-behind", UploadId=upload)
    return found and not any(key == "a/b/left-behind" for key, _ in server.s3.uploads("logs"))


@probe
def part_after_abort(server):
    """Is refused."""
    upload = begin(server, "given-up")
    server.s3.call("abort_multipart_upload", Bucket="logs", Key="given-up", UploadId=upload)
    return refuses(part, server, "given-up", upload, 1, BODY, status=404)
