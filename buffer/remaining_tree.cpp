#include "buffer/remaining_tree.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "agent/base/file.h"
#include "buffer/block_header.h"
#include "buffer/keys.h"
#include "buffer/keyspace.h"
#include "buffer/small_values.h"

namespace edgehose {
namespace {

using lmdb::DatabaseRecord;
using lmdb::PageHeader;
using lmdb::TreePage;

constexpr std::size_t kMaxSmallValue = 64u << 20;
constexpr std::size_t kMaxPages = 1u << 28;  // 1 TiB; a bit of memory each

tl::unexpected<Error> doubtful(std::string_view what) {
  return fail(ErrorCode::kCorrupt, "what is left of its tree is not believed: {}", what);
}

// Keys of a page, by those of the branch page above: [low, high).
struct Bounds {
  std::string low;
  std::optional<std::string> high;  // none: to the end
  bool hold(std::string_view key) const { return key >= low && (!high || key < *high); }
};

// What of a tree was found, to be compared with what its record counts.
struct Tally {
  std::size_t branch = 0, leaf = 0, overflow = 0, entries = 0;
};

class Reader {
 public:
  Reader(int fd, std::uint64_t file_size, const lmdb::MetaPage& meta)
      : fd_(fd),
        file_size_(file_size),
        meta_(meta),
        page_size_(meta.free_list.pad),
        pages_(std::min(meta.last_page, kMaxPages)) {
    pages_.take(0, 2);  // the meta pages
  }

  Result<RemainingTree> run(bool newest, const std::vector<WrappingKey>& keys) {
    const DatabaseRecord& main = meta_.main;
    if (main.root == lmdb::kNoPage) return doubtful("it is empty");
    if (meta_.last_page > kMaxPages) return doubtful("it has more pages than any");
    EH_TRY(descend(main.root, main.depth - 1u, {}));
    EH_TRY(check_small_values(keys));
    EH_ASSIGN(const std::size_t missing, count_missing());
    list_others();
    const bool free_list = take_free_list().has_value();
    if (conflict_ || (free_list && meta_.last_page + 1 - pages_.taken() != missing))
      return doubtful("pages belong to two things, or to nothing");
    tree_.certain = newest && free_list;
    return std::move(tree_);
  }

 private:
  std::string read_pages(std::size_t first, std::size_t bytes) const {
    return lmdb::read_page(fd_, std::uint64_t{first} * page_size_, bytes);
  }

  // What lay below is lost. Only blocks may be.
  Status lose(const Bounds& bounds) {
    const auto low = keyspace::parse_block_key(bounds.low);
    const auto high = keyspace::parse_block_key(bounds.high.value_or(""));
    if (!low || !high) return doubtful("small values are lost");
    tree_.lost.push_back({low->number, high->number});
    return {};
  }

  Status descend(std::size_t number, unsigned levels, const Bounds& bounds) {
    const std::string bytes = number <= meta_.last_page ? read_pages(number, page_size_) : "";
    const auto page = bytes.size() == page_size_ ? TreePage::parse(bytes, number)
                                                 : doubtful("a page is not there");
    if (!page || page->is_branch() != (levels > 0)) return lose(bounds);
    return levels > 0 ? descend_branch(*page, number, levels, bounds)
                      : take_leaf(*page, number, bounds);
  }

  Status descend_branch(const TreePage& page, std::size_t number, unsigned levels,
                        const Bounds& bounds) {
    std::vector<std::pair<std::size_t, Bounds>> children;
    for (std::size_t i = 0; i < page.nodes(); ++i) {
      const auto child = page.child(i);
      const auto separator = page.separator(i);  // of the first one: whatever the page begins with
      if (!child || !separator) return lose(bounds);
      if (i == 0) {
        children.push_back({*child, bounds});
        continue;
      }
      Bounds& before = children.back().second;
      if (*separator <= before.low || !bounds.hold(*separator)) return lose(bounds);
      before.high = *separator;
      children.push_back({*child, {std::string(*separator), bounds.high}});
    }
    if (!pages_.take(number)) return doubtful("a page belongs to two things");
    ++found_.branch;
    for (const auto& [child, within] : children) EH_TRY(descend(child, levels - 1, within));
    return {};
  }

