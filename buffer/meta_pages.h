// The two meta pages of the environment file, judged by hand before LMDB is asked: it refuses a
// file for one flipped bit in them, or believes it.
//
// A file of another word size, byte order or LMDB version is recognised where both pages agree on
// it; one page alone that says so is damaged, and so are both where they name a version that LMDB
// never had.
//
// Threading: pure functions of the file. Another process may write it.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "agent/base/result.h"
#include "buffer/lmdb_pages.h"

namespace edgehose {

struct MetaPages {
  std::string damage;  // in words; empty: they agree with each other and with the file
  std::array<lmdb::MetaPage, 2> pages{};  // where they are not damaged

  std::size_t page_size() const { return pages[0].free_list.pad; }
};

// Where the two do not agree: the one that is sound by itself and wrote its own free list. Its
// commit is the last or the last but one. None where that is neither of them, or both.
std::optional<lmdb::MetaPage> remaining_meta_page(const std::string& path);

// kUnsupported, with instructions: an intact file that this program must not touch.
Result<MetaPages> read_meta_pages(const std::string& path);

// Whether the page with the higher transaction is the one that was written last, by the free lists
// of both: the pages of the last two commits are whole. Empty, or the damage in words.
Result<std::string> check_order(const std::string& path, const MetaPages& meta);

}  // namespace edgehose
