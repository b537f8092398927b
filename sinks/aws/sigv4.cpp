#include "sinks/aws/sigv4.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "agent/base/text.h"
#include "sinks/aws/digest.h"
#include "sinks/aws/time.h"
#include "sinks/aws/uri.h"

namespace edgehose::aws {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
constexpr std::size_t kDayDigits = 8;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

// Without white space at the ends; runs of it inside become one blank.
std::string collapsed(std::string_view value) {
  std::string out;
  bool gap = false;
  for (const char c : value) {
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
      gap = !out.empty();
      continue;
    }
    if (gap) out.push_back(' ');
    gap = false;
    out.push_back(c);
  }
  return out;
}

// By lower-case name; values of the same name are joined in the order given.
std::map<std::string, std::string> canonical_headers(const std::vector<HttpHeader>& headers) {
  std::map<std::string, std::string> out;
  for (const HttpHeader& header : headers) {
    const auto [at, first] = out.try_emplace(lower(header.name));
    if (!first) at->second.push_back(',');
    at->second += collapsed(header.value);
  }
  return out;
}

std::string signed_headers(const std::vector<HttpHeader>& headers) {
  std::string out;
  for (const auto& [name, value] : canonical_headers(headers)) {
    if (!out.empty()) out.push_back(';');
    out += name;
  }
  return out;
}

std::string canonical_path(const std::string& path, const SigningRules& rules) {
  const std::string whole = rules.normalise ? normalise_path(path) : path.empty() ? "/" : path;
  return uri_encode(rules.encode_twice ? whole : uri_decode(whole), Slash::kKept);
}

// Every parameter decoded and encoded again, since a server does the same; "a" is "a=".
std::string canonical_query(std::string_view query) {
  std::vector<std::pair<std::string, std::string>> parameters;
  while (!query.empty()) {
    const std::string_view parameter = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(parameter.size() + 1, query.size()));
    if (parameter.empty()) continue;
    const std::size_t equals = std::min(parameter.find('='), parameter.size());
    const std::string_view value = parameter.substr(std::min(equals + 1, parameter.size()));
    parameters.emplace_back(uri_encode(uri_decode(parameter.substr(0, equals)), Slash::kEncoded),
                            uri_encode(uri_decode(value), Slash::kEncoded));
  }
  std::sort(parameters.begin(), parameters.end());
  std::string out;
  for (const auto& [name, value] : parameters) {
    if (!out.empty()) out.push_back('&');
    ((out += name) += '=') += value;
  }
  return out;
}

std::string scope_text(const SigningScope& scope, WallTime at) {
  return fmt::format("{}/{}/{}/aws4_request", basic_time(at).substr(0, kDayDigits), scope.region,
                     scope.service);
}

}  // namespace

SigningRules signing_rules(std::string_view service) {
  const bool s3 = service == "s3";
  return {.encode_twice = !s3, .normalise = !s3, .content_sha256 = s3 || service == "aoss"};
}

std::string canonical_request(const SigningRequest& request, const SigningRules& rules) {
  std::string out = fmt::format("{}\n{}\n{}\n", request.method, canonical_path(request.path, rules),
                                canonical_query(request.query));
  for (const auto& [name, value] : canonical_headers(request.headers))
    out += fmt::format("{}:{}\n", name, value);
  return out + fmt::format("\n{}\n{}", signed_headers(request.headers), request.payload_hash);
}

std::string string_to_sign(std::string_view canonical_request, const SigningScope& scope,
                           WallTime at) {
  return fmt::format("{}\n{}\n{}\n{}", kAlgorithm, basic_time(at), scope_text(scope, at),
                     sha256_hex(canonical_request));
}

Secret signing_key(const Secret& secret_access_key, const SigningScope& scope, WallTime at) {
  std::string seed = fmt::format("AWS4{}", secret_access_key.reveal());
  Secret key{seed};
  explicit_bzero(seed.data(), seed.size());
  const std::string day = basic_time(at).substr(0, kDayDigits);
  for (const std::string_view part :
       {std::string_view(day), std::string_view(scope.region), std::string_view(scope.service),
        std::string_view("aws4_request")})
    key = Secret(hmac_sha256(key.reveal(), part));
  return key;
}

std::string signature(const Secret& signing_key, std::string_view string_to_sign) {
  return to_hex(hmac_sha256(signing_key.reveal(), string_to_sign));
}

std::vector<HttpHeader> Signer::sign(SigningRequest request, const Credentials& credentials,
                                     WallTime at) {
  std::vector<HttpHeader> added = {{"X-Amz-Date", basic_time(at)}};
  if (rules_.content_sha256) added.push_back({"X-Amz-Content-Sha256", request.payload_hash});
  const HttpHeader token = {"X-Amz-Security-Token", std::string(credentials.session_token.reveal()),
                            /*secret=*/true};
  const bool has_token = !credentials.session_token.empty();
  if (has_token && rules_.sign_session_token) added.push_back(token);
  // A date of the caller's own would be signed beside ours.
  std::erase_if(request.headers, [](const HttpHeader& h) { return lower(h.name) == "x-amz-date"; });
  request.headers.insert(request.headers.end(), added.begin(), added.end());
  if (has_token && !rules_.sign_session_token) added.push_back(token);

  const std::string text = string_to_sign(canonical_request(request, rules_), scope_, at);
  added.push_back(
      {"Authorization",
       fmt::format("{} Credential={}/{}, SignedHeaders={}, Signature={}", kAlgorithm,
                   credentials.access_key_id, scope_text(scope_, at),
                   signed_headers(request.headers), signature(key_of(credentials, at), text))});
  return added;
}

const Secret& Signer::key_of(const Credentials& credentials, WallTime at) {
  std::string day = basic_time(at).substr(0, kDayDigits);
  if (day == day_ && of_.reveal() == credentials.secret_access_key.reveal()) return key_;
  key_ = signing_key(credentials.secret_access_key, scope_, at);
  of_ = credentials.secret_access_key;
  day_ = std::move(day);
  return key_;
}

}  // namespace edgehose::aws
