#include "sinks/aws/sts.h"

#include <string.h>

#include "agent/base/text.h"
#include "sinks/aws/credentials_json.h"
#include "sinks/aws/digest.h"
#include "sinks/aws/partition.h"
#include "sinks/aws/sigv4.h"
#include "sinks/aws/time.h"
#include "sinks/aws/uri.h"
#include "sinks/aws/xml.h"

namespace edgehose::aws {
namespace {

std::string encoded(std::string_view value) { return uri_encode(value, Slash::kEncoded); }

std::string form(const Search& search, std::string action, const Role& role) {
  std::string session = role.session_name;
  if (session.empty()) session = search.env.get("AWS_ROLE_SESSION_NAME");
  std::string body = "Action=" + std::move(action) +
                     "&Version=2011-06-15&RoleArn=" + encoded(role.arn) +
                     "&RoleSessionName=" + encoded(session.empty() ? "edgehose" : session);
  if (!role.duration_seconds.empty()) body += "&DurationSeconds=" + encoded(role.duration_seconds);
  if (!role.external_id.empty()) body += "&ExternalId=" + encoded(role.external_id);
  return body;
}

HttpAsk form_post(const Search& search, std::string body) {
  return {.method = "POST",
          .url = sts_url(search),
          .headers = {{"Content-Type", "application/x-www-form-urlencoded"}},
          .body = std::move(body)};
}

// What STS says, without the secret that it was sent, in case it repeats it.
std::string complaint(const std::string& body, const Secret& sent) {
  std::string said = xml_text(body, "ErrorResponse/Error/Code").value_or("no error code");
  if (const auto message = xml_text(body, "ErrorResponse/Error/Message")) said += ": " + *message;
  const std::string_view secret = sent.reveal();
  for (std::size_t at; !secret.empty() && (at = said.find(secret)) != std::string::npos;)
    said.replace(at, secret.size(), "***");
  return printable(said);
}

Result<Credentials> parse_answer(const HttpAnswer& answer, const std::string& action,
                                 const Role& role, const Search& search, const Secret& sent) {
  const auto wrong = [&](ErrorCode code, std::string_view what) {
    return fail(code, "{} of {} at {}: {}", action, role.arn, host_of(sts_url(search)), what);
  };
  if (answer.status == 0)
    return wrong(ErrorCode::kUnavailable, "no answer (" + answer.problem + ")");
  if (answer.status != 200)
    return wrong(answer.status >= 500 ? ErrorCode::kUnavailable : ErrorCode::kAuth,
                 fmt::format("{} {}", answer.status, complaint(answer.body, sent)));
  const auto part = [&](const char* name) {
    return xml_text(answer.body, fmt::format("{0}Response/{0}Result/Credentials/{1}", action, name))
        .value_or("");
  };
  Credentials found{.access_key_id = part("AccessKeyId"),
                    .secret_access_key = Secret(part("SecretAccessKey")),
                    .session_token = Secret(part("SessionToken")),
                    .expires = parse_time(part("Expiration")),
                    .source = "role " + role.arn};
  if (found.access_key_id.empty() || found.secret_access_key.empty() ||
      found.session_token.empty() || !found.expires)
    return wrong(ErrorCode::kCorrupt, "the answer has no whole credentials in it");
  return found;
}

std::string services_endpoint(const Search& search) {
  const Properties* profile = search.files.profile(search.profile);
  const auto services = search.files.services.find(property(profile, "services"));
  if (services == search.files.services.end()) return {};
  return sub_property(property(&services->second, "sts"), "endpoint_url");
}

}  // namespace

std::string sts_url(const Search& search) {
  for (const std::string& url :
       {search.env.get("AWS_ENDPOINT_URL_STS"), search.env.get("AWS_ENDPOINT_URL"),
        services_endpoint(search), property(search.files.profile(search.profile), "endpoint_url")})
    if (!url.empty()) return url.ends_with('/') ? url : url + "/";
  const std::string region = known_region(search);
  if (region.empty()) return "https://sts.amazonaws.com/";
  return fmt::format("https://sts.{}.{}/", region, domain_of(region));
}

Result<Credentials> assume_role(Search& search, const Role& role, const Credentials& base) {
  HttpAsk ask = form_post(search, form(search, "AssumeRole", role));
  const std::string region = known_region(search);
  const std::size_t path = ask.url.find('/', ask.url.find("://") + 3);
  SigningRequest request{.method = ask.method,
                         .path = ask.url.substr(path),
                         .headers = ask.headers,
                         .payload_hash = sha256_hex(ask.body)};
  request.headers.push_back({"Host", std::string(authority_of(ask.url))});
  Signer signer({region.empty() ? "us-east-1" : region, "sts"});
  for (HttpHeader& header : signer.sign(request, base, search.talk.now()))
    ask.headers.push_back(std::move(header));
  EH_ASSIGN(const HttpAnswer answer, search.talk.http_with_retries(ask));
  return parse_answer(answer, "AssumeRole", role, search, base.session_token);
}

Result<Credentials> assume_role_with_web_identity(Search& search, const Role& role,
                                                  const std::string& token_file) {
  auto content = search.talk.file({.path = token_file, .limit = 64 << 10});
  if (!content) {
    Error error = std::move(content).error();
    if (error.code == ErrorCode::kNotFound) error.code = ErrorCode::kAuth;  // it is set up
    return tl::unexpected(std::move(error).with_context("web identity token"));
  }
  const Secret token(trimmed(*content));
  explicit_bzero(content->data(), content->size());
  constexpr const char* kAction = "AssumeRoleWithWebIdentity";
  const HttpAsk ask = form_post(
      search, form(search, kAction, role) + "&WebIdentityToken=" + encoded(token.reveal()));
  EH_ASSIGN(const HttpAnswer answer, search.talk.http_with_retries(ask));
  return parse_answer(answer, kAction, role, search, token);
}

}  // namespace edgehose::aws
