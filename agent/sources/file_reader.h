// FileReader: hands the lines of tracked files to a RecordSink, a share at a time. One for each
// source; it bounds the source's open descriptors (least recently used closed first).
//
// Before a file that changed is read, its start and the bytes before the position are compared with
// what was read then: other bytes make it suspect, and a look decides what happened.
//
// Threading: the intake thread. Memory: one buffer of kChunk, one unfinished line, and one decoder
// (at most about 9 MiB, for a .zst of level 19) while a compressed rotation is read.
#pragma once

#include <algorithm>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "agent/sources/content.h"
#include "agent/sources/file_config.h"
#include "agent/sources/identity.h"
#include "agent/sources/source.h"
#include "agent/sources/tracked_file.h"

namespace edgehose {

constexpr std::size_t kChunk = 64 * 1024;    // what is read, checked and copied while it is near
constexpr std::size_t kShare = 1024 * 1024;  // of one file, before the next one's turn

// A compressed file that is being read: it cannot be read from the middle.
struct OpenContent {
  std::unique_ptr<ByteStream> bytes;
  Framer framer;
  std::string untaken;        // decoded, not framed: the sink was full
  std::uint64_t to_skip = 0;  // of what was read before
};

// The bytes in front of its position, by which it is known when it is visited again.
void remember_tail(TrackedFile& file, int fd);

enum class VisitEnd {
  kAtEnd,     // all that is there was read
  kMore,      // its share is used up, or the sink is full
  kSuspect,   // other bytes than were read before: a look must decide
  kDoubtful,  // written to without growing: a look must compare all that was read
  kMoved,     // its name leads to another file, or to none: a look must find it
  kUnclear,   // a rotation that may be another one's copy by now: a look must compare them
  kFailed,    // file.problem says why
};

// Files that could not be read since this was last told.
struct Failures {
  std::string first;  // why, of the first
  std::uint64_t files = 0;
};

struct ReadCounts {
  std::uint64_t bytes = 0, records = 0, truncated = 0;
  std::uint64_t lost = 0;  // bytes of compressed files that could not be read to their end
};

class FileReader {
 public:
  FileReader(const FileSourceConfig& config, const Clock& clock);

  // At most so many descriptors from now on, but at least one.
  void bound(std::uint64_t descriptors) { bound_ = std::max<std::uint64_t>(1, descriptors); }
  VisitEnd visit(TrackedFile& file, RecordSink& out);
  // Ships the unfinished last line as a partial record.
  void flush_partial(TrackedFile& file, RecordSink& out);
  // The descriptor of a file, opened where it is not.
  Result<int> descriptor(TrackedFile& file);
  void close(TrackedFile& file);
  const ReadCounts& counts() const { return counts_; }
  // Once a minute at most, so that a thousand files without permission are one line. None: nothing
  // is to be told now.
  std::optional<Failures> failures();
  // Bytes of contents read so far, whatever came of them.
  std::uint64_t touched() const { return touched_; }

 private:
  VisitEnd visit_plain(TrackedFile& file, RecordSink& out);
  VisitEnd visit_compressed(TrackedFile& file, RecordSink& out);
  VisitEnd skip_compressed(TrackedFile& file, RecordSink& out);
  VisitEnd read_compressed(TrackedFile& file, RecordSink& out);
  VisitEnd end_of_compressed(TrackedFile& file, RecordSink& out);
  VisitEnd cut_off(TrackedFile& file, RecordSink& out, const Error& error);
  bool verify(TrackedFile& file, const FileStat& stat);
  static bool may_be_rewritten(const TrackedFile& file, const FileStat& stat);
  static bool begins_in_a_rotation(const TrackedFile& file, const FileStat& stat);
  static bool may_be_written_over(const TrackedFile& file, const FileStat& stat);
  VisitEnd doubt(TrackedFile& file);
  bool verify_tail(TrackedFile& file);
  bool begin_line(TrackedFile& file);
  Status open_compressed(TrackedFile& file);
  Result<std::size_t> read_at(TrackedFile& file, char* out, std::size_t size, std::uint64_t offset);
  std::size_t frame(TrackedFile& file, Framer& framer, std::string_view bytes, RecordSink& out,
                    WallTime now);
  bool emit(TrackedFile& file, const Line& line, RecordSink& out, WallTime now);
  void used(TrackedFile& file);
  bool close_oldest(const TrackedFile& but);
  Result<FileDescriptor> open(const TrackedFile& file);
  VisitEnd failed(TrackedFile& file, const Error& error);

  const FileSourceConfig& config_;
  const Clock& clock_;
  StatCache stats_;
  std::vector<char> buffer_;
  Framer framer_;
  std::uint64_t bound_;
  std::list<TrackedFile*> open_;  // the most recently used first
  TrackedFile* decoding_ = nullptr;
  ReadCounts counts_;
  Failures failures_;
  std::optional<Instant> failures_told_;
  std::uint64_t touched_ = 0;
};

}  // namespace edgehose
