// SentRecords: the records of a request by their place in it, which is how some services tell them.
// Pure; borrows the ranges.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "sinks/sink.h"

namespace edgehose {

class SentRecords {
 public:
  // Sequences ascend.
  explicit SentRecords(const std::vector<SequenceRange>& ranges) : ranges_(ranges) {
    for (const SequenceRange& range : ranges) {
      begins_.push_back(size_);
      size_ += range.last - range.first + 1;
    }
  }
  std::uint64_t size() const { return size_; }
  std::optional<std::uint64_t> place_of(Sequence sequence) const {
    const auto range = std::ranges::lower_bound(ranges_, sequence, {}, &SequenceRange::last);
    if (range == ranges_.end() || sequence < range->first) return std::nullopt;
    return begins_[static_cast<std::size_t>(range - ranges_.begin())] + (sequence - range->first);
  }
  // Of a place below size().
  Sequence at(std::uint64_t place) const { return ranges_[range_of(place)].first + offset(place); }
  // What stands behind a place below size().
  std::vector<SequenceRange> behind(std::uint64_t place) const {
    const std::size_t range = range_of(place);
    std::vector<SequenceRange> rest(ranges_.begin() + static_cast<std::ptrdiff_t>(range),
                                    ranges_.end());
    rest.front().first = at(place) + 1;
    if (rest.front().last < rest.front().first) rest.erase(rest.begin());
    return rest;
  }

 private:
  std::size_t range_of(std::uint64_t place) const {
    return static_cast<std::size_t>(std::ranges::upper_bound(begins_, place) - begins_.begin()) - 1;
  }
  std::uint64_t offset(std::uint64_t place) const { return place - begins_[range_of(place)]; }

  const std::vector<SequenceRange>& ranges_;
  std::vector<std::uint64_t> begins_;
  std::uint64_t size_ = 0;
};

}  // namespace edgehose
