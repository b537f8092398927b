// What the store keeps beside blocks: how far each file was read, how far each sink has come, what
// is claimed, what was given up. All of it changes only inside a Transaction (store.h).
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/base/types.h"
#include "agent/base/wire_bytes.h"
#include "buffer/block.h"

namespace edgehose {

// A place in the log: every record of blocks before `block`, and the first `record` records of
// `block`, lie before it. A block with a Position inside it (record > 0) is never merged.
struct Position {
  BlockNumber block;
  std::uint32_t record = 0;
  auto operator<=>(const Position&) const = default;
};

// Who a file is, whatever its name: see agent/sources/README.md.
struct FileIdentity {
  std::uint64_t filesystem =
      0;  // statfs f_fsid (or a hash of the mount's source): st_dev is renumbered by reboots
  std::uint64_t inode = 0;
  std::int64_t birth_ns = 0;  // statx btime, 0: unknown
  std::uint32_t prefix_length =
      0;  // bytes hashed from the start, at most 1024; grows with the file
  std::array<std::uint8_t, 16> prefix_hash{};  // SHA-256 of them, shortened
  bool operator==(const FileIdentity&) const = default;
};

// Where a file's content lies that sinks may still lack: what a salvage goes back to where the
// blocks are lost. The Store keeps it beside the file's position.
struct FileHeld {
  bool known = false;                  // false: an earlier release wrote the file
  SourceId source;                     // 0: no block has held content of it
  BlockNumber block;                   // the newest that was given content of it
  std::uint64_t undelivered_from = 0;  // every sink had what was before this offset
};

// How far a file was read: committed with the records it covers.
struct FileState {
  std::string path;  // where it was last seen
  FileIdentity identity;
  std::uint64_t offset = 0;  // bytes of the (uncompressed) content that are committed or skipped
  std::uint32_t crc = 0;     // CRC-32C of content [0, offset): recognises copies and rotations
  bool crc_known = true;     // false after start_at = "end" or a salvage
  bool finished = false;     // gone or fully read in its rotated form; kept to recognise copies
  WallTime seen;             // when it was last looked at
  std::string note;          // source-specific, opaque to the store (at most 256 bytes)
  FileHeld held;             // filled in by the Store
};

enum class DropReason : std::uint8_t {
  kBufferFull,  // drop_oldest or drop_newest
  kCorrupt,     // a block that failed its checksum
  kForgotten,   // buffer forget, dead letters purge
  kCount_,
};
std::string_view name(DropReason reason);

struct Counter {
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;  // raw body bytes, LF included
  Counter& operator+=(const Counter& o) {
    records += o.records;
    bytes += o.bytes;
    return *this;
  }
  bool operator==(const Counter&) const = default;
};

// What a source could not hand in whole, ever.
struct SourceLosses {
  std::uint64_t truncated_records = 0;
  std::uint64_t lost_bytes = 0;  // known to have vanished before they were read
  SourceLosses& operator+=(const SourceLosses& o) {
    truncated_records += o.truncated_records;
    lost_bytes += o.lost_bytes;
    return *this;
  }
  SourceLosses since(const SourceLosses& earlier) const {
    return {truncated_records - earlier.truncated_records, lost_bytes - earlier.lost_bytes};
  }
  bool operator==(const SourceLosses&) const = default;
};

struct SourceState {
  SourceId id;
  std::string name;
  Sequence next_sequence{1};
  Counter committed;  // ever
  Counter not_taken;  // dropped before they were committed (drop_newest), by no lane seen
  std::vector<BlockNumber> minis;  // the source's unmerged blocks, oldest first, at most kMaxMinis
  SourceLosses losses;             // since format 1.2
};
constexpr std::size_t kMaxMinis = 64;

// Bytes counted under a label, a day or a month (agent/run/traffic.h); label 0: nothing yet.
struct TrafficSlot {
  std::uint32_t label = 0;
  WireBytes bytes;
  bool operator==(const TrafficSlot&) const = default;
};
struct TrafficPeriod {
  TrafficSlot now, other;  // the present one, and the one that was present before
  bool operator==(const TrafficPeriod&) const = default;
};
// What a sink's connections carried, retries included.
struct SinkTraffic {
  WireBytes ever;
  TrafficPeriod day, month;
  bool operator==(const SinkTraffic&) const = default;
};

struct SinkState {
  SinkId id;
  std::string name;
  std::string note;  // sink-specific and persisted: a destination's identity, a remembered limit
  SinkTraffic traffic{};  // since format 1.3
};

// A lane: one sink's cursor over one source; source 0: over all the sources of the sink (a sink
// that mixes sources in one request).
struct LaneKey {
  SinkId sink;
  SourceId source;
  auto operator<=>(const LaneKey&) const = default;
};

// committed since the lane began = delivered + buffered + dropped + dead_lettered, always.
struct LaneState {
  LaneKey key;
  Position cursor;    // everything before it is done with
  Counter committed;  // since this lane began, its start included
  Counter delivered;
  Counter dead_lettered;
  std::array<Counter, static_cast<std::size_t>(DropReason::kCount_)> dropped{};
  std::uint64_t possible_duplicates = 0;  // records that a sink without exactly-once may hold twice
  WallTime last_delivery;

