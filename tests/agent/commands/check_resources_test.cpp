#include <gtest/gtest.h>

#include "agent/commands/check_report.h"
#include "agent/sources/file_config.h"
#include "agent/sources/file_table.h"
#include "sinks/directory/directory_config.h"

namespace edgehose {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::uint64_t kLimit = 512 * kMiB;

struct Setup {
  std::uint64_t longest = kMiB;  // of source "big", in bytes
  ObjectRendering::Format format = ObjectRendering::Format::kLines;
  std::vector<std::string> inputs = {};
  Compression compression = Compression::kZstd;
};

Config config_of(const Setup& setup) {
  FileSourceConfig big, small;
  big.max_record_bytes = setup.longest;
  DirectoryConfig sink;
  sink.common.inputs = setup.inputs;
  sink.object.format = setup.format;
  sink.object.compression = setup.compression;
  Config config;
  config.sources = {{"big", "file", {}, big}, {"small", "file", {}, small}};
  config.sinks = {{"archive", "directory", {}, sink}};
  return config;
}

std::uint64_t memory(const Setup& setup) {
  return total(worst_case(config_of(setup), kLimit, {10, 10}).memory);
}

std::uint64_t of_sink(const Setup& setup) {
  return worst_case(config_of(setup), kLimit, {10, 10}).memory.back().bytes;
}

TEST(CheckResources, ARequestsMemoryGrowsWithTheLongestRecord) {
  // In each of the two requests, at the least: stored, decoded, and its text twice.
  EXPECT_GE(of_sink({16 * kMiB}), 2 * 4 * 16 * kMiB);
  // A control character takes six bytes in ndjson.
  EXPECT_GE(of_sink({16 * kMiB, ObjectRendering::Format::kNdjson}), 2 * (2 + 2 * 6) * 16 * kMiB);
  EXPECT_EQ(of_sink({16 * kMiB, ObjectRendering::Format::kLines, {"small"}}), of_sink({kMiB}))
      << "only the sink's own inputs count";
}

TEST(CheckResources, WhatEncryptsCountsWhicheverItIs) {
  const auto with = [](const ObjectConfig& objects) {
    DirectoryConfig sink;
    sink.object = objects;
    Config config = config_of({});
    config.sinks = {{"archive", "directory", {}, sink}};
    return worst_case(config, kLimit, {10, 10}).memory.back().bytes;
  };
  ObjectConfig plain, age, s3ec;
  age.age_recipients = {"age1x"};
  s3ec.s3ec.aes_key.kind = SecretRef::Kind::kFile;
  EXPECT_GE(with(age), with(plain) + 2 * 4 * 64 * 1024);
  EXPECT_EQ(with(s3ec), with(age));
}

TEST(CheckResources, SourcesAndIntakeHoldTheLongestRecordToo) {
  const auto beside_the_sink = [](std::uint64_t longest) {
    return memory({longest}) - of_sink({longest});
  };
  EXPECT_GE(beside_the_sink(16 * kMiB), beside_the_sink(kMiB) + 5 * 15 * kMiB);
}

TEST(CheckResources, NdjsonIsRenderedInPiecesAlsoWhereNothingCompressesIt) {
  const auto ndjson = [](Compression compression) {
    return of_sink({kMiB, ObjectRendering::Format::kNdjson, {}, compression});
  };
  EXPECT_LT(ndjson(Compression::kNone), ndjson(Compression::kGzip));
}

// What is copied outside goes through a small buffer, however much it is.
TEST(CheckResources, FinishedFilesThatAreRememberedCountOnce) {
  const auto parts = worst_case(config_of({}), kLimit, {10, 10}).memory;
  std::uint64_t remembered = 0;
  for (const ResourcePart& part : parts)
    if (part.what.find("finished files") != std::string::npos) remembered += part.bytes;
  EXPECT_GE(remembered, kMaxFinished * 700);
  EXPECT_LT(remembered, kMaxFinished * 700 + 16 * kMiB);
}

TEST(CheckResources, ASalvageHoldsTwoBuffersAndThereAreTwoCopies) {
  const std::uint64_t map = kLimit + kLimit / 4 + 16 * kMiB;
  const auto disk = worst_case(config_of({}), kLimit, {10, 10}).disk;
  EXPECT_EQ(total(disk), 2 * map + 2 * 64 * kMiB);
}

}  // namespace
}  // namespace edgehose
