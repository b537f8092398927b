// A transport and a server that misbehaves on command.
#pragma once

#include <gmock/gmock.h>

#include "sinks/s3/s3_transport.h"
#include "tests/sinks/http/fault_server.h"
#include "tests/sinks/s3/text.h"

namespace edgehose {

using nlohmann::json;
inline std::string error_document(const std::string& code) {
  return "<Error><Code>" + code + "</Code><Message>words</Message></Error>";
}

inline std::string large_text() {
  std::string text(3 << 20, ' ');
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>('a' + i % 23);
  return text;
}

class S3TransportTest : public ::testing::Test {
 protected:
  S3TransportTest() {
    options_.config.common.name = "cloud";
    options_.config.bucket = {"telemetry", "eu-west-1", server_.url(""), S3Addressing::kAuto};
    plain(options_.config.credentials.access_key_id, "AKIDEXAMPLE");
    plain(options_.config.credentials.secret_access_key, "secret-key");
  }
  static void plain(SecretRef& secret, const std::string& text) {
    secret.kind = SecretRef::Kind::kPlain;
    secret.plain = Secret(text);
  }

  // One upload to its end.
  UploadResponse put(std::shared_ptr<ByteSource> body, const std::string& key = "logs/x.log.zst",
                     std::shared_ptr<const ObjectSummary> summary = nullptr,
                     bool maybe_arrived = false) {
    if (!transport_) transport_ = std::make_unique<S3Transport>(options_, *clock_);
    UploadRequest request{key, "eu-west-1", std::move(body)};
    request.attempted = request.maybe_arrived = maybe_arrived;
    transport_->start(RequestId{1}, std::move(request), std::move(summary));
    std::vector<Completion> finished;
    const Instant deadline = clock_->now() + std::chrono::seconds(30);
    while (finished.empty() && clock_->now() < deadline) {
      const Instant next = transport_->step(clock_->now(), finished);
      if (finished.empty()) clock_->wait(transport_->descriptors(), std::min(next, deadline));
    }
    EXPECT_EQ(finished.size(), 1u) << "no end of an upload";
    return std::get<UploadResponse>(std::move(finished.at(0).response));
  }
  UploadResponse put(const std::string& text) { return put(std::make_shared<Text>(text)); }

  HttpResponse control(HttpRequest request) {
    HttpClient client({}, *clock_);
    request.response_limit = 1 << 20;
    return exchange(client, *clock_, std::move(request));
  }
  void faults(std::vector<json> faults) {
    ASSERT_EQ(control({.method = "POST",
                       .url = server_.url("/__faults"),
                       .body = body_of(json(faults).dump())})
                  .status,
              200);
  }
  json log() { return json::parse(control({.method = "GET", .url = server_.url("/__log")}).body); }
  std::string stored(const std::string& path) {
    HttpClient client({}, *clock_);
    HttpRequest request{.method = "GET", .url = server_.url(path)};
    request.response_limit = 8 << 20;
    return exchange(client, *clock_, std::move(request)).body;
  }
  void answer_once(int status, const std::string& code) {
    faults({{{"do", "status"},
             {"method", "PUT"},
             {"status", status},
             {"body", error_document(code)}}});
  }
  // Credentials of a container instead of the config's: `answers` in their order.
  void from_container(std::vector<std::string> answers) {
    options_.config.credentials = {};
    const std::string url = server_.url("/credentials");
    variables_["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = url;
    variables_["AWS_CONFIG_FILE"] = variables_["AWS_SHARED_CREDENTIALS_FILE"] = "/nonexistent";
    options_.environment = aws::Environment([this](const char* name) -> const char* {
      const auto found = variables_.find(name);
      return found == variables_.end() ? nullptr : found->second.c_str();
    });
    std::vector<json> list;
    for (const std::string& key : answers)
      list.push_back({{"do", "status"},
                      {"path", "/credentials"},
                      {"body", json{{"AccessKeyId", key},
                                    {"SecretAccessKey", "secret-key"},
                                    {"Token", "token-of-" + key},
                                    {"Expiration", "2099-01-01T00:00:00Z"}}
                                   .dump()}});
    container_ = list;
    faults(list);
  }

  std::unique_ptr<Clock> clock_ = make_system_clock();
  FaultServer server_;
  std::map<std::string, std::string> variables_;
  std::vector<json> container_;
  S3Transport::Options options_;
  std::unique_ptr<S3Transport> transport_;
};

}  // namespace edgehose
