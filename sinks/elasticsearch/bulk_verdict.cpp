#include "sinks/elasticsearch/bulk_verdict.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <vector>

#include "sinks/elasticsearch/bulk_response.h"
#include "sinks/elasticsearch/item_verdict.h"
#include "sinks/events/sent_records.h"

namespace edgehose {
namespace {

// Collects what items say.
class Judgement {
 public:
  explicit Judgement(const BulkQuestion& question)
      : question_(question), records_(question.sent), told_(records_.size()) {}

  void take(BulkItem item) {
    const std::uint64_t at = items_++;
    const auto place = place_of(item, at);
    if (item.status == 0) problem_ = "an item has no status";
    if (!place || *place >= records_.size() || told_[*place])
      problem_ = "an item is about something else than was sent";
    if (!problem_.empty()) return;
    told_[*place] = true;
    take(records_.at(*place), item);
  }
  Verdict conclude();

 private:
  std::optional<std::uint64_t> place_of(const BulkItem& item, std::uint64_t at) const {
    if (question_.ids == nullptr || !item.id) return at;
    const auto sequence = question_.ids->sequence_of(*item.id);
    return sequence ? records_.place_of(*sequence) : std::nullopt;
  }
  void take(Sequence sequence, const BulkItem& item);
  void refuse(Sequence sequence, const BulkItem& item);
  std::vector<SequenceRange> again();

  const BulkQuestion question_;
  const SentRecords records_;
  std::vector<bool> told_;
  std::uint64_t items_ = 0;
  std::string problem_;

  std::vector<Rejected> refused_;
  std::map<std::string, std::size_t> refused_by_;  // reason: in refused_
  std::uint64_t refused_records_ = 0;
  std::vector<Sequence> again_;
  bool all_blocked_ = true;  // of those
  std::string again_reason_, park_reason_;
};

std::string words_of(const BulkItem& item, std::string_view advice) {
  std::string words = fmt::format("the server answers {} {}", item.status, item.type);
  if (!item.reason.empty()) words += ": " + item.reason;
  if (!advice.empty()) words += fmt::format("; {}", advice);
  return words;
}

void Judgement::take(Sequence sequence, const BulkItem& item) {
  const auto [verdict, advice] = judge_item(item);
  if (verdict == ItemVerdict::kDelivered) return;
  const bool blocked = verdict == ItemVerdict::kBlocked;
  if (verdict == ItemVerdict::kRefused || (blocked && question_.gives_up_blocked))
    return refuse(sequence, item);
  again_.push_back(sequence);
  all_blocked_ = all_blocked_ && blocked;
  std::string& reason = verdict == ItemVerdict::kPark ? park_reason_ : again_reason_;
  if (reason.empty()) reason = words_of(item, advice);
}

void Judgement::refuse(Sequence sequence, const BulkItem& item) {
  ++refused_records_;
  std::string reason = words_of(item, {});
  const auto [known, fresh] = refused_by_.try_emplace(reason, refused_.size());
  if (fresh) refused_.push_back({{}, std::move(reason), item.type});
  refused_[known->second].records.push_back(sequence);
}

std::vector<SequenceRange> Judgement::again() {
  std::ranges::sort(again_);
  std::vector<SequenceRange> ranges;
  for (const Sequence sequence : again_) {
    if (!ranges.empty() && ranges.back().last + 1 == sequence)
      ranges.back().last = sequence;
    else
      ranges.push_back({sequence, sequence});
  }
  return ranges;
}

Verdict Judgement::conclude() {
  if (problem_.empty() && items_ != records_.size())
    problem_ = fmt::format("it tells of {} records, {} were sent", items_, records_.size());
  if (!problem_.empty())
    return Retry{"the answer cannot be the server's to this request: " + problem_, {}, true};
  if (again_.empty() && refused_.empty()) return Delivered{};
  // Where some were taken, those are done with; what is left then says so alone.
  if (!park_reason_.empty() && again_.size() == records_.size()) return Park{park_reason_};
  for (Rejected& refusal : refused_) std::ranges::sort(refusal.records);
  Partly partly;
  partly.refused = std::move(refused_);
  partly.again = again();
  partly.reason = again_reason_.empty() ? park_reason_ : again_reason_;
  partly.alone = !again_.empty() && all_blocked_;
  return partly;
}

}  // namespace

Verdict judge_bulk(const BulkQuestion& question, std::string_view answer) {
  Judgement judgement(question);
  const Status read =
      read_bulk_items(answer, [&](BulkItem item) { judgement.take(std::move(item)); });
  if (!read)
    return Retry{fmt::format("the answer 200 is not a search server's ({}): something between "
                             "here and there, such as a portal that wants a login",
                             read.error().message),
                 {},
                 true};
  return judgement.conclude();
}

}  // namespace edgehose
