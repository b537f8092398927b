// What becomes of one record, by what its item of a bulk answer says. Pure: a table.
#pragma once

#include <string_view>

#include "sinks/elasticsearch/bulk_response.h"

namespace edgehose {

enum class ItemVerdict {
  kDelivered,
  kAgain,    // the server cannot take it just now
  kBlocked,  // the same, and it is its index alone that cannot
  kRefused,  // never: the record's own fault
  kPark,     // the sink's fault: nothing will be taken before a person has seen to it
};

struct ItemJudgement {
  ItemVerdict verdict = ItemVerdict::kRefused;
  std::string_view advice{};  // what to do
  // The server's reason is of an index or the cluster: it cannot repeat what the record holds.
  bool tells_of_index = false;
};

ItemJudgement judge_item(const BulkItem& item);

}  // namespace edgehose
