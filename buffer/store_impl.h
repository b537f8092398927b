// The Store's inside, shared by store.cpp and the files of its Transaction. Include store.h
// instead.
//
// How it hangs together: everything small (names, lanes, claims, counters) is one State in memory.
// A Transaction works on a copy of it and writes what changed to LMDB; commit() puts the copy in
// the place of the Store's. Thus whatever fails, the Store is exactly what the last commit made it.
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <string>
#include <vector>

#include "agent/base/file.h"
#include "buffer/archive.h"
#include "buffer/catalog.h"
#include "buffer/codec.h"
#include "buffer/disk_room.h"
#include "buffer/keys.h"
#include "buffer/keyspace.h"
#include "buffer/lmdb.h"
#include "buffer/store.h"

namespace edgehose {

struct State {
  keyspace::Counters counters;
  std::map<SourceId, SourceState> sources;
  std::map<SinkId, SinkState> sinks;
  std::map<LaneKey, LaneState> lanes;
  std::map<ClaimId, Claim> claims;
  std::map<ClaimId, Claim> replays;
  std::map<BlockNumber, std::uint32_t>
      mini_bytes;  // raw sizes of minis, as far as they were needed
  std::uint64_t dead_letters = 0, dead_letter_bytes = 0;
  SalvageState salvage;
  keyspace::FormatVersion format;
};

// A block that left the buffer, and the pages that it took in its archive.
struct ArchivedBlock {
  std::uint32_t archive = 0;
  PageSpan pages;
};

// All of the environment's small state and the list of its blocks.
struct Loaded {
  State state;
  Catalog catalog;
  Epoch epoch{};
  bool clean = false;  // the clean mark is there
};
// What is sealed under a key that is not open: a writer needs it, a reader does without.
enum class Unopened { kRefuse, kLeaveOut };
Result<Loaded> load(const lmdb::Transaction& txn, const Keyring& keys,
                    Unopened unopened = Unopened::kRefuse);

class StoreImpl final : public Store {
 public:
  StoreImpl(const StoreOptions& options, const Clock& clock) : options_(options), clock_(clock) {}
  ~StoreImpl() override;

  Status open_writer();
  Status open_reader();

  Result<std::unique_ptr<Transaction>> begin() override;
  SourceId source_id(std::string_view name) override;
  SinkId sink_id(std::string_view name) override;
  FileId new_file_id() override;
  const Epoch& epoch() const override { return epoch_; }
  Status keys_fit() const override { return keys_fit_; }
  StoreFormat format() const override;
  Result<std::optional<BlockInfo>> next_block(SourceId source, BlockNumber from) override;
  Result<StoredBlock> read(BlockNumber number) override;
  Result<DecodedBlock> read_decoded(BlockNumber number) override;
  BlockNumber end_block() const override;
  Result<std::vector<SourceState>> sources() override;
  Result<std::vector<SinkState>> sinks() override;
  Result<std::vector<LaneState>> lanes() override;
  Result<std::vector<Claim>> claims() override;
  Result<std::vector<Claim>> replays() override;
  Status for_each_file(const std::function<void(FileId, const FileState&)>& visit) override;
  Result<std::optional<FileState>> file(FileId id) override;
  Result<std::vector<std::uint64_t>> for_each_dead_letter(
      const std::function<bool(const DeadLetter&)>& visit) override;
  Result<std::optional<DeadLetter>> dead_letter(std::uint64_t id) override;
  StoreUsage usage() const override;
  void maintain() override;
  Result<bool> hold_place() override;
  Status close() override;

 private:
  friend class TransactionImpl;

  std::string path() const;
  std::string path(std::string_view name) const;
  Status create_if_missing();
  Status open_environment();
  Status open_keys();
  Status compact_if_sparse();
  Status copy_compact(const std::string& copy) const;
  bool below_floor_with(std::uint64_t more) const;
  Status settle_identity();
  void write_copies_if_due();
  void write_copies_now();
  Result<DeadLetter> open_letter(const lmdb::Entry& entry) const;
  Status adopt(Loaded loaded);
  Status refresh();  // of a read-only store: what the daemon changed since
  Status reopen();   // after LMDB gave the environment up
  Status put_back();
  Result<lmdb::Transaction> begin_read() const;

  // room.cpp
  std::uint64_t reserve() const;
  std::optional<DiskRoom> measure_disk(std::uint64_t used) const;
  Status renew_reserve(std::uint64_t end, std::uint64_t wanted, std::uint64_t spare);
  void set_reserve_aside();

  // archived.cpp
  void open_archives(const SalvageState& salvage);
  Status settle_archives(const lmdb::Transaction& txn, std::uint64_t used);
  Status punch_unreferenced(const lmdb::Transaction& txn);
  void release(std::uint64_t transaction, const std::vector<ArchivedBlock>& blocks);
  void give_archives_back();
  bool drained(std::uint32_t archive) const;
  void retire_archive(std::uint32_t id);
  void count_quarantines();
  void count_set_aside();

