// The records of a claim that its sink refused for good, read back from the buffer as dead letters.
#pragma once

#include <string>
#include <vector>

#include "agent/base/result.h"
#include "buffer/state.h"
#include "buffer/store.h"
#include "sinks/sink.h"

namespace edgehose {

struct Refusal {
  std::vector<SequenceRange> records;  // which; none: all of the claim that no other one names
  std::string reason;                  // shortened to kMaxDeadLetterReason
  std::uint32_t attempts = 0;
  WallTime given_up;
  std::string kind{};   // what such refusals have in common
  std::string shown{};  // to log and status, in place of the reason; empty: the reason
  const std::string& words() const { return shown.empty() ? reason : shown; }
};

// What was refused of one claim so far. Bounded: its records are the claim's, and once reasons take
// kMaxReasonBytes what is refused has the last one of its kind.
class Refusals {
 public:
  static constexpr std::size_t kMaxReasonBytes = 1u << 20;

  void add(Refusal refusal);
  const std::vector<Refusal>& all() const { return all_; }
  bool empty() const { return all_.empty(); }
  void clear() { *this = {}; }
  // The kinds of all of them, in an order of their own.
  std::string kinds() const;

 private:
  std::vector<Refusal> all_;
  std::size_t reason_bytes_ = 0;
};

// Ascending sequences that follow each other, as ranges.
std::vector<SequenceRange> ranges_of(std::vector<Sequence> records);

// Ids are given by the store. Records in blocks that cannot be read any more are left out. Of a
// replay: the letters that are refused again, with their ids.
Result<std::vector<DeadLetter>> collect_dead_letters(Store& store, const Claim& claim,
                                                     const std::vector<Refusal>& refusals);

}  // namespace edgehose
