// PageAccount: every page of an environment belongs to exactly one thing, a tree or the free list,
// and the meta page counts them right. What a flipped bit leads to a page of yesterday, or has a
// page given out that is in use, does not add up.
//
// Threading: one thread.
#pragma once

#include "agent/base/result.h"
#include "buffer/lmdb.h"
#include "buffer/lmdb_pages.h"

namespace edgehose {

class PageAccount {
 public:
  // `meta` describes the commit whose entries are handed in.
  PageAccount(const lmdb::Environment& environment, const lmdb::MetaPage& meta);

  // Every entry of the database, and of the free list, in order. kCorrupt: a page is taken twice,
  // or is not what it should be.
  Status add(const lmdb::Entry& entry) { return add(entry, main_); }
  Status add_free(const lmdb::Entry& entry);
  // After the last one: kCorrupt where it does not add up.
  Status finish();

 private:
  struct Tally {
    const lmdb::DatabaseRecord& record;
    std::size_t entries = 0, leaf = 0, overflow = 0;
    std::size_t last_leaf = 0;
  };
  Status add(const lmdb::Entry& entry, Tally& tally);
  Status add_leaf(const char* page, std::size_t number, Tally& tally);
  static bool fits(const Tally& tally);

  const lmdb::Environment& environment_;
  const std::size_t page_size_;
  lmdb::PageMap pages_;
  const std::size_t last_page_;
  Tally main_, free_;
  bool known_ = true;  // where entries lie in the file
};

}  // namespace edgehose