  Result<StoredBlock> read_in(const lmdb::Transaction& txn, BlockNumber number);
  Result<DecodedBlock> decode(const StoredBlock& block);
  void give_disk_back();
  void measure(const lmdb::Space& space);
  void note_commit(Duration took, std::uint64_t raw);

  const StoreOptions options_;
  // max_size, or what fits into the map that the machine gave. Set with the environment, which may
  // be replaced while any thread asks for usage().
  std::atomic<std::uint64_t> limit_{0};
  const Clock& clock_;
  FileDescriptor directory_lock_, lock_;  // the latter's file names the holder
  // Shared: reading through the environment; exclusive: replacing it.
  mutable std::shared_mutex environment_mutex_;
  lmdb::Environment environment_;
  Archives archives_;
  struct Released {
    std::uint64_t transaction = 0;  // that let it go
    ArchivedBlock block;
  };
  std::deque<Released>
      released_;         // not given back yet; at most what a commit trims, and readers hold
  bool punches_ = true;  // the file system makes holes
  Keyring keys_;
  Status keys_fit_;  // of a reader
  std::unique_ptr<BlockEncoder> encoder_;
  Epoch epoch_{};
  bool read_only_ = false;
  bool clean_ = false;  // the clean mark is in the environment
  bool closed_ = false;
  bool writing_ = false;          // a Transaction is alive
  bool sets_aside_ = true;        // the file system gives blocks to a file beyond its end
  std::optional<Error> refused_;  // it gave none of what is free, and is not asked until then
  Instant refused_until_{};
  // A commit found no disk. What another one freed LMDB gives out two commits later: where nothing
  // else is to be written, the one between is made for that.
  bool wants_pages_ = false;
  // The last commit that deleted blocks or dead letters; after an opening any may have been it.
  std::uint64_t freed_by_ = 0;
  // The copies outside.
  bool names_changed_ = false;  // names or files came since they were written
  std::uint64_t copied_commits_ = UINT64_MAX;
  Instant copied_at_{};
  Instant copy_names_from_{};  // not before, however many files come

  mutable std::mutex mutex_;  // guards what follows
  State state_;
  Catalog catalog_;
  // Given out, perhaps not committed yet.
  std::map<std::string, SourceId, std::less<>> source_names_;
  std::map<std::string, SinkId, std::less<>> sink_names_;
  keyspace::Counters given_;
  StoreUsage usage_;
  std::uint64_t quarantine_bytes_ = 0;
  std::uint64_t loaded_transaction_ = 0;
  std::vector<std::unique_ptr<BlockDecoder>> decoders_;
  std::atomic<std::uint64_t> corrupt_{0};
};

class TransactionImpl final : public Store::Transaction {
 public:
  TransactionImpl(StoreImpl& store, lmdb::Transaction txn, const lmdb::Space& space);
  ~TransactionImpl() override;

  Result<BlockInfo> append(const RawBlock& block) override;
  Status count_not_taken(SourceId source, const Counter& dropped) override;
  Status count_losses(SourceId source, const SourceLosses& more) override;
  Status put_file(FileId id, const FileState& state) override;
  Status erase_file(FileId id) override;
  Status add_lane(LaneKey key, Position start) override;
  Status put_sink(const SinkState& sink) override;
  Status forget_sink(SinkId sink) override;
  Status forget_lane(const LaneKey& lane) override;
  Status drop_backlog(const LaneKey& lane) override;
  Status forget_source(SourceId source) override;
  Result<Claim> claim(Claim claim) override;
  Status put_upload(ClaimId claim, PartialUpload upload) override;
  Status acknowledge(const Acknowledgement& ack) override;
  Result<std::vector<Claim>> recut(ClaimId claim, const std::vector<Claim>& parts,
                                   std::uint64_t possible_duplicates) override;
  Status erase_dead_letter(std::uint64_t id) override;
  Result<Claim> replay(std::vector<std::uint64_t> letters) override;
  Result<Claim> begin_replay(ClaimId replay, const std::string& key,
                             const std::string& rendering) override;
  Status halve_replay(ClaimId replay, std::uint64_t possible_duplicates) override;
  Result<Counter> drop_oldest(std::uint64_t bytes, const std::vector<LaneKey>& configured,
                              DropScope scope) override;
  Result<unsigned> trim() override;
  Position cursor(const LaneKey& lane) const override;
  Result<std::optional<BlockInfo>> next_block(SourceId source, BlockNumber from) override;
  Status upgrade_format() override;
  Status commit() override;

  // Trims from one block on instead of waiting for some.
  Result<unsigned> trim_at_least(unsigned blocks);
  Status put_clean_mark();

 private:
  using BlockKey = keyspace::BlockKey;

