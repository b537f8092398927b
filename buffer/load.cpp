// Reading all of the environment's small state into memory, once at start.
#include <utility>

#include "buffer/store_impl.h"

namespace edgehose {
namespace {

template <class Visit>
Status for_each(lmdb::Cursor& cursor, std::string_view prefix, Visit visit) {
  for (auto entry = cursor.at_or_after(prefix);; entry = cursor.next()) {
    if (!entry) return tl::unexpected(std::move(entry).error());
    if (!*entry || !(*entry)->key.starts_with(prefix)) return {};
    EH_TRY(visit((*entry)->key, (*entry)->value));
  }
}

Status load_singles(const lmdb::Transaction& txn, Loaded& loaded) {
  EH_ASSIGN(const auto format, txn.get(keyspace::format_key()));
  EH_ASSIGN(const auto epoch, txn.get(keyspace::epoch_key()));
  EH_ASSIGN(const auto counters, txn.get(keyspace::counters_key()));
  EH_ASSIGN(const auto clean, txn.get(keyspace::clean_mark_key()));
  if (!format || !epoch || !counters)
    return fail(ErrorCode::kCorrupt, "the buffer lacks its format, its epoch or its counters");
  EH_ASSIGN(loaded.state.format, keyspace::decode_format(*format));
  EH_ASSIGN(loaded.epoch, keyspace::decode_epoch(*epoch));
  EH_ASSIGN(loaded.state.counters, keyspace::decode_counters(*counters));
  loaded.clean = clean.has_value();
  EH_ASSIGN(const auto salvage, txn.get(keyspace::salvage_key()));
  if (salvage) {
    EH_ASSIGN(loaded.state.salvage, keyspace::decode_salvage(*salvage));
  }
  return {};
}

// None: it is sealed, and left out.
Result<std::optional<std::string>> open_claim(const Keyring& keys, Unopened unopened,
                                              std::string_view key, std::string_view value) {
  auto plain = keys.open_value(key, value);
  if (plain) return std::optional<std::string>(*std::move(plain));
  if (unopened == Unopened::kLeaveOut && plain.error().code == ErrorCode::kAuth)
    return std::nullopt;
  return tl::unexpected(std::move(plain).error());
}

}  // namespace

Result<Loaded> load(const lmdb::Transaction& txn, const Keyring& keys, Unopened unopened) {
  using View = std::string_view;
  Loaded loaded;
  State& state = loaded.state;
  EH_TRY(load_singles(txn, loaded));
  EH_ASSIGN(lmdb::Cursor cursor, lmdb::Cursor::open(txn));
  EH_TRY(for_each(cursor, keyspace::kBlockPrefix, [&](View key, View) -> Status {
    if (const auto block = keyspace::parse_block_key(key)) loaded.catalog.add(*block);
    return {};
  }));
  EH_TRY(for_each(cursor, keyspace::kSourcePrefix, [&](View key, View value) -> Status {
    EH_ASSIGN(SourceState source, keyspace::decode_source(key, value));
    state.sources[source.id] = std::move(source);
    return {};
  }));
  EH_TRY(for_each(cursor, keyspace::kSinkPrefix, [&](View key, View value) -> Status {
    EH_ASSIGN(SinkState sink, keyspace::decode_sink(key, value));
    state.sinks[sink.id] = std::move(sink);
    return {};
  }));
  EH_TRY(for_each(cursor, keyspace::kLanePrefix, [&](View key, View value) -> Status {
    EH_ASSIGN(const LaneState lane, keyspace::decode_lane(key, value));
    state.lanes[lane.key] = lane;
    return {};
  }));
  EH_TRY(for_each(cursor, keyspace::kClaimPrefix, [&](View key, View value) -> Status {
    EH_ASSIGN(const auto plain, open_claim(keys, unopened, key, value));
    if (!plain) return {};
    EH_ASSIGN(Claim claim, keyspace::decode_claim(key, *plain));
    state.claims[claim.id] = std::move(claim);
    return {};
  }));
  EH_TRY(for_each(cursor, keyspace::kReplayPrefix, [&](View key, View value) -> Status {
    EH_ASSIGN(const auto plain, open_claim(keys, unopened, key, value));
    if (!plain) return {};
    EH_ASSIGN(Claim replay, keyspace::decode_replay(key, *plain));
    state.replays[replay.id] = std::move(replay);
    return {};
  }));
  EH_TRY(for_each(cursor, keyspace::kDeadLetterPrefix, [&](View, View value) -> Status {
    ++state.dead_letters;
    state.dead_letter_bytes += value.size();  // the value itself is not touched
    return {};
  }));
  return loaded;
}

}  // namespace edgehose
