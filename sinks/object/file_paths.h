// FilePaths: the paths of the files that records came from, remembered for the next record.
//
// Threading: one thread; the Store is read, one call at a time. Bounded by a number of paths.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

#include "agent/base/result.h"
#include "buffer/store.h"

namespace edgehose {

class FilePaths {
 public:
  FilePaths(Store& store, std::size_t most) : store_(store), most_(most) {}

  // Empty: no file, or one that is not known any more. Until the next call.
  Result<std::string_view> of(FileId id) {
    if (id.value == 0) return std::string_view();
    if (const auto known = paths_.find(id); known != paths_.end())
      return std::string_view(known->second);
    EH_ASSIGN(const auto state, store_.file(id));
    if (paths_.size() == most_) paths_.clear();
    return std::string_view(paths_[id] = state ? state->path : std::string());
  }

 private:
  Store& store_;
  const std::size_t most_;
  std::map<FileId, std::string> paths_;
};

}  // namespace edgehose