  // transaction.cpp
  Result<SourceState*> source(SourceId id);
  Status put(std::string_view key, std::string_view value);
  Status erase(std::string_view key);
  Status remember(Status status);
  std::optional<BlockKey> next_key(SourceId source, BlockNumber from) const;
  Result<BlockHeader> header(BlockKey key) const;
  Result<BlockInfo> write_block(const RawBlock& block, BlockHeader header, bool checked);
  Status erase_block(BlockKey key);
  void let_go(std::string_view value, const Reference& reference);
  Status put_salvage();
  Status needs(keyspace::Feature feature, std::string_view what) const;
  Status write_small_state();

  // files.cpp
  FileHeld held_before(std::string_view key, std::optional<std::string_view> value) const;
  void note_appended(FileId id, FileHeld& held) const;

  // room.cpp
  std::int64_t beyond_limit() const;
  Status room_for(std::uint64_t bytes);
  Status disk_room_for(std::int64_t bytes);
  tl::unexpected<Error> disk_full() const;
  Status settle_disk();
  Result<std::int64_t> growth() const;

  // merge.cpp
  struct Mini {
    BlockNumber number;
    std::uint32_t bytes = 0;
  };
  using Run = std::vector<Mini>;
  Result<std::vector<Run>> runs_of(const SourceState& source, BlockNumber next);
  Result<std::uint64_t> mini_bytes(const SourceState& source);
  bool covers(const Claim& claim, SourceId source, BlockNumber block) const;
  bool claimed(SourceId source, BlockNumber block) const;
  bool separated(SourceId source, BlockNumber before, BlockNumber after) const;
  Result<RawBlock> read_run(SourceId source, const Run& run, Sequence& first);
  Status settle_run(SourceId source, const Run& run);
  Status settle_group(SourceId source, const Run& group);
  Result<BlockInfo> append_small(const RawBlock& block, SourceState& source);
  Result<BlockInfo> append_merged(const RawBlock& block, SourceState& source, const Run& run);
  Result<BlockInfo> append_alone(const RawBlock& block, SourceState& source, bool mini);
  void count_committed(const RawBlock& block, SourceState& source);

  // lanes.cpp
  bool over(const LaneKey& lane, SourceId source) const;
  Result<Counter> size_from(BlockKey key, std::uint32_t record) const;
  Result<Position> normalized(Position position) const;
  Result<bool> nothing_between(const LaneKey& lane, Position from, Position to) const;
  Claim* earliest_claim(const LaneKey& lane);
  Status check_claim(const Claim& claim) const;
  Status put_claim(const Claim& claim);
  Status settle_done_claims(LaneState& lane);
  Status erase_claims(const LaneKey& lane);
  Status drop_from_lanes(BlockKey key, DropReason reason);

  // retention.cpp
  std::optional<BlockNumber> passed_by_all(SourceId source) const;
  bool few_blocks() const;
  using InTheWay = std::function<bool(const Claim&)>;
  std::optional<BlockKey> next_to_drop(const std::set<LaneKey>& configured, DropScope scope,
                                       const InTheWay& in_the_way) const;
  Result<std::optional<Counter>> give_up_claims(BlockKey block,
                                                const std::set<LaneKey>& configured);

  // dead_letters.cpp
  Status bury(const std::vector<DeadLetter>& letters, const Claim& claim);
  Result<std::optional<DeadLetter>> letter(std::uint64_t id) const;
  Status put_letter(const DeadLetter& letter);
  Status erase_letter(std::uint64_t id);

  // replays.cpp
  Status put_replay(const Claim& replay);
  Status erase_replay(ClaimId id);
  Result<Claim> add_replay(LaneKey lane, const std::vector<DeadLetter>& letters);
  Status acknowledge_replay(const Claim& replay, const Acknowledgement& ack);
  Status refuse_again(DeadLetter letter, const DeadLetter& refusal);

  StoreImpl& store_;
  lmdb::Transaction txn_;
  lmdb::Space space_;
  State state_;
  std::set<SourceId> changed_sources_;
  std::set<LaneKey> changed_lanes_;
  std::set<SourceId> forgotten_sources_;
  std::set<SinkId> forgotten_sinks_;
  std::map<BlockNumber, SourceId> added_, removed_;
  std::map<FileId, FileHeld> appended_;  // what blocks were given of files
  std::vector<ArchivedBlock> released_;
  std::int64_t grown_ = 0;        // bytes of blocks added, less those removed
  std::int64_t written_ = 0;      // bytes of blocks added
  std::uint64_t raw_ = 0;         // raw body bytes appended
  std::optional<DiskRoom> disk_;  // as the first append finds it
  bool frees_pages_ = false;      // deletes what fills pages
  bool marks_clean_ = false;
  bool names_changed_ = false;
  std::optional<Error> broken_;  // LMDB failed in the middle: nothing more may be written
};

BlockInfo info_of(const BlockHeader& header);
// Of a block whose header cannot be read: it is still there to be read, and found corrupt.
BlockInfo unreadable(keyspace::BlockKey key);

// dead_letters.cpp
Counter take_at_most(Counter& from, const Counter& wanted);

// What a value of this size takes in the file: whole pages where it does not fit into a leaf.
std::uint64_t space_of(std::uint64_t stored_bytes);

}  // namespace edgehose
