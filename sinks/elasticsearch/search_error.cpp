#include "sinks/elasticsearch/search_error.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "agent/base/json.h"
#include "sinks/events/printable.h"
#include "sinks/events/status_verdict.h"

namespace edgehose {
namespace {

constexpr std::size_t kShownBytes = 300;
constexpr std::size_t kReadBytes = 64 << 10;  // of a refusal

struct ErrorRule {
  int status;             // 0: any
  std::string_view type;  // empty: any
  HttpRefusal refusal;
  std::string_view advice = {};
};

// The first that fits counts.
constexpr ErrorRule kErrorRules[] = {
    {0, "cluster_block_exception", HttpRefusal::kRetry, "see why the cluster is blocked"},
    {0, "index_not_found_exception", HttpRefusal::kPark, "make the index or its template"},
    {0, "security_exception", HttpRefusal::kPark, "see to \"auth\" and the rights of who it names"},
    {401, "", HttpRefusal::kPark, "see to \"auth\""},
    {403, "", HttpRefusal::kPark, "who \"auth\" names may not do this"},
    {404, "", HttpRefusal::kPark, "correct \"endpoints\": a search server has /_bulk"},
    {405, "", HttpRefusal::kPark, "correct \"endpoints\": a search server has /_bulk"},
    {407, "", HttpRefusal::kPark, "see to \"proxy\""},
};

ErrorRule rule_of(const SearchError& error, int status) {
  const auto rule = std::ranges::find_if(kErrorRules, [&](const ErrorRule& candidate) {
    return (candidate.status == 0 || candidate.status == status) &&
           (candidate.type.empty() || candidate.type == error.type);
  });
  if (rule != std::end(kErrorRules)) return *rule;
  return {0, "", refusal_of(status)};
}

Json parse(std::string_view text) {
  return Json::parse(text.substr(0, kReadBytes), nullptr, false);
}

// {"a":{"b":"text"}} at "a", "b".
std::string text_at(const Json& json, std::initializer_list<const char*> path) {
  const Json* at = &json;
  for (const char* name : path) {
    if (!at->is_object() || !at->contains(name)) return {};
    at = &(*at)[name];
  }
  return at->is_string() ? at->get<std::string>() : std::string();
}

// "coordinating_operation_bytes=200255" of a text.
std::optional<std::uint64_t> number_behind(std::string_view text, std::string_view name) {
  const std::size_t at = text.find(name);
  if (at == std::string_view::npos) return std::nullopt;
  std::uint64_t number = 0;
  const char* const begin = text.data() + at + name.size();
  if (std::from_chars(begin, text.data() + text.size(), number).ec != std::errc())
    return std::nullopt;
  return number;
}

// The breaker counts what a request unpacks to so many times (its "overhead", by default).
// https://www.elastic.co/guide/en/elasticsearch/reference/8.19/circuit-breaker.html
constexpr std::uint64_t kBreakerOverhead = 2;

// A limit that this request would not fit into if it were the only one: to wait does not help.
bool never_fits(const HttpResponse& answer, const SearchError& error, std::uint64_t bytes) {
  if (error.type == "circuit_breaking_exception") {
    const auto limit = number_behind(answer.body, "\"bytes_limit\":");
    return limit && *limit / kBreakerOverhead < bytes;
  }
  if (error.type.find("rejected_execution_exception") == std::string::npos) return false;
  const auto wanted = number_behind(answer.body, "coordinating_operation_bytes=");
  auto limit = number_behind(answer.body, "max_coordinating_and_primary_bytes=");
  if (!limit) limit = number_behind(answer.body, "max_coordinating_bytes=");  // from 8.17 on
  return wanted && limit && *limit < *wanted;
}

std::string words_of(const HttpResponse& answer, const SearchError& error,
                     std::string_view advice) {
  std::string words = fmt::format("the server answers {}", answer.status);
  if (!error.type.empty()) words += " " + error.type;
  if (!error.reason.empty()) words += ": " + error.reason;
  if (error.type.empty() && error.reason.empty() && answer.status >= 300 && answer.status != 401 &&
      answer.status != 413)
    words += ", not in a search server's words: it may be of something between here and there";
  if (!advice.empty()) words += fmt::format("; {}", advice);
  return words;
}

}  // namespace

SearchError read_search_error(const HttpResponse& answer) {
  const Json json = parse(answer.body);
  SearchError error{text_at(json, {"error", "type"}), text_at(json, {"error", "reason"})};
  if (error.reason.empty()) error.reason = text_at(json, {"error"});
  for (const char* name : {"message", "Message"})
    if (error.reason.empty()) error.reason = text_at(json, {name});
  error.type = printable(error.type, kShownBytes);
  error.reason = printable(error.reason, kShownBytes);
  return error;
}

Verdict judge_search_refusal(const HttpResponse& answer, std::uint64_t bytes) {
  const SearchError error = read_search_error(answer);
  const ErrorRule rule = rule_of(error, answer.status);
  std::string words = words_of(answer, error, rule.advice);
  if (never_fits(answer, error, bytes)) return TooLarge{std::move(words)};
  Verdict verdict = verdict_of(rule.refusal, answer, std::move(words));
  const bool silent = error.type.empty() && error.reason.empty();
  return silent ? of_batch(std::move(verdict), answer) : verdict;
}

bool refuses_gzip(const HttpResponse& answer) {
  if (answer.status == 415) return true;
  if (answer.status != 400) return false;
  const SearchError error = read_search_error(answer);
  return error.type == "parse_exception" || error.type == "not_x_content_exception" ||
         error.reason.find("must be terminated by a newline") != std::string::npos ||
         error.reason.find("Compressor detection") != std::string::npos;
}

// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html has the words.
Remedy search_remedy(const HttpResponse& answer) {
  if (answer.status != 403 && answer.status != 401) return Remedy::kNone;
  const std::string words = read_search_error(answer).reason;
  const auto says = [&](std::string_view part) { return words.find(part) != std::string::npos; };
  if (says("Signature expired") || says("Signature not yet current")) return Remedy::kClock;
  if (says("security token")) return Remedy::kCredentials;
  return Remedy::kNone;
}

// What is said of an index or the cluster is the same at each host of it.
bool search_host_refuses(const HttpResponse& answer) {
  if (!host_refuses(answer)) return false;
  const std::string type = read_search_error(answer).type;
  return type != "cluster_block_exception" && type != "index_not_found_exception";
}

HostHealth search_health(const HttpResponse& answer) {
  const bool unwell = answer.status == 401 || host_fails(answer);
  return unwell ? HostHealth::kUnwell : HostHealth::kNotKnown;
}

Verdict judge_search_health(const HttpResponse& answer) {
  if (answer.status == 0 && answer.failure != HttpFailure::kSetup) return Retry{answer.problem};
  if (answer.succeeded())
    return Retry{
        fmt::format("the answer {} to GET / is not a search server's: something between "
                    "here and there, such as a portal that wants a login",
                    answer.status)};
  Verdict verdict = answer.status == 0 ? judge_silence(answer) : judge_search_refusal(answer, 0);
  if (auto* const retry = std::get_if<Retry>(&verdict)) retry->maybe_arrived = false;
  if (auto* const park = std::get_if<Park>(&verdict)) park->of_batch = false;
  return verdict;
}

// Who may not ask is told the product at least, by Elasticsearch from 7.14 on.
std::string describe_server(const HttpResponse& answer) {
  if (!answer.succeeded()) {
    const std::string* const product = answer.header("x-elastic-product");
    return product == nullptr ? std::string() : printable(*product, kShownBytes);
  }
  const Json json = parse(answer.body);
  const std::string number = printable(text_at(json, {"version", "number"}), 40);
  if (number.empty()) return {};
  const bool opensearch = text_at(json, {"version", "distribution"}) == "opensearch";
  return (opensearch ? "OpenSearch " : "Elasticsearch ") + number;
}

}  // namespace edgehose
