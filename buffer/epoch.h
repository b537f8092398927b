// The epoch: 128 random bits in every identity, drawn when a buffer is created, and again where it
// is not the same buffer any more.
#pragma once

#include <string>

#include "agent/base/result.h"
#include "buffer/block.h"
#include "buffer/lmdb.h"

namespace edgehose {

Result<Epoch> draw_epoch();

// Where this buffer was made, to tell a cloned card or a copied directory (machine.h).
// Within a write transaction, at start: remembers the machine, or, where it is another one than
// before, draws a new epoch, logs it, and answers true. Old blocks keep their epoch.
Result<bool> redraw_epoch_if_moved(lmdb::Transaction& txn, const std::string& directory,
                                   const std::string& root = "");

}  // namespace edgehose
