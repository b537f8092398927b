#include "buffer/meta_pages.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include "agent/base/bytes.h"
#include "agent/base/file.h"
#include "buffer/lmdb.h"

namespace edgehose {
namespace {

using lmdb::DatabaseRecord;
using lmdb::MetaPage;

// Where a meta page's magic stands, by who wrote the file. LMDB 1.0 has a word more in front.
struct Layout {
  const char* name;
  std::size_t word;
  bool big_endian;
  std::size_t header;
};
constexpr Layout kLayouts[] = {
    {"64-bit little-endian", 8, false, 16}, {"32-bit little-endian", 4, false, 12},
    {"64-bit big-endian", 8, true, 16},     {"32-bit big-endian", 4, true, 12},
    {"64-bit little-endian", 8, false, 24}, {"64-bit big-endian", 8, true, 24},
};
constexpr std::size_t kMetaBytes = 256;
// Of LMDB 1.0, before it and of its development. One of 0.9 with a flipped bit has others.
constexpr std::uint32_t kOtherVersions[] = {2, 3, 999};

struct Outline {
  const Layout* layout = nullptr;  // none: not a meta page
  std::uint32_t version = 0;
  std::uint32_t page_size = 0;
};

std::uint32_t u32_at(std::string_view bytes, std::size_t at, bool big_endian) {
  ByteReader in(bytes.substr(at));
  return big_endian ? in.be<std::uint32_t>() : in.le<std::uint32_t>();
}

bool is_native(const Layout& layout) {
  return layout.word == sizeof(std::size_t) &&
         layout.big_endian == (std::endian::native == std::endian::big);
}

bool is_other_version(std::uint32_t version) {
  return std::ranges::find(kOtherVersions, version) != std::end(kOtherVersions);
}

Outline outline_of(std::string_view page) {
  for (const Layout& layout : kLayouts) {
    const std::size_t size = layout.header + 8 + 2 * layout.word;  // where the page size stands
    if (page.size() < size + 4) return {};
    if (u32_at(page, layout.header, layout.big_endian) != lmdb::kMagic) continue;
    return {&layout, u32_at(page, layout.header + 4, layout.big_endian),
            u32_at(page, size, layout.big_endian)};
  }
  return {};
}

bool is_page_size(std::uint32_t size) {
  return size >= 512 && size <= 65536 && std::has_single_bit(size);
}

// What both pages must agree on before a file is called foreign.
Result<std::string> judge_outlines(const std::string& path, const Outline& first,
                                   const Outline& second) {
  if (first.layout == nullptr) return std::string("its first meta page is not one");
  if (second.layout == nullptr)
    return std::string("its second meta page is not where it should be");
  if (second.layout != first.layout) return std::string("its meta pages disagree");
  if (!is_native(*first.layout))
    return fail(
        ErrorCode::kUnsupported,
        "{} was written by a {} program, and this one is {}: LMDB files cannot be moved between "
        "them",
        path, first.layout->name, sizeof(std::size_t) == 8 ? "64-bit" : "32-bit");
  if (first.version == second.version && is_other_version(first.version))
    return fail(
        ErrorCode::kUnsupported,
        "{} was written by another version of LMDB (data format {}; this program has LMDB 0.9, "
        "which reads format {})",
        path, first.version, lmdb::kDataVersion);
  for (const Outline& page : {first, second})
    if (page.version != lmdb::kDataVersion || page.layout->header != sizeof(lmdb::PageHeader))
      return fmt::format("a meta page names version {} of LMDB's format, which there is not",
                         page.version);
  if (second.page_size != first.page_size)
    return std::string("its meta pages disagree about the page size");
  return std::string();
}

// Whether LMDB can have written this record of a tree.
bool is_tree(const DatabaseRecord& tree, std::size_t last_page) {
  if (tree.root == lmdb::kNoPage)
    return tree.entries == 0 && tree.depth == 0 && tree.branch == 0 && tree.leaf == 0 &&
           tree.overflow == 0;
  return tree.root >= 2 && tree.root <= last_page && tree.depth >= 1 &&
         tree.depth <= lmdb::kMaxDepth && tree.entries >= 1 && tree.leaf >= 1 &&
         tree.leaf <= last_page && tree.branch <= last_page && tree.overflow <= last_page;
}

std::string judge(const MetaPage& page, std::size_t index) {
  constexpr std::uint16_t kKeyFlags = 0x7F;  // how keys are compared, and what lies under them
  const std::size_t size = page.free_list.pad;
  if (page.header.flags != lmdb::kMetaPage) return "a meta page is not marked as one";
  if (page.transaction % 2 != index) return "a meta page has a transaction of the other one";
  if ((page.free_list.flags & kKeyFlags) != lmdb::kIntegerKey || page.main.flags != 0)
    return "a meta page has flags that no buffer has";
  if (page.last_page < 1 || page.last_page >= page.map_size / size)
    return "a meta page tells of more pages than the buffer can have";
  if (!is_tree(page.free_list, page.last_page) || !is_tree(page.main, page.last_page))
    return "a meta page tells of a tree that cannot be";
  return {};
}

std::string judge(const std::array<MetaPage, 2>& pages) {
  for (std::size_t i = 0; i < pages.size(); ++i)
    if (std::string damage = judge(pages[i], i); !damage.empty()) return damage;
  const auto [older, newer] = std::minmax(pages[0].transaction, pages[1].transaction);
  if (newer - older != 1) return "its meta pages are not of two commits that follow each other";
  return {};
}

// Both pages as they were at one instant, also while another process commits.
std::string read_both(int fd, std::size_t page_size) {
  constexpr int kAttempts = 16;
  std::string bytes, before;
  for (int i = 0; i < kAttempts && (i < 2 || bytes != before); ++i) {
    before = std::move(bytes);
    bytes = lmdb::read_page(fd, 0, page_size + kMetaBytes);
  }
  return bytes;
}

// None: it is not a meta page that this program can have written.
std::optional<MetaPage> sound_page(std::string_view bytes, std::size_t index) {
  const Outline outline = outline_of(bytes);
  if (outline.layout == nullptr || !is_native(*outline.layout) ||
      outline.version != lmdb::kDataVersion || outline.layout->header != sizeof(lmdb::PageHeader) ||
      !is_page_size(outline.page_size))
    return std::nullopt;
  MetaPage page;
  std::memcpy(&page, bytes.data(), sizeof page);
  return judge(page, index).empty() ? std::optional(page) : std::nullopt;
}

// Every commit but the first frees pages of the one before. False also where the list is lost.
Result<bool> wrote_its_free_list(int fd, const MetaPage& page) {
  EH_ASSIGN(const auto freed, lmdb::newest_freed(fd, page.free_list.pad, page.free_list));
  return freed ? *freed == page.transaction : page.transaction <= 1;
}

}  // namespace

std::optional<MetaPage> remaining_meta_page(const std::string& path) {
  const auto fd = open_file(path, O_RDONLY);
  std::optional<MetaPage> remaining;
  std::size_t second = lmdb::kPageBytes;  // where the first one does not tell, the size of ours
  for (std::size_t i = 0; fd && i < 2; ++i) {
    const auto page = sound_page(lmdb::read_page(fd->get(), i * second, kMetaBytes), i);
    if (!page) continue;
    second = page->free_list.pad;
    if (!wrote_its_free_list(fd->get(), *page).value_or(false)) continue;
    if (remaining) return std::nullopt;
    remaining = page;
  }
  return remaining;
}

Result<MetaPages> read_meta_pages(const std::string& path) {
  EH_ASSIGN(const FileDescriptor fd, open_file(path, O_RDONLY));
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) return fail_errno(errno, "looking at " + path);
  MetaPages meta;
  if (st.st_size == 0) {
    meta.damage = "the file is empty";
    return meta;
  }
  const std::string front = lmdb::read_page(fd.get(), 0, kMetaBytes);
  const std::uint32_t page_size = outline_of(front).page_size;
  if (!is_page_size(page_size)) {
    meta.damage = "its first meta page is not one";
    return meta;
  }
  const std::string bytes = read_both(fd.get(), page_size);
  const std::string_view first(bytes),
      second = first.substr(std::min<std::size_t>(page_size, first.size()));
  EH_ASSIGN(meta.damage, judge_outlines(path, outline_of(first), outline_of(second)));
  if (!meta.damage.empty()) return meta;
  std::memcpy(&meta.pages[0], first.data(), sizeof(MetaPage));
  std::memcpy(&meta.pages[1], second.data(), sizeof(MetaPage));
  meta.damage = judge(meta.pages);
  return meta;
}

Result<std::string> check_order(const std::string& path, const MetaPages& meta) {
  EH_ASSIGN(const FileDescriptor fd, open_file(path, O_RDONLY));
  std::string damage;
  for (const MetaPage& page : meta.pages) {
    const auto own = wrote_its_free_list(fd.get(), page);
    if (!own)
      damage = own.error().message;
    else if (!*own)
      damage = "a meta page and its free list are of two commits";
  }
  if (damage.empty()) return damage;
  // Another process may have committed, and have used the pages of the older commit.
  EH_ASSIGN(const MetaPages now, read_meta_pages(path));
  for (std::size_t i = 0; i < now.pages.size(); ++i)
    if (now.pages[i].transaction != meta.pages[i].transaction) return std::string();
  return damage;
}

}  // namespace edgehose
