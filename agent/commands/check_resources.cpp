// The worst case that a config implies, in bytes. Each figure names the bound in the code it comes
// from; file-backed pages (the buffer's map) are the kernel's to drop and are not counted.
#include "agent/commands/check_report.h"
#include "agent/run/intake.h"
#include "agent/sources/file_config.h"
#include "buffer/block.h"
#include "sinks/delivery/batch_config.h"
#include "sinks/directory/directory_config.h"
#include "sinks/object/compressor.h"

namespace edgehose {
namespace {

constexpr std::uint64_t kKiB = 1024, kMiB = 1024 * kKiB;

// The program itself: libraries, stacks that are touched, the allocator's slack.
constexpr std::uint64_t kProcess = 6 * kMiB;
// A tracked file: its path, identity and position; an open one also its read buffer.
constexpr std::uint64_t kPerFile = kKiB;
constexpr std::uint64_t kReadBuffer = 64 * kKiB;
// LMDB keeps the pages of a transaction in memory until its commit.
constexpr std::uint64_t kTransaction = 8 * kMiB;
constexpr std::uint64_t kAgeChunks = 4 * 64 * kKiB;

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

std::uint64_t intake_bytes() {
  return IntakeOptions{}.pending_limit() + kBlockRawBytes + zstd_encoder(1) + kSlowBlockEncoder + kTransaction;
}

std::uint64_t file_source_bytes(const FileSourceConfig& source, std::uint64_t files) {
  const std::uint64_t open = std::min(source.max_open_files, files);
  // A line under way, the block it does not fit in any more, and the block's index.
  return 2 * source.max_record_bytes + 2 * kBlockRawBytes + files * kPerFile + open * kReadBuffer;
}

// One request: a block as stored and as decoded, what encodes it, what encrypts it.
std::uint64_t request_bytes(const DirectoryConfig& sink) {
  std::uint64_t bytes = 4 * kBlockRawBytes;
  const bool pass_through = sink.format == ObjectRendering::Format::kLines;
  if (sink.compression == Compression::kZstd) bytes += zstd_encoder(pass_through ? 1 : sink.compression_level);
  if (sink.compression == Compression::kGzip) bytes += 2 * kGzipMemberBytes + kMiB;
  if (!sink.age_recipients.empty()) bytes += kAgeChunks;
  return bytes;
}

}  // namespace

std::uint64_t total(const std::vector<ResourcePart>& parts) {
  std::uint64_t sum = 0;
  for (const ResourcePart& part : parts) sum += part.bytes;
  return sum;
}

Resources worst_case(const Config& config, std::uint64_t buffer_limit, const std::vector<std::uint64_t>& files) {
  Resources resources;
  resources.memory = {{"program and libraries", kProcess}, {"intake and one transaction", intake_bytes()}};
  for (std::size_t i = 0; i < config.sources.size(); ++i)
    if (config.sources[i].type == "file")
      resources.memory.push_back({"source " + config.sources[i].name,
                                  file_source_bytes(config.sources[i].as<FileSourceConfig>(), files[i])});
  for (const Component& sink : config.sinks)
    if (sink.type == "directory") {
      const auto& directory = sink.as<DirectoryConfig>();
      resources.memory.push_back({fmt::format("sink {}, {} requests", sink.name, directory.common.concurrency),
                                  directory.common.concurrency * request_bytes(directory)});
    }
  // The map is the limit, a quarter and 16 MiB, so that deletes always find room.
  resources.disk = {{"buffer, dead letters, quarantines (max_size)", buffer_limit},
                    {"room for its own transactions", buffer_limit / 4 + 16 * kMiB}};
  return resources;
}

}  // namespace edgehose
