// Bytes that went over a network, both ways.
#pragma once

#include <algorithm>
#include <cstdint>

namespace edgehose {

struct WireBytes {
  std::uint64_t sent = 0;
  std::uint64_t received = 0;

  WireBytes& operator+=(const WireBytes& o) {
    sent += o.sent;
    received += o.received;
    return *this;
  }
  // What came after `earlier`; never less than nothing.
  WireBytes since(const WireBytes& earlier) const {
    return {sent - std::min(sent, earlier.sent), received - std::min(received, earlier.received)};
  }
  bool operator==(const WireBytes&) const = default;
};

}  // namespace edgehose