  std::size_t pages_for(const TreePage::Entry& entry) const {
    return entry.first_page == 0 ? 0
                                 : (sizeof(PageHeader) + entry.size + page_size_ - 1) / page_size_;
  }

  Status take_leaf(const TreePage& page, std::size_t number, const Bounds& bounds) {
    std::vector<TreePage::Entry> entries;
    for (std::size_t i = 0; i < page.nodes(); ++i) {
      const auto entry = page.entry(i);
      if (!entry || !bounds.hold(entry->key) || (i > 0 && entry->key <= entries.back().key))
        return lose(bounds);
      entries.push_back(*entry);
    }
    if (!pages_.take(number)) return doubtful("a page belongs to two things");
    ++found_.leaf;
    for (const TreePage::Entry& entry : entries) {
      const std::size_t count = pages_for(entry);
      if (!pages_.take(entry.first_page, count)) return doubtful("a page belongs to two things");
      found_.overflow += count;
      ++found_.entries;
      EH_TRY(take_entry(entry, page, number));
    }
    return {};
  }

  Status take_entry(const TreePage::Entry& entry, const TreePage& page, std::size_t number) {
    if (entry.key.starts_with(keyspace::kBlockPrefix)) {
      const auto key = keyspace::parse_block_key(entry.key);
      if (!key || entry.size < kBlockHeaderBytes) return doubtful("a block's key is damaged");
      const std::uint64_t offset =
          entry.first_page != 0 ? std::uint64_t{entry.first_page} * page_size_ + sizeof(PageHeader)
                                : std::uint64_t{number} * page_size_ + page.offset_of(entry.value);
      tree_.blocks[key->number] = {key->source, entry.size, offset};
      return {};
    }
    if (entry.key == keyspace::clean_mark_key()) return {};
    if (!is_small_value(entry.key) || entry.size > kMaxSmallValue)
      return doubtful("it holds a key of no kind");
    std::string value(entry.value);
    if (entry.first_page != 0) {
      value = read_pages(entry.first_page, sizeof(PageHeader) + entry.size);
      if (value.size() != sizeof(PageHeader) + entry.size) return doubtful("a value is lost");
      value.erase(0, sizeof(PageHeader));
    }
    tree_.entries.emplace(entry.key, std::move(value));
    return {};
  }

  Status check_small_values(const std::vector<WrappingKey>& keys) const {
    std::vector<std::string> wrapped;
    for (const auto& [key, value] : tree_.entries)
      if (key.starts_with(keyspace::kDataKeyPrefix)) wrapped.push_back(value);
    const Keyring ring = Keyring::open_available(wrapped, keys);
    for (const auto& [key, value] : tree_.entries) EH_TRY(check_small_value(key, value, ring));
    const auto format = tree_.entries.find(keyspace::format_key());
    if (format == tree_.entries.end() || !tree_.entries.contains(keyspace::epoch_key()) ||
        !tree_.entries.contains(keyspace::counters_key()))
      return doubtful("the format, the epoch or the counters are missing");
    EH_ASSIGN(const auto version, keyspace::decode_format(format->second));
    return keyspace::check_format(version, "its tree");
  }

  // How many pages of the tree are lost.
  Result<std::size_t> count_missing() const {
    const DatabaseRecord& main = meta_.main;
    const bool whole = tree_.lost.empty();
    for (const auto& [found, counted] :
         {std::pair{found_.branch, main.branch}, std::pair{found_.leaf, main.leaf},
          std::pair{found_.overflow, main.overflow}, std::pair{found_.entries, main.entries}})
      if (found > counted || (whole && found != counted))
        return doubtful("its meta page counts other pages and keys");
    return main.branch - found_.branch + main.leaf - found_.leaf + main.overflow - found_.overflow;
  }

