// Store: the durable log of blocks, and with it positions, cursors, claims and dead letters, in one
// LMDB environment. One Transaction makes all of it durable at once or not at all.
//
// Threading: one writer. begin() and the Transaction belong to the intake thread; every other
// method may be called from any thread. No read transaction outlives a call: blocks are copied out.
//
// Invariants:
//  - what commit() made durable is read back after a kill or a power cut at any instruction;
//  - block, sequence, file and claim numbers are never reused;
//  - a claimed block is neither merged, trimmed nor dropped;
//  - the environment never grows past its limit: append() says kFull first, while
//    acknowledgements, trims and drops always find room.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/result.h"
#include "buffer/block.h"
#include "buffer/open_progress.h"
#include "buffer/state.h"

namespace edgehose {

// A key that wraps data keys, from the config's encryption_keys.
struct WrappingKey {
  std::string name;  // where it came from, for messages ("/etc/edgehose/buffer.key")
  std::array<std::uint8_t, 32> bytes;
};

struct StoreOptions {
  std::string directory;  // data_dir; holds buffer.mdb, its lock, its copies, quarantines
  std::uint64_t max_size = 512ull << 20;  // used pages and quarantines together, bytes
  std::uint64_t reserve = 16ull << 20;    // for acknowledgements and trims when all else is full
  unsigned free_disk_percent = 5;         // of the file system, always left free; below: kFull
  std::uint64_t dead_letter_quota = 16ull << 20;
  int zstd_level = 1;
  // Of blocks that came slowly. Measured on a gateway's log: 8 % (7 KiB of lines) to 20 % (64 KiB
  // and more) smaller than level 1, for 12 ms of CPU and 2.6 MB of memory, at most 5 MB, while it
  // lasts. Levels above gain nothing.
  int slow_zstd_level = 15;
  bool sets_aside = true;  // a buffer of another release or machine gives way; false: it is refused
  // What was not closed in order is checked by a child process, which damage may take down; false:
  // by this one, many times as fast where there is hardly anything to check.
  bool checks_apart = true;
  std::vector<WrappingKey> keys;  // newest first; empty: not encrypted
  // Of open(): never null.
  std::shared_ptr<OpenProgress> progress = std::make_shared<OpenProgress>();
};

struct BlockInfo {
  BlockNumber number;
  SourceId source;
  Sequence first;
  std::uint32_t records = 0;
  bool mini = false;
  std::uint32_t body_raw = 0, body_stored = 0;
  WallTime first_time, last_time;
};

// A stored block as it lies there, checked and opened (decrypted), not decompressed.
struct StoredBlock {
  BlockHeader header;
  std::string body_frame;  // one zstd frame
  std::string index_frame;
};

struct StoreUsage {
  std::uint64_t used = 0;       // bytes of pages in use, quarantines and damaged files included
  std::uint64_t limit = 0;      // max_size, less where the machine maps less
  std::uint64_t file_size = 0;  // apparent
  std::uint64_t allocated = 0;  // on the disk
  std::uint64_t disk_free = 0;
  std::uint64_t disk_room = UINT64_MAX;  // that the disk leaves to what comes, as far as it tells
  std::uint64_t dead_letters = 0, dead_letter_bytes = 0;  // as stored
  std::uint64_t dead_letter_quota = 0;
  std::uint64_t commits = 0;        // since start
  std::uint64_t committed_raw = 0;  // raw body bytes since start
  Duration last_commit{};           // how long the last commit took, and a running mean
  Duration mean_commit{};
  std::uint64_t corrupt_blocks = 0;  // found since start
  unsigned quarantines = 0;
  std::uint64_t quarantine_bytes = 0;
  // Whenever the buffer was found damaged, in all: lost ones are in the lanes' drops too.
  std::uint64_t salvaged_records = 0, lost_records = 0;
  // Of what was salvaged, still in the damaged files: part of quarantine_bytes.
  std::uint64_t archived_blocks = 0, archived_bytes = 0;
  unsigned set_aside = 0;             // buffers that could not be read (set_aside.h)
  std::uint64_t set_aside_bytes = 0;  // on the disk, beside `used` and `limit`

