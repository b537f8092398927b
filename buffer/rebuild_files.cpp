// Rebuild: who files are and where they are read from.
#include <algorithm>

#include "agent/base/text.h"
#include "buffer/rebuild.h"

namespace edgehose {

std::optional<FileId> Rebuild::next_file() const {
  return counters_known_ && !current_ ? std::optional(counters_.next_file) : std::nullopt;
}

Status Rebuild::add_files(const FoundFiles& found) {
  std::map<FileId, FileState> known;
  for (const auto& [key, value] : entries_) {
    const auto id = keyspace::parse_file_key(key);
    if (!id) continue;
    EH_ASSIGN(const std::string plain, keys_.open_value(key, value));
    EH_ASSIGN(known[*id], keyspace::decode_file(plain));
  }
  for (const auto& [id, file] : found.certain(known)) {
    const std::string key = keyspace::file_key(id);
    EH_ASSIGN(entries_[key], keys_.seal_value(key, keyspace::encode_file(file, format_)));
  }
  return {};
}

void Rebuild::note_extents(const BlockHeader& header) {
  const bool newer = !current_ && header.number >= counters_.next_block;
  const bool undelivered = undelivered_after(header);
  for (const Extent& e : header.extents) {
    last_file_ = std::max(last_file_, e.file);
    if (e.file.value == 0) continue;
    FileEnd& file = file_ends_[e.file];
    const bool follows = file.block.value != 0 && file.block != header.number;
    if (follows && e.begin > file.end && file.undelivered_after && !file.gap) file.gap = file.end;
    if (!follows && file.block.value == 0) file.begin = e.begin;
    file.records += e.records;
    if (file.gap) file.behind_gap += e.records;
    file.block = header.number;
    file.end = e.end;
    file.newer = newer;
    file.undelivered_after = undelivered;
    file.source = header.source;
  }
}

bool Rebuild::undelivered_after(const BlockHeader& header) const {
  return std::ranges::none_of(lanes_, [&](const auto& lane) {
    return over(lane.first, header.source) && lane.second.cursor > Position{header.number + 1, 0};
  });
}

// Nothing of a source whose blocks before the first one that was kept are lost tells which file
// they came from.
bool Rebuild::lost_before_kept(SourceId source) const {
  const auto behind = missing_behind_.find(source);
  const std::uint64_t explained = behind == missing_behind_.end() ? 0 : behind->second;
  return std::ranges::any_of(lost_, [&](const auto& lost) {
    return over(lost.first, source) && lost.second.records > explained;
  });
}

// Whether every sink has all of what was read of the file.
bool Rebuild::is_passed(const FileHeld& held) const {
  if (held.known) return held.source.value == 0 || passed(lanes_, held.source, held.block);
  return !lanes_.empty() &&
         std::ranges::none_of(lost_, [](const auto& lost) { return lost.second.records > 0; });
}

// Where the file is read from.
std::uint64_t Rebuild::settled_offset(FileId id, const FileState& file) {
  const auto ends = file_ends_.find(id);
  if (ends == file_ends_.end())
    return is_passed(file.held) ? file.offset : std::min(file.offset, file.held.undelivered_from);
  const FileEnd& kept = ends->second;
  std::uint64_t offset = kept.newer ? kept.end : file.offset;
  if (kept.undelivered_after) offset = std::min(offset, kept.end);
  if (kept.gap) offset = std::min(offset, *kept.gap);
  if (kept.begin > file.held.undelivered_from && !is_passed(file.held) &&
      lost_before_kept(kept.source))
    offset = std::min(offset, file.held.undelivered_from);
  return offset;
}

Status Rebuild::encode_files(Losses& losses) {
  std::uint64_t again = 0;
  for (auto& [key, value] : entries_) {
    const auto id = keyspace::parse_file_key(key);
    if (!id) continue;
    EH_ASSIGN(const std::string plain, keys_.open_value(key, value));
    EH_ASSIGN(FileState file, keyspace::decode_file(plain));
    const std::uint64_t offset = settled_offset(*id, file);
    if (offset == file.offset) continue;
    const auto kept = file_ends_.find(*id);
    const std::uint64_t reached =
        std::max(file.offset, kept == file_ends_.end() ? 0 : kept->second.end);
    if (offset < reached) {
      ++again;
      ReadAgain& more = again_[kept == file_ends_.end() ? file.held.source : kept->second.source];
      more.bytes += reached - offset;
      if (kept != file_ends_.end())
        more.records +=
            offset < kept->second.begin ? kept->second.records : kept->second.behind_gap;
      file.finished = false;
    }
    file.offset = offset;
    file.crc_known = false;
    EH_ASSIGN(value, keys_.seal_value(key, keyspace::encode_file(file, format_)));
  }
  count_read_again();
  if (again > 0)
    losses.assumed.push_back(fmt::format("{} read again from where undelivered blocks were lost",
                                         format_count(again, "file")));
  return {};
}

// What is read again and was not lost arrives twice: what was kept, and, by the lane's mean record,
// what was delivered.
void Rebuild::count_read_again() {
  for (const auto& [source, again] : again_) {
    for (auto& [key, lane] : lanes_) {
      if (source.value != 0 && !over(key, source)) continue;
      const std::uint64_t bytes = again.bytes - std::min(again.bytes, lost_[key].bytes);
      const std::uint64_t mean =
          lane.committed.records == 0 ? 1 : lane.committed.bytes / lane.committed.records;
      const std::uint64_t delivered =
          std::min(lane.delivered.records, bytes / std::max<std::uint64_t>(mean, 1));
      lane.possible_duplicates += std::max(again.records, delivered);
    }
  }
}

}  // namespace edgehose