  void list_others() {
    const std::uint64_t end =
        std::max(file_size_, (std::uint64_t{meta_.last_page} + 1) * page_size_);
    for (std::size_t page = 2; page <= meta_.last_page + 1; ++page) {
      if (pages_.holds(page)) continue;
      std::uint64_t first = std::uint64_t{page} * page_size_;
      while (page <= meta_.last_page && !pages_.holds(page)) ++page;
      const std::uint64_t until = page > meta_.last_page ? end : std::uint64_t{page} * page_size_;
      if (until > first) tree_.others.push_back({first, until - first});
    }
  }

  // Its leaves and what they list.
  Status take_free_list() {
    const DatabaseRecord& list = meta_.free_list;
    EH_TRY(lmdb::take_branches(fd_, page_size_, list, pages_));
    Tally found;
    if (list.root != lmdb::kNoPage) EH_TRY(take_free_below(list.root, list.depth - 1u, found));
    if (found.leaf == list.leaf && found.overflow == list.overflow && found.entries == list.entries)
      return {};
    return doubtful("its free list is not whole");
  }

  Status take_free_below(std::size_t number, unsigned levels, Tally& found) {
    const std::string bytes = read_pages(number, page_size_);
    if (bytes.size() != page_size_) return doubtful("its free list is not whole");
    EH_ASSIGN(const TreePage page, TreePage::parse(bytes, number));
    if (page.is_branch() != (levels > 0)) return doubtful("its free list is not whole");
    if (levels == 0) EH_TRY(take_free(number, 1));
    if (levels == 0) ++found.leaf;
    for (std::size_t i = 0; i < page.nodes(); ++i) {
      if (levels > 0) {
        EH_ASSIGN(const std::size_t child, page.child(i));
        EH_TRY(take_free_below(child, levels - 1, found));
      } else {
        EH_ASSIGN(const TreePage::Entry entry, page.entry(i));
        EH_TRY(take_freed(entry, found));
      }
    }
    return {};
  }

  Status take_freed(const TreePage::Entry& entry, Tally& found) {
    ++found.entries;
    const std::size_t count = pages_for(entry);
    EH_TRY(take_free(entry.first_page, count));
    found.overflow += count;
    std::string value(entry.value);
    if (count > 0 && entry.size <= kMaxSmallValue) {
      value = read_pages(entry.first_page, sizeof(PageHeader) + entry.size);
      value.erase(0, sizeof(PageHeader));
    }
    std::vector<std::size_t> freed(value.size() / sizeof(std::size_t));
    std::memcpy(freed.data(), value.data(), freed.size() * sizeof(std::size_t));
    if (freed.empty() || freed[0] >= freed.size()) return doubtful("its free list is not whole");
    for (std::size_t i = 1; i <= freed[0]; ++i) EH_TRY(take_free(freed[i], 1));
    return {};
  }

  Status take_free(std::size_t first, std::size_t count) {
    if (pages_.take(first, count)) return {};
    conflict_ = true;
    return doubtful("a page belongs to two things");
  }

  const int fd_;
  const std::uint64_t file_size_;
  const lmdb::MetaPage& meta_;
  const std::size_t page_size_;
  lmdb::PageMap pages_;
  Tally found_;
  bool conflict_ = false;  // the free list and the tree name the same page
  RemainingTree tree_;
};

}  // namespace

Result<RemainingTree> read_remaining_tree(const std::string& path, const lmdb::MetaPage& meta,
                                          bool newest, const std::vector<WrappingKey>& keys) {
  EH_ASSIGN(const FileDescriptor fd, open_file(path, O_RDONLY));
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) return fail_errno(errno, "looking at " + path);
  return Reader(fd.get(), static_cast<std::uint64_t>(st.st_size), meta).run(newest, keys);
}

}  // namespace edgehose
