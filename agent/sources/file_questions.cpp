// The questions of a look: compare() asks about bytes, and the files that were seen answer.
#include <fcntl.h>

#include "agent/sources/content.h"
#include "agent/sources/descriptors.h"
#include "agent/sources/file_table.h"

namespace edgehose {
namespace {

constexpr int kMaxRounds = 64;    // of questions in one look; the rest waits for the next
constexpr int kMaxUndecided = 5;  // looks in a row that names which change all the time may spoil

Result<std::string> read_head(ByteStream& content) {
  std::string head(kPrefixBytes, '\0');
  std::size_t filled = 0;
  while (filled < head.size()) {
    EH_ASSIGN(const std::size_t got, content.read(head.data() + filled, head.size() - filled));
    if (got == 0) break;
    filled += got;
  }
  head.resize(filled);
  return head;
}

}  // namespace

std::vector<Change> FileTable::decide(Look& look) {
  for (int round = 0; round < kMaxRounds; ++round) {
    Comparison comparison = compare(look.before, look.now);
    for (std::size_t i = 0; i < look.now.size(); ++i)
      look.found.files[i].rotated = comparison.rotated[i];
    if (comparison.questions.empty()) return std::move(comparison.changes);
    for (const Question& question : comparison.questions) {
      const SeenFile& seen = look.now[question.seen];
      if (seen.hashing || seen.unopened || answer(look, question)) continue;
      look.undecided = look.soon = true;
      return {};
    }
    // What it is still about waits. All others are decided: there may always be one such file.
    look.unanswered = round + 1 == kMaxRounds;
    if (look.unanswered)
      for (SeenFile& seen : look.now) seen.hashing = true;
  }
  return compare(look.before, look.now).changes;
}

// The file that was seen, not another one that has its name by now (kNotFound).
Result<FileDescriptor> FileTable::open_seen(const FoundFile& found) {
  Observed& kept = observed(found.stat);
  FileDescriptor file(kept.fd.valid() ? ::fcntl(kept.fd.get(), F_DUPFD_CLOEXEC, 0) : -1);
  if (file.valid()) return file;
  EH_ASSIGN(file, open_file(found.path, O_RDONLY | O_NONBLOCK | O_NOCTTY));
  EH_ASSIGN(const FileStat stat, stats_.descriptor(file.get()));
  if (!same_inode(identity_of(found.stat, {}), stat) || stat.device != found.stat.device)
    return fail(ErrorCode::kNotFound, "{} is another file now", found.path);
  return file;
}

// The answer goes into the snapshot and, where the file itself gave it, is kept while the file
// stays as it is. False: names changed under our hands, and nothing of this look may be believed.
// Where that goes on, as with a file that is replaced all the time, that one alone is left out.
bool FileTable::answer(Look& look, const Question& question) {
  SeenFile& seen = look.now[question.seen];
  // A known file that was not watched until now.
  if (!observed_.contains({seen.stat.device, seen.stat.inode}))
    seen.quiet = quiet(observed(seen.stat));
  const Status read = read_answer(look.found.files[question.seen], seen, question);
  if (!read && read.error().code == ErrorCode::kNotFound) {
    seen.unopened = true;
    observed(seen.stat).refused = false;
    return undecided_ >= kMaxUndecided;
  }
  const bool damaged = !read && (read.error().code == ErrorCode::kCorrupt ||
                                 read.error().code == ErrorCode::kUnsupported);
  if (!read && !damaged) {
    seen.unopened = true;
    starved_ = starved_ || wants_descriptor(read.error());
    tell_unopened(look.found.files[question.seen], read.error());
    return true;
  }
  if (!question.crc_length)
    seen.unreadable = damaged;
  else if (damaged)
    seen.crcs.push_back({*question.crc_length, std::nullopt});
  Observed& kept = observed(seen.stat);
  kept.head = seen.head;
  kept.unreadable = seen.unreadable;
  kept.crcs = seen.crcs;
  return true;
}

Status FileTable::read_answer(const FoundFile& found, SeenFile& seen, const Question& question) {
  if (!question.crc_length) {
    EH_ASSIGN(FileDescriptor file, open_seen(found));
    EH_ASSIGN(const auto content, open_content(std::move(file), seen.format));
    EH_ASSIGN(seen.head, read_head(*content));
    return {};
  }
  EH_ASSIGN(const auto crc, hash(found, seen.format, *question.crc_length));
  seen.hashing = !crc;
  if (crc) seen.crcs.push_back(*crc);
  return {};
}

void FileTable::tell_unopened(const FoundFile& found, const Error& error) {
  observed(found.stat).refused = true;
  std::string& problem = sources_[found.selection]->listing_problem;
  if (!problem.empty()) return;
  problem = error.message;
  if (error.code == ErrorCode::kPermission) problem += "; " + how_to_grant(found.path, false);
  if (wants_descriptor(error)) problem += "; " + how_to_raise(error.sys);
}

}  // namespace edgehose
