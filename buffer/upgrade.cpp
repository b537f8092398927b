// The buffer's format: what it does not allow yet, and raising it.
#include "buffer/store_impl.h"

namespace edgehose {

StoreFormat StoreImpl::format() const {
  const std::lock_guard lock(mutex_);
  const keyspace::FormatVersion now = state_.format, then = keyspace::upgraded(now);
  StoreFormat format{now.text(), then.text(), {}, then.min_reader > now.min_reader};
  if (then == now) return format;
  for (const keyspace::MinorVersion& minor : keyspace::kMinorVersions)
    if (minor.minor > now.minor) format.adds.emplace_back(minor.adds);
  return format;
}

Status TransactionImpl::needs(keyspace::Feature feature, std::string_view what) const {
  if (state_.format.allows(feature)) return {};
  return fail(ErrorCode::kUnsupported,
              "to {}, a buffer of format {} must be upgraded first: edgehose buffer upgrade", what,
              state_.format.text());
}

// The copies are to tell it too: a salvage may begin with them.
Status TransactionImpl::upgrade_format() {
  const keyspace::FormatVersion newest = keyspace::upgraded(state_.format);
  if (newest == state_.format) return {};
  state_.format = newest;
  names_changed_ = true;
  return put(keyspace::format_key(), keyspace::encode_format(newest));
}

}  // namespace edgehose
