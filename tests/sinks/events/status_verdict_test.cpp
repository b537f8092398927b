#include "sinks/events/status_verdict.h"

#include <gtest/gtest.h>

namespace edgehose {
namespace {

HttpResponse answer(int status, std::string body = {}) {
  HttpResponse made;
  made.status = status;
  made.body = std::move(body);
  return made;
}

enum Kind { kRetry, kUnclear, kPark, kTooLarge };
Kind kind_of(const Verdict& verdict) {
  if (const auto* retry = std::get_if<Retry>(&verdict))
    return retry->maybe_arrived ? kUnclear : kRetry;
  return std::holds_alternative<Park>(verdict) ? kPark : kTooLarge;
}

Kind kind_of(int status) {
  return kind_of(verdict_of(refusal_of(status), answer(status), "words"));
}

TEST(StatusVerdict, OfAStatusAlone) {
  for (const int status : {301, 408, 425, 429, 503}) EXPECT_EQ(kind_of(status), kRetry) << status;
  for (const int status : {500, 502, 504, 520}) EXPECT_EQ(kind_of(status), kUnclear) << status;
  for (const int status : {400, 401, 403, 404, 407, 418, 501}) EXPECT_EQ(kind_of(status), kPark);
  EXPECT_EQ(kind_of(413), kTooLarge);
}

TEST(StatusVerdict, WaitsAsLongAsTheServerWishes) {
  HttpResponse busy = answer(503);
  busy.headers = {{"retry-after", "30"}};
  EXPECT_EQ(std::get<Retry>(verdict_of(HttpRefusal::kRetry, busy, "busy")).after,
            std::chrono::seconds(30));
}

TEST(StatusVerdict, NoAnswer) {
  HttpResponse none = answer(0);
  none.problem = "away";
  none.maybe_arrived = true;
  none.failure = HttpFailure::kReset;
  EXPECT_EQ(kind_of(judge_silence(none)), kUnclear);
  none.failure = HttpFailure::kSetup;
  EXPECT_EQ(kind_of(judge_silence(none)), kPark);
  none.failure = HttpFailure::kConnect;
  none.maybe_arrived = false;
  EXPECT_EQ(kind_of(judge_silence(none)), kRetry);
}

TEST(StatusVerdict, AnAnswerThatIsTooLongIsHalvedWhereItIsTheServices) {
  HttpResponse none = answer(0, " \r\n{\"took\":1,\"items\":[");
  none.failure = HttpFailure::kTooLong;
  none.maybe_arrived = true;
  const Verdict verdict = judge_silence(none);
  ASSERT_EQ(kind_of(verdict), kTooLarge) << "it would be as long again";
  EXPECT_TRUE(std::get<TooLarge>(verdict).maybe_arrived);
  for (const char* page : {"<html>Log in", "", "\x1f\x8b"}) {
    none.body = page;
    EXPECT_EQ(kind_of(judge_silence(none)), kUnclear) << page;
    EXPECT_TRUE(host_fails(none)) << page;
  }
}

TEST(StatusVerdict, WhatWasNotSent) {
  EXPECT_EQ(kind_of(judge_unmade(Error{ErrorCode::kFull, 0, "2 MiB"})), kTooLarge);
  EXPECT_EQ(kind_of(judge_unmade(Error{ErrorCode::kAuth, 0, "no token"})), kPark);
  EXPECT_EQ(kind_of(judge_unmade(Error{ErrorCode::kIo, 0, "the disk"})), kRetry);
}

TEST(StatusVerdict, WhichHostFails) {
  for (const int status : {429, 502, 503, 504}) EXPECT_TRUE(host_fails(answer(status))) << status;
  for (const int status : {0, 400, 403, 500}) EXPECT_FALSE(host_fails(answer(status, "<html>")));
  EXPECT_TRUE(host_fails(answer(200, "<html>Log in")));
  EXPECT_FALSE(host_fails(answer(200, "{}")));
}

TEST(StatusVerdict, WhoRefusesAlone) {
  for (const int status : {401, 403, 404, 405}) EXPECT_TRUE(host_refuses(answer(status))) << status;
  for (const int status : {0, 200, 400, 413, 429, 503})
    EXPECT_FALSE(host_refuses(answer(status))) << status;
}

}  // namespace
}  // namespace edgehose
