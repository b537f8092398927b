// Keyspace: every key and value of the unnamed database, as functions. The grammar is in README.md;
// the golden bytes in tests/buffer/keyspace_test.cpp. Numbers are big-endian in keys, so that they
// sort, and varints or little-endian in values.
//
//   00 00                        format version       00 01   epoch
//   00 02 | key id u64           wrapped data key    00 03   machine fingerprint
//   00 04                        what was salvaged, and where it lies
//   10 | block u64 | source u32  block: the source stands in the key so that a walk over the leaf
//                                pages finds a source's blocks without touching their content
//   20 'C' claim  'F' file  'K' sink  'L' lane  'M' clean mark  'N' counters  'R' replay  'S'
//   source 30 | id u64                  dead letter
//
// Values of files, claims, replays and dead letters go through Keyring::seal_value with their key
// as associated data; the functions here see them in plain. All others begin with the CRC-32C of
// their key and the rest, so that a flipped bit is damage and never a wrong counter.
//
// What a minor version added is left out where the buffer's format (format.h) does not allow it.
//
// Threading: pure functions. decode_* answer kCorrupt for what they cannot read.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "agent/base/result.h"
#include "buffer/block.h"
#include "buffer/format.h"
#include "buffer/machine.h"
#include "buffer/state.h"

namespace edgehose::keyspace {

std::string epoch_key();
std::string encode_epoch(const Epoch& epoch);
Result<Epoch> decode_epoch(std::string_view value);

// What the epoch was drawn on: see machine.h.
std::string machine_key();
std::string encode_machine(const Machine& machine);
Result<Machine> decode_machine(std::string_view value);

std::string salvage_key();
std::string encode_salvage(const SalvageState& salvage);
Result<SalvageState> decode_salvage(std::string_view value);

std::string data_key_key(std::uint64_t id);
constexpr std::string_view kDataKeyPrefix{"\x00\x02", 2};

constexpr std::string_view kBlockPrefix = "\x10";
constexpr std::string_view kBehindBlocks = "\x11";  // sorts behind every block
struct BlockKey {
  BlockNumber number;
  SourceId source;
};
std::string block_key(BlockNumber number, SourceId source);
std::string block_key(BlockNumber from);  // sorts before every block numbered at or after it
std::optional<BlockKey> parse_block_key(std::string_view key);

constexpr std::string_view kFilePrefix =
    "\x20"
    "F";
std::string file_key(FileId id);
std::optional<FileId> parse_file_key(std::string_view key);
std::string encode_file(const FileState& file, const FormatVersion& format);
Result<FileState> decode_file(std::string_view value);

constexpr std::string_view kSourcePrefix =
    "\x20"
    "S";
std::string source_key(SourceId id);
std::string encode_source(const SourceState& source,
                          const FormatVersion& format);  // the id is in the key
Result<SourceState> decode_source(std::string_view key, std::string_view value);

constexpr std::string_view kSinkPrefix =
    "\x20"
    "K";
std::string sink_key(SinkId id);
std::string encode_sink(const SinkState& sink, const FormatVersion& format);
Result<SinkState> decode_sink(std::string_view key, std::string_view value);

constexpr std::string_view kLanePrefix =
    "\x20"
    "L";
std::string lane_key(LaneKey lane);
std::string encode_lane(const LaneState& lane);
Result<LaneState> decode_lane(std::string_view key, std::string_view value);

constexpr std::string_view kClaimPrefix =
    "\x20"
    "C";
std::string claim_key(ClaimId id);
std::string encode_claim(const Claim& claim, const FormatVersion& format);
Result<Claim> decode_claim(std::string_view key, std::string_view value);

constexpr std::string_view kReplayPrefix =
    "\x20"
    "R";
std::string replay_key(ClaimId id);
std::string encode_replay(const Claim& replay);
Result<Claim> decode_replay(std::string_view key, std::string_view value);

// What is given next; none of it is ever given twice.
struct Counters {
  BlockNumber next_block{1};
  ClaimId next_claim{1};
  std::uint64_t next_dead_letter = 1;
  SourceId next_source{1};
  SinkId next_sink{1};
  FileId next_file{1};
  // Of a source that begins: above all that forgotten sources were given. Since format 1.2.
  Sequence first_sequence{1};
  bool operator==(const Counters&) const = default;
};
std::string counters_key();
std::string encode_counters(const Counters& counters, const FormatVersion& format);
Result<Counters> decode_counters(std::string_view value);

// There since close() until the first commit after it; the number of the last block at that time.
std::string clean_mark_key();
std::string encode_clean_mark(BlockNumber last);
Result<BlockNumber> decode_clean_mark(std::string_view value);

constexpr std::string_view kDeadLetterPrefix = "\x30";
std::string dead_letter_key(std::uint64_t id);
std::optional<std::uint64_t> parse_dead_letter_key(std::string_view key);
std::string encode_dead_letter(const DeadLetter& letter, const FormatVersion& format);
Result<DeadLetter> decode_dead_letter(std::string_view key, std::string_view value);

// Names inside data_dir.
constexpr std::string_view kEnvironmentFile = "buffer.mdb";
constexpr std::string_view kLockFile = "lock";

}  // namespace edgehose::keyspace
