#include "sinks/object/crypto/sealing_stream.h"

#include <algorithm>

#include "sinks/object/crypto/secret_bytes.h"

namespace edgehose {

SealingStream::~SealingStream() { wipe(plain_); }

Status SealingStream::refill() {
  std::size_t have = plain_.size();  // 0 or 1
  plain_.resize(kChunkBytes + 1);
  while (have < plain_.size()) {
    EH_ASSIGN(const std::size_t n, input_->read(plain_.data() + have, plain_.size() - have));
    if (n == 0) break;
    have += n;
  }
  ended_ = have <= kChunkBytes;
  const auto chunk = std::string_view(plain_).substr(0, std::min(have, kChunkBytes));
  EH_TRY(plaintext_.admit(chunk_, ended_, chunk));
  ready_.clear();
  EH_TRY(seal(chunk_++, ended_, chunk));
  plain_[0] = plain_[kChunkBytes];
  plain_.resize(ended_ ? 0 : 1);
  return {};
}

}  // namespace edgehose
