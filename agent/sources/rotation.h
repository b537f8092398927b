// What happened to the files between two looks: a pure function over what was known and what is
// there. It reads nothing: where names, numbers and sizes do not decide, it returns questions about
// bytes; the caller answers them in the snapshot and asks again. The table of cases: README.md.
//
// A *content* is what has a FileId and a position: bytes from 0 on that only grow. A file (an
// inode) may hold one content after another (copytruncate), and a content may move to another
// inode (a copy, a compressed rotation, a restore).
//
// Invariants of compare(): every seen file and every unfinished content gets exactly one change
// once there are no questions (a rotation that is overwritten: its content one, its file another;
// a hidden content that was not found elsewhere: none);
// the same questions are never asked twice if they were answered; a content is resumed in at most
// one place.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/sources/identity.h"
#include "buffer/state.h"

namespace edgehose {

struct KnownContent {
  std::string_view path;              // where it was last seen
  std::optional<std::size_t> source;  // who reads it; none: not known
  FileIdentity identity;
  std::uint64_t offset = 0;
  std::uint32_t crc = 0;
  bool crc_known = true;
  ContentMarks marks;     // CRCs of less of it
  bool finished = false;  // no longer at its inode; kept to recognise copies
  bool suspect = false;   // a visit found other bytes in its place
  bool doubtful = false;  // its time changed and its size did not: written anew, or only touched
  bool empty = false;     // a rotation without a byte: what is in it by now need not be its own
  bool complete = false;  // of a compressed file: all of it was read
  bool draining = false;  // its held descriptor still gives bytes, with or without a name
  bool same_boot = true;  // its position was written in this boot
  bool compressed = false;
  bool hidden = false;  // the directory it was in cannot be listed: whether it is there, who knows
  // Of the file, when its bytes were last compared. No time: not known.
  std::uint64_t size = 0;
  std::int64_t mtime_ns = 0;
};

struct ContentCrc {
  std::uint64_t length = 0;          // of content [0, length)
  std::optional<std::uint32_t> crc;  // none: the content ends before, or cannot be read
};

struct SeenFile {
  std::string_view path;
  std::size_t source = 0;  // who would read it
  FileStat stat;
  Format format = Format::kPlain;
  bool named = true;      // by a source's globs; else a neighbour of such a file
  bool excluded = false;  // a neighbour: only as the rest of what is known, or compressed
  bool quiet = true;      // size and time stood still for a while: no copy is being made
  bool waited_long =
      false;  // it never did: it is no copy but a log, unless its bytes say otherwise
  // First seen when nothing had been looked at since the process started, and not clear yet.
  bool first_look = false;
  // Answers; for a compressed file about what is inside.
  std::optional<std::string> head;  // at most kPrefixBytes
  bool unopened = false;            // it cannot be opened or read now: nothing can be asked
  bool unreadable = false;          // it is not (yet) what its name says
  bool hashing = false;             // an answer is being worked out, or left for the next look:
                                    // no other question now
  std::vector<ContentCrc> crcs;
};

struct Question {
  std::size_t seen = 0;
  std::optional<std::uint64_t> crc_length;  // none: the head is asked for
  bool operator==(const Question&) const = default;
};

enum class ChangeKind {
  kSame,         // still there, under the same name
  kRenamed,      // still there, under another name
  kNew,          // a content never seen before: from 0
  kSkipped,      // was there before this family was followed: noted, not read
  kTruncated,    // another content is in its place (seen: from 0); it may live on in a copy
  kOverwritten,  // of a rotation: another content is in its place, with a change of its own (kWait)
  kTailLost,     // a power cut took its end: go on at what is left
  kResumed,      // a copy of a known content: go on there where that was left
  kDuplicate,    // a copy whose every byte was read already
  kWait,         // not clear yet: look again
  kUnreadable,   // a compressed rotation that cannot be read
  kGone,         // not there any more
};

struct Change {
  ChangeKind kind = ChangeKind::kSame;
  std::optional<std::size_t> known, seen;
  std::uint64_t offset = 0;
  std::uint32_t crc = 0;
  bool crc_known = true;
  bool fresh = false;   // kNew: the first look, and nothing of its family was known
  bool settles = true;  // kWait: time or reading will decide it; false: somebody must let us read
  // kWait: it may have what was not read yet; what is younger comes after it.
  bool precedes = false;
  // kResumed, kDuplicate: its name is no rotation's of that content: taken for a copy by its bytes.
  bool by_bytes = false;
  // kDuplicate: of an archive that was skipped, told by its start, and its time or size.
  bool by_start = false;
};

struct Comparison {
  std::vector<Question> questions;  // not empty: answer them, then ask again
  std::vector<Change> changes;
  // By seen: it has the name of a rotation, and what it would be one of is known. "port-1" and
  // "app-20261126" may as well be logs.
  std::vector<bool> rotated;
};

Comparison compare(const std::vector<KnownContent>& before, const std::vector<SeenFile>& now);

}  // namespace edgehose
