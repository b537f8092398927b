#include "sinks/object/crypto/one_plaintext.h"

#include "agent/base/crc32c.h"

namespace edgehose {

Status OnePlaintext::admit(std::uint64_t chunk, bool last, std::string_view plain) {
  const std::uint32_t checksum = crc32c(last ? 1 : 0, plain);
  if (chunk == chunks_.size()) chunks_.push_back(checksum);
  if (chunks_[static_cast<std::size_t>(chunk)] == checksum) return {};
  return fail(ErrorCode::kCorrupt,
              "what is to be encrypted has changed since it was read before: it is encrypted anew, "
              "under another key");
}

}  // namespace edgehose