  // What may still be taken in, bytes: what the limit and the disk leave.
  std::uint64_t room() const { return std::min(limit - std::min(limit, used), disk_room); }
};

// The version of the buffer's format, and what `edgehose buffer upgrade` would make of it
// (format.h).
struct StoreFormat {
  std::string version;            // "1.2"
  std::string newest;             // what an upgrade makes of it
  std::vector<std::string> adds;  // what that gives, in words; empty: it is the newest already
  bool closes = false;            // older releases could not read it any more then

  bool old() const { return !adds.empty(); }
};

// What may be dropped: only what no configured lane still needs, or anything.
enum class DropScope { kUnneeded, kAny };

constexpr std::size_t kDamagedNamed = 100;

class Store {
 public:
  class Transaction;

  // Opens, checks, recovers (recovery.h) or creates the buffer and takes its lock: kBusy, naming
  // the holder's pid, where another process has it.
  static Result<std::unique_ptr<Store>> open(const StoreOptions& options, const Clock& clock);
  // For inspection beside a running daemon or without one; begin() is not allowed. kNotFound where
  // there is no buffer.
  static Result<std::unique_ptr<Store>> open_read_only(const StoreOptions& options,
                                                       const Clock& clock);
  virtual ~Store() = default;

  virtual Result<std::unique_ptr<Transaction>> begin() = 0;

  // --- names; registering persists with the next commit --------------------------------------
  virtual SourceId source_id(std::string_view name) = 0;  // known or newly given; intake thread
  virtual SinkId sink_id(std::string_view name) = 0;
  virtual FileId new_file_id() = 0;  // intake thread
  virtual const Epoch& epoch() const = 0;
  // For a reader: why a writer could not open the buffer's keys with those of the options.
  virtual Status keys_fit() const { return {}; }

  // --- reading; any thread ---------------------------------------------------------------------
  // The first block of `source` (0: any source) numbered at or after `from`.
  virtual Result<std::optional<BlockInfo>> next_block(SourceId source, BlockNumber from) = 0;
  // kNotFound, or kCorrupt for a block that fails its check (counted; the caller skips it).
  virtual Result<StoredBlock> read(BlockNumber number) = 0;
  virtual Result<DecodedBlock> read_decoded(BlockNumber number) = 0;
  virtual BlockNumber end_block() const = 0;  // the number that the next block will have

  virtual Result<std::vector<SourceState>> sources() = 0;
  virtual Result<std::vector<SinkState>> sinks() = 0;
  virtual Result<std::vector<LaneState>> lanes() = 0;
  virtual Result<std::vector<Claim>> claims() = 0;   // by id; replays are apart
  virtual Result<std::vector<Claim>> replays() = 0;  // by id, begun or not; at most kMaxReplays
  virtual Status for_each_file(const std::function<void(FileId, const FileState&)>& visit) = 0;
  virtual Result<std::optional<FileState>> file(FileId id) = 0;
  // Until `visit` says false. Damaged ones are left out: their ids, at most kDamagedNamed, are
  // told.
  virtual Result<std::vector<std::uint64_t>> for_each_dead_letter(
      const std::function<bool(const DeadLetter&)>& visit) = 0;
  // None where it is not there any more; kCorrupt where it fails its check.
  virtual Result<std::optional<DeadLetter>> dead_letter(std::uint64_t id) = 0;
  virtual StoreUsage usage() const = 0;

  // Called while idle, intake thread: gives disk back, refreshes the copies outside. Bounded work.
  virtual void maintain() = 0;
  // Called now and then, intake thread, outside a transaction. False: the paths in data_dir lead to
  // the open buffer and its lock. True: they were deleted, and a copy was put back; all goes on in
  // it. kNotFound (moved away), kBusy (another one lies there), or why the copy cannot be made:
  // nothing changed, and what is committed from then on is lost with the process.
  virtual Result<bool> hold_place() { return false; }
  // Marks a clean stop; nothing may be called after it.
  virtual Status close() = 0;
  virtual StoreFormat format() const { return {}; }
};

// All or nothing. Destroyed without commit(): nothing happened, the Store's memory included.
class Store::Transaction {
 public:
  virtual ~Transaction() = default;

