#include "agent/sources/discovery.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <set>
#include <unordered_map>

#include "agent/base/file.h"
#include "agent/sources/descriptors.h"
#include "agent/sources/glob.h"

namespace edgehose {
namespace {

constexpr std::size_t kMaxDepth = 64;
// Of one look, at most, where names move meanwhile: a rotation of a hundred files takes longer than
// a walk over them. Walks over many files cost more than they may.
constexpr int kWalks = 4, kWalksOfMany = 2;
constexpr std::size_t kMany = 2000;  // entries of directories

// Every other error leaves open what is there.
bool means_gone(int error) { return error == ENOENT || error == ENOTDIR || error == ELOOP; }

struct Entry {
  std::string name;
  unsigned char type;
  ino_t inode;  // 0: not that of the file that the name leads to, or not known
};

struct DirectoryCloser {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

std::string join(const std::string& directory, std::string_view name) {
  std::string path = directory == "/" ? std::string() : directory;
  return path.append("/").append(name);
}

// Every beginning of `name` that ends before one of ".-_": the names it may be a rotation of.
template <class Visit>
bool any_stem(std::string_view name, Visit&& visit) {
  for (std::size_t at = name.find_first_of(".-_", 1); at != std::string_view::npos;
       at = name.find_first_of(".-_", at + 1))
    if (visit(name.substr(0, at))) return true;
  return false;
}

using Names = std::map<std::string, ino_t>;
// Path, inode as listed, and as found: 0 where it was gone.
using MovedNames = std::set<std::tuple<std::string, ino_t, std::uint64_t>>;

class Walk {
 public:
  Walk(const std::vector<FileSelection>& selections, StatCache& stats,
       const std::vector<int>& output)
      : selections_(selections), stats_(stats) {
    for (const int fd : output)
      if (const auto stat = stats_.descriptor(fd)) output_.emplace(stat->device, stat->inode);
    result_.problems.resize(selections.size());
    result_.named.resize(selections.size());
  }

  Discovery run(const std::vector<std::string>& followed) {
    for (selection_ = 0; selection_ < selections_.size(); ++selection_)
      for (const Glob& glob : selections_[selection_].paths) walk(glob);
    for (const FoundFile& file : result_.files) note_name(file.path);
    for (const std::string& path : followed) {
      note_name(path);
      list_unwalked(parent_directory(path));
    }
    for (const auto& [directory, names] : others_) add_neighbours(directory, names);
    return std::move(result_);
  }
  // Names that led elsewhere than when they were listed: the file may have another one by now, not
  // looked at before. So a rotation can hide the oldest file from a walk.
  const MovedNames& moved_names() const { return moved_names_; }
  int most_walks() const { return entries_ > kMany ? kWalksOfMany : kWalks; }

 private:
  void walk(const Glob& glob) {
    glob_ = &glob;
    entered_.clear();
    const auto stat = stats_.path(glob.base());
    if (!stat || !stat->directory) {
      if (!stat && !means_gone(stat.error().sys)) cannot_list(glob.base(), stat.error().sys);
      return watch_nearest(glob.base());
    }
    enter(glob.base(), *stat, {0}, 0);
  }

  // A directory that is not there yet appears in one that is.
  void watch_nearest(std::string path) {
    while (path.size() > 1 && ::access(path.c_str(), X_OK) != 0) path = parent_directory(path);
    if (const auto stat = stats_.path(path)) note_directory(path, *stat);
  }

  // `places`: the segments of the glob that the names in this directory may match.
  void enter(const std::string& directory, const FileStat& stat, std::vector<std::size_t> places,
             std::size_t depth) {
    const auto& segments = glob_->segments();
    for (std::size_t i = 0; i < places.size(); ++i)
      if (segments[places[i]] == kAnyDirectories) places.push_back(places[i] + 1);
    std::erase_if(places, [&](std::size_t place) {
      return !entered_.emplace(stat.device, stat.inode, place).second;
    });
    if (places.empty() || depth > kMaxDepth) return;
    for (const Entry& entry : list(directory, stat)) visit(directory, entry, places, depth);
  }

  // Closed before what is below it is entered: one descriptor is enough for any depth.
  std::vector<Entry> list(const std::string& directory, const FileStat& stat) {
    std::vector<Entry> entries;
    const std::unique_ptr<DIR, DirectoryCloser> dir(::opendir(directory.c_str()));
    if (!dir) {
      cannot_list(directory, errno);
      return entries;
    }
    note_directory(directory, stat);
    for (;;) {
      errno = 0;
      const dirent* entry = ::readdir(dir.get());
      if (entry == nullptr) break;
      const std::string_view name = entry->d_name;
      const ino_t inode = entry->d_type == DT_REG ? entry->d_ino : 0;
      if (name != "." && name != "..") entries.push_back({std::string(name), entry->d_type, inode});
    }
    entries_ += entries.size();
    if (errno != 0) cannot_list(directory, errno);
    return entries;
  }

  void visit(const std::string& directory, const Entry& entry,
             const std::vector<std::size_t>& places, std::size_t depth) {
    const std::string& name = entry.name;
    const auto& segments = glob_->segments();
    std::vector<std::size_t> below;
    bool named = false;
    for (const std::size_t place : places) {
      if (segments[place] == kAnyDirectories) {
        if (name[0] != '.') below.push_back(place);
      } else if (match_name(segments[place], name)) {
        if (place + 1 == segments.size())
          named = true;
        else
          below.push_back(place + 1);
      }
    }
    const bool may_be_directory = entry.type != DT_REG && !below.empty();
    if (may_be_directory && enter_below(directory, name, below, depth)) return;
    if (entry.type == DT_DIR) return;
    if (entry.type != DT_REG) result_.watchable = false;
    const std::string path = join(directory, name);
    if (named && !excluded(selections_[selection_].exclude, path))
      add(path, entry.inode, selection_, true);
    else if (places.back() + 1 == segments.size())
      others_[directory].emplace(name, entry.inode);
  }

