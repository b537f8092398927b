#include "sinks/s3/multipart_answers.h"

#include <random>

#include "tests/sinks/s3/multipart_fixture.h"

namespace edgehose {
namespace {

TEST(MultipartAnswers, BegunIsOneWithAnId) {
  EXPECT_EQ(read_begun(begun("a&lt;b")), "a<b");
  EXPECT_FALSE(read_begun(begun("")));
  EXPECT_FALSE(read_begun(begun("line\nfeed")));
  EXPECT_FALSE(read_begun(begun(std::string(kMaxUploadId + 1, 'x'))));
  EXPECT_FALSE(read_begun(answer(200, "<html/>")));
  EXPECT_FALSE(read_begun(answer(201, begun("a").body)));
}

TEST(MultipartAnswers, APartHasATagAndNoText) {
  EXPECT_EQ(read_part_tag(part("\"a\"")), "\"a\"");
  EXPECT_FALSE(read_part_tag(part("")));
  EXPECT_FALSE(read_part_tag(part(std::string(kMaxPartTag + 1, 'x'))));
  EXPECT_FALSE(read_part_tag(answer(200, "hello", {{"etag", "a"}})));
  EXPECT_FALSE(read_part_tag(answer(503, "", {{"etag", "a"}})));
}

TEST(MultipartAnswers, CompletedTellsTheObject) {
  const HttpResponse whole =
      answer(200,
             "<?xml version='1.0'?>\n\n  <CompleteMultipartUploadResult xmlns=\"x\"><Key>k</Key>"
             "<ETag>&#34;e-2&#34;</ETag><ChecksumCRC64NVME>AQ==</ChecksumCRC64NVME>"
             "</CompleteMultipartUploadResult>");
  const auto read = read_completed(whole, S3Checksum::kCrc64Nvme);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->tag, "\"e-2\"");
  EXPECT_EQ(read->checksum, "AQ==");
  EXPECT_EQ(read_completed(whole, S3Checksum::kSha256)->checksum, "");
  EXPECT_FALSE(read_completed(refusal(200, "InternalError"), S3Checksum::kNone));
  EXPECT_FALSE(read_completed(answer(200), S3Checksum::kNone));
}

TEST(MultipartAnswers, AListIsReadWithItsMarkers) {
  const auto list = read_uploads(
      listed({{"a", "1"}, {"b", "2"}},
             "<Prefix>a</Prefix><IsTruncated>true</IsTruncated><NextKeyMarker>b</NextKeyMarker>"
             "<NextUploadIdMarker>2</NextUploadIdMarker>"));
  ASSERT_TRUE(list);
  ASSERT_EQ(list->uploads.size(), 2u);
  EXPECT_EQ(list->uploads[1].key, "b");
  EXPECT_EQ(list->uploads[1].id, "2");
  EXPECT_TRUE(list->more);
  EXPECT_EQ(list->next.key, "b");
  EXPECT_EQ(list->next.id, "2");
  EXPECT_TRUE(read_uploads(listed({}))->uploads.empty());
  EXPECT_FALSE(read_uploads(answer(200, "<html><p>Welcome</p></html>")));
  EXPECT_FALSE(read_uploads(answer(200, "<ListMultipartUploadsResult><Upload>")));
  EXPECT_FALSE(read_uploads(answer(403, listed({}).body)));
}

TEST(MultipartAnswers, AnOddListIsNone) {
  const auto read = [](const std::string& inside) {
    return read_uploads(
        answer(200, "<ListMultipartUploadsResult>" + inside + "</ListMultipartUploadsResult>"));
  };
  EXPECT_FALSE(read("<Upload/Key>x</Upload/Key>"));
  EXPECT_TRUE(read("<Key>x</Key><x:>y</x:>")->uploads.empty()) << "of no upload";
  std::string many;
  for (std::size_t i = 0; i < kMaxListed; ++i) many += "<Upload/>";
  EXPECT_EQ(read(many)->uploads.size(), kMaxListed);
  EXPECT_FALSE(read(many + "<Upload/>"));
}

// Many mutations of a list: it is read, or is none (sanitizers see the rest).
TEST(MultipartAnswers, AnyListIsReadToItsEnd) {
  const std::string good = listed({{"a", "1"}, {"b", "2"}},
                                  "<IsTruncated>true</IsTruncated><NextKeyMarker>b"
                                  "</NextKeyMarker>")
                               .body;
  std::mt19937 random(1);
  std::size_t read = 0;
  for (int i = 0; i < 5000; ++i) {
    std::string bad = good;
    for (int j = 0; j < 2; ++j) bad[random() % bad.size()] = "<>&;/!UK a\0"[random() % 11];
    const auto list = read_uploads(answer(200, bad));
    read += list ? 1 : 0;
    EXPECT_LE(list ? list->uploads.size() : 0, 3u);
  }
  EXPECT_GT(read, 0u);
}

TEST(MultipartAnswers, WhatIsNotAllowedAndWhatIsGone) {
  EXPECT_TRUE(not_allowed(refusal(403, "AccessDenied")));
  EXPECT_TRUE(not_allowed(refusal(501, "NotImplemented")));
  EXPECT_FALSE(not_allowed(refusal(403, "RequestTimeTooSkewed")));
  EXPECT_TRUE(is_gone(no_content()));
  EXPECT_TRUE(is_gone(refusal(404, "NoSuchUpload")));
  EXPECT_FALSE(is_gone(refusal(404, "NoSuchBucket")));
  EXPECT_FALSE(is_gone(answer(0)));
}

}  // namespace
}  // namespace edgehose
