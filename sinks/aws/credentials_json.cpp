#include "sinks/aws/credentials_json.h"

#include <string.h>

#include "agent/base/json.h"
#include "sinks/aws/time.h"

namespace edgehose::aws {
namespace {

constexpr std::size_t kPrintedBytes = 200;

Json parse(std::string_view text) { return Json::parse(text, nullptr, /*allow_exceptions=*/false); }

// The text of a member; empty where it is not there or no text.
std::string text_of(const Json& object, const char* name) {
  if (!object.is_object()) return {};
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Secret secret_of(const Json& object, const char* name) {
  std::string text = text_of(object, name);
  Secret secret(text);
  explicit_bzero(text.data(), text.size());
  return secret;
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, kPrintedBytes)) out.push_back(c >= ' ' && c <= '~' ? c : ' ');
  return out;
}

std::string error_in_json(std::string_view json) {
  const Json document = parse(json);
  std::string code = text_of(document, "code"), message = text_of(document, "message");
  if (code.empty()) code = text_of(document, "Code");
  if (message.empty()) message = text_of(document, "Message");
  if (code.empty() || code == "Success") return printable(message);
  return printable(message.empty() ? code : code + ": " + message);
}

Result<Credentials> parse_credentials(std::string_view json, const CredentialsLayout& layout,
                                      std::string source) {
  const Json document = parse(json);
  if (!document.is_object()) return fail(ErrorCode::kCorrupt, "the answer is no JSON object");
  if (const std::string code = text_of(document, "Code"); !code.empty() && code != "Success")
    return fail(ErrorCode::kAuth, "the answer says {}", printable(code));
  if (document.contains("Version") && document["Version"] != 1)
    return fail(ErrorCode::kUnsupported, "the answer's \"Version\" is not 1");
  const bool nested = *layout.object != '\0';
  if (nested && !document.contains(layout.object))
    return fail(ErrorCode::kCorrupt, "the answer has no \"{}\"", layout.object);
  const Json& object = nested ? document[layout.object] : document;

  Credentials found{.access_key_id = text_of(object, layout.access_key_id),
                    .secret_access_key = secret_of(object, layout.secret_access_key),
                    .session_token = secret_of(object, layout.session_token),
                    .source = std::move(source)};
  const auto missing = [](const char* name) {
    return fail(ErrorCode::kCorrupt, "the answer has no \"{}\"", name);
  };
  if (found.access_key_id.empty()) return missing(layout.access_key_id);
  if (found.secret_access_key.empty()) return missing(layout.secret_access_key);
  if (found.session_token.empty() && layout.session_token_required)
    return missing(layout.session_token);
  if (const std::string expiration = text_of(object, layout.expiration); !expiration.empty()) {
    found.expires = parse_time(expiration);
    if (!found.expires)
      return fail(ErrorCode::kCorrupt, "the answer's \"{}\" is no time", layout.expiration);
  }
  return found;
}

}  // namespace edgehose::aws
