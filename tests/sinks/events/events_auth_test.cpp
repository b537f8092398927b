#include "sinks/events/events_auth.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "agent/base/base64.h"
#include "tests/sinks/object/support.h"

namespace edgehose {
namespace {

SecretRef plain(const std::string& text) {
  SecretRef secret;
  secret.kind = SecretRef::Kind::kPlain;
  secret.plain = Secret(text);
  return secret;
}

std::string header_of(const EventsAuth& auth) {
  const auto header = authorization(auth);
  if (!header) return "error: " + header.error().message;
  if (!*header) return "none";
  EXPECT_EQ((*header)->name, "authorization");
  EXPECT_TRUE((*header)->secret);
  return (*header)->value;
}

TEST(EventsAuth, EachKindHasItsHeader) {
  EventsAuth auth;
  EXPECT_EQ(header_of(auth), "none");
  auth.user = "writer";
  auth.password = plain("open sesame");
  EXPECT_EQ(header_of(auth), "Basic d3JpdGVyOm9wZW4gc2VzYW1l");
  auth = {};
  auth.api_key = plain("VuaCfGcBCdbkQm-e5aOx:ui2lp2axTNmsyakw9tvNnw");
  const std::string encoded = "VnVhQ2ZHY0JDZGJrUW0tZTVhT3g6dWkybHAyYXhUTm1zeWFrdzl0dk5udw==";
  EXPECT_EQ(header_of(auth), "ApiKey " + encoded) << "the example of Elastic's documentation";
  auth.api_key = plain(encoded);
  EXPECT_EQ(header_of(auth), "ApiKey " + encoded);
  auth = {};
  auth.bearer = plain("token");
  EXPECT_EQ(header_of(auth), "Bearer token");
  auth = {};
  auth.sigv4 = "es";
  EXPECT_EQ(header_of(auth), "none") << "signed, by AwsClient";
}

TEST(EventsAuth, AFileIsReadAnewEachTime) {
  const test::TemporaryDirectory directory;
  EventsAuth auth;
  auth.bearer.kind = SecretRef::Kind::kFile;
  auth.bearer.where = directory.file("token");
  test::write_file(auth.bearer.where, "old\n");
  EXPECT_EQ(header_of(auth), "Bearer old");
  test::write_file(auth.bearer.where, "new\n");
  EXPECT_EQ(header_of(auth), "Bearer new");
}

TEST(EventsAuth, WhatCannotBeReadOrSentIsAnErrorThatNamesThePlaceOnly) {
  EventsAuth auth;
  auth.bearer.kind = SecretRef::Kind::kFile;
  auth.bearer.where = "/nonexistent/token";
  EXPECT_NE(header_of(auth).find("/nonexistent/token"), std::string::npos);
  auth.bearer = plain("canary\r\nX-Evil: 1");
  const auto header = authorization(auth);
  ASSERT_FALSE(header);
  EXPECT_EQ(header.error().code, ErrorCode::kAuth);
  EXPECT_EQ(header.error().message.find("canary"), std::string::npos);
}

TEST(EventsAuth, ATokenHasItsServicesScheme) {
  EventsAuth auth;
  auth.token = plain("abc-1");
  auth.token_scheme = "Splunk";
  EXPECT_EQ(header_of(auth), "Splunk abc-1");
}

TEST(EventsAuth, TheRegionIsTheConfigsTheEndpointsOrTheEnvironments) {
  ::unsetenv("AWS_REGION");
  ::unsetenv("AWS_DEFAULT_REGION");
  EventsAuth auth;
  auth.sigv4 = "es";
  const auto region = [&](const std::string& endpoint) {
    const auto found = with_region(auth, endpoint);
    return found ? found->region : "error";
  };
  EXPECT_EQ(region("https://search-x-abc.eu-west-1.es.amazonaws.com"), "eu-west-1");
  EXPECT_EQ(region("https://abc.us-east-2.aoss.amazonaws.com:443/"), "us-east-2");
  EXPECT_EQ(region("https://search.example.com"), "error");
  ::setenv("AWS_REGION", "eu-north-1", 1);
  EXPECT_EQ(region("https://search.example.com"), "eu-north-1");
  auth.region = "ap-south-1";
  EXPECT_EQ(region("https://abc.us-east-2.aoss.amazonaws.com"), "ap-south-1");
  ::unsetenv("AWS_REGION");
}

}  // namespace
}  // namespace edgehose
