#include "agent/sources/file_table.h"

#include <fcntl.h>
#include <sys/epoll.h>

#include <algorithm>

#include "agent/base/log.h"
#include "agent/base/text.h"
#include "agent/sources/file_reader.h"

namespace edgehose {

using namespace std::chrono_literals;

namespace {

// Under a stream of small writes we wake this often, not at each of them.
constexpr Duration kCoalesce = std::chrono::milliseconds(50);
constexpr std::size_t kErasedAtOnce = 1024;  // entries that one commit forgets
constexpr Duration kMinPoll = std::chrono::milliseconds(100);
constexpr const char* kBootIdFile = "/proc/sys/kernel/random/boot_id";

std::string this_boot() {
  auto id = read_file(kBootIdFile, 64);
  if (!id) return {};
  while (!id->empty() && id->back() == '\n') id->pop_back();
  return *id;
}

Duration shortest_poll(const std::vector<FileSourceConfig>& configs) {
  Duration shortest = std::chrono::hours(1);
  for (const FileSourceConfig& config : configs)
    shortest = std::min(shortest, config.poll_interval);
  return std::max(shortest, kMinPoll);
}

FileAge age_of(const TrackedFile& file) {
  const bool in_use = !file.gone && !has_rotated_name(file.path);
  return {in_use, file.mtime_ns, file.identity.birth_ns, file.id.value};
}

auto oldest_of(const std::vector<TrackedFile*>& files) {
  return std::ranges::min_element(files, {}, [](const TrackedFile* file) { return age_of(*file); });
}

std::size_t family_key(std::string_view path) { return std::hash<std::string>{}(family_of(path)); }

}  // namespace

FileTable::FileTable(std::vector<FileSourceConfig> configs, Store& store, const Clock& clock,
                     FileEnvironment environment)
    : store_(store),
      clock_(clock),
      environment_(std::move(environment)),
      watcher_(environment_.inotify, environment_.max_watches),
      events_(::epoll_create1(EPOLL_CLOEXEC)),
      poll_interval_(shortest_poll(configs)),
      loaded_at_(clock.now()) {
  if (environment_.boot_id.empty()) environment_.boot_id = this_boot();
  for (FileSourceConfig& config : configs)
    sources_.push_back(std::make_unique<SourceFiles>(std::move(config)));
  listen(true);
}

FileTable::~FileTable() = default;

Result<std::shared_ptr<FileTable>> FileTable::load(std::vector<FileSourceConfig> configs,
                                                   Store& store, const Clock& clock,
                                                   FileEnvironment environment) {
  std::vector<FileSelection> selections;
  for (const FileSourceConfig& config : configs) {
    auto selection = parse_selection(config.paths, config.exclude);
    if (!selection)
      return tl::unexpected(std::move(selection).error().with_context("sources." + config.name));
    selections.push_back(std::move(*selection));
  }
  std::shared_ptr<FileTable> table(
      new FileTable(std::move(configs), store, clock, std::move(environment)));
  table->selections_ = std::move(selections);
  EH_TRY(table->load_positions());
  return table;
}

Status FileTable::load_positions() {
  EH_ASSIGN(const std::vector<SourceState> known, store_.sources());
  for (const std::unique_ptr<SourceFiles>& source : sources_) {
    const auto state = std::ranges::find(known, source->config.name, &SourceState::name);
    if (state == known.end()) continue;
    source->known_before = true;
    source->losses = source->committed = state->losses;
  }
  EH_TRY(store_.for_each_file([this](FileId id, const FileState& state) {
    auto file = std::make_unique<TrackedFile>();
    file->id = id;
    file->path = state.path;
    auto by = selecting(selections_, state.path);
    if (!by) by = selecting(selections_, family_of(state.path));
    file->selected = by.has_value();
    file->source = by.value_or(0);
    file->identity = state.identity;
    file->line = {state.offset, state.offset, state.crc, state.crc};
    file->crc_known = state.crc_known;
    file->finished = state.finished;
    file->seen = state.seen;
    file->committed = state.offset;
    file->note = decode_note(state.note);
    file->same_boot = file->note.boot_id == environment_.boot_id;
    file->empty_rotation = state.identity.prefix_length == 0 && has_rotated_name(state.path);
    if (file->note.mtime_ns != 0) {
      file->verified_size = file->note.size;
      file->verified_mtime_ns = file->note.mtime_ns;
    }
    file->format = file->note.compressed ? Format::kGzip : Format::kPlain;  // until it is seen
    served_before_ = std::max(served_before_, file->note.last_seen);
    files_.emplace(id.value, std::move(file));
  }));
  for (const auto& [id, file] : files_)
    if (file->note.last_seen == 0) file->note.last_seen = served_before_;
  return {};
}

std::uint64_t FileTable::service_seconds() const {
  return served_before_ + static_cast<std::uint64_t>((clock_.now() - loaded_at_) / 1s);
}

void FileTable::saw(TrackedFile& file) const {
  file.seen = clock_.wall();
  file.note.last_seen = service_seconds();
}

// --- events --------------------------------------------------------------------------------------

void FileTable::listen(bool on) {
  if (watcher_.fd() < 0 || on == listening_) return;
  epoll_event event{};
  event.events = EPOLLIN;
  ::epoll_ctl(events_.get(), on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, watcher_.fd(), &event);
  listening_ = on;
}

void FileTable::service(std::size_t source) {
  const Instant now = clock_.now();
  const bool resting = now >= look_at_ && now < rest_until_ && may_rest();
  bool news = false;
  const bool names = watcher_.read([&](const std::string& path) {
    news = true;
    if (const auto at = by_path_.find(path); at != by_path_.end()) make_ready(*at->second);
  });
  if (names) look_soon();
  if (news || names) {
    listen(false);
    listen_at_ = now + kCoalesce;
  } else if (now >= listen_at_) {
    listen(true);
    listen_at_ = kNever;
  }
  hash_on(source);
  if (now < look_at_) return;
  if (resting && !names)
    look_at_ = std::min(now + poll_interval_, rest_until_);
  else
    look();
}

void FileTable::look_soon() {
  rest_until_ = {};
  look_at_ = std::min(look_at_, std::max(clock_.now(), last_look_ + kLookPause));
}

void FileTable::look_again() {
  look_again_ = true;
  look_soon();
}

Instant FileTable::next_due(std::size_t source) const {
  if (hashing_ && hashing_->source == source && !hashing_->over()) return clock_.now();
  return std::min(look_at_, listen_at_);
}

// --- the queue of files to read ------------------------------------------------------------------

void FileTable::make_ready(TrackedFile& file) {
  if (file.queued || file.finished || !file.owned || file.note.complete || file.suspect) return;
  file.queued = true;
  SourceFiles& source = *sources_[file.source];
  if (source.turns.empty()) source.waker.wake();
  const std::size_t family = family_key(file.path);
  std::vector<TrackedFile*>& members = source.ready[family];
  if (members.empty()) source.turns.push_back(family);
  members.push_back(&file);
}

// A compressed file is read to its end before another one is begun: each would be decompressed from
// its start again at every turn of the other.
void FileTable::let_decompressed_go_first(SourceFiles& source) {
  const auto begun = [](const TrackedFile* file) { return file->content != nullptr; };
  const auto begins = [&](std::size_t family) {
    const TrackedFile* file = *oldest_of(source.ready[family]);
    return file->compressed() && !begun(file);
  };
  if (!begins(source.turns.front())) return;
  const bool under_way = std::ranges::any_of(
      source.ready, [&](const auto& family) { return std::ranges::any_of(family.second, begun); });
  if (!under_way) return;
  const auto other = std::ranges::find_if_not(source.turns, begins);
  if (other != source.turns.end()) std::rotate(source.turns.begin(), other, source.turns.end());
}

// Older rotations that wait to stand still, or that a look must find, come first.
void FileTable::hold_back(const Look& look, const std::vector<Change>& changes) {
  if (look.undecided) return;
  for (const std::unique_ptr<SourceFiles>& source : sources_) release_held_back(*source);
  for (const Change& change : changes) {
    if (!change.precedes) continue;
    const FoundFile& found = look.found.files[*change.seen];
    if (clock_.now() - observed(found.stat).first > kHoldBack) continue;
    if (sources_[found.selection]->truncating.contains(family_key(found.path))) continue;
    const FileAge age{!has_rotated_name(found.path), found.stat.mtime_ns, found.stat.birth_ns};
    auto& held = sources_[found.selection]->held_back;
    const auto [at, fresh] = held.emplace(family_key(found.path), age);
    if (!fresh) at->second = std::min(at->second, age);
  }
}

void FileTable::note_truncation(std::size_t source, std::string_view path) {
  sources_[source]->copytruncated = true;
  sources_[source]->truncating.insert(family_key(path));
}

void FileTable::release_held_back(SourceFiles& source) {
  if (!source.held_back.empty() && !source.turns.empty()) source.waker.wake();
  source.held_back.clear();
}

void FileTable::hold_back_younger(TrackedFile& file) {
  if (file.unclear_since == Instant{}) file.unclear_since = clock_.now();
  if (clock_.now() - file.unclear_since > kHoldBack) return;
  FileAge age = age_of(file);
  age.in_use = false;  // another one may have its name by now
  auto& held = sources_[file.source]->held_back;
  const auto [at, fresh] = held.emplace(family_key(file.path), age);
  if (!fresh) at->second = std::min(at->second, age);
}

bool FileTable::held_back(const SourceFiles& source, std::size_t family, const TrackedFile& file) {
  // Begun under the name that it still has: no rotation was made of it since, but maybe a copy, and
  // whether it was truncated after that is seen when it is read.
  if (age_of(file).in_use && file.line.begin > 0) return false;
  const auto held = source.held_back.find(family);
  return held != source.held_back.end() && age_of(file) > held->second;
}

bool FileTable::has_ready(std::size_t index) const {
  const SourceFiles& source = *sources_[index];
  return std::ranges::any_of(source.turns, [&](std::size_t family) {
    return !held_back(source, family, **oldest_of(source.ready.at(family)));
  });
}

TrackedFile* FileTable::next_ready(std::size_t index) {
  SourceFiles& source = *sources_[index];
  for (std::size_t held = 0; held < source.turns.size();) {
    let_decompressed_go_first(source);
    const std::size_t family = source.turns.front();
    source.turns.pop_front();
    std::vector<TrackedFile*>& members = source.ready[family];
    const auto oldest = oldest_of(members);
    TrackedFile* file = *oldest;
    if (held_back(source, family, *file)) {
      source.turns.push_back(family);
      ++held;
      continue;
    }
    held = 0;
    members.erase(oldest);
    if (members.empty())
      source.ready.erase(family);
    else
      source.turns.push_back(family);
    file->queued = false;
    if (!file->finished && !file->note.complete && !file->suspect) return file;
  }
  return nullptr;
}

// --- durability ----------------------------------------------------------------------------------

std::vector<TrackedFile*> FileTable::moved_files(std::size_t source) const {
  std::vector<TrackedFile*> moved;
  for (TrackedFile* file : sources_[source]->files)
    if (file->dirty) moved.push_back(file);
  return moved;
}

FileState FileTable::state_of(const TrackedFile& file) const {
  FileState state;
  state.path = file.path;
  state.identity = file.identity;
  state.offset = file.line.begin;
  state.crc = file.line.crc;
  state.crc_known = file.crc_known;
  state.finished = file.finished;
  state.seen = file.seen;
  FileNote note = file.note;
  note.boot_id = environment_.boot_id;
  note.compressed = file.compressed();
  if (file.verified_size != UINT64_MAX) {
    note.size = file.verified_size;
    note.mtime_ns = file.verified_mtime_ns;
  }
  state.note = encode(note);
  return state;
}

Status FileTable::checkpoint(std::size_t source, Store::Transaction& transaction) {
  for (TrackedFile* file : moved_files(source))
    EH_TRY(transaction.put_file(file->id, state_of(*file)));
  SourceFiles& mine = *sources_[source];
  mine.written = mine.losses;
  if (mine.losses != mine.committed)
    EH_TRY(transaction.count_losses(store_.source_id(mine.config.name),
                                    mine.losses.since(mine.committed)));
  if (source == 0) {
    erasing_ = std::min(to_erase_.size(), kErasedAtOnce);
    for (std::size_t i = 0; i < erasing_; ++i) EH_TRY(transaction.erase_file(to_erase_[i]));
  }
  return {};
}

void FileTable::settled(std::size_t source, bool committed) {
  if (!committed) return;
  for (TrackedFile* file : moved_files(source)) {
    file->dirty = false;
    file->committed = file->line.begin;
    file->same_boot = true;
  }
  sources_[source]->urgent = sources_[source]->nameless = false;
  sources_[source]->committed = sources_[source]->written;
  if (source == 0)
    to_erase_.erase(to_erase_.begin(),
                    to_erase_.begin() + static_cast<std::ptrdiff_t>(std::exchange(erasing_, 0)));
}

void FileTable::make_urgent(TrackedFile& file) {
  file.renamed = clock_.now();
  if (file.line.begin != file.committed) sources_[file.source]->urgent = true;
}

}  // namespace edgehose
