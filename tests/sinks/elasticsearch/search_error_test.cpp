#include "sinks/elasticsearch/search_error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgehose {
namespace {

using testing::HasSubstr;

HttpResponse answer(int status, std::string body = "") {
  HttpResponse made;
  made.status = status;
  made.body = std::move(body);
  return made;
}
std::string error(const std::string& type, const std::string& reason = "words") {
  return fmt::format(R"({{"error":{{"root_cause":[],"type":"{0}","reason":"{1}"}},"status":1}})",
                     type, reason);
}

enum Kind { kRetry, kUnclear, kPark, kTooLarge };
Kind kind_of(const Verdict& verdict) {
  if (const auto* retry = std::get_if<Retry>(&verdict))
    return retry->maybe_arrived ? kUnclear : kRetry;
  return std::holds_alternative<Park>(verdict) ? kPark : kTooLarge;
}

struct SearchCase {
  int status;
  std::string body;
  Kind kind;
};
const SearchCase kSearchCases[] = {
    {301, "", kRetry},
    {400, error("illegal_argument_exception", "contains unrecognized parameter"), kPark},
    {400, R"({"error":"no handler found for uri [/x/_bulk] and method [POST]"})", kPark},
    {400, "<html>", kPark},
    {401, "Unauthorized", kPark},
    {403, error("security_exception"), kPark},
    {403, error("cluster_block_exception"), kRetry},
    {403, R"({"Message":"User: x is not authorized to perform: es:ESHttpPost"})", kPark},
    {404, error("index_not_found_exception"), kPark},
    {404, "", kPark},
    {405, "", kPark},
    {406, R"({"error":"Content-Type header [text/plain] is not supported","status":406})", kPark},
    {408, "", kRetry},
    {413, "", kTooLarge},
    {425, "", kRetry},
    {429, error("es_rejected_execution_exception"), kRetry},
    {429, "", kRetry},
    {500, "", kUnclear},
    {501, "", kPark},
    {502, "", kUnclear},
    {503, "", kRetry},
    {504, "", kUnclear},
};

TEST(SearchError, EachAnswerToAWholeRequestHasOneVerdict) {
  for (const SearchCase& c : kSearchCases)
    EXPECT_EQ(kind_of(judge_search_refusal(answer(c.status, c.body), 1000)), c.kind)
        << c.status << " " << c.body;
}

TEST(SearchError, SaysWhatTheServerSaid) {
  const auto words = [](const HttpResponse& response) {
    return std::get<Park>(judge_search_refusal(response, 1)).reason;
  };
  EXPECT_EQ(
      words(answer(404, error("index_not_found_exception", "no such index [x]"))),
      "the server answers 404 index_not_found_exception: no such index [x]; make the index or "
      "its template");
  EXPECT_EQ(words(answer(401, "Unauthorized")), "the server answers 401; see to \"auth\"");
  EXPECT_THAT(words(answer(403, R"({"message":"denied"})")), HasSubstr("403: denied"));
  EXPECT_THAT(words(answer(400, "<html>")), HasSubstr("not in a search server's words"));
  EXPECT_THAT(words(answer(400, R"({"error":"old words"})")), HasSubstr("old words"));
}

TEST(SearchError, RetryAfterIsObeyed) {
  HttpResponse busy = answer(429);
  busy.headers.push_back({"retry-after", "7"});
  EXPECT_EQ(std::get<Retry>(judge_search_refusal(busy, 1)).after, std::chrono::seconds(7));
}

TEST(SearchError, ARequestThatNeverFitsIsHalved) {
  const std::string breaker =
      R"({"error":{"type":"circuit_breaking_exception","reason":"[in_flight_requests] Data too large",)"
      R"("bytes_wanted":400150,"bytes_limit":102400,"durability":"TRANSIENT"},"status":429})";
  EXPECT_EQ(kind_of(judge_search_refusal(answer(429, breaker), 200'000)), kTooLarge);
  EXPECT_EQ(kind_of(judge_search_refusal(answer(429, breaker), 60'000)), kTooLarge)
      << "it counts each byte twice";
  EXPECT_EQ(kind_of(judge_search_refusal(answer(429, breaker), 1'000)), kRetry);
  const auto pressure = [](int wanted, int limit) {
    return error("rejected_execution_exception",
                 fmt::format("rejected execution of coordinating operation [all_bytes=0, "
                             "coordinating_operation_bytes={}, "
                             "max_coordinating_and_primary_bytes={}]",
                             wanted, limit));
  };
  EXPECT_EQ(kind_of(judge_search_refusal(answer(429, pressure(200255, 51200)), 1)), kTooLarge);
  EXPECT_EQ(kind_of(judge_search_refusal(answer(429, pressure(200255, 512000)), 1)), kRetry);
}

TEST(SearchError, WhetherABodyWouldGoInVain) {
  for (const int status : {401, 429, 502, 503, 504})
    EXPECT_EQ(search_health(answer(status)), HostHealth::kUnwell) << status;
  EXPECT_EQ(search_health(answer(200, "<html>Log in")), HostHealth::kUnwell);
  EXPECT_EQ(search_health(answer(200, "{}")), HostHealth::kNotKnown) << "not whether it may create";
  for (const int status : {400, 403, 404, 405, 500})
    EXPECT_EQ(search_health(answer(status)), HostHealth::kNotKnown) << status;
}

TEST(SearchError, WhatWasOnlyAskedForHasNotArrived) {
  EXPECT_EQ(kind_of(judge_search_health(answer(401))), kPark);
  HttpResponse longer = answer(0, "{");
  longer.failure = HttpFailure::kTooLong;
  EXPECT_EQ(kind_of(judge_search_health(longer)), kRetry) << "no body was too long";
  for (const int status : {200, 429, 502, 503, 504})
    EXPECT_EQ(kind_of(judge_search_health(answer(status))), kRetry) << status;
}

TEST(SearchError, WhatSomethingOnTheWayRefusesMayBeOfTheBatch) {
  const auto of_batch = [](const HttpResponse& refusal) {
    return std::get<Park>(judge_search_refusal(refusal, 1)).of_batch;
  };
  EXPECT_TRUE(of_batch(answer(406, "<html>")));
  EXPECT_TRUE(of_batch(answer(403, "<html>")));
  EXPECT_FALSE(of_batch(answer(401, "<html>")));
  EXPECT_FALSE(of_batch(answer(403, error("security_exception"))));
}

TEST(SearchError, WhatAHostSaysOfTheClusterIsNoRefusalOfItsOwn) {
  for (const int status : {401, 403, 404, 405})
    EXPECT_TRUE(search_host_refuses(answer(status, "<html>"))) << status;
  EXPECT_TRUE(search_host_refuses(answer(403, error("security_exception"))));
  EXPECT_FALSE(search_host_refuses(answer(403, error("cluster_block_exception"))));
  EXPECT_FALSE(search_host_refuses(answer(404, error("index_not_found_exception"))));
}

TEST(SearchError, WhoCannotReadGzip) {
  EXPECT_TRUE(refuses_gzip(answer(415)));
  EXPECT_TRUE(refuses_gzip(answer(400, error("parse_exception"))));
  EXPECT_TRUE(
      refuses_gzip(answer(400, error("illegal_argument_exception",
                                     "The bulk request must be terminated by a newline [\\\\n]"))));
  EXPECT_FALSE(refuses_gzip(answer(400, error("illegal_argument_exception"))));
  EXPECT_FALSE(refuses_gzip(answer(200)));
  EXPECT_FALSE(refuses_gzip(answer(413)));
}

TEST(SearchError, WhatHelpsASignedRequest) {
  const auto remedy = [](const std::string& words) {
    return search_remedy(answer(403, "{\"message\":\"" + words + "\"}"));
  };
  EXPECT_EQ(remedy("The security token included in the request is expired"), Remedy::kCredentials);
  EXPECT_EQ(remedy("The security token included in the request is invalid."), Remedy::kCredentials);
  EXPECT_EQ(remedy("Signature expired: 20260101T000000Z is now earlier than"), Remedy::kClock);
  EXPECT_EQ(remedy("Signature not yet current: 2027"), Remedy::kClock);
  EXPECT_EQ(remedy("User: x is not authorized"), Remedy::kNone);
  EXPECT_EQ(search_remedy(answer(200)), Remedy::kNone);
}

TEST(SearchError, WhoServes) {
  EXPECT_EQ(describe_server(
                answer(200, R"({"version":{"distribution":"opensearch","number":"2.19.4"}})")),
            "OpenSearch 2.19.4");
  EXPECT_EQ(describe_server(answer(200, R"({"version":{"number":"8.19.21"}})")),
            "Elasticsearch 8.19.21");
  EXPECT_EQ(describe_server(answer(200, "<html>")), "");
  EXPECT_EQ(describe_server(answer(404, R"({"version":{"number":"8"}})")), "");
  HttpResponse refused = answer(403);
  refused.headers = {{"x-elastic-product", "Elasticsearch"}};
  EXPECT_EQ(describe_server(refused), "Elasticsearch");
}

}  // namespace
}  // namespace edgehose
