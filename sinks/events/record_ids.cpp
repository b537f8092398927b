#include "sinks/events/record_ids.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "agent/base/base64.h"
#include "agent/base/bytes.h"
#include "sinks/aws/digest.h"

namespace edgehose {
namespace {

constexpr std::size_t kHashBytes = 12;

}  // namespace

RecordIds::RecordIds(std::string_view agent, const Epoch& epoch, std::string_view source) {
  std::string whole;
  put_string(whole, agent);
  put_bytes(whole, epoch);
  put_string(whole, source);
  beginning_ = encode_base64(aws::sha256(whole).substr(0, kHashBytes), false);
  std::ranges::replace(beginning_, '+', '-');
  std::ranges::replace(beginning_, '/', '_');
  beginning_ += '-';
}

void RecordIds::append(Sequence sequence, std::string& out) const {
  out += beginning_;
  char digits[20];
  const char* const end = std::to_chars(digits, digits + sizeof digits, sequence.value).ptr;
  out.append(digits, static_cast<std::size_t>(end - digits));
}

std::string RecordIds::key_of(const BatchOutline& batch) const {
  return fmt::format("{} {} to {}, {}{}", batch.source, batch.first.value, batch.last.value,
                     beginning_, batch.replay);
}

std::optional<Sequence> RecordIds::sequence_of(std::string_view id) const {
  if (!id.starts_with(beginning_)) return std::nullopt;
  id.remove_prefix(beginning_.size());
  Sequence sequence;
  const auto read = std::from_chars(id.data(), id.data() + id.size(), sequence.value);
  if (read.ec != std::errc() || read.ptr != id.data() + id.size()) return std::nullopt;
  return sequence;
}

}  // namespace edgehose