  bool enter_below(const std::string& directory, std::string_view name,
                   const std::vector<std::size_t>& below, std::size_t depth) {
    const std::string path = join(directory, name);
    const auto stat = stats_.path(path);
    if (!stat) hide(path, stat.error().sys);
    if (!stat || !stat->directory) return false;
    enter(path, *stat, below, depth + 1);
    return true;
  }

  void add(const std::string& path, ino_t listed, std::size_t selection, bool named) {
    const auto stat = stats_.path(path);
    if (listed != 0 && moved(path, listed, stat))
      moved_names_.emplace(path, listed, stat ? stat->inode : 0);
    if (!stat) hide(path, stat.error().sys);
    if (!stat || !stat->regular) return;
    if (!told_.emplace(stat->device, stat->inode).second) return;
    if (output_.contains({stat->device, stat->inode})) {
      if (named) result_.own.push_back({path, *stat, selection});
      return;
    }
    if (stat->links != 1 || !stat->local) result_.watchable = false;
    result_.files.push_back({path, *stat, selection, named,
                             !named && excluded(selections_[selection].exclude, path), false});
    if (named) ++result_.named[selection];
  }

  // Overlays may list other numbers than the files have, as does a directory where one is mounted.
  bool moved(const std::string& path, ino_t listed, const Result<FileStat>& stat) const {
    if (!stat) return means_gone(stat.error().sys);
    if (stat->inode == listed || !stat->local) return false;
    const auto directory = result_.directories.find(parent_directory(path));
    return directory != result_.directories.end() && directory->second.device == stat->device;
  }

  void note_directory(const std::string& path, const FileStat& stat) {
    result_.directories.emplace(path, stat);
    if (!stat.local) result_.watchable = false;
  }

  void note_name(const std::string& path) {
    const std::string directory = parent_directory(path);
    auto& names = names_[directory];
    names.insert(std::string(base_name(path)));
    names.insert(std::string(base_name(family_of(path))));
  }

  void list_unwalked(const std::string& directory) {
    if (result_.directories.contains(directory)) return;
    const auto stat = stats_.path(directory);
    if (!stat) return hide(directory, stat.error().sys);
    for (Entry& entry : list(directory, *stat)) {
      if (entry.type == DT_DIR) continue;
      if (entry.type != DT_REG) result_.watchable = false;
      others_[directory].emplace(std::move(entry.name), entry.inode);
    }
  }

  void add_neighbours(const std::string& directory, const Names& names) {
    const auto known = names_.find(directory);
    if (known == names_.end()) return;
    for (const auto& [name, inode] : names)
      if (const auto owner = owner_of(directory, name, known->second))
        add(join(directory, name), inode, *owner, false);
  }

  // The selection that names what this is a rotation of, whether or not that is still there. None:
  // it is nobody's, or was followed under another config.
  std::optional<std::size_t> owner_of(const std::string& directory, const std::string& name,
                                      const std::unordered_set<std::string>& known) const {
    std::optional<std::size_t> owner;
    const auto owned = [&](std::string_view original) {
      if (known.contains(std::string(original)))
        owner = selecting(selections_, join(directory, original));
      return owner.has_value();
    };
    (void)(owned(name) || owned(family_of(name)) || any_stem(name, owned));
    return owner;
  }

  void hide(const std::string& path, int error) {
    if (means_gone(error)) return;
    result_.hidden.insert(path);
    result_.watchable = false;
    result_.starved = result_.starved || wants_descriptor(error);
  }

  void cannot_list(const std::string& directory, int error) {
    hide(directory, error);
    // A followed file's own directory, after all globs: no selection is known to be concerned.
    if (selection_ == selections_.size()) return;
    std::string& problem = result_.problems[selection_];
    if (!problem.empty()) return;
    problem = fmt::format("{} cannot be listed ({})", directory, std::strerror(error));
    if (error == EACCES) problem += "; " + how_to_grant(directory, true);
    if (wants_descriptor(error)) problem += "; " + how_to_raise(error);
  }

  const std::vector<FileSelection>& selections_;
  StatCache& stats_;
  std::size_t selection_ = 0;
  const Glob* glob_ = nullptr;
  std::set<std::tuple<std::uint64_t, std::uint64_t, std::size_t>> entered_;
  std::set<std::pair<std::uint64_t, std::uint64_t>> told_, output_;  // device and inode
  std::map<std::string, Names> others_;  // files no glob names, by directory
  std::unordered_map<std::string, std::unordered_set<std::string>> names_;
  MovedNames moved_names_;
  std::size_t entries_ = 0;
  Discovery result_;
};

}  // namespace

bool Discovery::hides(const std::string& path) const {
  if (hidden.empty()) return false;
  for (std::string at = path;; at = parent_directory(at)) {
    if (hidden.contains(at)) return true;
    if (at.size() <= 1) return false;
  }
}

Discovery discover(const std::vector<FileSelection>& selections,
                   const std::vector<std::string>& followed, StatCache& stats,
                   const std::vector<int>& output) {
  stats.clear();
  MovedNames before;
  for (int walks = 1;; ++walks) {
    Walk walk(selections, stats, output);
    Discovery found = walk.run(followed);
    const MovedNames& moved = walk.moved_names();
    // What differs in the same way again is a file that is mounted there, and no rotation.
    if (moved.empty() || moved == before || walks >= walk.most_walks()) return found;
    before = moved;
  }
}

}  // namespace edgehose
