// A ByteStream with looking ahead, lines and whole pieces; its buffer holds what was looked at.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "agent/base/stream.h"

namespace edgehose::age {

class BufferedInput final : public ByteStream {
 public:
  explicit BufferedInput(std::unique_ptr<ByteStream> input) : input_(std::move(input)) {}

  Result<std::size_t> read(char* out, std::size_t size) override;
  // The next bytes, `size` of them or fewer at the end; they stay. Valid until the next call.
  Result<std::string_view> peek(std::size_t size);
  void consume(std::size_t size) { used_ += size; }
  // The next line without its LF; none where it is longer than `limit` or, unless allowed, ends
  // without one, or where nothing is left.
  Result<std::optional<std::string>> line(std::size_t limit, bool allow_unterminated = false);
  // Exactly `size` bytes, or fewer at the end, in place of `out`.
  Status take(std::size_t size, std::string& out);

 private:
  std::string_view buffered() const { return std::string_view(buffer_).substr(used_); }

  std::unique_ptr<ByteStream> input_;
  std::string buffer_;
  std::size_t used_ = 0;
  bool ended_ = false;
};

}  // namespace edgehose::age
