#include "sinks/object/age/buffered_input.h"

#include <algorithm>
#include <cstring>

namespace edgehose::age {

Result<std::size_t> BufferedInput::read(char* out, std::size_t size) {
  const std::string_view have = buffered();
  if (have.empty()) return input_->read(out, size);
  const std::size_t n = std::min(size, have.size());
  std::memcpy(out, have.data(), n);
  consume(n);
  return n;
}

Result<std::string_view> BufferedInput::peek(std::size_t size) {
  buffer_.erase(0, used_);
  used_ = 0;
  while (buffer_.size() < size && !ended_) {
    const std::size_t have = buffer_.size();
    buffer_.resize(size);
    auto n = input_->read(buffer_.data() + have, size - have);
    buffer_.resize(have + n.value_or(0));
    if (!n) return tl::unexpected<Error>(std::move(n).error());
    ended_ = *n == 0;
  }
  return std::string_view(buffer_).substr(0, size);
}

Result<std::optional<std::string>> BufferedInput::line(std::size_t limit, bool allow_unterminated) {
  // Most lines are short and many are asked for: look at what is there before reading more.
  std::size_t end = buffered().substr(0, limit + 1).find('\n');
  if (end == std::string_view::npos) {
    EH_ASSIGN(const std::string_view ahead, peek(std::max<std::size_t>(limit + 1, 4096)));
    end = ahead.substr(0, limit + 1).find('\n');
  }
  if (end != std::string_view::npos) {
    std::string line(buffered().substr(0, end));
    consume(end + 1);
    return line;
  }
  if (!allow_unterminated || buffered().empty() || buffered().size() > limit) return std::nullopt;
  std::string line(buffered());
  consume(line.size());
  return line;
}

Status BufferedInput::take(std::size_t size, std::string& out) {
  out.resize(size);
  std::size_t have = 0;
  while (have < size) {
    auto n = read(out.data() + have, size - have);
    if (!n) return tl::unexpected<Error>(std::move(n).error());
    if (*n == 0) break;
    have += *n;
  }
  out.resize(have);
  return {};
}

}  // namespace edgehose::age
