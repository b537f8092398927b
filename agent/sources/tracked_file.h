// TrackedFile: one content that is or was followed (rotation.h says what a content is), with its
// position. Owned by the FileTable, read by the FileReader of its source.
//
// Threading: the intake thread.
#pragma once

#include <memory>
#include <string>

#include "agent/base/file.h"
#include "agent/base/types.h"
#include "agent/sources/framer.h"
#include "agent/sources/identity.h"
#include "buffer/state.h"

namespace edgehose {

struct OpenContent;  // file_reader.h

struct TrackedFile {
  TrackedFile();
  ~TrackedFile();

  FileId id;
  std::size_t source = 0;  // who reads it
  std::string path;
  FileIdentity identity;
  LinePosition line;  // line.begin is the position: what was handed in
  FileNote note;
  Format format = Format::kPlain;
  bool crc_known = true;
  bool finished = false;  // its content is no longer there; kept to recognise copies
  bool same_boot = true;
  bool owned = false;     // false: known from the store only, not seen since the start
  bool selected = false;  // its path told whose it is when it was loaded
  WallTime seen;

  // As of the last look.
  std::uint64_t size = 0;
  std::int64_t mtime_ns = 0;
  std::uint64_t device = 0;  // this boot's number
  bool in_memory = false;
  bool rotated = false;         // Comparison::rotated
  bool empty_rotation = false;  // it had a rotation's name when it had no byte yet
  bool gone = false;            // no name leads to it
  Instant renamed{};            // when its name was last seen to change, or to go
  Instant gone_since{};
  std::uint64_t goal = 0;     // its size at the first look
  std::uint64_t at_risk = 0;  // bytes of a vanished content not read; counted lost after a while

  // Of the reader.
  FileDescriptor fd;
  std::unique_ptr<OpenContent> content;  // of a compressed file
  // As it was when its bytes were last compared, maybe in an earlier life.
  std::uint64_t verified_size = UINT64_MAX;
  std::int64_t verified_mtime_ns = 0;
  bool visited = false;  // compared in this life
  // As it was before its last fdatasync: while it is still so, nothing of it is new to the disk.
  std::uint64_t durable_size = UINT64_MAX;
  std::int64_t durable_mtime_ns = 0;
  Instant grown{};  // when bytes were last found
  // Since when its time is another and its size is not. A write that is under way shows so, too.
  Instant doubted{};
  Instant unclear_since{};  // since when visits leave it to looks where it is, or what is in it
  bool suspect = false;     // its bytes are not those that were read: look again
  bool queued = false;
  // Readers that still point to it, or it is not to be forgotten yet: a file that goes to another
  // source's glob is of two for a while.
  int open_lists = 0;
  bool in_partial_list = false;  // so does the source
  std::string problem;           // why it cannot be read, as far as that may pass

  // Of the checkpoint.
  bool dirty = false;
  std::uint64_t committed = 0;

  bool compressed() const { return format != Format::kPlain; }
  // A rotation that had no byte yet: a copy may be put there.
  bool empty() const { return empty_rotation && line.scanned == 0 && identity.prefix_length == 0; }
  // As far as its size tells.
  bool has_unread() const {
    return !finished && !note.complete && (compressed() || size > line.scanned);
  }
  bool to_be_read() const {
    return has_unread() || (!finished && !note.complete && !same_as_verified());
  }
  // All that was handed in is on the disk already.
  bool durable() const {
    return durable_size == size && durable_mtime_ns == mtime_ns && line.begin <= durable_size;
  }
  // Of one whose note says that it is unreadable: what of it is lost, and what to do.
  std::string lost_text() const;
  bool same_as_verified() const { return verified_size == size && verified_mtime_ns == mtime_ns; }
};

}  // namespace edgehose
