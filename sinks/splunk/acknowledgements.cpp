#include "sinks/splunk/acknowledgements.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <set>

#include "agent/base/text.h"
#include "sinks/events/status_verdict.h"
#include "sinks/splunk/hec_answer.h"
#include "sinks/splunk/hec_codes.h"
#include "sinks/splunk/hec_verdict.h"

namespace edgehose {
namespace {

constexpr Duration kLongestPatience = std::chrono::hours(1);

// Where nobody can be asked, a server that is there again may know it still: it keeps what was not
// asked for for ten minutes.
constexpr int kPatienceOfSilence = 2;

Poll ask_again(const AckOptions& options, const Batch& batch, std::string failure) {
  const Receipt receipt = Receipt::read(batch.receipt);
  return {.receipt = batch.receipt,
          .after = next_question(batch.held_back, options.interval, batch.spent_receipts),
          .group = receipt.group(),
          .failure = std::move(failure),
          .serial = receipt.serial()};
}

Verdict wait_on(const AckOptions& options, const Batch& batch, Duration patience,
                std::string failure) {
  if (batch.held_back < patience) {
    Poll poll = ask_again(options, batch, std::move(failure));
    poll.after = std::min(poll.after, patience - batch.held_back);  // then it goes again
    return poll;
  }
  return Retry{fmt::format("not acknowledged in {}: it is sent again{}{}",
                           format_duration(batch.held_back), failure.empty() ? "" : "; ", failure),
               {},
               true};
}

// Whether the sink as a whole cannot go on: its one host says that of the token. All else may be of
// this host alone, which has gone, or of something before it; parked, its receipts would be waited
// for without end.
bool needs_a_person(const AckOptions& options, const HttpResponse& answer, const HecRule* rule) {
  if (answer.status == 0) return answer.failure == HttpFailure::kSetup;
  if (options.several_hosts || rule == nullptr) return false;
  return rule->meaning == HecMeaning::kToken || rule->meaning == HecMeaning::kNoAcks;
}

// What the server answers in place of acknowledgements.
Verdict judge_refusal(const AckOptions& options, const Batch& batch, const PostResponse& response) {
  const Duration patience = ack_patience(options.timeout, batch.spent_receipts);
  const HttpResponse& answer = response.answer;
  const HecAnswer hec = read_hec_answer(answer);
  const HecRule* const rule = hec.code ? hec_rule(*hec.code) : nullptr;
  // A channel that is lost is found again by sending: once at once, then as others.
  if (rule != nullptr && rule->meaning == HecMeaning::kChannel)
    return wait_on(options, batch, batch.spent_receipts == 0 ? Duration::zero() : patience,
                   "the channel is not known there: " + words_of(answer, hec, {}));
  if (needs_a_person(options, answer, rule))
    return answer.status == 0 ? judge_silence(answer) : judge_hec_refusal(answer);
  const std::string words = answer.status == 0 ? answer.problem : words_of(answer, hec, {});
  return wait_on(options, batch, kPatienceOfSilence * patience,
                 "acknowledgements cannot be asked for: " + words);
}

}  // namespace

std::string Receipt::text() const { return fmt::format("{} {}", id, group()); }

std::optional<std::uint64_t> Receipt::serial() const {
  return id == kNoAckId ? std::nullopt : std::optional(id);
}

Receipt Receipt::read(std::string_view text) {
  Receipt receipt;
  const std::size_t channel = text.find(' ') + 1, endpoint = text.find(' ', channel) + 1;
  std::from_chars(text.data(), text.data() + channel - 1, receipt.id);
  receipt.channel = text.substr(channel, endpoint - 1 - channel);
  receipt.endpoint = text.substr(endpoint);
  return receipt;
}

Duration next_question(Duration held_back, Duration interval, unsigned spent_receipts) {
  constexpr int kQuestionsToDouble = 8;
  if (spent_receipts > 0) return std::max(interval, held_back / kQuestionsToDouble);
  constexpr Duration kFirst = std::chrono::seconds(2);
  return std::min(interval, std::max(kFirst, held_back));
}

Duration ack_patience(Duration timeout, unsigned spent_receipts) {
  constexpr unsigned kDoublings = 12;
  const Duration patience = timeout * (1 << std::min(spent_receipts, kDoublings));
  return std::min(patience, std::max(timeout, kLongestPatience));
}

PostRequest ask_for_acks(std::span<const Batch* const> batches) {
  std::set<std::uint64_t> ids;
  for (const Batch* const batch : batches) ids.insert(Receipt::read(batch->receipt).id);
  const Receipt receipt = Receipt::read(batches.front()->receipt);
  PostRequest request{"/services/collector/ack", "application/json", {}, nullptr};
  request.text = fmt::format("{{\"acks\":[{}]}}", fmt::join(ids, ","));
  request.endpoint = receipt.endpoint;
  request.channel = receipt.channel;
  return request;
}

Verdict judge_acks(const AckOptions& options, const Batch& batch, const PostResponse& response) {
  if (response.unsent) {
    Verdict verdict = judge_unsent(*response.unsent);
    if (std::holds_alternative<Park>(verdict)) return verdict;
    return ask_again(options, batch, response.unsent->message);
  }
  const auto acks = read_acks(response.answer);
  if (!acks) return judge_refusal(options, batch, response);
  const std::uint64_t id = Receipt::read(batch.receipt).id;
  const auto told = acks->find(id);
  const bool means_it = id != kNoAckId && !batch.ambiguous;
  if (told != acks->end() && told->second && means_it) return Delivered{};
  return wait_on(options, batch, ack_patience(options.timeout, batch.spent_receipts), {});
}

}  // namespace edgehose
