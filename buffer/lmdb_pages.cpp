#include "buffer/lmdb_pages.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace edgehose::lmdb {
namespace {

tl::unexpected<Error> damaged(std::size_t page) {
  return fail(ErrorCode::kCorrupt, "its page {} is damaged", page);
}

template <class T>
T get(std::string_view bytes, std::size_t at) {
  T value{};
  if (at + sizeof value <= bytes.size()) std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

constexpr std::size_t kNodeBytes = 8;        // before the key: size or page, flags, key's size
constexpr std::uint16_t kLargeValue = 0x01;  // a node's flag

// Of a leaf page of the free list.
Result<std::size_t> integer_key(const TreePage& page, std::size_t node, std::size_t number) {
  EH_ASSIGN(const TreePage::Entry entry, page.entry(node));
  if (entry.key.size() != sizeof(std::size_t)) return damaged(number);
  return get<std::size_t>(entry.key, 0);
}

Result<TreePage> read_tree_page(int fd, std::size_t page_size, std::size_t number,
                                std::string& bytes) {
  bytes = read_page(fd, std::uint64_t{number} * page_size, page_size);
  if (bytes.size() != page_size) return damaged(number);
  return TreePage::parse(bytes, number);
}

Status take_below(int fd, std::size_t page_size, std::size_t root, unsigned levels,
                  PageMap& pages) {
  if (levels == 0) return {};  // a leaf
  if (!pages.take(root)) return damaged(root);
  std::string bytes;
  EH_ASSIGN(const TreePage page, read_tree_page(fd, page_size, root, bytes));
  if (!page.is_branch()) return damaged(root);
  for (std::size_t i = 0; levels > 1 && i < page.nodes(); ++i) {
    EH_ASSIGN(const std::size_t child, page.child(i));
    EH_TRY(take_below(fd, page_size, child, levels - 1, pages));
  }
  return {};
}

}  // namespace

std::string read_page(int fd, std::uint64_t offset, std::size_t size) {
  std::string bytes(size, '\0');
  ssize_t n = 0;
  do {
    n = ::pread(fd, bytes.data(), size, static_cast<off_t>(offset));
  } while (n < 0 && errno == EINTR);
  bytes.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  return bytes;
}

Result<TreePage> TreePage::parse(std::string_view bytes, std::size_t number) {
  TreePage page;
  page.number_ = number;
  page.bytes_ = bytes;
  page.header_ = get<PageHeader>(bytes, 0);
  const std::size_t lower = page.header_.rest & 0xFFFF;  // the end of the node offsets
  const bool kind = page.header_.flags == kBranchPage || page.header_.flags == kLeafPage;
  if (bytes.size() < sizeof(PageHeader) || page.header_.number != number || !kind ||
      lower <= sizeof(PageHeader) || lower > bytes.size())
    return damaged(number);
  page.nodes_ = (lower - sizeof(PageHeader)) / sizeof(std::uint16_t);
  return page;
}

Result<std::string_view> TreePage::at(std::size_t node) const {
  const std::size_t offset =
      get<std::uint16_t>(bytes_, sizeof(PageHeader) + node * sizeof(std::uint16_t));
  if (offset < sizeof(PageHeader) || offset + kNodeBytes > bytes_.size()) return damaged(number_);
  return bytes_.substr(offset);
}

Result<std::size_t> TreePage::child(std::size_t node) const {
  EH_ASSIGN(const std::string_view bytes, at(node));
  auto page = std::uint64_t{get<std::uint32_t>(bytes, 0)};
  if constexpr (sizeof(std::size_t) == 8) page |= std::uint64_t{get<std::uint16_t>(bytes, 4)} << 32;
  return static_cast<std::size_t>(page);
}

Result<std::string_view> TreePage::separator(std::size_t node) const {
  EH_ASSIGN(const std::string_view bytes, at(node));
  const std::size_t size = get<std::uint16_t>(bytes, 6);
  if (size > bytes.size() - kNodeBytes) return damaged(number_);
  return bytes.substr(kNodeBytes, size);
}

Result<TreePage::Entry> TreePage::entry(std::size_t node) const {
  EH_ASSIGN(const std::string_view key, separator(node));
  EH_ASSIGN(const std::string_view bytes, at(node));
  Entry entry{key, {}, get<std::uint32_t>(bytes, 0), 0};
  const std::string_view rest = bytes.substr(kNodeBytes + key.size());
  if ((get<std::uint16_t>(bytes, 4) & kLargeValue) == 0) {
    if (entry.size > rest.size()) return damaged(number_);
    entry.value = rest.substr(0, entry.size);
    return entry;
  }
  entry.first_page = get<std::size_t>(rest, 0);
  if (rest.size() < sizeof(std::size_t) || entry.first_page == 0) return damaged(number_);
  return entry;
}

bool PageMap::take(std::size_t first, std::size_t count) {
  if (first >= taken_.size() || count > taken_.size() - first) return false;
  for (std::size_t page = first; page < first + count; ++page) {
    if (taken_[page]) return false;
    taken_[page] = true;
    ++count_;
  }
  return true;
}

Status take_branches(int fd, std::size_t page_size, const DatabaseRecord& tree, PageMap& pages) {
  if (tree.root == kNoPage) return {};
  if (tree.depth == 0 || tree.depth > kMaxDepth)
    return fail(ErrorCode::kCorrupt, "its tree is {} pages deep", tree.depth);
  const std::size_t before = pages.taken();
  EH_TRY(take_below(fd, page_size, tree.root, tree.depth - 1u, pages));
  if (pages.taken() - before == tree.branch) return {};
  return fail(ErrorCode::kCorrupt, "its tree has {} branch pages and should have {}",
              pages.taken() - before, tree.branch);
}

Result<std::optional<std::size_t>> newest_freed(int fd, std::size_t page_size,
                                                const DatabaseRecord& free_list) {
  if (free_list.root == kNoPage) return std::nullopt;
  std::size_t number = free_list.root;
  for (unsigned depth = 0; depth < kMaxDepth; ++depth) {
    std::string bytes;
    EH_ASSIGN(const TreePage page, read_tree_page(fd, page_size, number, bytes));
    if (!page.is_branch()) {
      EH_ASSIGN(const std::size_t transaction, integer_key(page, page.nodes() - 1, number));
      return transaction;
    }
    EH_ASSIGN(number, page.child(page.nodes() - 1));
  }
  return damaged(free_list.root);
}

}  // namespace edgehose::lmdb
