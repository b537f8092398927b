// What check --connect tells of a bucket, against a server that answers on command.
#include "sinks/s3/s3_probe.h"

#include <gmock/gmock.h>

#include "tests/sinks/http/fault_server.h"

namespace edgehose {
namespace {

using nlohmann::json;
using ::testing::Contains;
using ::testing::HasSubstr;

constexpr const char* kName = "logs/2026/x.log.zst";

class S3ProbeTest : public ::testing::Test {
 protected:
  S3ProbeTest() {
    config_.common.name = "cloud";
    config_.bucket = {"telemetry", "eu-west-1", server_.url(""), S3Addressing::kAuto};
    plain(config_.credentials.access_key_id, "AKIDEXAMPLE");
    plain(config_.credentials.secret_access_key, "secret-key");
  }
  static void plain(SecretRef& secret, const std::string& text) {
    secret.kind = SecretRef::Kind::kPlain;
    secret.plain = Secret(text);
  }
  // "good: ...", "warning: ...", "failed: ...".
  std::vector<std::string> told(Duration limit = std::chrono::seconds(10)) {
    std::vector<std::string> lines;
    for (const Trial& trial : try_s3({.config = config_, .key = kName, .limit = limit}, *clock_)) {
      const bool good = trial.outcome == Trial::Outcome::kGood;
      const bool warning = trial.outcome == Trial::Outcome::kWarning;
      lines.push_back((good ? "good: " : warning ? "warning: " : "failed: ") + trial.what);
    }
    return lines;
  }
  HttpResponse control(const std::string& path, std::shared_ptr<RequestBody> body = nullptr) {
    HttpClient client({}, *clock_);
    HttpRequest request{.method = body ? "POST" : "GET", .url = server_.url(path), .body = body};
    request.response_limit = 1 << 20;
    return exchange(client, *clock_, std::move(request));
  }
  void faults(const std::vector<json>& faults) {
    ASSERT_EQ(control("/__faults", body_of(json(faults).dump())).status, 200);
  }
  json log() { return json::parse(control("/__log").body); }
  static json answer(const std::string& method, int status, const std::string& body = "",
                     const json& headers = json::object()) {
    return {{"do", "status"},
            {"method", method},
            {"status", status},
            {"body", body},
            {"headers", headers}};
  }
  static json begun() {
    return answer("POST", 200,
                  "<InitiateMultipartUploadResult><UploadId>u/1</UploadId>"
                  "</InitiateMultipartUploadResult>");
  }
  static std::string error(const std::string& code) {
    return "<Error><Code>" + code + "</Code><Message>words</Message></Error>";
  }

