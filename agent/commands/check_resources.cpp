// The worst case that a config implies, in bytes. Each figure names the bound in the code it comes
// from; file-backed pages (the buffer's map) are the kernel's to drop and are not counted.
#include <algorithm>

#include "agent/base/text.h"
#include "agent/commands/check_report.h"
#include "agent/run/intake.h"
#include "agent/sources/file_config.h"
#include "agent/sources/file_table.h"
#include "buffer/block.h"
#include "buffer/copies.h"
#include "buffer/copy_file.h"
#include "sinks/delivery/batch_config.h"
#include "sinks/directory/directory_config.h"
#include "sinks/elasticsearch/elasticsearch_config.h"
#include "sinks/events/event_body.h"
#include "sinks/object/compressor.h"
#include "sinks/s3/s3_config.h"
#include "sinks/s3/upload_body.h"
#include "sinks/splunk/splunk_config.h"

namespace edgehose {
namespace {

constexpr std::uint64_t kKiB = 1024, kMiB = 1024 * kKiB;

// The program itself: libraries, stacks that are touched, the allocator's slack.
constexpr std::uint64_t kProcess = 6 * kMiB;
// A tracked file: its path, identity and position; an open one also its read buffer.
constexpr std::uint64_t kPerFile = kKiB;
// A finished one, kept to recognise its copies; measured 0.7 KiB.
constexpr std::uint64_t kPerFinished = 768;
// The copy outside is written and compared with the other one in pieces.
constexpr std::uint64_t kCopying = 4 * kCopyBufferBytes;
constexpr std::uint64_t kReadBuffer = 64 * kKiB;
// LMDB keeps the pages of a transaction in memory until its commit.
constexpr std::uint64_t kTransaction = 8 * kMiB;
// What encrypts: two chunks, each beside its like while it grows; a checksum for each chunk
// (one_plaintext.h) of a batch of 1 GiB.
constexpr std::uint64_t kEncryption = 4 * 64 * kKiB + 2 * 64 * kKiB;
// Of an HTTP connection: libcurl's buffers and those of TLS.
constexpr std::uint64_t kConnection = 256 * kKiB;
// The authorities that a sink trusts (some 140), and its exchange for credentials.
constexpr std::uint64_t kTlsTrust = 4 * kMiB;
// One for each source, while a compressed rotation is read: a window of 8 MiB and its tables.
constexpr std::uint64_t kRotationDecoder = 9 * kMiB;
// A block's index, at most; only a record's attributes pass it.
constexpr std::uint64_t kIndexBytes = kMiB;
// ndjson spells a control character in six bytes: a line of NULs is what a power cut leaves.
constexpr std::uint64_t kNdjsonGrowth = 6;
// Rendered before it is compressed, and handed out.
constexpr std::uint64_t kNdjsonText = 64 * kKiB;

// A zstd encoder: window, match tables, output; as ZSTD_estimateCStreamSize gives them by level.
std::uint64_t zstd_encoder(int level) {
  if (level <= 3) return 4 * kMiB;
  if (level <= 8) return 9 * kMiB;
  if (level <= 9) return 17 * kMiB;
  if (level <= 11) return 29 * kMiB;
  if (level <= 14) return 53 * kMiB;
  if (level <= 18) return 69 * kMiB;
  return 90 * kMiB;  // 19, the highest that the config takes
}

// While a block of at most 256 KiB that came slowly is compressed: as measured at its level.
constexpr std::uint64_t kSlowBlockEncoder = 6 * kMiB;

// `longest`: the largest record of any source. One may come on top of what is pending, stand in the
// encoder, and stand in the transaction.
std::uint64_t intake_bytes(std::uint64_t longest) {
  return IntakeOptions{}.pending_limit() + kBlockRawBytes + zstd_encoder(1) + kSlowBlockEncoder +
         kTransaction + 3 * longest;
}

std::uint64_t file_source_bytes(const FileSourceConfig& source, std::uint64_t files) {
  const std::uint64_t open = std::min(source.max_open_files, files);
  // A line under way, twice while it grows, and its like of a compressed rotation; the block it
  // does not fit in any more, and the block's index.
  return 4 * source.max_record_bytes + kBlockRawBytes + kIndexBytes + kRotationDecoder +
         files * kPerFile + open * kReadBuffer;
}

// The largest record that a sink gets from its inputs; with none, from every source.
std::uint64_t longest_record(const Config& config, const std::vector<std::string>& inputs) {
  std::uint64_t longest = 0;
  for (const Component& source : config.sources)
    if (source.type == "file" && takes(inputs, source.name))
      longest = std::max(longest, source.as<FileSourceConfig>().max_record_bytes);
  return longest;
}

// One request: a block as stored and as decoded, its text and what is made of it, what encodes it,
// what encrypts it. A buffer that grows stands there twice until it has been copied.
std::uint64_t request_bytes(const ObjectConfig& objects, std::uint64_t longest) {
  const std::uint64_t block = std::max<std::uint64_t>(kBlockRawBytes, longest);
  const bool lines = objects.format == ObjectRendering::Format::kLines;
  const std::uint64_t text = lines ? block : kNdjsonText + kNdjsonGrowth * longest;
  std::uint64_t bytes = 2 * (block + kIndexBytes) + 3 * text;
  if (objects.compression == Compression::kZstd)
    bytes += zstd_encoder(lines ? 1 : objects.compression_level);
  if (objects.compression == Compression::kGzip) bytes += 2 * kGzipMemberBytes + kMiB;
  if (!objects.age_recipients.empty() || objects.s3ec.set()) bytes += kEncryption;
  return bytes;
}

// One request: a block as stored and as decoded; the body, twice while it grows and compressed, or
// later with its answer, which is 1 MiB longer at most, packed and unpacked. A record is six times
// as long in JSON, and a parser of JSON takes five times more.
std::uint64_t bulk_bytes(const BatchConfig& batch, std::uint64_t longest) {
  const std::uint64_t block = std::max<std::uint64_t>(kBlockRawBytes, longest);
  const std::uint64_t body = kLongestBodyFactor * batch.max_size + kNdjsonGrowth * longest;
  return 2 * (block + kIndexBytes) + 3 * body + 2 * kMiB + 5 * longest + kConnection;
}

ResourcePart sink_part(const Component& sink, const Config& config) {
  const auto part = [&](const SinkConfig& common, const ObjectConfig& objects,
                        std::uint64_t per_request, std::uint64_t per_sink) {
    const std::uint64_t longest = longest_record(config, common.inputs);
    return ResourcePart{
        fmt::format("sink {}, {} requests", sink.name, common.concurrency),
        per_sink + common.concurrency * (request_bytes(objects, longest) + per_request)};
  };
  if (sink.type == "s3") {
    const auto& s3 = sink.as<S3Config>();
    // A small body is kept, and stands there twice while it grows.
    return part(s3.common, s3.object, 2 * UploadMeter::kKeptBytes + kConnection, kTlsTrust);
  }
  const auto by_request = [&](const SinkConfig& common) {
    const std::uint64_t longest = longest_record(config, common.inputs);
    return ResourcePart{fmt::format("sink {}, {} requests", sink.name, common.concurrency),
                        kTlsTrust + common.concurrency * bulk_bytes(common.batch, longest)};
  };
  if (sink.type == "elasticsearch") return by_request(sink.as<ElasticsearchConfig>().common);
  if (sink.type == "splunk") return by_request(sink.as<SplunkConfig>().common);
  const auto& directory = sink.as<DirectoryConfig>();
  return part(directory.common, directory.object, 0, 0);
}

std::vector<ResourcePart> disk_parts(std::uint64_t limit) {
  // The map is the limit, a quarter and 16 MiB, so that deletes always find room.
  const std::uint64_t more = limit / 4 + 16 * kMiB;
  return {{"buffer, dead letters, quarantines (max_size)", limit},
          {"room for its own transactions", more},
          {"a second buffer, while it is compacted", limit + more},
          {"positions outside (buffer.copy, buffer.copy2)", kCopyFiles.size() * kMaxCopyBytes}};
}

}  // namespace

std::uint64_t total(const std::vector<ResourcePart>& parts) {
  std::uint64_t sum = 0;
  for (const ResourcePart& part : parts) sum += part.bytes;
  return sum;
}

Resources worst_case(const Config& config, std::uint64_t buffer_limit,
                     const std::vector<std::uint64_t>& files) {
  Resources resources;
  resources.memory = {{"program and libraries", kProcess},
                      {"intake and one transaction", intake_bytes(longest_record(config, {}))}};
  for (std::size_t i = 0; i < config.sources.size(); ++i)
    if (config.sources[i].type == "file")
      resources.memory.push_back(
          {"source " + config.sources[i].name,
           file_source_bytes(config.sources[i].as<FileSourceConfig>(), files[i])});
  resources.memory.push_back(
      {fmt::format("{} finished files remembered", format_count(kMaxFinished)),
       kMaxFinished * kPerFinished + kCopying});
  for (const Component& sink : config.sinks) resources.memory.push_back(sink_part(sink, config));
  resources.disk = disk_parts(buffer_limit);
  return resources;
}

}  // namespace edgehose
