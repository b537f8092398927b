#include "sinks/http/failure_text.h"

#include <algorithm>

#include "agent/base/base64.h"

namespace edgehose {
namespace {

constexpr std::string_view kNoOrigin = "this URL";
constexpr std::size_t kShortestSecret = 8;  // less is found by chance in any text

void strike_out(std::string& body, std::string_view secret) {
  if (secret.size() < kShortestSecret) return;
  for (std::size_t at = 0; (at = body.find(secret, at)) != std::string::npos;)
    body.replace(at, secret.size(), "***");
}

// Of "Bearer TOKEN" the token, which may be repeated without its scheme.
std::string_view behind_scheme(std::string_view value) {
  return value.substr(value.find(' ') + 1);  // npos + 1 is 0
}

}  // namespace

std::string origin_of(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return std::string(kNoOrigin);
  const std::size_t end = std::min(url.find_first_of("/?#", scheme + 3), url.size());
  // A password with one of these in it looks like a path, up to its '@'.
  if (url.find('@', end) != std::string_view::npos) return std::string(kNoOrigin);
  std::string_view authority = url.substr(scheme + 3, end - scheme - 3);
  authority.remove_prefix(authority.rfind('@') + 1);  // npos + 1 is 0
  return std::string(url.substr(0, scheme + 3)).append(authority);
}

void strike_out(std::string& body, const std::vector<HttpHeader>& sent) {
  for (const HttpHeader& header : sent) {
    if (!header.secret) continue;
    strike_out(body, header.value);
    const std::string_view secret = behind_scheme(header.value);
    strike_out(body, secret);
    const auto pair = decode_base64(secret, true);  // "user:password", "id:key"
    if (!pair) continue;
    strike_out(body, *pair);
    strike_out(body, std::string_view(*pair).substr(pair->find(':') + 1));  // npos + 1 is 0
  }
}

bool blames_proxy_url(std::string_view curl_says) {
  return curl_says.starts_with("Unsupported proxy");  // "... syntax in 'URL'", "... scheme for"
}

std::string shown(std::string_view curl_says, std::string_view general) {
  if (blames_proxy_url(curl_says))
    return "the proxy's URL cannot be read (\"proxy\", else https_proxy and http_proxy of the "
           "environment): in a password, '#' is written %23, '/' %2F, '@' %40 and so on";
  const bool safe = curl_says.find('@') == std::string_view::npos &&
                    curl_says.find("://") == std::string_view::npos;
  return std::string(safe && !curl_says.empty() ? curl_says : general);
}

}  // namespace edgehose
