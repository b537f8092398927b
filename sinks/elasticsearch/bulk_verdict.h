// What becomes of the records of a bulk request that was answered 200: each by its own item. Pure.
#pragma once

#include <optional>
#include <string_view>

#include "sinks/events/record_ids.h"
#include "sinks/sink.h"

namespace edgehose {

struct BulkQuestion {
  const std::vector<SequenceRange>& sent;  // in the order of the request
  const RecordIds* ids = nullptr;          // of these documents; null: the server made some
  // What was blocked for so long goes to the dead letters.
  bool gives_up_blocked = false;
  // Documents with ids, of which an earlier attempt may have arrived: in the index of then.
  bool repeated = false;
  std::string_view index{};  // that was asked for; empty: each document names its own
  bool data_stream = false;  // it is one
  bool moved = false;        // `index` is another one by config than when the batch was cut
};

// An item is told by its `_id`, and where it has none by its place among those that were sent: the
// order of items is not always that of the request. What was created, or is there already, has its
// `_id`. Items that are too few or too many, or of other records, are no answer: the request is
// sent again.
//
// What is created by a repetition, behind a data stream or an alias, or in another index by config,
// is a possible duplicate: the first attempt may have created it in the index that was written to
// before.
Verdict judge_bulk(const BulkQuestion& question, std::string_view answer);

}  // namespace edgehose
