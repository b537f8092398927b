#include "agent/config/agent_id.h"

#include <openssl/hmac.h>

#include <algorithm>
#include <array>

#include "agent/base/file.h"
#include "agent/base/text.h"

namespace edgehose {
namespace {

constexpr std::size_t kMaxIdBytes = 128;
constexpr std::size_t kMachineIdDigits = 32;

std::string without_line_end(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  return text;
}

Result<std::string> derive(const std::string& machine_id) {
  constexpr std::string_view kPurpose = "edgehose agent id";
  constexpr std::size_t kBytes = 8;
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (HMAC(EVP_sha256(), machine_id.data(), static_cast<int>(machine_id.size()),
           reinterpret_cast<const unsigned char*>(kPurpose.data()), kPurpose.size(), digest.data(),
           &size) == nullptr)
    return fail(ErrorCode::kUnsupported, "no HMAC-SHA-256 to derive the agent's id; set agent.id");
  return "edge-" + to_hex({reinterpret_cast<const char*>(digest.data()), kBytes});
}

}  // namespace

Result<std::string> agent_id(const AgentConfig& agent, bool keep,
                             const std::string& machine_id_file) {
  if (!agent.id.empty()) return agent.id;
  const std::string kept_in = agent.data_dir + "/agent-id";
  auto kept = read_file(kept_in, kMaxIdBytes + 2);
  if (kept) {
    std::string id = without_line_end(std::move(*kept));
    if (!id.empty() && wrong_agent_id(id).empty()) return id;
    return fail(ErrorCode::kCorrupt,
                "{} does not hold an agent's id; set agent.id, or remove the file", kept_in);
  }
  if (kept.error().code != ErrorCode::kNotFound) return tl::unexpected(std::move(kept).error());
  const auto machine_id = read_file(machine_id_file, 256);
  const std::string digits = machine_id ? without_line_end(*machine_id) : "";
  if (digits.size() != kMachineIdDigits || !from_hex(digits))
    return fail(ErrorCode::kNotFound,
                "this machine has no id in {} to derive the agent's from; set agent.id",
                machine_id_file);
  EH_ASSIGN(std::string id, derive(digits));
  if (keep) EH_TRY(replace_file(kept_in, id + "\n", 0644));
  return id;
}

std::string wrong_agent_id(const std::string& id) {
  const bool safe = std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
  if (safe && !id.empty() && id.size() <= kMaxIdBytes && id[0] != '.') return {};
  return "must be letters, digits, \".\", \"_\" and \"-\", at most 128 and not starting with "
         "\".\", since object "
         "keys hold it";
}

}  // namespace edgehose
