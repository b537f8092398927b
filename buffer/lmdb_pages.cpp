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

// A branch or leaf page.
class TreePage {
 public:
  static Result<TreePage> read(int fd, std::size_t page_size, std::size_t number) {
    TreePage page;
    page.number_ = number;
    page.bytes_ = read_page(fd, std::uint64_t{number} * page_size, page_size);
    page.header_ = get<PageHeader>(page.bytes_, 0);
    const std::size_t lower = page.header_.rest & 0xFFFF;  // the end of the node offsets
    const bool kind = page.header_.flags == kBranchPage || page.header_.flags == kLeafPage;
    if (page.bytes_.size() != page_size || page.header_.number != number || !kind ||
        lower <= sizeof(PageHeader) || lower > page_size)
      return damaged(number);
    page.nodes_ = (lower - sizeof(PageHeader)) / sizeof(std::uint16_t);
    return page;
  }

  bool is_branch() const { return header_.flags == kBranchPage; }
  std::size_t nodes() const { return nodes_; }

  // Of a branch page: the page that the node leads to.
  Result<std::size_t> child(std::size_t node) const {
    EH_ASSIGN(const std::string_view bytes, at(node));
    auto page = std::uint64_t{get<std::uint32_t>(bytes, 0)};
    if constexpr (sizeof(std::size_t) == 8)
      page |= std::uint64_t{get<std::uint16_t>(bytes, 4)} << 32;
    return static_cast<std::size_t>(page);
  }

  // Of a leaf page of the free list.
  Result<std::size_t> integer_key(std::size_t node) const {
    EH_ASSIGN(const std::string_view bytes, at(node));
    if (get<std::uint16_t>(bytes, 6) != sizeof(std::size_t) ||
        bytes.size() < kNodeBytes + sizeof(std::size_t))
      return damaged(number_);
    return get<std::size_t>(bytes, kNodeBytes);
  }

 private:
  static constexpr std::size_t kNodeBytes = 8;  // before the key: size or page, flags, key's size

  Result<std::string_view> at(std::size_t node) const {
    const std::size_t offset =
        get<std::uint16_t>(bytes_, sizeof(PageHeader) + node * sizeof(std::uint16_t));
    if (offset < sizeof(PageHeader) || offset + kNodeBytes > bytes_.size()) return damaged(number_);
    return std::string_view(bytes_).substr(offset);
  }

  std::string bytes_;
  PageHeader header_{};
  std::size_t number_ = 0, nodes_ = 0;
};

Status take_below(int fd, std::size_t page_size, std::size_t root, unsigned levels,
                  PageMap& pages) {
  if (levels == 0) return {};  // a leaf
  if (!pages.take(root)) return damaged(root);
  EH_ASSIGN(const TreePage page, TreePage::read(fd, page_size, root));
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
    EH_ASSIGN(const TreePage page, TreePage::read(fd, page_size, number));
    if (!page.is_branch()) {
      EH_ASSIGN(const std::size_t transaction, page.integer_key(page.nodes() - 1));
      return transaction;
    }
    EH_ASSIGN(number, page.child(page.nodes() - 1));
  }
  return damaged(free_list.root);
}

}  // namespace edgehose::lmdb
