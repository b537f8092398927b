// The Transaction's frame: writing, append's ends, commit. Room: room.cpp; merging: merge.cpp;
// files: files.cpp; lanes and claims: lanes.cpp; trimming and dropping: retention.cpp.
#include <algorithm>
#include <utility>

#include "agent/base/check.h"
#include "buffer/block_header.h"
#include "buffer/lmdb_pages.h"
#include "buffer/store_impl.h"

namespace edgehose {

BlockInfo info_of(const BlockHeader& h) {
  return {.number = h.number,
          .source = h.source,
          .first = h.first_sequence,
          .records = h.records,
          .mini = h.mini(),
          .body_raw = h.body_raw,
          .body_stored = h.body_stored,
          .first_time = h.first_time,
          .last_time = h.last_time};
}

BlockInfo unreadable(keyspace::BlockKey key) {
  BlockInfo info;
  info.number = key.number;
  info.source = key.source;
  return info;
}

std::uint64_t space_of(std::uint64_t stored_bytes) {
  constexpr std::uint64_t kInLeaf = 1900;  // two entries must fit into a leaf
  if (stored_bytes <= kInLeaf) return stored_bytes + 32;
  const std::uint64_t with_header = stored_bytes + sizeof(lmdb::PageHeader);
  return (with_header + lmdb::kPageBytes - 1) / lmdb::kPageBytes * lmdb::kPageBytes;
}

TransactionImpl::TransactionImpl(StoreImpl& store, lmdb::Transaction txn, const lmdb::Space& space)
    : store_(store), txn_(std::move(txn)), space_(space) {
  const std::lock_guard lock(store_.mutex_);
  state_ = store_.state_;
}

TransactionImpl::~TransactionImpl() {
  txn_.abort();
  store_.writing_ = false;
}

// --- writing -------------------------------------------------------------------------------------

// After a failed write LMDB's transaction is of no use; a full map, a bad page or a bad disk.
Status TransactionImpl::remember(Status status) {
  if (!status && !broken_) broken_ = status.error();
  return status;
}

Status TransactionImpl::put(std::string_view key, std::string_view value) {
  if (broken_) return tl::unexpected(*broken_);
  return remember(txn_.put(key, value));
}

Status TransactionImpl::erase(std::string_view key) {
  if (broken_) return tl::unexpected(*broken_);
  const auto erased = txn_.erase(key);
  if (!erased) return remember(tl::unexpected(erased.error()));
  return {};
}

Result<SourceState*> TransactionImpl::source(SourceId id) {
  if (const auto found = state_.sources.find(id); found != state_.sources.end())
    return &found->second;
  const std::lock_guard lock(store_.mutex_);
  for (const auto& [name, given] : store_.source_names_) {
    if (given != id) continue;
    SourceState& fresh = state_.sources[id];
    fresh.id = id;
    fresh.name = name;
    fresh.next_sequence = state_.counters.first_sequence;
    changed_sources_.insert(id);
    names_changed_ = true;
    return &fresh;
  }
  return fail(ErrorCode::kInvalid, "there is no source {} in the buffer", id.value);
}

Status TransactionImpl::count_not_taken(SourceId id, const Counter& dropped) {
  EH_ASSIGN(SourceState * state, source(id));
  state->not_taken += dropped;
  changed_sources_.insert(id);
  return {};
}

Status TransactionImpl::count_losses(SourceId id, const SourceLosses& more) {
  EH_ASSIGN(SourceState * state, source(id));
  state->losses += more;
  changed_sources_.insert(id);
  return {};
}

Status TransactionImpl::put_sink(const SinkState& sink) {
  state_.sinks[sink.id] = sink;
  forgotten_sinks_.erase(sink.id);
  return put(keyspace::sink_key(sink.id), keyspace::encode_sink(sink, state_.format));
}

// --- blocks --------------------------------------------------------------------------------------

std::optional<keyspace::BlockKey> TransactionImpl::next_key(SourceId source,
                                                            BlockNumber from) const {
  std::optional<BlockKey> first;
  {
    const std::lock_guard lock(store_.mutex_);
    first = store_.catalog_.next(source, from);
    while (first && removed_.contains(first->number))
      first = store_.catalog_.next(source, first->number + 1);
  }
  for (auto it = added_.lower_bound(from); it != added_.end(); ++it) {
    if (first && first->number < it->first) break;
    if (source.value == 0 || it->second == source) return BlockKey{it->first, it->second};
  }
  return first;
}

Result<BlockHeader> TransactionImpl::header(BlockKey key) const {
  EH_ASSIGN(const auto stored, txn_.get(keyspace::block_key(key.number, key.source)));
  if (!stored) return fail(ErrorCode::kNotFound, "block {} is not there", key.number.value);
  return decode_header(*stored);
}

Result<std::optional<BlockInfo>> TransactionImpl::next_block(SourceId source, BlockNumber from) {
  for (auto key = next_key(source, from); key; key = next_key(source, key->number + 1)) {
    const auto found = header(*key);
    if (found) return info_of(*found);
    if (found.error().code != ErrorCode::kCorrupt) return tl::unexpected(found.error());
    return unreadable(*key);
  }
  return std::nullopt;
}

Result<BlockInfo> TransactionImpl::write_block(const RawBlock& block, BlockHeader h, bool checked) {
  if (broken_) return tl::unexpected(*broken_);
  h.epoch = store_.epoch_;
  EH_ASSIGN(const std::string_view stored, store_.encoder_->encode(block, h, &store_.keys_));
  const std::uint64_t space = space_of(stored.size());
  if (checked) EH_TRY(room_for(space));
  EH_TRY(put(keyspace::block_key(h.number, h.source), stored));
  grown_ += static_cast<std::int64_t>(space);
  written_ += static_cast<std::int64_t>(space);
  removed_.erase(h.number);
  added_[h.number] = h.source;
  return info_of(h);
}

Status TransactionImpl::erase_block(BlockKey key) {
  const std::string stored_key = keyspace::block_key(key.number, key.source);
  EH_ASSIGN(const auto stored, txn_.get(stored_key));
  if (stored) {
    grown_ -= static_cast<std::int64_t>(space_of(stored->size()));
    if (const auto reference = parse_reference(*stored)) let_go(*stored, *reference);
  }
  EH_TRY(erase(stored_key));
  frees_pages_ = true;
  added_.erase(key.number);
  removed_[key.number] = key.source;
  state_.mini_bytes.erase(key.number);
  return {};
}

// What the block takes in its archive is given back once this is durable.
void TransactionImpl::let_go(std::string_view value, const Reference& reference) {
  const auto header = decode_header(value);
  const PageSpan pages = header ? pages_of(reference.offset, stored_size(*header)) : PageSpan{};
  grown_ -= static_cast<std::int64_t>(pages.length);
  released_.push_back({reference.archive, pages});
  auto& all = state_.salvage.archives;
  const auto archive = std::ranges::find(all, reference.archive, &ArchiveState::id);
  if (archive == all.end()) return;
  archive->blocks -= std::min<std::uint64_t>(archive->blocks, 1);
  archive->bytes -= std::min(archive->bytes, pages.length);
  if (archive->blocks == 0) all.erase(archive);
}

// Without references older releases read the buffer again.
Status TransactionImpl::put_salvage() {
  if (released_.empty()) return {};
  EH_TRY(put(keyspace::salvage_key(), keyspace::encode_salvage(state_.salvage)));
  if (!state_.salvage.archives.empty()) return {};
  state_.format = keyspace::without_references(state_.format);
  return put(keyspace::format_key(), keyspace::encode_format(state_.format));
}

// --- commit --------------------------------------------------------------------------------------

Status TransactionImpl::write_small_state() {
  std::vector<SourceId> unwritten;
  keyspace::Counters stored;
  {
    const std::lock_guard lock(store_.mutex_);
    stored = store_.state_.counters;
    state_.counters.next_source = store_.given_.next_source;
    state_.counters.next_sink = store_.given_.next_sink;
    state_.counters.next_file = store_.given_.next_file;
    for (const auto& [name, id] : store_.source_names_)
      if (!state_.sources.contains(id) && !forgotten_sources_.contains(id)) unwritten.push_back(id);
    for (const auto& [name, id] : store_.sink_names_) {
      if (state_.sinks.contains(id) || forgotten_sinks_.contains(id)) continue;
      const SinkState sink{id, name, ""};
      names_changed_ = true;
      state_.sinks[id] = sink;
      EH_TRY(put(keyspace::sink_key(id), keyspace::encode_sink(sink, state_.format)));
    }
  }
  for (const SourceId id : unwritten) EH_TRY(source(id));
  for (const SourceId id : changed_sources_)
    EH_TRY(put(keyspace::source_key(id),
               keyspace::encode_source(state_.sources.at(id), state_.format)));
  for (const LaneKey& key : changed_lanes_)
    EH_TRY(put(keyspace::lane_key(key), keyspace::encode_lane(state_.lanes.at(key))));
  if (state_.counters != stored)
    EH_TRY(
        put(keyspace::counters_key(), keyspace::encode_counters(state_.counters, state_.format)));
  EH_TRY(put_salvage());
  if (store_.wants_pages_ && store_.freed_by_ + 1 == txn_.id())
    EH_TRY(
        put(keyspace::counters_key(), keyspace::encode_counters(state_.counters, state_.format)));
  if (store_.clean_ && !marks_clean_) EH_TRY(erase(keyspace::clean_mark_key()));
  return {};
}

Status TransactionImpl::put_clean_mark() {
  marks_clean_ = true;
  const BlockNumber last(state_.counters.next_block.value - 1);
  return put(keyspace::clean_mark_key(), keyspace::encode_clean_mark(last));
}

Status TransactionImpl::commit() {
  EH_CHECK(txn_.open());
  Status ready = write_small_state();
  if (ready && !broken_) {
    ready = settle_disk();
    store_.wants_pages_ = store_.wants_pages_ || !ready;
  }
  if (!ready || broken_) {
    txn_.abort();
    return broken_ ? tl::unexpected(*broken_) : ready;
  }
  const Instant start = store_.clock_.now();
  const std::uint64_t transaction = txn_.id();
  if (auto committed = txn_.commit(); !committed) {
    store_.wants_pages_ = committed.error().code == ErrorCode::kFull;
    return committed;
  }
  if (written_ > 0) store_.wants_pages_ = false;
  if (frees_pages_) store_.freed_by_ = transaction;
  {
    const std::lock_guard lock(store_.mutex_);
    store_.state_ = std::move(state_);
    for (const auto& [number, source] : removed_) store_.catalog_.remove({number, source});
    for (const auto& [number, source] : added_) {
      // A merge writes under a number that is in the catalog already.
      const auto there = store_.catalog_.next(source, number);
      if (!there || there->number != number) store_.catalog_.add({number, source});
    }
    for (const SourceId id : forgotten_sources_)
      std::erase_if(store_.source_names_, [id](const auto& n) { return n.second == id; });
    for (const SinkId id : forgotten_sinks_)
      std::erase_if(store_.sink_names_, [id](const auto& n) { return n.second == id; });
  }
  store_.clean_ = marks_clean_;
  store_.names_changed_ = store_.names_changed_ || names_changed_;
  store_.note_commit(store_.clock_.now() - start, raw_);
  if (!released_.empty()) store_.release(transaction, released_);
  if (store_.names_changed_ && !marks_clean_) store_.write_copies_if_due();
  return {};
}

}  // namespace edgehose