  Counter buffered() const;  // what the equation leaves
};

// Whether a lane takes the source, and every one that does has all of what the block was given,
// also where it was merged since.
bool passed(const std::map<LaneKey, LaneState>& lanes, SourceId source, BlockNumber block);

// An upload in parts that a destination keeps open until it is completed or aborted: what another
// attempt needs to go on with it. No id: there is none. Tags and ids are the destination's words.
struct UploadPart {
  std::string tag;
  std::uint64_t check = 0;  // CRC-64/NVME of its bytes: whether what is made again begins alike
  bool operator==(const UploadPart&) const = default;
};
struct PartialUpload {
  std::string id;
  std::uint64_t part_size = 0;    // bytes of each part but the last
  std::vector<UploadPart> parts;  // those that the destination has, from the first on
  explicit operator bool() const { return !id.empty(); }
  bool operator==(const PartialUpload&) const = default;
};
constexpr std::size_t kMaxUploadId = 1024, kMaxPartTag = 256;  // bytes
constexpr std::size_t kMaxUploadParts = 1000;

// A promise to deliver exactly these records under exactly this key, persisted before the first
// attempt. `done`: delivered, waiting for an earlier claim of the lane.
struct Claim {
  ClaimId id;
  LaneKey lane;
  Position begin, end;    // [begin, end) of the lane's records
  Sequence first, last;   // of the lane's source; for a mixed lane of its first and last record
  Counter size;           // records and raw bytes
  WallTime first_time;    // the oldest record's: the instant in the key
  std::string key;        // the sink's name for the object, rendered once
  std::string rendering;  // the sink's options at that time, opaque to the store
  bool done = false;
  bool resumed = false;  // not persisted: it is of an earlier life, which may have attempted it
  PartialUpload upload;  // that an attempt has begun; since format 1.2, of replays not persisted
  // Of a replay: the dead letters that it delivers again, by id, in the order of their sequences.
  // Its records are theirs; begin and end mean nothing. Its key is empty until it is begun.
  std::vector<std::uint64_t> letters;
  bool replay() const { return !letters.empty(); }
};
constexpr std::size_t kReplayRecords = 1024;      // of one replay, at most
constexpr std::uint64_t kReplayBytes = 1u << 20;  // raw, but for a single larger record
constexpr std::size_t kMaxReplays = 64;           // unsettled ones, of all sinks

// A damaged buffer that still holds blocks to be delivered (archive.h).
struct ArchiveState {
  std::uint32_t id = 0;
  std::uint64_t blocks = 0;  // references to it
  std::uint64_t bytes = 0;   // that their pages take on the disk
  bool operator==(const ArchiveState&) const = default;
};

struct SalvageState {
  std::uint64_t salvaged_records = 0, lost_records = 0;  // ever; lost: as Losses says
  std::vector<ArchiveState> archives;                    // by id
  bool operator==(const SalvageState&) const = default;

  std::uint64_t blocks() const;  // of all archives
  std::uint64_t bytes() const;
};

constexpr std::size_t kMaxDeadLetterReason = 1024;

// A record that its sink refused for good.
struct DeadLetter {
  std::uint64_t id = 0;  // given by the store
  LaneKey lane;
  Sequence sequence;
  WallTime time;  // the record's
  WallTime given_up;
  std::uint32_t attempts = 0;
  std::string reason;  // the server's words, at most 1 KiB
  std::string body;    // raw
  // As in Record; unknown (0, none) for letters of format 1.0.
  FileId file;
  std::uint64_t begin = 0;
  bool truncated = false, partial = false;
  std::vector<std::pair<std::string, std::string>> attributes;  // name, value

  Counter size() const { return {1, body.size() + 1}; }
};

// What a courier reports when a claim is settled. Of a replay `dead` names letters that were
// refused again, by id, with the new reason and the attempts to add.
struct Acknowledgement {
  ClaimId claim;
  std::vector<DeadLetter> dead;  // the others were delivered
  std::uint64_t possible_duplicates = 0;
  Counter unreadable{};  // the buffer could not give these: dropped, kCorrupt
};

}  // namespace edgehose
