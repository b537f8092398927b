// Discovery: which files are there. Walks the directories of all globs once and tells the files
// that they name, the neighbours that may be rotations of those, and the directories to watch.
//
// Only regular files. Symlinks are followed; a directory is entered once for each place of a glob,
// so a loop of links ends; a file with several names is told once, under the first of them.
//
// Where names move during a walk, as in rotations, it is done again, a few times at most: a file
// must not be missed while younger ones are found.
//
// Threading: the intake thread. Cost: a readdir of each directory, a statx of each file told; one
// descriptor, however deep the directories.
#pragma once

#include <map>
#include <string>
#include <unordered_set>
#include <vector>

#include "agent/base/grant.h"
#include "agent/sources/identity.h"
#include "agent/sources/selection.h"

namespace edgehose {

struct FoundFile {
  std::string path;
  FileStat stat;
  std::size_t selection = 0;  // the first that names it, or what it may be a rotation of
  bool named = true;          // false: a neighbour
  bool excluded = false;      // a neighbour that the selection leaves out by its name
  bool rotated = false;       // Comparison::rotated, once that is known
};

// Where this process's own words go: read, each line would make the next.
struct OwnOutput {
  std::string path;
  FileStat stat;
  std::size_t selection = 0;  // the first that names it
};

struct Discovery {
  std::vector<FoundFile> files;
  // To watch, each as it was before it was listed.
  std::map<std::string, FileStat> directories;
  std::vector<std::string> problems;  // by selection: what could not be listed, empty: nothing
  std::vector<std::size_t> named;     // by selection: how many files
  // Watches of those directories tell whatever is written to these files: all on local file
  // systems, none of them behind a link or with a second name that may lie elsewhere.
  bool watchable = true;
  std::vector<OwnOutput> own;  // named, and left out
  // What could not be looked at: directories, with all that is below them, and files.
  std::unordered_set<std::string> hidden;
  bool starved = false;  // some of it for want of descriptors

  // Whether nobody knows if it is there.
  bool hides(const std::string& path) const;
};

// `followed`: files that are being read: their neighbours are told too, as far as a selection names
// what they are rotations of. `output`: descriptors; what is behind them, under whatever name, is
// left out.
Discovery discover(const std::vector<FileSelection>& selections,
                   const std::vector<std::string>& followed, StatCache& stats,
                   const std::vector<int>& output = {});

}  // namespace edgehose
