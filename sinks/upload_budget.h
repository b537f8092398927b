// UploadBudget: at most so many bytes a second leave, over all who share it (a sink's requests, or
// every sink of the agent). A token bucket of a quarter of a second, 16 KiB at least.
//
// Threading: any thread.
#pragma once

#include <cstdint>
#include <mutex>

#include "agent/base/types.h"

namespace edgehose {

class UploadBudget {
 public:
  explicit UploadBudget(std::uint64_t bytes_per_second);

  // How many of `want` bytes may go now; 0: none before ready_at().
  std::size_t take(Instant now, std::size_t want);
  void give_back(std::size_t bytes);  // taken, but not sent
  // Sent without having been taken (headers, TLS, what TCP repeats): what comes next waits for it.
  void charge(std::size_t bytes);
  // When a slice worth sending is there again.
  Instant ready_at(Instant now) const;

 private:
  void refill(Instant now);
  double capacity() const;

  const double rate_;  // bytes a second
  mutable std::mutex mutex_;
  double available_;  // below zero after a charge
  Instant filled_{};
};

}  // namespace edgehose
