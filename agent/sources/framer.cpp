#include "agent/sources/framer.h"

#include <algorithm>

#include "agent/base/check.h"
#include "agent/base/crc32c.h"

namespace edgehose {

void Framer::start(const LinePosition& at, std::string_view held) {
  EH_CHECK(held.size() == std::min(at.scanned - at.begin, max_));
  at_ = at;
  forget_held();
  held_.assign(held);
}

void Framer::hold(std::string_view bytes) {
  if (held_.size() < max_)
    held_.append(bytes.substr(0, static_cast<std::size_t>(max_) - held_.size()));
}

// One checksum over all lines and one over what follows them, rather than one for each line.
void Framer::advance(std::string_view taken, std::size_t after_last_line) {
  if (after_last_line > 0) {
    at_.crc = crc32c(at_.scanned_crc, taken.substr(0, after_last_line));
    at_.scanned_crc = crc32c(at_.crc, taken.substr(after_last_line));
  } else {
    at_.scanned_crc = crc32c(at_.scanned_crc, taken);
  }
  at_.scanned += taken.size();
}

void Framer::forget_held() {
  constexpr std::size_t kKeep = 64 * 1024;  // one long line does not cost memory for ever
  if (held_.capacity() > kKeep) std::string().swap(held_);
  held_.clear();
}

void pass_over(LinePosition& at, std::string_view bytes) {
  at.scanned += bytes.size();
  at.scanned_crc = crc32c(at.scanned_crc, bytes);
}

}  // namespace edgehose
