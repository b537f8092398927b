#include "buffer/epoch.h"

#include <sys/random.h>

#include <cerrno>
#include <vector>

#include "agent/base/log.h"
#include "buffer/keyspace.h"
#include "buffer/machine.h"

namespace edgehose {

Result<Epoch> draw_epoch() {
  Epoch epoch{};
  if (::getrandom(epoch.data(), epoch.size(), 0) != static_cast<ssize_t>(epoch.size()))
    return fail_errno(errno, "drawing the buffer's epoch");
  return epoch;
}

Result<bool> redraw_epoch_if_moved(lmdb::Transaction& txn, const std::string& directory,
                                   const std::string& root) {
  EH_ASSIGN(Machine now, look_at_machine(directory, root));
  EH_ASSIGN(const auto stored, txn.get(keyspace::machine_key()));
  Machine before;
  if (stored) {
    EH_ASSIGN(before, keyspace::decode_machine(*stored));
  }
  const std::vector<MachinePart> changed = differences(before, now);
  if (changed.empty()) {
    now.merge(Machine(before));  // what only others can read stays known
    if (now == before) return false;
    EH_TRY(txn.put(keyspace::machine_key(), keyspace::encode_machine(now)));
    return false;
  }
  EH_ASSIGN(const Epoch epoch, draw_epoch());
  EH_TRY(txn.put(keyspace::machine_key(), keyspace::encode_machine(now)));
  EH_TRY(txn.put(keyspace::epoch_key(), keyspace::encode_epoch(epoch)));
  std::string what(name(changed.front()));
  for (std::size_t i = 1; i < changed.size(); ++i) what += fmt::format(", {}", name(changed[i]));
  log::warn(
      "buffer: {} was copied, or moved to another machine or volume (what changed: {}): new "
      "records carry a new epoch, so that this copy and the original never share an identity",
      directory, what);
  return true;
}

}  // namespace edgehose
