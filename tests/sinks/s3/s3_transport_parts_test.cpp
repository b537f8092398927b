// Objects in parts, against a server that misbehaves on command.
#include <set>

#include "sinks/s3/multipart_answers.h"
#include "tests/sinks/s3/transport_fixture.h"

namespace edgehose {
namespace {

class S3TransportPartsTest : public S3TransportTest {
 protected:
  S3TransportPartsTest() { options_.config.part_size = 1 << 20; }  // three of large_text()

  // An attempt; what it tells of the upload is handed to the next one, as the courier does.
  UploadResponse attempt(bool first = false) {
    if (!transport_) transport_ = std::make_unique<S3Transport>(options_, *clock_);
    transport_->start(RequestId{1},
                      UploadRequest{"k", "eu-west-1", std::make_shared<Text>(large_text()), known_,
                                    !first, !first},
                      nullptr);
    std::vector<Completion> finished;
    const Instant deadline = clock_->now() + std::chrono::seconds(30);
    while (finished.empty() && clock_->now() < deadline) {
      const Instant next = transport_->step(clock_->now(), finished);
      for (const Advance& advance : transport_->take_advances()) known_ = advance.upload;
      if (finished.empty()) clock_->wait(transport_->descriptors(), std::min(next, deadline));
    }
    return std::get<UploadResponse>(std::move(finished.at(0).response));
  }
  // "PUT partNumber=2", without the id.
  std::vector<std::string> asked() {
    std::vector<std::string> list;
    for (const json& entry : log()) {
      const std::string path = entry["path"];
      const std::string query = path.substr(std::min(path.find('?'), path.size() - 1) + 1);
      list.push_back(entry["method"].get<std::string>() + " " + query.substr(0, query.find('&')));
    }
    return list;
  }
  std::set<std::string> unfinished_keys() {
    HttpClient client({}, *clock_);
    const auto list = read_uploads(
        exchange(client, *clock_, {.method = "GET", .url = server_.url("/telemetry?uploads=")}));
    std::set<std::string> keys;
    for (const ListedUpload& upload : list->uploads) keys.insert(upload.key);
    return keys;
  }
  std::size_t unfinished() { return unfinished_keys().size(); }
  void wait_for_unfinished(std::size_t count) {
    std::vector<Completion> finished;
    const Instant deadline = clock_->now() + std::chrono::seconds(30);
    while (unfinished() != count && clock_->now() < deadline) {
      const Instant next = transport_->step(clock_->now(), finished);
      clock_->wait(transport_->descriptors(),
                   std::min(next, clock_->now() + std::chrono::milliseconds(20)));
    }
    EXPECT_EQ(unfinished(), count);
  }
  PartialUpload known_;
};

TEST_F(S3TransportPartsTest, AboveThePartSizeItGoesUpInParts) {
  EXPECT_EQ(attempt(true).answer.status, 200);
  EXPECT_TRUE(stored("/telemetry/k") == large_text());
  EXPECT_FALSE(known_);
  EXPECT_EQ(asked(), (std::vector<std::string>{"POST uploads=", "PUT partNumber=1",
                                               "PUT partNumber=2", "PUT partNumber=3",
                                               "POST uploadId=upload%201%2F%2B", "GET "}));
  EXPECT_EQ(log().at(1)["headers"]["x-amz-content-sha256"], log().at(1)["sha256"]);
}

TEST_F(S3TransportPartsTest, WhatBrokeOffGoesOnBehindTheLastPart) {
  faults({{{"do", "reset"}, {"query", "partNumber=3"}, {"after", 1000}}});
  const UploadResponse broken = attempt(true);
  EXPECT_EQ(broken.to, UploadResponse::To::kPart);
  EXPECT_EQ(known_.parts.size(), 2u);
  transport_ = nullptr;  // another life
  EXPECT_EQ(attempt().answer.status, 200);
  EXPECT_TRUE(stored("/telemetry/k") == large_text());
  EXPECT_EQ(unfinished(), 0u);
  std::size_t parts = 0;
  for (const std::string& request : asked()) parts += request.starts_with("PUT");
  EXPECT_EQ(parts, 4u);
}

TEST_F(S3TransportPartsTest, AnAnswerThatWasLostLeavesNoUploadBehind) {
  faults({{{"do", "lost"}, {"method", "POST"}, {"query", "uploads="}}});
  EXPECT_EQ(attempt(true).answer.status, 0);
  EXPECT_EQ(unfinished(), 1u);
  EXPECT_EQ(attempt().answer.status, 200);
  EXPECT_EQ(unfinished(), 0u);
}

TEST_F(S3TransportPartsTest, ACompletionWhoseAnswerWasLostIsSeenByItsObject) {
  faults({{{"do", "lost"}, {"method", "POST"}, {"query", "uploadId="}}});
  const UploadResponse lost = attempt(true);  // libcurl asks once more, over another connection
  EXPECT_EQ(lost.answer.status, 404);
  ASSERT_TRUE(lost.existing);
  EXPECT_EQ(lost.existing->status, 200);
  EXPECT_FALSE(known_);
}

TEST_F(S3TransportPartsTest, WhatIsRefusedIsLookedForToo) {
  faults({{{"do", "status"},
           {"method", "POST"},
           {"query", "uploads="},
           {"status", 400},
           {"body", error_document("InvalidStorageClass")}}});
  const UploadResponse refused = attempt();
  EXPECT_EQ(refused.answer.status, 400);
  ASSERT_TRUE(refused.existing);
  EXPECT_EQ(refused.existing->status, 404);
}

// Its completion is faulted: nothing is there, and it is no dead letter.
TEST_F(S3TransportPartsTest, AFaultIsNoRefusalForGood) {
  faults({{{"do", "status"},
           {"method", "POST"},
           {"query", "uploadId="},
           {"status", 400},
           {"body", error_document("InvalidPart")}}});
  const UploadResponse faulted = attempt();
  EXPECT_EQ(faulted.answer.status, 400);
  EXPECT_FALSE(faulted.existing);
}

TEST_F(S3TransportPartsTest, AnUploadThatIsDiscardedIsAborted) {
  faults({{{"do", "reset"}, {"query", "partNumber=2"}}});
  attempt(true);
  EXPECT_EQ(unfinished(), 1u);
  transport_->discard("k", known_);
  wait_for_unfinished(0);
}

TEST_F(S3TransportPartsTest, WhatIsLeftOverIsAbortedAndNothingElse) {
  for (const char* key : {"ours", "needed", "theirs"})
    control({.method = "POST",
             .url = server_.url(std::string("/telemetry/") + key + "?uploads="),
             .body = body_of("")});
  attempt(true);
  transport_->tidy(clock_->now(), [](const std::string& key) { return key == "ours"; });
  wait_for_unfinished(2);
  std::vector<Completion> finished;
  const Instant end = clock_->now() + std::chrono::milliseconds(200);  // for what must not happen
  for (Instant next = clock_->now(); clock_->now() < end;) {
    clock_->wait(transport_->descriptors(), std::min(next, end));
    next = transport_->step(clock_->now(), finished);
  }
  EXPECT_EQ(unfinished_keys(), (std::set<std::string>{"needed", "theirs"}));
}

TEST_F(S3TransportPartsTest, WhereNothingGoesUpInPartsNothingIsLookedFor) {
  options_.config.part_size = 16 << 20;
  EXPECT_EQ(put("text").answer.status, 200);
  transport_->tidy(clock_->now(), [](const std::string&) { return true; });
  EXPECT_EQ(put("text").answer.status, 200);
  EXPECT_EQ(asked(), (std::vector<std::string>{"PUT ", "PUT "}));
}

}  // namespace
}  // namespace edgehose
