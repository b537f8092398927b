#include "agent/commands/stored_metadata.h"

#include <algorithm>

#include "agent/base/file.h"
#include "agent/base/json.h"

namespace edgehose {
namespace {

constexpr std::size_t kMaxBytes = 1 << 20;
constexpr std::string_view kHeaderPrefix = "x-amz-meta-";

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string plain_name(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(), lower);
  return name.starts_with(kHeaderPrefix) ? name.substr(kHeaderPrefix.size()) : name;
}

}  // namespace

Result<s3ec::Metadata> parse_stored_metadata(std::string_view json) {
  const Json answer = Json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (!answer.is_object())
    return fail(ErrorCode::kInvalid,
                "it is not what \"aws s3api head-object\" prints: a JSON object with \"Metadata\"");
  const auto inner = answer.find("Metadata");
  const Json& pairs = inner != answer.end() && inner->is_object() ? *inner : answer;
  s3ec::Metadata metadata;
  for (const auto& [name, value] : pairs.items())
    if (value.is_string()) metadata[plain_name(name)] = value.get<std::string>();
  return metadata;
}

Result<s3ec::Metadata> read_stored_metadata(const std::string& path) {
  EH_ASSIGN(const std::string json, read_file(path, kMaxBytes));
  auto metadata = parse_stored_metadata(json);
  if (!metadata) return tl::unexpected(std::move(metadata).error().with_context(path));
  return metadata;
}

}  // namespace edgehose
