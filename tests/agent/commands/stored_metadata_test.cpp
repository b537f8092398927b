#include "agent/commands/stored_metadata.h"

#include <gmock/gmock.h>

namespace edgehose {
namespace {

using s3ec::Metadata;

TEST(StoredMetadata, AnAnswerOfHeadObjectHasItUnderMetadata) {
  const auto metadata = parse_stored_metadata(
      R"({"ETag": "\"e\"", "x-amz-c": "no", "Metadata": {"x-amz-c": "115", "gateway": "gw-1"}})");
  ASSERT_TRUE(metadata);
  EXPECT_EQ(*metadata, (Metadata{{"gateway", "gw-1"}, {"x-amz-c", "115"}}));
}

TEST(StoredMetadata, ItAloneIsFineInHeadersSpellingToo) {
  const auto metadata =
      parse_stored_metadata(R"({"X-Amz-Meta-X-Amz-C": "115", "x-amz-w": "02", "n": 7})");
  ASSERT_TRUE(metadata);
  EXPECT_EQ(*metadata, (Metadata{{"x-amz-c", "115"}, {"x-amz-w", "02"}}));
}

TEST(StoredMetadata, OtherThingsAreToldAsSuch) {
  for (const char* text : {"", "x-amz-c: 115", "[]", "\"a\"", "{\"Metadata\": "}) {
    const auto metadata = parse_stored_metadata(text);
    ASSERT_FALSE(metadata) << text;
    EXPECT_EQ(metadata.error().code, ErrorCode::kInvalid);
  }
  EXPECT_FALSE(read_stored_metadata("/nonexistent/head.json"));
}

}  // namespace
}  // namespace edgehose
