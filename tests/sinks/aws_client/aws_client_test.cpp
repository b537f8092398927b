// A clock that is a day off, and credentials that have an end: whoever gives them out, and S3, tell
// the time. Servers of their own kind over TLS, with an authority that the system does not know.
#include "sinks/aws_client/aws_client.h"

#include <gmock/gmock.h>

#include <map>

#include "agent/base/text.h"
#include "tests/sinks/aws/world.h"
#include "tests/sinks/http/tls_server.h"

namespace edgehose {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

constexpr int kDay = 86'400;

Remedy remedy_of(const HttpResponse& response) {
  if (response.body.find("TimeTooSkewed") != std::string::npos) return Remedy::kClock;
  if (response.body.find("ExpiredToken") != std::string::npos) return Remedy::kCredentials;
  return Remedy::kNone;
}

class AwsClientTest : public ::testing::Test {
 protected:
  AwsClientTest() {
    options_.name = "cloud";
    options_.service = "s3";
    options_.http.config.tls.ca_file = certs_.file("ca.pem");
    options_.environment = aws::Environment([this](const char* name) -> const char* {
      const auto found = variables_.find(name);
      return found == variables_.end() ? nullptr : found->second.c_str();
    });
  }
  // What the service answers to GET /object, its end awaited.
  AwsClient::Finished get() {
    AwsClient client(options_, *clock_);
    AwsRequest request;
    request.http = {.method = "GET", .url = s3_.url("/object")};
    request.region = "eu-west-1";
    request.payload_hash = "UNSIGNED-PAYLOAD";
    request.remedy = remedy_of;
    client.start(1, std::move(request));
    std::vector<AwsClient::Finished> finished;
    const Instant deadline = clock_->now() + 30s;
    while (finished.empty() && clock_->now() < deadline) {
      const Instant next = client.step(finished);
      if (finished.empty()) clock_->wait(client.descriptors(), std::min(next, deadline));
    }
    if (finished.empty()) throw std::runtime_error("no end of a request");
    offset_ = client.clock_offset();
    return std::move(finished.front());
  }
  void sign_with_keys() {
    for (SecretRef* key :
         {&options_.credentials.access_key_id, &options_.credentials.secret_access_key}) {
      key->kind = SecretRef::Kind::kPlain;
      key->plain = Secret("key");
    }
  }
  void assume_a_role() {
    sign_with_keys();
    options_.credentials.role.arn = "arn:aws:iam::111122223333:role/gateway";
    variables_["AWS_ENDPOINT_URL_STS"] = issuer_.url("");
  }

  inline static const TestCertificates certs_;
  TlsServer issuer_{certs_}, s3_{certs_};
  std::unique_ptr<Clock> clock_ = make_system_clock();
  std::map<std::string, std::string> variables_;
  AwsClientOptions options_;
  Duration offset_{};
};

json told(int status, const std::string& body, int offset = kDay) {
  return {{"do", "status"}, {"status", status}, {"body", body}, {"date_offset", offset}};
}

// Its refusal is the only answer that comes at all, so it has to do.
TEST_F(AwsClientTest, ARoleIsAssumedWithTheTimeThatStsTells) {
  assume_a_role();
  issuer_.faults({told(403,
                       "<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code></Error>"
                       "</ErrorResponse>"),
                  told(200, aws::test::sts_xml("AssumeRole"))});
  s3_.faults({told(200, "")});
  const AwsClient::Finished got = get();
  ASSERT_FALSE(got.unsigned_why) << got.unsigned_why->message;
  EXPECT_EQ(got.response.status, 200);
  const json asked = issuer_.log();
  ASSERT_EQ(asked.size(), 2u);
  EXPECT_LT(asked[0]["headers"]["x-amz-date"].get<std::string>().substr(0, 8),
            asked[1]["headers"]["x-amz-date"].get<std::string>().substr(0, 8))
      << "a day later";
  EXPECT_EQ(s3_.log()[0]["headers"]["x-amz-date"].get<std::string>().substr(0, 8),
            asked[1]["headers"]["x-amz-date"].get<std::string>().substr(0, 8));
}

// By this machine's clock they have ended yesterday.
TEST_F(AwsClientTest, CredentialsOfAnIotAliasServeWhereThisClockIsAhead) {
  TlsServer iot(certs_, /*asks_for_one=*/true);
  options_.credentials.iot = {.endpoint = "localhost:" + iot.port(),
                              .role_alias = "gateways",
                              .thing_name = "",
                              .certificate = certs_.file("client.pem"),
                              .private_key = certs_.file("client.key"),
                              .ca_file = certs_.file("ca.pem")};
  const WallTime end(clock_->wall().value - Duration(23h).count());
  iot.faults({told(200,
                   R"({"credentials":{"accessKeyId":"ASIAIOT","secretAccessKey":"s",)"
                   R"("sessionToken":"t","expiration":")" +
                       format_wall(end) + R"("}})",
                   -kDay)});
  s3_.faults({told(200, "", -kDay)});
  const AwsClient::Finished got = get();
  ASSERT_FALSE(got.unsigned_why) << got.unsigned_why->message;
  EXPECT_LT(offset_, -23h);
  EXPECT_THAT(s3_.log()[0]["headers"]["authorization"].get<std::string>(), HasSubstr("ASIAIOT"));
}

// A program cannot tell the time: S3 does, asked with what seems to have ended.
TEST_F(AwsClientTest, CredentialsOfAProgramServeWhereThisClockIsAhead) {
  const WallTime end(clock_->wall().value - Duration(23h).count());
  options_.credentials.process =
      R"(echo '{"Version":1,"AccessKeyId":"ASIAPROG","SecretAccessKey":"s","Expiration":")" +
      format_wall(end) + R"("}')";
  s3_.faults({told(403, "RequestTimeTooSkewed", -kDay), told(200, "", -kDay)});
  const AwsClient::Finished got = get();
  ASSERT_FALSE(got.unsigned_why) << got.unsigned_why->message;
  EXPECT_EQ(got.response.status, 200);
  EXPECT_EQ(s3_.log().size(), 2u);
}

// Gateways tell what they were sent; what they say is logged.
TEST_F(AwsClientTest, ASessionTokenThatIsRepeatedIsNotRead) {
  sign_with_keys();
  SecretRef& token = options_.credentials.session_token;
  token.kind = SecretRef::Kind::kPlain;
  token.plain = Secret("canary-session-token");
  s3_.faults({told(400, "<Message>bad header: canary-session-token</Message>", 0)});
  EXPECT_EQ(get().response.body, "<Message>bad header: ***</Message>");
}

TEST_F(AwsClientTest, WhatIsLongOverIsRefusedByTheServerAndNotAskedForEver) {
  options_.credentials.process = R"(echo '{"Version":1,"AccessKeyId":"A","SecretAccessKey":"s",)"
                                 R"("Expiration":"2020-01-01T00:00:00Z"}')";
  const json expired = told(400, "ExpiredToken", 0);
  s3_.faults({expired, expired, expired});
  const AwsClient::Finished got = get();
  ASSERT_FALSE(got.unsigned_why);
  EXPECT_EQ(got.response.status, 400);
  EXPECT_EQ(s3_.log().size(), 2u) << "with others once";
}

}  // namespace
}  // namespace edgehose
