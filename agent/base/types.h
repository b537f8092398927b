// Strong types for what would otherwise be bare integers, and the two kinds of time.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <functional>

namespace edgehose {

// An integer that mixes with no other: Strong<struct Tag, Rep>. Explicit construction, ordering,
// ++ and + of a plain distance.
template <class Tag, class Rep>
struct Strong {
  using rep = Rep;
  Rep value{};

  constexpr Strong() = default;
  constexpr explicit Strong(Rep v) : value(v) {}
  constexpr auto operator<=>(const Strong&) const = default;
  constexpr Strong& operator++() {
    ++value;
    return *this;
  }
  constexpr Strong operator+(Rep distance) const {
    return Strong(static_cast<Rep>(value + distance));
  }
  constexpr Rep operator-(Strong other) const { return static_cast<Rep>(value - other.value); }
};

// All count from 1. Those of blocks, records, files and claims are never given twice.
using BlockNumber = Strong<struct BlockNumberTag, std::uint64_t>;  // global
using Sequence = Strong<struct SequenceTag, std::uint64_t>;        // a record's, per source
using SourceId = Strong<struct SourceIdTag, std::uint32_t>;        // a source's name in this buffer
using SinkId = Strong<struct SinkIdTag, std::uint32_t>;            // a sink's name in this buffer
using FileId = Strong<struct FileIdTag, std::uint32_t>;            // a tailed file; 0: none
using ClaimId = Strong<struct ClaimIdTag, std::uint64_t>;          // a persisted claim

// Monotonic time: timers only; never stored, never shown.
struct MonotonicTimeline {
  using rep = std::int64_t;
  using period = std::nano;
  using duration = std::chrono::nanoseconds;
};
using Duration = std::chrono::nanoseconds;
using Instant = std::chrono::time_point<MonotonicTimeline, Duration>;
constexpr Instant kNever = Instant::max();

// Wall time: stamps only; never a timer. Nanoseconds since 1970-01-01T00:00:00Z, may jump.
using WallTime = Strong<struct WallTimeTag, std::int64_t>;

}  // namespace edgehose

template <class Tag, class Rep>
struct std::hash<edgehose::Strong<Tag, Rep>> {
  std::size_t operator()(const edgehose::Strong<Tag, Rep>& s) const noexcept {
    return std::hash<Rep>{}(s.value);
  }
};
