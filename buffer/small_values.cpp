#include "buffer/small_values.h"

#include "buffer/copies.h"
#include "buffer/keyspace.h"

namespace edgehose {
namespace {

constexpr std::size_t kMaxKey = 64;  // ours have at most 13 bytes; LMDB allows 511

template <class Decode>
Status sealed(std::string_view key, std::string_view value, const Keyring& keys, Decode decode) {
  const auto plain = keys.open_value(key, value);
  if (!plain && plain.error().code == ErrorCode::kAuth) return {};  // a missing key is not damage
  if (!plain) return tl::unexpected(plain.error());
  if (auto decoded = decode(*plain); !decoded) return tl::unexpected(std::move(decoded).error());
  return {};
}

template <class T>
Status plain(const Result<T>& decoded) {
  if (!decoded) return tl::unexpected(decoded.error());
  return {};
}

}  // namespace

bool is_small_value(std::string_view key) {
  // Unknown keys of known kinds may be a later minor version's.
  return key.size() <= kMaxKey &&
         (is_control_key(key) || key.starts_with(keyspace::kDeadLetterPrefix));
}

Status check_small_value(std::string_view key, std::string_view value, const Keyring& keys) {
  using namespace keyspace;
  if (key == epoch_key()) return plain(decode_epoch(value));
  if (key == machine_key()) return plain(decode_machine(value));
  if (key == salvage_key()) return plain(decode_salvage(value));
  if (key == counters_key()) return plain(decode_counters(value));
  if (key.starts_with(kSourcePrefix)) return plain(decode_source(key, value));
  if (key.starts_with(kSinkPrefix)) return plain(decode_sink(key, value));
  if (key.starts_with(kLanePrefix)) return plain(decode_lane(key, value));
  if (key.starts_with(kFilePrefix))
    return sealed(key, value, keys, [](auto& v) { return decode_file(v); });
  if (key.starts_with(kClaimPrefix))
    return sealed(key, value, keys, [&](auto& v) { return decode_claim(key, v); });
  if (key.starts_with(kReplayPrefix))
    return sealed(key, value, keys, [&](auto& v) { return decode_replay(key, v); });
  if (key.starts_with(kDeadLetterPrefix))
    return sealed(key, value, keys, [&](auto& v) { return decode_dead_letter(key, v); });
  return {};  // of a later minor version
}

}  // namespace edgehose
