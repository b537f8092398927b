// The answer to a bulk request, read item by item: memory is that of one item, beside the answer
// itself, whose length its request bounds. Pure.
//
//   {"took":30,"errors":true,"items":[{"create":{"_id":"a","status":201}}, ...]}
//
// In whatever order members stand; what else is in it is passed over.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "agent/base/result.h"

namespace edgehose {

struct BulkItem {
  std::optional<std::string> id;
  int status = 0;    // 0: it has none
  std::string type;  // of the error, "version_conflict_engine_exception"; empty: none
  // Its words and those of its cause, but what they repeat of the record; printable, at most
  // kMaxDeadLetterReason.
  std::string reason;
  std::string index{};  // where the document is; empty: it does not say
};

// What of an answer is asked for (filter_path): these members, of every item. kBulkIndexFilter: in
// addition, where the index is worth 50 bytes of memory a record, and a third of one on the wire.
extern const char* const kBulkFilter;
extern const char* const kBulkIndexFilter;

// Calls take(item) for each. kInvalid: it is no such answer; what was taken so far does not count.
Status read_bulk_items(std::string_view answer, const std::function<void(BulkItem)>& take);

}  // namespace edgehose
