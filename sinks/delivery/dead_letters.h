// The records of a claim that its sink refused for good, read back from the buffer as dead letters.
#pragma once

#include <string>
#include <vector>

#include "agent/base/result.h"
#include "buffer/state.h"
#include "buffer/store.h"

namespace edgehose {

struct Refusal {
  std::vector<Sequence> records;  // which; none: all of the claim
  std::string reason;             // shortened to kMaxDeadLetterReason
  std::uint32_t attempts = 0;
  WallTime given_up;
};

// Ids are given by the store. Records in blocks that cannot be read any more are left out: they
// were in no request either. Of a replay: the letters that are refused again, with their ids.
Result<std::vector<DeadLetter>> collect_dead_letters(Store& store, const Claim& claim,
                                                     const Refusal& refusal);

}  // namespace edgehose
