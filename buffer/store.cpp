// The Store's calls: names, reading, the beginning of a Transaction. Opening and closing: open.cpp.
#include "buffer/store.h"

#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "agent/base/check.h"
#include "agent/base/log.h"
#include "buffer/block_header.h"
#include "buffer/store_impl.h"

namespace edgehose {
namespace {
constexpr std::size_t kDecodersKept = 4;
}

StoreImpl::~StoreImpl() = default;  // without close(): an unclean stop, as after a kill

std::string StoreImpl::path() const { return path(keyspace::kEnvironmentFile); }

std::string StoreImpl::path(std::string_view name) const {
  return fmt::format("{}/{}", options_.directory, name);
}

// --- transactions --------------------------------------------------------------------------------

Result<std::unique_ptr<Store::Transaction>> StoreImpl::begin() {
  EH_CHECK(!read_only_ && !closed_ && !writing_);
  auto txn = environment_.begin_write();
  if (!txn &&
      (txn.error().code == ErrorCode::kUnavailable || txn.error().code == ErrorCode::kCorrupt)) {
    EH_TRY(reopen());
    txn = environment_.begin_write();
  }
  if (!txn) return tl::unexpected(std::move(txn).error());
  environment_.forget_dead_readers();
  EH_ASSIGN(const lmdb::Transaction snapshot, begin_read());
  EH_ASSIGN(const lmdb::Space space, snapshot.space());
  measure(space);
  writing_ = true;
  return std::make_unique<TransactionImpl>(*this, std::move(*txn), space);
}

void StoreImpl::note_commit(Duration took, std::uint64_t raw) {
  const std::lock_guard lock(mutex_);
  ++usage_.commits;
  usage_.committed_raw += raw;
  usage_.last_commit = took;
  usage_.mean_commit = usage_.commits == 1 ? took : (usage_.mean_commit * 7 + took) / 8;
}

void StoreImpl::measure(const lmdb::Space& space) {
  const std::lock_guard lock(mutex_);
  usage_.used = space.used() + quarantine_bytes_;
}

// --- names ---------------------------------------------------------------------------------------

SourceId StoreImpl::source_id(std::string_view name) {
  const std::lock_guard lock(mutex_);
  const auto found = source_names_.find(name);
  if (found != source_names_.end()) return found->second;
  const SourceId id = given_.next_source;
  ++given_.next_source;
  source_names_.emplace(name, id);
  return id;
}

SinkId StoreImpl::sink_id(std::string_view name) {
  const std::lock_guard lock(mutex_);
  const auto found = sink_names_.find(name);
  if (found != sink_names_.end()) return found->second;
  const SinkId id = given_.next_sink;
  ++given_.next_sink;
  sink_names_.emplace(name, id);
  return id;
}

FileId StoreImpl::new_file_id() {
  const std::lock_guard lock(mutex_);
  const FileId id = given_.next_file;
  ++given_.next_file;
  return id;
}

// --- blocks --------------------------------------------------------------------------------------

Result<lmdb::Transaction> StoreImpl::begin_read() const { return environment_.begin_read(); }

Result<std::optional<BlockInfo>> StoreImpl::next_block(SourceId source, BlockNumber from) {
  EH_TRY(refresh());
  const std::shared_lock environment(environment_mutex_);
  for (;;) {
    std::optional<keyspace::BlockKey> key;
    {
      const std::lock_guard lock(mutex_);
      key = catalog_.next(source, from);
    }
    if (!key) return std::nullopt;
    EH_ASSIGN(const lmdb::Transaction txn, begin_read());
    EH_ASSIGN(const auto stored, txn.get(keyspace::block_key(key->number, key->source)));
    if (stored) {
      const auto header = decode_header(*stored);
      return header ? info_of(*header) : unreadable(*key);
    }
    from = key->number + 1;  // trimmed or merged between the two looks
  }
}

Result<StoredBlock> StoreImpl::read_in(const lmdb::Transaction& txn, BlockNumber number) {
  EH_ASSIGN(const auto entry, txn.at_or_after(keyspace::block_key(number)));
  const auto key = entry ? keyspace::parse_block_key(entry->key) : std::nullopt;
  if (!key || key->number != number)
    return fail(ErrorCode::kNotFound, "block {} is not there", number.value);
  std::string archived;  // of a block that lies in a damaged file
  std::string_view stored = entry->value;
  if (const auto reference = parse_reference(stored)) {
    auto found = archives_.read(stored, *reference);
    if (!found) {
      ++corrupt_;
      return tl::unexpected(std::move(found).error());
    }
    archived = std::move(*found);
    stored = archived;
  }
  auto block = open_block(stored, &keys_);
  if (block && (block->header.number != number || block->header.source != key->source))
    block = fail(ErrorCode::kCorrupt, "block {} stands in the place of block {}",
                 block->header.number.value, number.value);
  if (!block && block.error().code == ErrorCode::kCorrupt) ++corrupt_;
  return block;
}

Result<StoredBlock> StoreImpl::read(BlockNumber number) {
  const std::shared_lock environment(environment_mutex_);
  EH_ASSIGN(const lmdb::Transaction txn, begin_read());
  return read_in(txn, number);
}

Result<DecodedBlock> StoreImpl::decode(const StoredBlock& block) {
  std::unique_ptr<BlockDecoder> decoder;
  {
    const std::lock_guard lock(mutex_);
    if (!decoders_.empty()) {
      decoder = std::move(decoders_.back());
      decoders_.pop_back();
    }
  }
  if (!decoder) decoder = std::make_unique<BlockDecoder>();
  auto decoded = decoder->decode(block);
  if (!decoded) ++corrupt_;
  const std::lock_guard lock(mutex_);
  if (decoders_.size() < kDecodersKept) decoders_.push_back(std::move(decoder));
  return decoded;
}

Result<DecodedBlock> StoreImpl::read_decoded(BlockNumber number) {
  EH_ASSIGN(const StoredBlock block, read(number));
  return decode(block);
}

BlockNumber StoreImpl::end_block() const {
  const std::lock_guard lock(mutex_);
  return state_.counters.next_block;
}

// --- state ---------------------------------------------------------------------------------------

namespace {
template <class Map>
auto values(const Map& map) {
  std::vector<typename Map::mapped_type> out;
  out.reserve(map.size());
  for (const auto& [key, value] : map) out.push_back(value);
  return out;
}
}  // namespace

Result<std::vector<SourceState>> StoreImpl::sources() {
  EH_TRY(refresh());
  const std::lock_guard lock(mutex_);
  return values(state_.sources);
}

Result<std::vector<SinkState>> StoreImpl::sinks() {
  EH_TRY(refresh());
  const std::lock_guard lock(mutex_);
  return values(state_.sinks);
}

Result<std::vector<LaneState>> StoreImpl::lanes() {
  EH_TRY(refresh());
  const std::lock_guard lock(mutex_);
  return values(state_.lanes);
}

Result<std::vector<Claim>> StoreImpl::claims() {
  EH_TRY(refresh());
  const std::lock_guard lock(mutex_);
  return values(state_.claims);
}

Result<std::vector<Claim>> StoreImpl::replays() {
  EH_TRY(refresh());
  const std::lock_guard lock(mutex_);
  return values(state_.replays);
}

Status StoreImpl::for_each_file(const std::function<void(FileId, const FileState&)>& visit) {
  const std::shared_lock environment(environment_mutex_);
  EH_ASSIGN(const lmdb::Transaction txn, begin_read());
  EH_ASSIGN(lmdb::Cursor cursor, lmdb::Cursor::open(txn));
  for (auto entry = cursor.at_or_after(keyspace::kFilePrefix);; entry = cursor.next()) {
    if (!entry) return tl::unexpected(std::move(entry).error());
    if (!*entry || !(*entry)->key.starts_with(keyspace::kFilePrefix)) return {};
    const auto id = keyspace::parse_file_key((*entry)->key);
    if (!id) continue;
    EH_ASSIGN(const std::string plain, keys_.open_value((*entry)->key, (*entry)->value));
    EH_ASSIGN(const FileState file, keyspace::decode_file(plain));
    visit(*id, file);
  }
}

Result<std::optional<FileState>> StoreImpl::file(FileId id) {
  const std::shared_lock environment(environment_mutex_);
  EH_ASSIGN(const lmdb::Transaction txn, begin_read());
  const std::string key = keyspace::file_key(id);
  EH_ASSIGN(const auto value, txn.get(key));
  if (!value) return std::nullopt;
  EH_ASSIGN(const std::string plain, keys_.open_value(key, *value));
  EH_ASSIGN(FileState state, keyspace::decode_file(plain));
  return state;
}

Result<std::vector<std::uint64_t>> StoreImpl::for_each_dead_letter(
    const std::function<bool(const DeadLetter&)>& visit) {
  const std::shared_lock environment(environment_mutex_);
  EH_ASSIGN(const lmdb::Transaction txn, begin_read());
  EH_ASSIGN(lmdb::Cursor cursor, lmdb::Cursor::open(txn));
  std::vector<std::uint64_t> damaged;
  for (auto entry = cursor.at_or_after(keyspace::kDeadLetterPrefix);; entry = cursor.next()) {
    if (!entry) return tl::unexpected(std::move(entry).error());
    if (!*entry || !(*entry)->key.starts_with(keyspace::kDeadLetterPrefix)) return damaged;
    const auto letter = open_letter(**entry);
    if (letter && !visit(*letter)) return damaged;
    if (letter) continue;
    if (letter.error().code != ErrorCode::kCorrupt) return tl::unexpected(letter.error());
    const auto id = keyspace::parse_dead_letter_key((*entry)->key);
    if (id && damaged.size() < kDamagedNamed) damaged.push_back(*id);
  }
}

Result<DeadLetter> StoreImpl::open_letter(const lmdb::Entry& entry) const {
  EH_ASSIGN(const std::string plain, keys_.open_value(entry.key, entry.value));
  return keyspace::decode_dead_letter(entry.key, plain);
}

Result<std::optional<DeadLetter>> StoreImpl::dead_letter(std::uint64_t id) {
  const std::shared_lock environment(environment_mutex_);
  EH_ASSIGN(const lmdb::Transaction txn, begin_read());
  const std::string key = keyspace::dead_letter_key(id);
  EH_ASSIGN(const auto value, txn.get(key));
  if (!value) return std::nullopt;
  EH_ASSIGN(DeadLetter letter, open_letter({key, *value}));
  return letter;
}

StoreUsage StoreImpl::usage() const {
  StoreUsage usage;
  std::uint64_t pages = 0;  // of the buffer's own file
  {
    const std::lock_guard lock(mutex_);
    usage = usage_;
    pages = usage_.used - std::min(usage_.used, quarantine_bytes_);
    usage.dead_letters = state_.dead_letters;
    usage.dead_letter_bytes = state_.dead_letter_bytes;
    usage.salvaged_records = state_.salvage.salvaged_records;
    usage.lost_records = state_.salvage.lost_records;
    usage.archived_blocks = state_.salvage.blocks();
    usage.archived_bytes = state_.salvage.bytes();
  }
  usage.dead_letter_quota = options_.dead_letter_quota;
  usage.limit = limit_;
  usage.corrupt_blocks = corrupt_;
  struct stat st {};
  if (::stat(path().c_str(), &st) == 0) {
    usage.file_size = static_cast<std::uint64_t>(st.st_size);
    usage.allocated = static_cast<std::uint64_t>(st.st_blocks) * 512;
  }
  const auto disk =
      disk_room(options_.directory, usage.allocated, pages, options_.free_disk_percent);
  if (!disk) return usage;
  usage.disk_free = disk->free;
  const std::int64_t room = disk->room(static_cast<std::int64_t>(reserve()));
  usage.disk_room = static_cast<std::uint64_t>(std::max<std::int64_t>(room, 0));
  return usage;
}

}  // namespace edgehose
