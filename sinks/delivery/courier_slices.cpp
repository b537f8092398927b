// What a destination refuses record by record: how much of what is left goes next. Behind a record
// that is refused nothing was looked at, so all of that goes again: halved with each refusal and
// doubled with each delivery, it costs about as much as what is sent once, however many are bad.
#include <algorithm>
#include <utility>

#include "sinks/delivery/courier.h"

namespace edgehose {
namespace {

// Moves `records` of the last of `from` to `to`, which is empty.
void move_last(std::vector<SequenceRange>& from, std::uint64_t records,
               std::vector<SequenceRange>& to) {
  while (records > 0 && !from.empty()) {
    SequenceRange& range = from.back();
    const std::uint64_t whole = count_records({range});
    const std::uint64_t moved = std::min(records, whole);
    const Sequence first{range.last.value - (moved - 1)};
    to.push_back({first, range.last});
    records -= moved;
    if (moved == whole)
      from.pop_back();
    else
      range.last = Sequence{first.value - 1};
  }
  std::ranges::reverse(to);
}

}  // namespace

// Each such answer tells of one record at least. Where nothing but refusals come, it may be all
// that the destination has to say: the rest goes one by one, as slowly as a parked sink probes, and
// from both ends, since good ones may be behind bad ones. A replay waits by itself.
void Courier::go_on(Held& held, const std::string& reason, std::uint64_t sent, bool delivered,
                    Instant now) {
  if (only_refused(held, delivered)) {
    held.from_end = !held.from_end;
    cut_slice(held, 1);
    const std::string words =
        fmt::format("{} records in a row were refused: {}", kRefusedInARow, reason);
    if (!held.batch.claim.replay()) return park(held, Park{words}, now);
    return wait_alone(held, words, probe_interval(held.own_failures, random_), now);
  }
  held.from_end = false;
  cut_slice(held, std::max<std::uint64_t>(sent / 2, 1));
  recovered(now);
  held.not_before = now;
}

// Of what is left, the slice that was sent is there.
void Courier::slice_delivered(Held& held, std::uint64_t sent, bool delivered, Instant now) {
  if (!std::exchange(held.told.nobody_asked, false)) answered(held, now);
  if (delivered) {
    count_delivery();
    held.failed_at = deliveries_;
    held.refusals = 0;
    at_ease(held);
  }
  end_receipt(held);
  held.batch.left.clear();
  cut_slice(held, 2 * sent);
  held.not_before = now;
}

// Whether so many answers in a row did nothing but refuse.
bool Courier::only_refused(Held& held, bool delivered) {
  unsigned& refusals = held.batch.claim.replay() ? held.refusals : refusals_only_;
  refusals = delivered ? 0 : std::min(refusals + 1, kRefusedInARow);
  return refusals >= kRefusedInARow;
}

void Courier::cut_slice(Held& held, std::uint64_t records) {
  std::vector<SequenceRange> left = std::exchange(held.later, {});
  left.insert(left.end(), held.batch.left.begin(), held.batch.left.end());
  std::ranges::sort(left, {}, &SequenceRange::first);
  const std::uint64_t all = count_records(left);
  const std::uint64_t slice = std::min(records, all);
  std::vector<SequenceRange> behind;
  move_last(left, held.from_end ? slice : all - slice, behind);
  held.batch.left = held.from_end ? behind : left;
  held.later = held.from_end ? std::move(left) : std::move(behind);
}

}  // namespace edgehose