  // Encodes, numbers and writes a block; merges the source's minis into a full one where they
  // reach it. kFull at the limit or below the disk's floor: the transaction stays usable.
  virtual Result<BlockInfo> append(const RawBlock& block) = 0;
  // Records that policy drop_newest did not take.
  virtual Status count_not_taken(SourceId source, const Counter& dropped) = 0;
  // What the source lost or cut since it was last told.
  virtual Status count_losses(SourceId source, const SourceLosses& more) = 0;

  virtual Status put_file(FileId id, const FileState& state) = 0;
  virtual Status erase_file(FileId id) = 0;

  // A lane that is not there begins at `start` (counters 0); one that is there is left alone.
  virtual Status add_lane(LaneKey key, Position start) = 0;
  virtual Status put_sink(const SinkState& sink) = 0;
  // Retires a sink's (or one lane's) cursor; its claims go with it. `forget_source` retires a
  // source's lanes, blocks and name. kNotFound: there is no such lane.
  virtual Status forget_sink(SinkId sink) = 0;
  virtual Status forget_lane(const LaneKey& lane) = 0;
  // The lane goes on behind all that it holds, which counts as dropped: forgotten. Its claims go.
  virtual Status drop_backlog(const LaneKey& lane) = 0;
  virtual Status forget_source(SourceId source) = 0;

  // Persists a claim and gives it its id.
  virtual Result<Claim> claim(Claim claim) = 0;
  // How far its upload in parts has come; none: there is none any more. kNotFound where the claim
  // is not open, or a replay; kInvalid beyond kMaxUploadParts and the other limits of state.h.
  virtual Status put_upload(ClaimId claim, PartialUpload upload) = 0;
  // Settles a claim: counters, dead letters, cursor (past it and past every done claim that
  // follows). kFull where the dead letters' quota has no room: nothing of this call happened.
  virtual Status acknowledge(const Acknowledgement& ack) = 0;
  // Replaces an unsettled claim by others over the same records. `possible_duplicates`: records of
  // it that may have arrived, at a destination that cannot tell; counted.
  virtual Result<std::vector<Claim>> recut(ClaimId claim, const std::vector<Claim>& parts,
                                           std::uint64_t possible_duplicates) = 0;

  // Counts as dropped: forgotten. A replay that holds it goes on without it.
  virtual Status erase_dead_letter(std::uint64_t id) = 0;

  // Asks for a replay of dead letters of one lane, at most kReplayRecords. They stay dead letters
  // until acknowledge() says what became of them. kFull at kMaxReplays; kBusy where one is in
  // another replay; kNotFound where a letter or the lane is gone.
  virtual Result<Claim> replay(std::vector<std::uint64_t> letters) = 0;
  // Before its first attempt, or where every attempt was refused for its key: under which key and
  // how it is delivered.
  virtual Result<Claim> begin_replay(ClaimId replay, const std::string& key,
                                     const std::string& rendering) = 0;
  // Into two that are not begun: too large, every attempt was refused.
  virtual Status halve_replay(ClaimId replay, std::uint64_t possible_duplicates) = 0;

  // Drops the oldest unclaimed blocks, 4,096 at most, until what is held beyond the limit (it was
  // lowered) is gone and `bytes` more. Lanes that are not in `configured` (their sink or input left
  // the config) yield first, their claims included: nobody sends them. Returns what was dropped;
  // less than asked where all the others are claimed, or needed.
  virtual Result<Counter> drop_oldest(std::uint64_t bytes, const std::vector<LaneKey>& configured,
                                      DropScope scope) = 0;
  // Deletes blocks that every lane over their source has passed, at most 256. Blocks of a source
  // without any lane are kept.
  virtual Result<unsigned> trim() = 0;

  // The same reads as the Store's, this transaction's own writes included. A lane that is not there
  // has its cursor at the beginning.
  virtual Position cursor(const LaneKey& lane) const = 0;
  virtual Result<std::optional<BlockInfo>> next_block(SourceId source, BlockNumber from) = 0;

  // Durable on return (fdatasync), or kFull / kIo and nothing happened.
  virtual Status commit() = 0;

  // To the newest format of this release: what it adds may be written from now on. Nothing where
  // the buffer has it, or a later one.
  virtual Status upgrade_format() = 0;
};

}  // namespace edgehose
