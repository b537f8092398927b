// Reads all of an environment's structure through LMDB and says whether it holds together: every
// key, every small value, which page belongs to what, and the newest blocks' checksums.
//
// LMDB crashes on damage as often as it fails, so this runs in a process of its own
// (environment_check.h).
//
// Threading: one thread.
#pragma once

#include <string>
#include <string_view>

#include "agent/base/result.h"
#include "buffer/environment_check.h"
#include "buffer/meta_pages.h"

namespace edgehose {

// Is told what is there as it is found.
class WalkListener {
 public:
  virtual ~WalkListener() = default;
  virtual void on_entry(std::string_view key, std::string_view value) = 0;  // not of a block
  virtual void on_block(BlockNumber number, const LiveBlock& block) = 0;
  virtual void on_complete() = 0;  // those were all, and every small value can be decoded
};

// `meta`: sound. kCorrupt: it is damaged, in words; so are errors that name no system call. Others:
// it could not be read now.
Status walk_environment(const std::string& path, const MetaPages& meta, const StoreOptions& options,
                        CheckDepth depth, WalkListener& listener);

}  // namespace edgehose
