#include "sinks/s3/multipart_requests.h"

#include "sinks/aws/digest.h"
#include "sinks/aws/uri.h"

namespace edgehose {
namespace {

// What an answer to a list may be: 1,000 uploads, each with its owner and a key of up to 1 KiB.
constexpr std::size_t kListLimit = 4 << 20;

std::string encoded(const std::string& value) {
  return aws::uri_encode(value, aws::Slash::kEncoded);
}

void set_body(AwsRequest& request, std::string text) {
  request.payload_hash = aws::sha256_hex(text);
  request.http.body = body_of(std::move(text));
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      default: out.push_back(c);
    }
  }
  return out;
}

std::string part_list(S3Checksum kind, const PartialUpload& upload, const UploadFacts& facts) {
  const std::string_view algorithm = checksum_algorithm(kind);
  std::string xml = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\n";
  for (std::size_t i = 0; i < upload.parts.size(); ++i) {
    xml += fmt::format("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag>", i + 1,
                       escaped(upload.parts[i].tag));
    const std::string& checksum = facts.parts.at(i).checksum;
    if (!checksum.empty())
      xml += fmt::format("<Checksum{0}>{1}</Checksum{0}>", algorithm, checksum);
    xml += "</Part>\n";
  }
  return xml + "</CompleteMultipartUpload>";
}

}  // namespace

AwsRequest begin_multipart(const S3Place& place, WallTime now, const Secret& customer_key) {
  AwsRequest request = request_for(place, "POST", "uploads=");
  request.http.headers = s3_headers(options_of(place), S3Call::kCreateMultipart, now, customer_key);
  set_body(request, "");
  request.http.once = true;  // of two uploads nobody would know the first
  return request;
}

AwsRequest upload_part(const S3Place& place, const std::string& upload, std::size_t number,
                       const PartFacts& facts, std::shared_ptr<RequestBody> body,
                       const Secret& customer_key) {
  AwsRequest request =
      request_for(place, "PUT", fmt::format("partNumber={}&uploadId={}", number, encoded(upload)));
  request.http.headers = s3_headers(place.options, S3Call::kUploadPart, WallTime{}, customer_key);
  add_checksum(request, place.options.checksum, facts.checksum);
  send_body(request, std::move(body), facts.payload_hash);
  return request;
}

AwsRequest complete_multipart(const S3Place& place, const PartialUpload& upload,
                              const UploadFacts& facts, bool create_only,
                              const Secret& customer_key) {
  const S3UploadOptions options = options_of(place, create_only);
  AwsRequest request = request_for(place, "POST", "uploadId=" + encoded(upload.id));
  request.http.headers = s3_headers(options, S3Call::kCompleteMultipart, WallTime{}, customer_key);
  request.http.headers.push_back({"content-type", "application/xml"});
  // Of all bytes; one that is made of the parts' S3 makes itself, of what stands in the list.
  if (options.checksum == S3Checksum::kCrc64Nvme) {
    request.http.headers.push_back(
        {std::string(checksum_header(options.checksum)), facts.checksum});
    request.http.headers.push_back({"x-amz-checksum-type", "FULL_OBJECT"});
  }
  set_body(request, part_list(options.checksum, upload, facts));
  return request;
}

AwsRequest abort_multipart(const S3Place& place, const std::string& upload) {
  AwsRequest request = request_for(place, "DELETE", "uploadId=" + encoded(upload));
  request.http.headers = s3_headers(place.options, S3Call::kOther, WallTime{}, Secret());
  return request;
}

AwsRequest list_multiparts(const S3Place& place, const std::string& prefix,
                           const UploadsAfter& after) {
  static const std::string bucket;
  std::string query;
  if (!after.key.empty()) query += "key-marker=" + encoded(after.key) + "&";
  if (!prefix.empty()) query += "prefix=" + encoded(prefix) + "&";
  if (!after.id.empty()) query += "upload-id-marker=" + encoded(after.id) + "&";
  AwsRequest request =
      request_for({place.options, place.endpoint, place.region, bucket}, "GET", query + "uploads=");
  request.http.headers = s3_headers(place.options, S3Call::kOther, WallTime{}, Secret());
  request.http.response_limit = kListLimit;
  return request;
}

}  // namespace edgehose
