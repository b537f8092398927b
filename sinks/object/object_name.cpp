#include "sinks/object/object_name.h"

#include <algorithm>

#include "agent/base/crc32c.h"
#include "agent/base/text.h"
#include "sinks/object/object_encoder.h"

namespace edgehose {
namespace {

// Sequences are a source's own, so two sources must differ even where capitals do not count.
std::string source_part(std::string_view source, std::size_t limit) {
  if (source.empty()) return "all";
  std::string part = object_name_part(source, limit);
  const bool capitals =
      std::any_of(part.begin(), part.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  if (!capitals || part.find('~') != std::string::npos) return part;
  return shortened(part, std::min(limit, part.size() + 9));
}

// "20261123T012400Z"
std::string compact_time(WallTime time) {
  std::string out;
  for (const char c : format_wall(time))
    if (c != '-' && c != ':') out.push_back(c);
  return out;
}

constexpr std::string_view kTimeForm = "-00000000T000000Z";  // a '0' for each digit

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool has_form(std::string_view text, std::string_view form) {
  return std::ranges::equal(text, form,
                            [](char t, char f) { return f == '0' ? is_digit(t) : t == f; });
}

// A sequence, as names have it: 12 digits or more.
bool skip_number(std::string_view& text) {
  const auto end = std::ranges::find_if_not(text, is_digit);
  const auto digits = static_cast<std::size_t>(end - text.begin());
  text.remove_prefix(digits);
  return digits >= 12;
}

// Steady across versions and machines, which std::hash is not (FNV-1a).
std::uint64_t seed_of(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

}  // namespace

std::string shortened(std::string_view text, std::size_t limit) {
  const std::string checksum = fmt::format("~{:08x}", crc32c(0, text));
  return std::string(text.substr(0, limit - checksum.size())) + checksum;
}

// Injective but for the checksum of a long one.
std::string object_name_part(std::string_view text, std::size_t limit) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '_' || c == '-' || (c == '.' && !out.empty());
    if (plain)
      out.push_back(c);
    else
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out.size() <= limit ? out : shortened(out, limit);
}

Result<ObjectNames> ObjectNames::compile(const ObjectConfig& config, const ObjectContext& context,
                                         const ObjectRendering& rendering,
                                         std::vector<std::string>& warnings) {
  EH_ASSIGN(Prefix prefix,
            Prefix::compile(config.prefix, context.labels, context.timezone, warnings));
  EH_TRY(check_rendering(rendering));
  return ObjectNames(context.agent, object_extension(rendering), std::move(prefix));
}

ObjectNames::Name ObjectNames::name(const BatchOutline& batch, std::size_t part_limit) const {
  const std::string_view epoch(reinterpret_cast<const char*>(batch.epoch.data()),
                               batch.epoch.size());
  const std::string stem = fmt::format(
      "{}-{}-{}-{}-{:012}-{:012}{}", source_part(batch.source, part_limit),
      compact_time(batch.first_time), object_name_part(agent_, part_limit), to_hex(epoch),
      batch.first.value, batch.last.value, batch.replay.empty() ? "" : "-replay-" + batch.replay);
  return {prefix_.render({agent_, batch.source, batch.first_time, seed_of(stem)}),
          stem + extension_};
}

// SOURCE-TIME-AGENT-EPOCH-FIRST-LAST[-replay-MARK].EXTENSION: TIME before AGENT-EPOCH, and numbers
// behind it.
bool ObjectNames::is_own(std::string_view key, const Epoch& epoch) const {
  const std::string_view bytes(reinterpret_cast<const char*>(epoch.data()), epoch.size());
  const std::string ours =
      fmt::format("-{}-{}-", object_name_part(agent_, kMaxPartBytes), to_hex(bytes));
  const std::size_t at = key.rfind(ours);
  if (at == std::string_view::npos || at < kTimeForm.size()) return false;
  if (!has_form(key.substr(at - kTimeForm.size(), kTimeForm.size()), kTimeForm)) return false;
  std::string_view rest = key.substr(at + ours.size());
  if (rest.find('/') != std::string_view::npos || !skip_number(rest) || !rest.starts_with('-'))
    return false;
  rest.remove_prefix(1);
  return skip_number(rest) && (rest.starts_with('.') || rest.starts_with("-replay-"));
}

}  // namespace edgehose
