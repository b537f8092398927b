// Copies outside: the small state of the environment (format, epoch, wrapped data keys, names,
// cursors, counters, claims, file positions) in a file of its own, so that damage to the
// environment does not take it along. Dead letters and blocks are not in it.
//
//   "EHCOPY1\n" | count u64 | for each: varint length, key, varint length, value | CRC-32C u32 of all before
//
// Keys and values stand verbatim: encrypted ones stay encrypted. Written aside and renamed.
// Threading: pure functions of the file system and a transaction.
#pragma once

#include <map>
#include <string>

#include "agent/base/result.h"
#include "buffer/lmdb.h"

namespace edgehose {

constexpr std::string_view kCopyFile = "buffer.copy";
constexpr std::size_t kMaxCopyBytes = 64u << 20;

using ControlEntries = std::map<std::string, std::string, std::less<>>;

// Keys that a copy holds: all but blocks, dead letters and the clean mark.
bool is_control_key(std::string_view key);

Result<ControlEntries> read_control_entries(const lmdb::Transaction& txn);

// Writes `directory`/buffer.copy: at a start, every 10 minutes, at a clean stop, and when names or
// files came, then so rarely that it stays below 64 KiB a minute.
Status write_copies(const std::string& directory, const lmdb::Transaction& txn);

// kNotFound: there is none; kCorrupt: it is damaged.
Result<ControlEntries> read_copies(const std::string& directory);

}  // namespace edgehose
