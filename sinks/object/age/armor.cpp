#include "sinks/object/age/armor.h"

#include <algorithm>
#include <cstring>

#include "agent/base/base64.h"

namespace edgehose::age {
namespace {

constexpr std::size_t kColumns = 64;
constexpr std::size_t kMaxWhitespace = 1024;  // before and after

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

}  // namespace

tl::unexpected<Error> ArmorReader::broken(std::string_view what) {
  malformed_ = true;
  return fail(ErrorCode::kCorrupt, "age armor: line {}: {}", line_, what);
}

Result<std::size_t> ArmorReader::read(char* out, std::size_t size) {
  if (malformed_) return broken("damaged, see above");
  if (!begun_) EH_TRY(begin());
  while (used_ == decoded_.size()) {
    if (ended_) return std::size_t{0};
    EH_TRY(next_line());
  }
  const std::size_t n = std::min(size, decoded_.size() - used_);
  std::memcpy(out, decoded_.data() + used_, n);
  used_ += n;
  return n;
}

Status ArmorReader::begin() {
  begun_ = true;
  EH_ASSIGN(std::string_view ahead, input_->peek(kMaxWhitespace + kArmorBegin.size()));
  const auto text = std::ranges::find_if_not(ahead, is_space);
  input_->consume(static_cast<std::size_t>(text - ahead.begin()));
  line_ = 1;
  EH_ASSIGN(const auto line, input_->line(kArmorBegin.size() + 1));
  if (!line) return broken("it is not the BEGIN line");
  const std::string_view marker = line->ends_with('\r')
                                      ? std::string_view(*line).substr(0, line->size() - 1)
                                      : std::string_view(*line);
  if (marker != kArmorBegin) return broken("it is not the BEGIN line");
  return {};
}

Status ArmorReader::next_line() {
  ++line_;
  used_ = 0;
  decoded_.clear();
  EH_ASSIGN(auto line, input_->line(kColumns + 1, /*allow_unterminated=*/true));
  if (!line) return broken("it is too long, or the END line is missing");
  if (line->ends_with('\r')) line->pop_back();
  if (*line == kArmorEnd) return end();
  if (last_seen_) return broken("the END line must follow a line of under 64 columns");
  if (line->empty()) return broken("it is empty");
  if (line->size() > kColumns) return broken("it is over 64 columns");
  auto bytes = decode_base64(*line, true);
  if (!bytes) return broken("it is not canonical base64");
  last_seen_ = line->size() < kColumns || line->ends_with('=');
  decoded_ = *std::move(bytes);
  return {};
}

Status ArmorReader::end() {
  ended_ = true;
  EH_ASSIGN(const std::string_view rest, input_->peek(kMaxWhitespace + 1));
  if (rest.size() > kMaxWhitespace || !std::ranges::all_of(rest, is_space))
    return broken("something follows the END line");
  return {};
}

}  // namespace edgehose::age
