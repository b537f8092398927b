// How far files were read, and which of what was read of them no sink may have yet.
#include "buffer/store_impl.h"

namespace edgehose {

Status TransactionImpl::put_file(FileId id, const FileState& state) {
  const std::string key = keyspace::file_key(id);
  EH_ASSIGN(const auto before, txn_.get(key));
  names_changed_ = names_changed_ || !before;
  FileState file = state;
  file.held = held_before(key, before);
  note_appended(id, file.held);
  EH_ASSIGN(const std::string value,
            store_.keys_.seal_value(key, keyspace::encode_file(file, state_.format)));
  return put(key, value);
}

FileHeld TransactionImpl::held_before(std::string_view key,
                                      std::optional<std::string_view> value) const {
  if (!value) {
    FileHeld none;
    none.known = true;
    return none;
  }
  const auto plain = store_.keys_.open_value(key, *value);
  const auto file = plain ? keyspace::decode_file(*plain) : tl::unexpected(plain.error());
  return file ? file->held : FileHeld{};
}

// What this transaction appended of the file. Where every sink has what came before, that need not
// be read again whatever happens.
void TransactionImpl::note_appended(FileId id, FileHeld& held) const {
  const auto appended = appended_.find(id);
  if (appended != appended_.end()) {
    const bool first = held.known && held.source.value == 0;
    if (first || (held.known && passed(state_.lanes, held.source, held.block)))
      held.undelivered_from = appended->second.undelivered_from;
    held.source = appended->second.source;
    held.block = appended->second.block;
  }
  held.known = true;
}

Status TransactionImpl::erase_file(FileId id) { return erase(keyspace::file_key(id)); }

}  // namespace edgehose
