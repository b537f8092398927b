#include "buffer/set_aside.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "agent/base/file.h"
#include "agent/base/log.h"
#include "agent/base/text.h"
#include "buffer/archive.h"
#include "buffer/epoch.h"
#include "buffer/keys.h"
#include "buffer/keyspace.h"
#include "buffer/lmdb.h"
#include "buffer/quarantine.h"
#include "buffer/rebuild.h"

namespace edgehose {
namespace {

constexpr std::string_view kPrefix = "set-aside-";
constexpr std::string_view kMoving = "set-aside.moving";  // until everything is in it

std::string in(const std::string& directory, std::string_view name) {
  return directory + "/" + std::string(name);
}

std::vector<std::string> names_in(const std::string& directory) {
  std::vector<std::string> names;
  if (DIR* dir = ::opendir(directory.c_str())) {
    while (const dirent* entry = ::readdir(dir)) names.emplace_back(entry->d_name);
    ::closedir(dir);
  }
  std::ranges::sort(names);
  return names;
}

std::uint64_t allocated_in(const std::string& directory) {
  std::uint64_t sum = 0;
  for (const std::string& name : names_in(directory))
    if (std::error_code error; std::filesystem::is_regular_file(in(directory, name), error))
      sum += allocated_bytes(in(directory, name));
  return sum;
}

Status move(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) == 0) return {};
  return fail_errno(errno, fmt::format("renaming {} to {}", from, to));
}

// --- what the new buffer takes over --------------------------------------------------------------

class Takeover {
 public:
  Takeover(const ControlEntries& old, const StoreOptions& options) : old_(old), options_(options) {}

  Result<ControlEntries> run() {
    using namespace keyspace;
    EH_TRY(open_keys());
    for (const auto& [key, value] : old_) {
      if (const auto id = parse_file_key(key))
        EH_TRY(take_file(*id, value));
      else if (key.starts_with(kSinkPrefix))
        EH_TRY(take_sink(key, value));
      else if (key.starts_with(kSourcePrefix))
        pass_source(key, value);
    }
    EH_ASSIGN(const Epoch epoch, draw_epoch());
    entries_[format_key()] = encode_format(kFormat);
    entries_[epoch_key()] = encode_epoch(epoch);
    entries_[counters_key()] = encode_counters(next_numbers(), kFormat);
    return std::move(entries_);
  }

  std::uint64_t files() const { return files_; }
  std::uint64_t left_out() const { return left_out_; }

 private:
  // A key that is not there is brought back by a person: then nothing is taken over by half.
  Status open_keys() {
    std::vector<std::string> wrapped;
    for (const auto& [key, value] : old_)
      if (key.starts_with(keyspace::kDataKeyPrefix)) wrapped.push_back(value);
    EH_ASSIGN(keys_, Keyring::open_whole(wrapped, options_.keys));
    for (const auto& [key, value] : old_)
      if (key.starts_with(keyspace::kDataKeyPrefix) &&
          std::ranges::find(wrapped, value) != wrapped.end())
        entries_[key] = value;
    for (const WrappedKey& key : keys_.to_write())
      entries_[keyspace::data_key_key(key.id)] = key.bytes;
    return {};
  }

  // What was read of it lies in the other buffer: no salvage of this one goes back behind it.
  Status take_file(FileId id, const std::string& value) {
    next_file_ = std::max(next_file_, id + 1);
    const std::string key = keyspace::file_key(id);
    const auto plain = keys_.open_value(key, value);
    auto file = plain ? keyspace::decode_file(*plain) : tl::unexpected(plain.error());
    if (!file) {
      ++left_out_;
      return {};
    }
    file->held = {true, SourceId(), BlockNumber(), file->offset};
    EH_ASSIGN(entries_[key],
              keys_.seal_value(key, keyspace::encode_file(*file, keyspace::kFormat)));
    ++files_;
    return {};
  }

  Status take_sink(const std::string& key, const std::string& value) {
    const auto sink = keyspace::decode_sink(key, value);
    if (!sink) return {};
    next_sink_ = std::max(next_sink_, sink->id + 1);
    entries_[key] = keyspace::encode_sink(*sink, keyspace::kFormat);
    return {};
  }

  void pass_source(const std::string& key, const std::string& value) {
    const auto source = keyspace::decode_source(key, value);
    if (!source) return;
    next_source_ = std::max(next_source_, source->id + 1);
    first_sequence_ = std::max(first_sequence_, source->next_sequence);
  }

  keyspace::Counters next_numbers() const {
    keyspace::Counters next;
    if (old_.empty()) return next;
    if (const auto entry = old_.find(keyspace::counters_key()); entry != old_.end())
      if (const auto counters = keyspace::decode_counters(entry->second)) next = *counters;
    next.next_block = next.next_block + kNumbersSkipped;
    next.next_claim = next.next_claim + kNumbersSkipped;
    next.next_dead_letter += kNumbersSkipped;
    next.next_source = std::max(next.next_source, next_source_);
    next.next_sink = std::max(next.next_sink, next_sink_);
    next.next_file = std::max(next.next_file, next_file_) + std::uint32_t{kNumbersSkipped};
    next.first_sequence = std::max(next.first_sequence, first_sequence_) + kSequencesSkipped;
    return next;
  }

  const ControlEntries& old_;
  const StoreOptions& options_;
  Keyring keys_;
  ControlEntries entries_;
  FileId next_file_{1};
  SinkId next_sink_{1};
  SourceId next_source_{1};
  Sequence first_sequence_{1};
  std::uint64_t files_ = 0, left_out_ = 0;
};

