// FoundFiles: who the files are that came since the copies outside were written. Their positions
// stand in leaf pages of the damaged environment, each sealed for itself, and a search passes them.
// Without them a file would be read again from its start, behind its own salvaged blocks.
//
// Such a page may be old, or of a commit that never came to be, whose file numbers were given
// again. So only what a file is is taken from it, and only where all that is found agrees; how far
// it was read is told by the blocks.
//
// Threading: one thread at a time.
#pragma once

#include <map>
#include <string_view>

#include "buffer/keys.h"
#include "buffer/state.h"

namespace edgehose {

constexpr std::size_t kMaxFoundFiles = 1u << 17;  // about 400 bytes of memory each

class FoundFiles {
 public:
  // Those numbered from `first` on are looked for; the copies know the others.
  FoundFiles(const Keyring& keys, FileId first) : keys_(keys), first_(first) {}

  // A key of a leaf page; of whatever kind.
  void add(std::string_view key, std::string_view value);

  // Those of which there is no doubt, at offset 0. `known`: the files of the copies; where one of
  // them is the same file, there is.
  std::map<FileId, FileState> certain(const std::map<FileId, FileState>& known) const;

 private:
  struct Found {
    FileState file;  // with the longest prefix, and of those the one seen last
    bool certain = true;
  };
  const Keyring& keys_;
  const FileId first_;
  std::map<FileId, Found> found_;
};

}  // namespace edgehose