  std::unique_ptr<Clock> clock_ = make_system_clock();
  FaultServer server_;
  S3Config config_;
};

TEST_F(S3ProbeTest, BeginsAnUploadWithTheSinksOptionsAndGivesItUp) {
  config_.upload.storage_class = "STANDARD_IA";
  config_.upload.tags = {{"site", "north"}};
  faults({begun(), answer("DELETE", 204)});
  EXPECT_THAT(told(),
              ::testing::ElementsAre(HasSubstr("good: no verified TLS, credentials: config"),
                                     HasSubstr("good: the bucket telemetry is in eu-west-1"),
                                     HasSubstr("good: an upload could be begun"),
                                     HasSubstr("good: it was given up again")));
  const json asked = log();
  ASSERT_EQ(asked.size(), 2u);
  EXPECT_EQ(asked[0]["path"], "/telemetry/" + std::string(kName) + "?uploads=");
  EXPECT_EQ(asked[0]["headers"]["x-amz-storage-class"], "STANDARD_IA");
  EXPECT_EQ(asked[0]["headers"]["x-amz-tagging"], "site=north");
  EXPECT_EQ(asked[1]["method"], "DELETE");
  EXPECT_EQ(asked[1]["path"], "/telemetry/" + std::string(kName) + "?uploadId=u%2F1");
}

TEST_F(S3ProbeTest, ARefusalIsToldWithWhatToDo) {
  const std::pair<int, std::string> refusals[] = {
      {403, "AccessDenied"}, {403, "SignatureDoesNotMatch"}, {403, "InvalidAccessKeyId"},
      {404, "NoSuchBucket"}, {400, "KMS.NotFoundException"}, {400, "InvalidStorageClass"}};
  for (const auto& [status, code] : refusals) {
    const json refusal = answer("POST", status, error(code));
    faults({refusal, refusal});  // other credentials may be tried
    const auto lines = told();
    EXPECT_THAT(lines.back(),
                HasSubstr("failed: S3 answers " + std::to_string(status) + " " + code));
  }
  faults({answer("POST", 403, error("AccessDenied"))});
  EXPECT_THAT(told().back(), HasSubstr("s3:PutObject"));
}

TEST_F(S3ProbeTest, AnotherRegionIsNamedAndAsked) {
  faults({answer("POST", 301, error("PermanentRedirect"), {{"x-amz-bucket-region", "ap-south-1"}}),
          begun(), answer("DELETE", 204)});
  const auto lines = told();
  EXPECT_THAT(lines, Contains(HasSubstr("warning: the bucket is in ap-south-1, not in eu-west-1: "
                                        "set region = \"ap-south-1\"")));
  EXPECT_THAT(lines, Contains(HasSubstr("good: the bucket telemetry is in ap-south-1")));
  EXPECT_THAT(log()[1]["headers"]["authorization"].get<std::string>(),
              HasSubstr("/ap-south-1/s3/"));
}

TEST_F(S3ProbeTest, WhatCannotBeGivenUpIsTold) {
  faults({begun(), answer("DELETE", 403, error("AccessDenied"))});
  EXPECT_THAT(told().back(), HasSubstr("warning: it could not be given up again (S3 answers 403 "
                                       "AccessDenied): grant s3:AbortMultipartUpload"));
}

// A sink that never needs it does not ask (the first test).
TEST_F(S3ProbeTest, WhatIsNeededWhenAnAnswerWasLostIsAskedToo) {
  config_.upload.create_only = true;
  faults({begun(), answer("DELETE", 204), answer("HEAD", 404)});
  EXPECT_THAT(told().back(), HasSubstr("good: what is under a name can be seen"));
  EXPECT_EQ(log()[2]["path"], "/telemetry/" + std::string(kName));
  faults({begun(), answer("DELETE", 204), answer("HEAD", 403)});
  EXPECT_THAT(told().back(), HasSubstr("grant s3:GetObject"));
  faults({begun(), answer("DELETE", 204), answer("HEAD", 400)});
  EXPECT_THAT(told().back(), HasSubstr("warning: what is under a name cannot be seen (S3 answers "
                                       "400)"));
  config_.upload.create_only = false;
  config_.common.batch.max_size = config_.part_size + 1;
  faults({begun(), answer("DELETE", 204), answer("HEAD", 404),
          answer("GET", 200, "<ListMultipartUploadsResult></ListMultipartUploadsResult>")});
  EXPECT_THAT(told().back(), HasSubstr("good: uploads that broke off can be found"));
  faults({begun(), answer("DELETE", 204), answer("HEAD", 404),
          answer("GET", 403, error("AccessDenied"))});
  EXPECT_THAT(told().back(), HasSubstr("warning: uploads that broke off cannot be found (S3 "
                                       "answers 403 AccessDenied): grant "
                                       "s3:ListBucketMultipartUploads"));
}

TEST_F(S3ProbeTest, APortalIsNoBucket) {
  faults({answer("POST", 200, "<html>Welcome</html>")});
  EXPECT_THAT(told().back(), HasSubstr("failed: the answer 200 is not S3's"));
}

TEST_F(S3ProbeTest, AServiceWithoutMultipartUploadsIsLookedAt) {
  faults({answer("POST", 501, error("NotImplemented")), answer("HEAD", 200)});
  EXPECT_THAT(told().back(), HasSubstr("warning: the bucket answers"));
  faults({answer("POST", 501, error("NotImplemented")), answer("HEAD", 404)});
  EXPECT_THAT(told().back(), HasSubstr("failed: S3 answers 404"));
}

TEST_F(S3ProbeTest, NobodyThereAndNoCredentialsAreToldInTime) {
  faults({{{"do", "silent"}, {"method", "POST"}}});
  EXPECT_THAT(told(std::chrono::milliseconds(300)).back(), HasSubstr("failed: 127.0.0.1:"));
  config_.bucket.endpoint = "http://127.0.0.1:1";
  EXPECT_THAT(told().back(), HasSubstr("failed: http://127.0.0.1:1"));
  EXPECT_THAT(told().back(), HasSubstr("\"endpoint\""));
  config_.credentials.access_key_id = {};
  config_.credentials.access_key_id.kind = SecretRef::Kind::kFile;
  config_.credentials.access_key_id.where = "/nonexistent/key";
  EXPECT_THAT(told(), ::testing::ElementsAre(HasSubstr("failed: ")));
}

}  // namespace
}  // namespace edgehose