// Of a buffer of this major version; else they may mean anything.
bool may_be_taken(const ControlEntries& entries) {
  const auto entry = entries.find(keyspace::format_key());
  const auto format = entry == entries.end()
                          ? Result<keyspace::FormatVersion>(fail(ErrorCode::kNotFound, "no format"))
                          : keyspace::decode_format(entry->second);
  return format && format->major == keyspace::kFormat.major;
}

Status make_buffer(const std::string& path, const ControlEntries& entries,
                   const StoreOptions& options) {
  EH_TRY(lmdb::Environment::create(path, [](lmdb::Transaction& txn) -> Status {
    return txn.put(keyspace::format_key(), keyspace::encode_format(keyspace::kFormat));
  }));
  EH_ASSIGN(lmdb::Environment env,
            lmdb::Environment::open(path, lmdb::map_size_for(options.max_size), false));
  EH_ASSIGN(lmdb::Transaction txn, env.begin_write());
  for (const auto& [key, value] : entries) EH_TRY(txn.put(key, value));
  EH_TRY(txn.commit());
  env.close();
  ::unlink((path + "-lock").c_str());
  return {};
}

// Everything that belongs to the buffer, which goes first: without it, data_dir is known to be
// half moved.
Status move_files(const std::string& data_dir) {
  const std::string moving = in(data_dir, kMoving);
  std::vector<std::string> names{std::string(keyspace::kEnvironmentFile)};
  for (const std::string_view copy : kCopyFiles) names.emplace_back(copy);
  for (const ArchiveFile& archive : archive_files(data_dir))
    names.push_back(archive.path.substr(data_dir.size() + 1));
  for (const std::string& name : names)
    if (name_exists(in(data_dir, name))) EH_TRY(move(in(data_dir, name), in(moving, name)));
  ::unlink((in(data_dir, keyspace::kEnvironmentFile) + "-lock").c_str());
  return sync_directory(moving);
}

// Where it is from then on.
Result<std::string> end_moving(const std::string& data_dir, const Clock& clock) {
  const std::string to = free_name(in(data_dir, kPrefix), clock);
  EH_TRY(move(in(data_dir, kMoving), to));
  EH_TRY(sync_directory(data_dir));
  return to;
}

std::string positions_text(bool current, bool known, const Takeover& taken) {
  if (!known)
    return "nothing tells how far files were read: they are read by start_at, and what was read "
           "of them before may arrive twice";
  std::string text = format_count(taken.files(), "file goes", "files go") + " on where " +
                     (taken.files() == 1 ? "it was" : "they were") + " read to";
  if (!current) text += ", as of the last copy: what was read since is read again";
  if (taken.left_out() > 0)
    text +=
        fmt::format("; {} unknown", format_count(taken.left_out(), "position is", "positions are"));
  return text;
}

}  // namespace

std::vector<SetAside> set_aside_buffers(const std::string& data_dir) {
  std::vector<SetAside> found;
  for (const std::string& name : names_in(data_dir))
    if (name.starts_with(kPrefix) &&
        name_exists(in(in(data_dir, name), keyspace::kEnvironmentFile)))
      found.push_back({in(data_dir, name), allocated_in(in(data_dir, name))});
  return found;  // the time is in the name
}

bool is_unreadable(const Error& error) {
  return error.code == ErrorCode::kUnsupported && error.sys == 0;
}

Status set_aside(const StoreOptions& options, const Clock& clock, const Error& why,
                 ControlEntries entries) {
  const std::string& data_dir = options.directory;
  if (!options.sets_aside) return tl::unexpected(why);
  if (set_aside_buffers(data_dir).size() >= kMaxSetAside)
    return fail(ErrorCode::kUnsupported,
                "{}. {} buffers are set aside in {} already: have one delivered, or move it away; "
                "nothing was changed",
                why.message, kMaxSetAside, data_dir);
  const bool current = !entries.empty();
  if (!current) entries = read_copies(data_dir).value_or(ControlEntries{});
  const bool known = may_be_taken(entries);
  if (!known) entries.clear();
  Takeover taken(entries, options);
  EH_ASSIGN(const ControlEntries begin, taken.run());

  const std::string path = in(data_dir, keyspace::kEnvironmentFile);
  EH_TRY(make_directories(in(data_dir, kMoving), 0750));
  EH_TRY(make_buffer(path + ".salvaging", begin, options));
  EH_TRY(move_files(data_dir));
  EH_ASSIGN(const std::string to, end_moving(data_dir, clock));
  EH_TRY(lmdb::Environment::move_into_place(path + ".salvaging", path));
  log::error(
      "buffer: {}. It is set aside, whole, as {}: what it holds is delivered when the release or "
      "machine that wrote it runs here again, or has it as its data_dir. A new buffer begins; {}",
      why.message, to, positions_text(current, known, taken));
  return {};
}

Status finish_setting_aside(const StoreOptions& options, const Clock& clock) {
  const std::string moving = in(options.directory, kMoving);
  if (!name_exists(moving)) return {};
  if (!name_exists(in(moving, keyspace::kEnvironmentFile))) {
    if (::rmdir(moving.c_str()) == 0 || errno == ENOENT) return {};
    return fail_errno(errno, fmt::format("removing {}", moving));
  }
  // A release that knows nothing of this may have put the new buffer in place meanwhile.
  if (!name_exists(in(options.directory, keyspace::kEnvironmentFile)))
    EH_TRY(move_files(options.directory));
  EH_ASSIGN(const std::string to, end_moving(options.directory, clock));
  log::error("buffer: one that cannot be read here was being set aside: it is {} now", to);
  return {};
}

}  // namespace edgehose
