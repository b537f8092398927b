// Rebuild: the small state of a salvaged buffer, made to agree with the blocks that were kept.
//
// It starts from the entries of the last commit where those are whole (`current`), else from the
// copies outside, which are up to 10 minutes old. Then:
//  - next block, sequence, file, claim and dead letter numbers move past everything seen; from old
//    copies far past it (kNumbersSkipped), so that none is ever given twice;
//  - the newest minis are listed as long as nothing is missing between them; sources that lost
//  their names are called "recovered-N";
//  - from old copies, files move on to the end of the newest block's extents, their hash unknown; a
//    file of which blocks are lost that were delivered nowhere moves back to the first of them, or,
//    where that is not known, to what every sink had for sure, to be read again: what was salvaged
//    or delivered behind it may then arrive twice (possible_duplicates);
//  - where nothing was kept beside old copies, the epoch is new: nothing tells how far they are
//  behind;
//  - files that came since the copies are those that a search found (found_files.h), and go on
//  behind their blocks, or from their start;
//  - the format stays what it was, but for what references need; unknown, it is the newest;
//  - every lane's equation holds again: what is neither delivered nor held is dropped(kCorrupt), or
//  dropped(kBufferFull) where there was no room for it;
//  - a claim stays where all its records are held, else it goes, with those of its lane behind it.
//
// Threading: one thread.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "buffer/codec.h"
#include "buffer/copies.h"
#include "buffer/found_files.h"
#include "buffer/keys.h"
#include "buffer/keyspace.h"
#include "buffer/salvage.h"

namespace edgehose {

constexpr std::uint64_t kSequencesSkipped = 1ull << 32;
constexpr std::uint64_t kNumbersSkipped = 1ull << 20;

struct Losses {
  Counter corrupt;           // of all lanes together, newly counted as dropped(kCorrupt)
  Counter left_out;          // the same, of dropped(kBufferFull)
  std::uint64_t claims = 0;  // given up: their records may be delivered twice
  bool new_epoch = false;
  std::vector<std::string> assumed;  // in words
};

class Rebuild {
 public:
  Rebuild(const ControlEntries& entries, bool current, Keyring& keys);

  // True where every lane over the block's source has passed it.
  bool delivered(const BlockSummary& block) const;
  // From which number on files may have come that the entries lack; none where nothing tells, or
  // where they are all that there are.
  std::optional<FileId> next_file() const;
  // Who files are that came later. How far they were read is told by the blocks that are kept.
  Status add_files(const FoundFiles& found);
  // A block that is there, and for which there is no room: what of it sinks lack is dropped,
  // because the buffer is full.
  void leave_out(const BlockSummary& block);
  // A block that is kept, in order of numbers. `read` gives all of it, where a position lies
  // inside.
  void keep(const BlockHeader& header, const std::function<Result<std::string>()>& read);
  Result<ControlEntries> finish(Losses& losses);

 private:
  struct Kept {
    BlockNumber number;
    SourceId source;
    Sequence first;
    Counter size;
    bool mini = false;
  };
  struct FileEnd {
    BlockNumber block;        // the newest that was kept, and where its extents end
    std::uint64_t begin = 0;  // of the oldest
    std::uint64_t end = 0;
    bool newer = false;                // that block is newer than the entries
    bool undelivered_after = false;    // no lane has passed what came after it
    std::optional<std::uint64_t> gap;  // where the first lost and undelivered bytes begin
    std::uint64_t behind_gap = 0;      // records that were kept behind it
    std::uint64_t records = 0;         // that were kept
    SourceId source;
  };
  static bool over(const LaneKey& lane, SourceId source) {
    return lane.source == source || lane.source.value == 0;
  }
  void decode(const ControlEntries& entries);
  void note_partial(const BlockHeader& header, const std::function<Result<std::string>()>& read);
  void note_extents(const BlockHeader& header);
  bool undelivered_after(const BlockHeader& header) const;
  SourceState& source(SourceId id);
  std::vector<BlockNumber> newest_minis(const SourceState& source) const;
  void advance_sources(Losses& losses);
  Counter held(const LaneKey& lane, Position from, std::optional<Position> to) const;
  void settle_claims(Losses& losses);
  void settle_lanes(Losses& losses);
  void advance_counters();
  Status encode_files(Losses& losses);
  std::uint64_t settled_offset(FileId id, const FileState& file);
  bool is_passed(const FileHeld& held) const;
  bool lost_before_kept(SourceId source) const;
  void count_read_again();

  bool current_;
  Keyring& keys_;
  ControlEntries entries_;  // what is not decoded below stays verbatim
  std::optional<Epoch> epoch_;
  keyspace::FormatVersion format_ = keyspace::kFormat;  // the buffer's, with references
  keyspace::Counters counters_;
  bool counters_known_ = false;
  std::map<SourceId, SourceState> sources_;
  std::map<SourceId, Counter> new_;      // committed since the copies
  std::map<LaneKey, Counter> left_out_;  // what there was no room for
  std::map<LaneKey, Counter> lost_;      // what was neither delivered nor kept
  struct ReadAgain {
    std::uint64_t bytes = 0;    // that positions go back
    std::uint64_t records = 0;  // of them in blocks that were kept
  };
  std::map<SourceId, ReadAgain> again_;
  std::map<SourceId, std::uint64_t>
      missing_behind_;  // records, in gaps behind a block that was kept
  std::map<LaneKey, LaneState> lanes_;
  std::map<ClaimId, Claim> claims_;
  std::uint64_t replays_ = 0;  // that there were
  std::vector<Kept> kept_;
  std::map<FileId, FileEnd> file_ends_;
  FileId last_file_;
  std::map<Position, std::uint64_t> partial_;  // raw bytes of a block before a position in it
};

}  // namespace edgehose
