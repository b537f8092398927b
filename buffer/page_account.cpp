#include "buffer/page_account.h"

#include <cstring>

namespace edgehose {
namespace {

using lmdb::PageHeader;

tl::unexpected<Error> damaged(std::size_t page) {
  return fail(ErrorCode::kCorrupt, "its page {} is damaged, or belongs to two things", page);
}

}  // namespace

PageAccount::PageAccount(const lmdb::Environment& environment, const lmdb::MetaPage& meta)
    : environment_(environment),
      page_size_(meta.free_list.pad),
      pages_(meta.last_page),
      last_page_(meta.last_page),
      main_{meta.main},
      free_{meta.free_list} {
  pages_.take(0, 2);  // the meta pages
}

Status PageAccount::add_leaf(const char* page, std::size_t number, Tally& tally) {
  PageHeader header;
  std::memcpy(&header, page, sizeof header);
  // LMDB frees the page that the header names, whichever that is.
  if (header.number != number || header.flags != lmdb::kLeafPage || !pages_.take(number))
    return damaged(number);
  tally.last_leaf = number;
  ++tally.leaf;
  return {};
}

Status PageAccount::add(const lmdb::Entry& entry, Tally& tally) {
  const auto key = environment_.offset_of(entry.key), value = environment_.offset_of(entry.value);
  known_ = known_ && key && value;
  if (!known_) return {};
  ++tally.entries;
  const auto leaf = static_cast<std::size_t>(*key / page_size_);
  const auto at = static_cast<std::size_t>(*value / page_size_);
  if (leaf != tally.last_leaf) EH_TRY(add_leaf(entry.key.data() - *key % page_size_, leaf, tally));
  if (at == leaf) return {};
  const std::size_t count = (sizeof(PageHeader) + entry.value.size() + page_size_ - 1) / page_size_;
  if (*value % page_size_ != sizeof(PageHeader) || !pages_.take(at, count)) return damaged(at);
  tally.overflow += count;
  return {};
}

Status PageAccount::add_free(const lmdb::Entry& entry) {
  EH_TRY(add(entry, free_));
  std::size_t count = 0;
  if (entry.value.size() < sizeof count) return damaged(free_.last_leaf);
  std::memcpy(&count, entry.value.data(), sizeof count);
  if (count > entry.value.size() / sizeof count - 1) return damaged(free_.last_leaf);
  for (std::size_t i = 1; i <= count; ++i) {
    std::size_t page = 0;
    std::memcpy(&page, entry.value.data() + i * sizeof page, sizeof page);
    if (!pages_.take(page)) return damaged(page);
  }
  return {};
}

bool PageAccount::fits(const Tally& tally) {
  return tally.entries == tally.record.entries && tally.leaf == tally.record.leaf &&
         tally.overflow == tally.record.overflow;
}

Status PageAccount::finish() {
  if (!known_) return {};
  if (!fits(main_) || !fits(free_))
    return fail(ErrorCode::kCorrupt, "a meta page counts other pages and keys than there are");
  EH_TRY(lmdb::take_branches(environment_.fd(), page_size_, main_.record, pages_));
  EH_TRY(lmdb::take_branches(environment_.fd(), page_size_, free_.record, pages_));
  if (pages_.taken() == last_page_ + 1) return {};
  return fail(ErrorCode::kCorrupt, "of its {} pages {} belong to nothing", last_page_ + 1,
              last_page_ + 1 - pages_.taken());
}

}  // namespace edgehose
