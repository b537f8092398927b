#include "sinks/splunk/hec_verdict.h"

#include <fmt/format.h>

#include "sinks/events/sent_records.h"
#include "sinks/http/retry_after.h"
#include "sinks/splunk/acknowledgements.h"
#include "sinks/splunk/hec_codes.h"

namespace edgehose {
namespace {

// A server whose queues fill is left alone for so long after each request that it takes.
constexpr Duration kEase = std::chrono::seconds(2);

constexpr int kAcksFull = 27;
constexpr std::string_view kAskForThem =
    "the token has indexer acknowledgement enabled, and nobody asks for it: set ack = true, or "
    "disable it there";

std::string_view advice_of(int status) {
  switch (status) {
    case 401:
    case 403: return "see to \"token\"";
    case 404:
    case 405: return "correct \"endpoints\": a collector has /services/collector there";
    case 407: return "see to \"proxy\"";
    default: return {};
  }
}

// A collector that is busy says so with a code. Without one it is a proxy's that waited for it, or
// was cut off, and it may have taken the events.
bool is_a_proxys(const HttpResponse& answer, const HecAnswer& hec) {
  return !hec.code && (answer.status == 408 || (answer.status >= 502 && answer.status <= 504));
}

// Where the code says nothing.
Verdict judge_status(const HttpResponse& answer, const HecAnswer& hec) {
  if (answer.succeeded())
    return Retry{fmt::format("the answer {} is not a Splunk's to this request: something between "
                             "here and there, such as a portal that wants a login",
                             answer.status),
                 {},
                 true};
  Verdict verdict = verdict_of(refusal_of(answer.status), answer,
                               words_of(answer, hec, advice_of(answer.status)));
  if (auto* const retry = std::get_if<Retry>(&verdict);
      retry != nullptr && is_a_proxys(answer, hec))
    retry->maybe_arrived = true;
  return hec.code ? verdict : of_batch(std::move(verdict), answer);
}

Verdict taken(const HecOptions& options, const PostResponse& response, const HecAnswer& hec,
              Duration pause) {
  if (!options.ack) return Delivered{.pause = pause};
  const Receipt receipt{response.endpoint, response.channel, hec.ack_id.value_or(kNoAckId)};
  return Poll{.receipt = receipt.text(),
              .after = next_question({}, options.ack_interval, 0),
              .group = receipt.group(),
              .pause = pause,
              .serial = receipt.serial()};
}

// Those before the one that is named were taken, those behind it were not looked at. Where none is
// named it is looked for by halving. A server that counts otherwise than most (hec_answer.h) has
// taken the one that is refused too: then it is in the dead letters as well, and none is lost.
Verdict refused_event(const HecOptions& options, const PostResponse& response, const HecAnswer& hec,
                      std::string_view advice) {
  std::string words = words_of(response.answer, hec, advice);
  Rejected refused;
  refused.reason = server_words_of(response.answer, hec, advice);
  refused.shown = words;
  refused.kind = fmt::format("code {}", *hec.code);
  const SentRecords records(response.sent);
  if (records.size() == 1) {
    refused.records = {records.at(0)};
    return refused;
  }
  if (options.raw || !hec.invalid_event || *hec.invalid_event >= records.size())
    return TooLarge{.reason = std::move(words), .maybe_arrived = true};
  Partly partly;
  refused.records = {records.at(*hec.invalid_event)};
  partly.refused.push_back(std::move(refused));
  partly.again = records.behind(*hec.invalid_event);
  partly.reason = std::move(words);
  partly.at_once = true;
  return partly;
}

Verdict judge_code(const HecRule& rule, const HttpResponse& answer, const HecAnswer& hec,
                   std::string_view advice) {
  std::string words = words_of(answer, hec, advice);
  switch (rule.meaning) {
    case HecMeaning::kBusy: return Retry{std::move(words), retry_after(answer)};
    case HecMeaning::kUnclear: return Retry{std::move(words), retry_after(answer), true};
    default: return Park{std::move(words)};
  }
}

bool says_well(const HecRule& rule) {
  return rule.meaning == HecMeaning::kTaken || rule.meaning == HecMeaning::kTakenFull ||
         rule.meaning == HecMeaning::kHealthy;
}

// None: a code that is not known, or that its status belies.
const HecRule* rule_of(const HttpResponse& answer, const HecAnswer& hec) {
  const HecRule* const rule = hec.code ? hec_rule(*hec.code) : nullptr;
  if (rule == nullptr || (says_well(*rule) && !answer.succeeded())) return nullptr;
  return rule;
}

}  // namespace

Verdict judge_hec(const HecOptions& options, const PostResponse& response) {
  const HecAnswer hec = read_hec_answer(response.answer);
  const HecRule* const rule = rule_of(response.answer, hec);
  if (rule == nullptr) return judge_status(response.answer, hec);
  switch (rule->meaning) {
    case HecMeaning::kTaken: return taken(options, response, hec, {});
    case HecMeaning::kTakenFull: return taken(options, response, hec, kEase);
    case HecMeaning::kHealthy: return judge_status(response.answer, hec);
    case HecMeaning::kEvent: return refused_event(options, response, hec, rule->advice);
    case HecMeaning::kIndex:
      if (!options.fixed_index) return refused_event(options, response, hec, rule->advice);
      break;
    default: break;
  }
  const bool unasked = !options.ack && rule->code == kAcksFull;
  return judge_code(*rule, response.answer, hec, unasked ? kAskForThem : rule->advice);
}

Verdict judge_hec_refusal(const HttpResponse& answer) {
  const HecAnswer hec = read_hec_answer(answer);
  const HecRule* const rule = rule_of(answer, hec);
  if (rule == nullptr || says_well(*rule)) return judge_status(answer, hec);
  return judge_code(*rule, answer, hec, rule->advice);
}

Verdict judge_hec_health(const HttpResponse& answer) {
  if (answer.status == 0 && answer.failure != HttpFailure::kSetup) return Retry{answer.problem};
  Verdict verdict = answer.status == 0 ? judge_silence(answer) : judge_hec_refusal(answer);
  if (auto* const retry = std::get_if<Retry>(&verdict)) retry->maybe_arrived = false;
  if (auto* const park = std::get_if<Park>(&verdict)) park->of_batch = false;
  return verdict;
}

bool hec_refuses_gzip(const HttpResponse& answer) { return answer.status == 415; }

// A 401 or 403 without a code may be of a rule for this path alone, and says nothing of the token.
HostHealth hec_health(const HttpResponse& answer) {
  const HecAnswer hec = read_hec_answer(answer);
  const HecRule* const rule = rule_of(answer, hec);
  if (rule == nullptr) {
    if (answer.succeeded()) return hec.code ? HostHealth::kNotKnown : HostHealth::kUnwell;
    const HttpRefusal refusal = refusal_of(answer.status);
    const bool passes = refusal == HttpRefusal::kRetry || refusal == HttpRefusal::kUnclear;
    return passes ? HostHealth::kUnwell : HostHealth::kNotKnown;
  }
  if (says_well(*rule)) return HostHealth::kWell;
  switch (rule->meaning) {
    case HecMeaning::kBusy:
    case HecMeaning::kUnclear:
    case HecMeaning::kToken:
    case HecMeaning::kPark: return HostHealth::kUnwell;
    default: return HostHealth::kNotKnown;
  }
}

}  // namespace edgehose
