// The transport against a server that misbehaves on command. Real time, since libcurl has its own.
#include <filesystem>
#include <fstream>

#include "sinks/s3/s3_sink.h"
#include "tests/sinks/s3/transport_fixture.h"

namespace edgehose {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST_F(S3TransportTest, PutsAnObjectSignedAndWithItsChecksum) {
  const UploadResponse response = put("some lines\n");
  EXPECT_EQ(response.answer.status, 200) << response.answer.problem;
  EXPECT_EQ(response.bytes, 11u);
  EXPECT_EQ(stored("/telemetry/logs/x.log.zst"), "some lines\n");
  const json asked = log().at(0);
  EXPECT_EQ(asked["method"], "PUT");
  const json headers = asked["headers"];
  EXPECT_EQ(headers["content-length"], "11");
  EXPECT_EQ(headers["x-amz-checksum-crc64nvme"], response.checksum);
  EXPECT_EQ(headers["x-amz-content-sha256"], asked["sha256"]) << "plain http guards nothing";
  EXPECT_THAT(headers["authorization"].get<std::string>(), HasSubstr("Credential=AKIDEXAMPLE/"));
  EXPECT_THAT(headers["authorization"].get<std::string>(),
              HasSubstr("SignedHeaders=content-type;host;x-amz-checksum-crc64nvme;"
                        "x-amz-content-sha256;x-amz-date;x-amz-sdk-checksum-algorithm"));
}

TEST_F(S3TransportTest, ASmallBodyIsMadeOnceALargeOneIsMadeAgain) {
  const auto small = std::make_shared<Text>("small"), large = std::make_shared<Text>(large_text());
  EXPECT_EQ(put(small).answer.status, 200);
  EXPECT_EQ(small->opened, 1);
  EXPECT_EQ(put(large).answer.status, 200);
  EXPECT_EQ(large->opened, 2) << "measured, then sent: memory does not depend on its size";
  EXPECT_TRUE(stored("/telemetry/logs/x.log.zst") == large_text());
}

TEST_F(S3TransportTest, ABodyThatChangesMeanwhileIsNotSentAsAnother) {
  class Changing final : public ByteSource {
    Result<std::unique_ptr<ByteStream>> open() override {
      body_ = body_of(large_text() + std::string(++opened_, 'x'));
      return body_->open();
    }
    std::shared_ptr<RequestBody> body_;
    std::size_t opened_ = 0;
  };
  const UploadResponse response = put(std::make_shared<Changing>());
  EXPECT_EQ(response.answer.status, 0);
  EXPECT_THAT(response.answer.problem, HasSubstr("another length"));
}

TEST_F(S3TransportTest, ABodyThatCannotBeReadIsNotSent) {
  class Broken final : public ByteSource {
    Result<std::unique_ptr<ByteStream>> open() override {
      return fail(ErrorCode::kIo, "the buffer's disk is away");
    }
  };
  const UploadResponse response = put(std::make_shared<Broken>());
  ASSERT_TRUE(response.unsent);
  EXPECT_EQ(response.unsent->message, "the buffer's disk is away");
  EXPECT_TRUE(log().empty());
}

TEST_F(S3TransportTest, ExpiredCredentialsAreRenewedOnceAndTheBatchSentAgain) {
  from_container({"FIRST", "SECOND"});
  std::vector<json> all = container_;
  all.push_back({{"do", "status"},
                 {"method", "PUT"},
                 {"status", 400},
                 {"body", error_document("ExpiredToken")}});
  faults(all);
  EXPECT_EQ(put("text").answer.status, 200);
  std::vector<std::string> tokens;
  for (const json& asked : log())
    if (asked["method"] == "PUT") tokens.push_back(asked["headers"]["x-amz-security-token"]);
  EXPECT_EQ(tokens, (std::vector<std::string>{"token-of-FIRST", "token-of-SECOND"}));
}

TEST_F(S3TransportTest, CredentialsThatStayExpiredAreTold) {
  from_container({"FIRST", "SECOND"});
  std::vector<json> all = container_;
  all.push_back({{"do", "status"},
                 {"method", "PUT"},
                 {"times", 9},
                 {"status", 400},
                 {"body", error_document("ExpiredToken")}});
  faults(all);
  const UploadResponse response = put("text");
  EXPECT_EQ(response.answer.status, 400);
  int puts = 0;
  for (const json& asked : log()) puts += asked["method"] == "PUT";
  EXPECT_EQ(puts, 2) << "not a loop";
}

TEST_F(S3TransportTest, WithoutCredentialsNothingIsSent) {
  options_.config.credentials = {};
  options_.environment = aws::Environment([](const char* name) -> const char* {
    const std::string variable = name;
    if (variable == "AWS_EC2_METADATA_DISABLED") return "true";
    const bool file = variable == "AWS_CONFIG_FILE" || variable == "AWS_SHARED_CREDENTIALS_FILE";
    return file ? "/nonexistent" : nullptr;
  });
  const UploadResponse response = put("text");
  ASSERT_TRUE(response.unsent);
  EXPECT_EQ(response.unsent->code, ErrorCode::kAuth);
  EXPECT_THAT(response.unsent->message, HasSubstr("no AWS credentials: environment"));
  EXPECT_TRUE(log().empty());
}

TEST_F(S3TransportTest, CredentialsThatAProgramPrintsSign) {
  options_.config.credentials = {};
  options_.config.credentials.process =
      R"(sh -c 'echo "{\"Version\":1,\"AccessKeyId\":\"FROM-PROGRAM\",\"SecretAccessKey\":\"s\"}"')";
  EXPECT_EQ(put("text").answer.status, 200);
  EXPECT_THAT(log().at(0)["headers"]["authorization"].get<std::string>(),
              HasSubstr("Credential=FROM-PROGRAM/"));
}

TEST_F(S3TransportTest, AKeyThatIsTakenIsLookedAt) {
  options_.config.upload.create_only = true;
  put("text");
  answer_once(412, "PreconditionFailed");
  const UploadResponse response = put("text");
  EXPECT_EQ(response.answer.status, 412);
  ASSERT_TRUE(response.existing);
  EXPECT_EQ(response.existing->status, 200);
  EXPECT_EQ(*response.existing->header("content-length"), "4");
  const json asked = log();
  EXPECT_EQ(asked.at(1)["headers"]["if-none-match"], "*");
  EXPECT_EQ(asked.at(2)["method"], "HEAD");
  EXPECT_EQ(asked.at(2)["headers"]["x-amz-checksum-mode"], "ENABLED");
}

// Of an earlier attempt, which a proxy with another limit let through.
TEST_F(S3TransportTest, WhatMayHaveArrivedIsLookedForBeforeItIsRefusedForGood) {
  for (const char* code : {"EntityTooLarge", "InvalidStorageClass", "KeyTooLongError"}) {
    const std::string key = std::string("k/") + code;
    put(std::make_shared<Text>("text"), key);
    answer_once(400, code);
    const UploadResponse refused = put(std::make_shared<Text>("text"), key, nullptr, true);
    EXPECT_EQ(refused.answer.status, 400);
    ASSERT_TRUE(refused.existing) << code;
    EXPECT_EQ(refused.existing->status, 200);
    answer_once(400, code);
    EXPECT_FALSE(put(std::make_shared<Text>("text"), key).existing) << "it is the first attempt";
    answer_once(400, code);
    EXPECT_EQ(put(std::make_shared<Text>("text"), "absent", nullptr, true).existing->status, 404);
  }
  answer_once(403, "AccessDenied");
  EXPECT_FALSE(put(std::make_shared<Text>("text"), "k", nullptr, true).existing)
      << "it is sent again under its key in any case";
}

TEST_F(S3TransportTest, WhatLacksRecordsReplacesNothingAndWhatHasNoneIsNotSent) {
  const auto summary = std::make_shared<ObjectSummary>();
  summary->missing_records = 3;
  EXPECT_TRUE(put(std::make_shared<Text>(""), "x", summary).nothing);
  EXPECT_TRUE(log().empty());
  summary->encoded.records = 2;
  EXPECT_TRUE(put(std::make_shared<Text>("text"), "x", summary).partial);
  EXPECT_EQ(log().at(0)["headers"]["if-none-match"], "*");
}

// The service ignores If-None-Match: the object with all records would be replaced.
TEST_F(S3TransportTest, WhatLacksRecordsIsSentOnlyWhereNothingIs) {
  const auto summary = std::make_shared<ObjectSummary>();
  summary->missing_records = 3;
  summary->encoded.records = 2;
  put("all records");
  const UploadResponse there = put(std::make_shared<Text>("text"), "logs/x.log.zst", summary, true);
  ASSERT_TRUE(there.existing);
  EXPECT_EQ(there.existing->status, 200);
  EXPECT_EQ(stored("/telemetry/logs/x.log.zst"), "all records");
  EXPECT_EQ(put(std::make_shared<Text>("text"), "y", summary, true).answer.status, 200);
  EXPECT_EQ(stored("/telemetry/y"), "text");
  faults({{{"do", "status"}, {"method", "HEAD"}, {"status", 503}}});
  const UploadResponse unclear = put(std::make_shared<Text>("text"), "z", summary, true);
  EXPECT_EQ(unclear.answer.status, 503);
  EXPECT_EQ(unclear.to, UploadResponse::To::kClearing) << "nothing was sent";
}

TEST_F(S3TransportTest, TheWrongTimeOverPlainHttpIsNotBelieved) {
  faults({{{"do", "status"},
           {"method", "PUT"},
           {"status", 403},
           {"date_offset", 86'400},
           {"body", error_document("RequestTimeTooSkewed")}}});
  EXPECT_EQ(put("text").answer.status, 403);
}

TEST_F(S3TransportTest, WhatIsUnderWayIsGivenUpAtAStop) {
  faults({{{"do", "silent"}, {"method", "PUT"}}});
  transport_ = std::make_unique<S3Transport>(options_, *clock_);
  transport_->start(RequestId{1}, UploadRequest{"x", "eu-west-1", std::make_shared<Text>("text")},
                    nullptr);
  std::vector<Completion> finished;
  for (int i = 0; i < 3; ++i) transport_->step(clock_->now(), finished);
  transport_->abandon();
  transport_->step(clock_->now(), finished);
  EXPECT_TRUE(finished.empty());
}

// The time of a server that can prove who it is.
TEST(S3TransportTls, EachAttemptIsSignedWithTheServersTime) {
  char name[] = "/tmp/edgehose-certs-XXXXXX";
  const std::string directory = ::mkdtemp(name);
  ASSERT_EQ(std::system(
                ("bash " EDGEHOSE_SOURCE_DIR "/tests/support/make_certs.sh " + directory).c_str()),
            0);
  const FaultServer server({"--tls", directory + "/server.pem", directory + "/server.key"});
  const auto clock = make_system_clock();
  HttpClientOptions trusting;
  trusting.config.tls.ca_file = directory + "/ca.pem";
  HttpClient control(trusting, *clock);
  const std::string base = "https://localhost:" + server.port();
  const json fault = {{"do", "status"},
                      {"method", "PUT"},
                      {"status", 403},
                      {"date_offset", 86'400},
                      {"body", error_document("RequestTimeTooSkewed")}};
  const json later = {{"do", "date"}, {"method", "PUT"}, {"date_offset", 86'400}};
  exchange(control, *clock,
           {.method = "POST",
            .url = base + "/__faults",
            .body = body_of(json::array({fault, later}).dump())});

  S3Transport::Options options;
  options.config.bucket = {"telemetry", "eu-west-1", base, S3Addressing::kAuto};
  options.config.http.tls.ca_file = directory + "/ca.pem";
  for (SecretRef* secret :
       {&options.config.credentials.access_key_id, &options.config.credentials.secret_access_key}) {
    secret->kind = SecretRef::Kind::kPlain;
    secret->plain = Secret("key");
  }
  S3Transport transport(options, *clock);
  transport.start(RequestId{1}, UploadRequest{"x", "eu-west-1", std::make_shared<Text>("text")},
                  nullptr);
  std::vector<Completion> finished;
  const Instant deadline = clock->now() + std::chrono::seconds(30);
  while (finished.empty() && clock->now() < deadline) {
    const Instant next = transport.step(clock->now(), finished);
    if (finished.empty()) clock->wait(transport.descriptors(), std::min(next, deadline));
  }
  ASSERT_EQ(finished.size(), 1u);
  EXPECT_EQ(std::get<UploadResponse>(finished[0].response).answer.status, 200);
  const json log =
      json::parse(exchange(control, *clock, {.method = "GET", .url = base + "/__log"}).body);
  ASSERT_EQ(log.size(), 2u);
  const std::string first = log[0]["headers"]["x-amz-date"],
                    second = log[1]["headers"]["x-amz-date"];
  EXPECT_LT(first.substr(0, 8), second.substr(0, 8)) << "a day later";
  EXPECT_EQ(log[1]["headers"]["x-amz-content-sha256"], "UNSIGNED-PAYLOAD");
  std::filesystem::remove_all(directory);
}

TEST_F(S3TransportTest, WhatOpensAnObjectGoesWithIt) {
  auto summary = std::make_shared<ObjectSummary>();
  summary->metadata = {{"x-amz-3", "d3JhcHBlZA=="}};
  options_.config.upload.metadata = {{"gateway", "gw-1"}};
  ASSERT_EQ(put(std::make_shared<Text>("sealed"), "a.log.zst", summary).answer.status, 200);
  const std::string all = log().dump();
  EXPECT_THAT(all, HasSubstr("d3JhcHBlZA=="));
  EXPECT_THAT(all, HasSubstr("x-amz-meta-x-amz-3"));
  EXPECT_THAT(all, HasSubstr("gw-1"));
}

}  // namespace
}  // namespace edgehose
