#include "sinks/s3/leftovers.h"

#include <set>

#include "tests/sinks/s3/multipart_fixture.h"

namespace edgehose {
namespace {

class LeftoversTest : public ::testing::Test {
 protected:
  void tidy(Instant now) {
    leftovers_.tidy(now, [this](const std::string& key) { return unneeded_.contains(key); });
  }
  AwsRequest next() {
    const std::string region = "eu-west-1", no_key;
    return leftovers_.next({options_, endpoint_, region, no_key});
  }
  // What it asks for, answered; "" where it asks nothing.
  std::string step(HttpResponse with) {
    if (!leftovers_.due()) return "";
    const AwsRequest request = next();
    EXPECT_FALSE(leftovers_.due()) << "one at a time";
    leftovers_.take(with, now_);
    return request.http.method + " " + request.http.url.substr(std::size("http://s3/bbb") - 1);
  }

  Instant now_{std::chrono::hours(1)};
  std::set<std::string> unneeded_{"ours/1", "ours/2"};
  S3UploadOptions options_;
  const S3Endpoint endpoint_ =
      *S3Endpoint::resolve({"bbb", "eu-west-1", "http://s3", S3Addressing::kPath});
  Leftovers leftovers_{"cloud", "ours/"};
};

TEST_F(LeftoversTest, AbortsWhatIsOursAndNotNeededAndNothingElse) {
  tidy(now_);
  EXPECT_EQ(step(listed({{"ours/1", "a"}, {"theirs", "b"}, {"ours/2", "c"}, {"ours/needed", "d"}})),
            "GET ?prefix=ours%2F&uploads=");
  EXPECT_EQ(step(no_content()), "DELETE /ours/2?uploadId=c");
  EXPECT_EQ(step(refusal(404, "NoSuchUpload")), "DELETE /ours/1?uploadId=a");
  EXPECT_EQ(step(no_content()), "");
}

TEST_F(LeftoversTest, IsAskedAtTheLastMoment) {
  tidy(now_);
  step(listed({{"ours/1", "a"}, {"ours/2", "b"}}));
  unneeded_.erase("ours/1");  // a claim has come meanwhile
  step(no_content());
  EXPECT_EQ(step(no_content()), "");
}

TEST_F(LeftoversTest, GoesFromPageToPageAndStopsWhereThePagesRepeat) {
  const std::string more =
      "<IsTruncated>true</IsTruncated><NextKeyMarker>k</NextKeyMarker>"
      "<NextUploadIdMarker>i</NextUploadIdMarker>";
  tidy(now_);
  step(listed({{"theirs", "x"}}, more));
  EXPECT_THAT(step(listed({{"ours/1", "a"}}, more)), ::testing::HasSubstr("key-marker=k"));
  EXPECT_THAT(step(no_content()), ::testing::StartsWith("DELETE"));
  EXPECT_EQ(step(listed({})), "");
}

TEST_F(LeftoversTest, LooksAtABoundedNumberOfPages) {
  tidy(now_);
  unsigned pages = 0;
  for (; leftovers_.due() && pages <= Leftovers::kMaxPages; ++pages)
    step(listed({{"theirs", "x"}}, "<IsTruncated>true</IsTruncated><NextKeyMarker>" +
                                       std::to_string(pages) + "</NextKeyMarker>"));
  EXPECT_EQ(pages, Leftovers::kMaxPages);
}

TEST_F(LeftoversTest, AnAbortThatIsNotAllowedIsToldAndTriedTheNextDay) {
  tidy(now_);
  step(listed({{"ours/1", "a"}, {"ours/2", "b"}}));
  ::testing::internal::CaptureStderr();
  step(refusal(403, "AccessDenied"));
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              ::testing::HasSubstr("s3:AbortMultipartUpload"));
  EXPECT_FALSE(leftovers_.due()) << "the others would be refused too";
  tidy(now_ + Leftovers::kEvery);
  EXPECT_EQ(step(listed({})), "GET ?prefix=ours%2F&uploads=");
}

TEST_F(LeftoversTest, OnceADayAndAnHourAfterAFailure) {
  tidy(now_);
  step(listed({}));
  tidy(now_ + Leftovers::kEvery - std::chrono::seconds(1));
  EXPECT_FALSE(leftovers_.due());
  now_ += Leftovers::kEvery;
  tidy(now_);
  EXPECT_TRUE(leftovers_.due());
  step(answer(503));
  tidy(now_ + Leftovers::kAfterFailure);
  EXPECT_TRUE(leftovers_.due());
  now_ += Leftovers::kAfterFailure;
  step(refusal(403, "AccessDenied"));
  tidy(now_ + Leftovers::kAfterFailure);
  EXPECT_FALSE(leftovers_.due()) << "a permission does not come by itself";
}

TEST_F(LeftoversTest, AStopEndsIt) {
  tidy(now_);
  next();
  leftovers_.stop();
  EXPECT_FALSE(leftovers_.due());
  tidy(now_);
  EXPECT_EQ(step(listed({})), "GET ?prefix=ours%2F&uploads=") << "and the next one begins";
}

}  // namespace
}  // namespace edgehose
