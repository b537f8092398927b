// Copies outside: the small state of the environment (format, epoch, wrapped data keys, names,
// cursors, counters, claims, file positions) in a file of its own, so that damage to the
// environment does not take it along. Dead letters and blocks are not in it. The format of such a
// file: copy_file.h.
//
// Keys and values stand verbatim: encrypted ones stay encrypted. There are two files, overwritten
// in turn and synced, so that one is whole at any instant: writing aside and renaming costs a small
// file twenty pages of the file system's journal and tables, ten times what it holds. A copy is
// written and compared in bounded memory, however large it is; only read_copies() holds one.
//
// Threading: pure functions of the file system and a transaction.
#pragma once

#include <array>
#include <map>
#include <string>

#include "agent/base/result.h"
#include "buffer/lmdb.h"

namespace edgehose {

constexpr std::array<std::string_view, 2> kCopyFiles{"buffer.copy", "buffer.copy2"};

using ControlEntries = std::map<std::string, std::string, std::less<>>;

// Keys that a copy holds: all but blocks, dead letters and the clean mark.
bool is_control_key(std::string_view key);

// Writes the older of the two, of at most kMaxCopyBytes: at a start, every 10 minutes, at a clean
// stop, and when names or files came, then so rarely that it stays below 64 KiB a minute.
Status write_copies(const std::string& directory, const lmdb::Transaction& txn);

// The newer of those that are whole. kNotFound: there is none; kCorrupt: they are damaged.
Result<ControlEntries> read_copies(const std::string& directory);

// The larger one's size; 0 where there is none.
std::uint64_t copy_bytes(const std::string& directory);

// True where there were some.
bool remove_copies(const std::string& directory);

}  // namespace edgehose
