#include "agent/base/stream.h"

#include <algorithm>
#include <cstring>

namespace edgehose {

Result<std::size_t> PieceStream::read(char* out, std::size_t size) {
  if (failed_) return tl::unexpected<Error>(*failed_);
  while (used_ == ready_.size() && !ended_ && size > 0) {
    const Status refilled = refill();
    used_ = 0;
    if (refilled) continue;
    failed_ = refilled.error();
    return tl::unexpected<Error>(*failed_);
  }
  const std::size_t n = std::min(size, ready_.size() - used_);
  std::memcpy(out, ready_.data() + used_, n);
  used_ += n;
  return n;
}

}  // namespace edgehose
