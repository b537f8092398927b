// LMDB's file as it lies on the disk, read by hand: pages, their headers, the branches of a tree.
//
// LMDB believes what its pages say. A number in a meta page that is wrong makes it write over what
// is held, count what is not there, or crash, and it checks next to none of them. What is read here
// is bounded by the page it stands in.
//
// Threading: pure functions of the file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/result.h"

namespace edgehose::lmdb {

// As LMDB 0.9 lays them out, in the words of this machine (mdb.c: MDB_page, MDB_db, MDB_meta).
struct PageHeader {
  std::size_t number;
  std::uint16_t pad, flags;
  std::uint32_t rest;  // bounds of the free space, or how many pages a large value takes
};

struct DatabaseRecord {
  std::uint32_t pad;  // of the free list: the page size
  std::uint16_t flags, depth;
  std::size_t branch, leaf, overflow, entries, root;
};

struct MetaPage {
  PageHeader header;
  std::uint32_t magic, version;
  void* address;
  std::size_t map_size;
  DatabaseRecord free_list, main;
  std::size_t last_page, transaction;
};

constexpr std::uint32_t kMagic = 0xBEEFC0DE;
constexpr std::uint32_t kDataVersion = 1;
constexpr std::uint16_t kBranchPage = 0x01, kLeafPage = 0x02, kLargePage = 0x04, kMetaPage = 0x08;
constexpr std::uint16_t kIntegerKey = 0x08;  // of a database
constexpr auto kNoPage = static_cast<std::size_t>(-1);
constexpr unsigned kMaxDepth = 32;  // LMDB's own

// Of `size` bytes at most, fewer at the end of the file or where the disk does not give them.
std::string read_page(int fd, std::uint64_t offset, std::size_t size);

// A branch or leaf page.
class TreePage {
 public:
  // Of a leaf page. A large value lies in pages of its own, right behind the first one's header.
  struct Entry {
    std::string_view key;
    std::string_view value;      // empty where it is large
    std::size_t size = 0;        // of the value
    std::size_t first_page = 0;  // of a large one; 0: it is none
  };

  // kCorrupt: `bytes` are no such page, or not the page `number`. They are borrowed.
  static Result<TreePage> parse(std::string_view bytes, std::size_t number);

  bool is_branch() const { return header_.flags == kBranchPage; }
  std::size_t nodes() const { return nodes_; }
  // Of a branch page: the page that the node leads to, and the key from which on it does.
  Result<std::size_t> child(std::size_t node) const;
  Result<std::string_view> separator(std::size_t node) const;
  Result<Entry> entry(std::size_t node) const;  // of a leaf page
  // Where a part of the page that those gave stands in it.
  std::size_t offset_of(std::string_view part) const {
    return static_cast<std::size_t>(part.data() - bytes_.data());
  }

 private:
  Result<std::string_view> at(std::size_t node) const;

  std::string_view bytes_;
  PageHeader header_{};
  std::size_t number_ = 0, nodes_ = 0;
};

// Which pages are taken, each once.
class PageMap {
 public:
  explicit PageMap(std::size_t last_page) : taken_(last_page + 1) {}
  // False: one of them was taken before, or is none of the file's.
  bool take(std::size_t first, std::size_t count = 1);
  bool holds(std::size_t page) const { return page < taken_.size() && taken_[page]; }
  std::size_t taken() const { return count_; }

 private:
  std::vector<bool> taken_;
  std::size_t count_ = 0;
};

// Takes the branch pages of a tree. kCorrupt where they are not as `tree` says.
Status take_branches(int fd, std::size_t page_size, const DatabaseRecord& tree, PageMap& pages);

// The newest transaction whose pages the free list has; none where the list is empty. Every commit
// but the first frees pages of the one before, so it is the one that wrote the list.
Result<std::optional<std::size_t>> newest_freed(int fd, std::size_t page_size,
                                                const DatabaseRecord& free_list);

}  // namespace edgehose::lmdb
