// A sink whose answers the test gives, and what it makes of them in a word.
#pragma once

#include <gmock/gmock.h>

#include "sinks/s3/s3_error.h"
#include "sinks/s3/s3_sink.h"

namespace edgehose {

inline S3Config config_of() {
  S3Config config;
  config.common.name = "cloud";
  config.bucket = {"telemetry", "eu-west-1", "", S3Addressing::kAuto};
  config.object.prefix = "logs/!{timestamp:yyyy/MM/dd}/";
  return config;
}

inline std::unique_ptr<S3Sink> make(const S3Config& config = config_of()) {
  std::vector<std::string> warnings;
  auto sink = S3Sink::create(config, {"gw-0042", {}, "UTC"}, warnings);
  EXPECT_TRUE(sink) << sink.error().message;
  return std::move(*sink);
}

inline HttpResponse answer(int status, const std::string& code = "", const std::string& more = "",
                           std::vector<HttpHeader> headers = {}) {
  HttpResponse response;
  response.status = status;
  response.headers = std::move(headers);
  response.headers.push_back({"x-amz-request-id", "4442587FB7D0A2F9"});
  if (!code.empty())
    response.body = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>" + code +
                    "</Code><Message>words</Message>" + more + "</Error>";
  return response;
}

inline UploadResponse uploaded(HttpResponse response) {
  UploadResponse upload;
  upload.answer = std::move(response);
  upload.region = "eu-west-1";
  upload.bytes = 1234;
  upload.checksum = "AAAAAAAAAAA=";
  return upload;
}

inline Verdict judged(UploadResponse upload) {
  Batch batch;
  batch.claim.key = "logs/x.log.zst";
  return make()->judge(batch, std::move(upload));
}

inline std::string kind(const Verdict& verdict) {
  struct Kind {
    std::string operator()(const Delivered&) { return "delivered"; }
    std::string operator()(const Retry& r) {
      return r.lesson ? "lesson" : r.maybe_arrived ? "unclear" : "retry";
    }
    std::string operator()(const Rejected&) { return "rejected"; }
    std::string operator()(const TooLarge&) { return "too large"; }
    std::string operator()(const KeyRefused&) { return "key"; }
    std::string operator()(const Park&) { return "park"; }
    std::string operator()(const Partly&) { return "partly"; }
    std::string operator()(const Poll&) { return "poll"; }
  };
  return std::visit(Kind{}, verdict);
}

}  // namespace edgehose
