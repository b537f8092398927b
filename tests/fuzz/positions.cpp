// Small values of the buffer: what can be read is written again as it was read.
#include "buffer/keyspace.h"
#include "tests/fuzz/fuzz.h"

namespace edgehose::fuzz {
namespace {

using namespace keyspace;

enum Mode : std::uint8_t {
  kFile,
  kSource,
  kSink,
  kLane,
  kClaim,
  kReplay,
  kCounters,
  kLetter,
  kSalvage,
  kMachine,
  kOther,
  kModes
};

void read_file_state(std::string_view value) {
  const auto file = decode_file(value);
  if (!file) return;
  const std::string again = encode_file(*file, kFormat);
  const auto same = decode_file(again);
  require(same.has_value(), "what was written of a file cannot be read: {}",
          same ? "" : same.error().message);
  require(same->path == file->path && same->offset == file->offset && same->crc == file->crc &&
              same->identity == file->identity && same->note == file->note,
          "a file's state changes by being written");
}

// Checksummed values: the body behind a good checksum is whatever comes.
template <class Decode>
void read_keyed(std::string_view key, std::string_view value, Decode decode) {
  static_cast<void>(decode(key, value));
}

}  // namespace

void one(std::string_view bytes) {
  Input input(bytes);
  const std::uint8_t mode = input.byte() % kModes;
  const std::string key(input.take(input.byte() % 24));
  const std::string_view value = input.rest();
  switch (mode) {
    case kFile: return read_file_state(value);
    case kSource: return read_keyed(key, value, decode_source);
    case kSink: return read_keyed(key, value, decode_sink);
    case kLane: return read_keyed(key, value, decode_lane);
    case kClaim: return read_keyed(key, value, decode_claim);
    case kReplay: return read_keyed(key, value, decode_replay);
    case kCounters: return static_cast<void>(decode_counters(value));
    case kLetter: return read_keyed(key, value, decode_dead_letter);
    case kSalvage: return static_cast<void>(decode_salvage(value));
    case kMachine: return static_cast<void>(decode_machine(value));
    default:
      static_cast<void>(decode_epoch(value));
      static_cast<void>(decode_format(value));
      static_cast<void>(decode_clean_mark(value));
      static_cast<void>(parse_block_key(key));
      static_cast<void>(parse_file_key(key));
  }
}

std::vector<std::string> seeds() {
  FileState file;
  file.path = "/var/log/app.log";
  file.offset = 4711;
  file.note = "n";
  file.identity.inode = 12;
  const auto of = [](Mode mode, std::string_view key, std::string_view value) {
    std::string seed{static_cast<char>(mode), static_cast<char>(key.size())};
    return seed.append(key).append(value);
  };
  SourceState source;
  source.id = SourceId{3};
  source.name = "app";
  return {of(kFile, "", encode_file(file, kFormat)),
          of(kSource, source_key(source.id), encode_source(source, kFormat)),
          of(kSink, sink_key(SinkId{2}), encode_sink({SinkId{2}, "archive", "note"}, kFormat)),
          of(kCounters, "", encode_counters({}, kFormat)), of(kOther, "", encode_format(kFormat))};
}

}  // namespace edgehose::fuzz
