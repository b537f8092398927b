// GivenStream: a ByteSource that gives one stream, for tests that make the stream themselves.
#pragma once

#include <memory>

#include "agent/base/stream.h"

namespace edgehose {

class GivenStream final : public ByteSource {
 public:
  explicit GivenStream(std::unique_ptr<ByteStream> stream) : stream_(std::move(stream)) {}
  Result<std::unique_ptr<ByteStream>> open() override {
    if (stream_) return std::move(stream_);
    return fail(ErrorCode::kIo, "it was given once");
  }

 private:
  std::unique_ptr<ByteStream> stream_;
};

}  // namespace edgehose
