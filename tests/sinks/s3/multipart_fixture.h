// An upload in parts, its answers given by the test.
#pragma once

#include <gmock/gmock.h>

#include "sinks/s3/multipart_upload.h"

namespace edgehose {

inline HttpResponse answer(int status, std::string body = "",
                           std::vector<HttpHeader> headers = {}) {
  HttpResponse response;
  response.status = status;
  response.body = std::move(body);
  response.headers = std::move(headers);
  return response;
}
inline HttpResponse refusal(int status, const std::string& code) {
  return answer(status, "<Error><Code>" + code + "</Code><Message>words</Message></Error>");
}
inline HttpResponse begun(const std::string& id) {
  return answer(200,
                "<?xml version=\"1.0\"?>\n<InitiateMultipartUploadResult xmlns=\"http://s3/\">"
                "<Bucket>b</Bucket><Key>k</Key><UploadId>" +
                    id + "</UploadId></InitiateMultipartUploadResult>");
}
inline HttpResponse part(const std::string& tag) { return answer(200, "", {{"etag", tag}}); }
inline HttpResponse completed() {
  return answer(200,
                "\n \n<CompleteMultipartUploadResult><ETag>&quot;e-3&quot;</ETag>"
                "</CompleteMultipartUploadResult>");
}
inline HttpResponse listed(const std::vector<std::pair<std::string, std::string>>& uploads,
                           const std::string& more = "") {
  std::string xml = "<ListMultipartUploadsResult>" + more;
  for (const auto& [key, id] : uploads)
    xml += "<Upload><Key>" + key + "</Key><UploadId>" + id +
           "</UploadId><Initiator><ID>x</ID></Initiator></Upload>";
  return answer(200, xml + "</ListMultipartUploadsResult>");
}
inline HttpResponse no_content() { return answer(204); }

class MultipartTest : public ::testing::Test {
 protected:
  static constexpr std::uint64_t kPart = 4;

  UploadFacts facts_of(const std::string& text, std::uint64_t part_size = kPart) {
    UploadMeter meter(body_of(text), part_size, options_.checksum, true);
    std::vector<char> buffer(3);
    while (!*meter.step(buffer)) {
    }
    return meter.facts();
  }
  // What an earlier attempt has uploaded of `text`.
  PartialUpload begun_of(const std::string& text, std::size_t parts) {
    const UploadFacts facts = facts_of(text);
    PartialUpload upload{"old", kPart, {}};
    for (std::size_t i = 0; i < parts; ++i)
      upload.parts.push_back({"tag" + std::to_string(i + 1), facts.parts[i].check});
    return upload;
  }
  void start(const std::string& text, PartialUpload begun = {}, bool attempted = false,
             bool create_only = false, bool renewed = false) {
    upload_.emplace(MultipartUpload::Task{{options_, endpoint_, region_, key_, &metadata_},
                                          facts_of(text),
                                          std::move(begun),
                                          attempted,
                                          create_only,
                                          renewed},
                    body_of(text));
    std::vector<char> buffer(3);
    while (!*upload_->seek(buffer)) {
    }
  }
  // "PUT partNumber=1&uploadId=x" and the body, once the request is made.
  std::string asked() {
    request_ = upload_->next(WallTime{}, Secret());
    std::string text = request_.http.method + " " + request_.http.url.substr(url_.size());
    body_.clear();
    if (!request_.http.body) return text;
    auto stream = request_.http.body->open();
    if (!stream) return text + " " + stream.error().message;
    char c;
    while (*(*stream)->read(&c, 1) == 1) body_.push_back(c);
    return text;
  }
  bool take(HttpResponse with) {
    const bool over = upload_->take(std::move(with));
    if (auto advance = upload_->take_advance()) known_ = *advance;
    if (over) upload_->tell(told_);
    return over;
  }
  // The request must be that one; true where its answer ended the upload.
  bool step(const std::string& request, HttpResponse with) {
    EXPECT_EQ(asked(), request);
    return take(std::move(with));
  }

  S3UploadOptions options_;
  const std::string region_ = "eu-west-1", key_ = "k", url_ = "http://s3/telemetry";
  const S3Endpoint endpoint_ =
      *S3Endpoint::resolve({"telemetry", region_, "http://s3", S3Addressing::kAuto});
  std::map<std::string, std::string> metadata_;  // the object's own
  std::optional<MultipartUpload> upload_;
  AwsRequest request_;
  std::string body_;
  PartialUpload known_;  // as it was last told
  UploadResponse told_;
};

}  // namespace edgehose
