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
    if (!is_final(item.status))
      problem_ = item.status == 0 ? "an item has no status"
                                  : fmt::format("an item has the status {}", item.status);
    if (lacks_its_id(item)) problem_ = "an item does not say which document was created";
    if (!place || *place >= records_.size() || told_[*place])
      problem_ = "an item is about something else than was sent";
    if (!problem_.empty()) return;
    told_[*place] = true;
    take(records_.at(*place), item);
  }
  Verdict conclude();

 private:
  static bool is_final(int status) {
    return (status >= 200 && status < 300) || (status >= 400 && status < 600);
  }
  bool lacks_its_id(const BulkItem& item) const {
    return question_.ids != nullptr && !item.id && (item.status < 300 || item.status == 409);
  }
  std::optional<std::uint64_t> place_of(const BulkItem& item, std::uint64_t at) const;
  bool may_be_there_twice(const BulkItem& item) const;
  void take(Sequence sequence, const BulkItem& item);
  void refuse(Sequence sequence, const BulkItem& item, bool waited_out);
  std::vector<SequenceRange> again();

  const BulkQuestion question_;
  const SentRecords records_;
  std::vector<bool> told_;
  std::uint64_t items_ = 0;
  std::string problem_;

  std::vector<Rejected> refused_;
  std::map<std::string, std::size_t> refused_by_;  // reason: in refused_
  std::uint64_t possible_duplicates_ = 0;
  std::vector<Sequence> again_;
  bool all_blocked_ = true;  // of those
  std::string again_reason_, park_reason_;
};

std::string words_of(const BulkItem& item, std::string_view reason, std::string_view advice) {
  std::string words = fmt::format("the server answers {}", item.status);
  if (!item.type.empty()) words += " " + item.type;
  if (!reason.empty()) words += fmt::format(": {}", reason);
  if (!advice.empty()) words += fmt::format("; {}", advice);
  return words;
}

// Where a replay has two letters of a record, one under the other's id, the second item is the
// second's.
std::optional<std::uint64_t> Judgement::place_of(const BulkItem& item, std::uint64_t at) const {
  if (question_.ids == nullptr || !item.id) return at;
  const auto sequence = question_.ids->sequence_of(*item.id);
  auto place = sequence ? records_.place_of(*sequence) : std::nullopt;
  while (place && told_[*place] && *place + 1 < records_.size() &&
         records_.at(*place + 1) == *sequence)
    ++*place;
  return place;
}

bool Judgement::may_be_there_twice(const BulkItem& item) const {
  if (!question_.repeated || item.status != 201) return false;
  const bool elsewhere =
      !question_.index.empty() && !item.index.empty() && item.index != question_.index;
  return question_.data_stream || question_.moved || elsewhere;
}

// Their reasons go to the log only where they are about an index or the cluster, not a record.
void Judgement::take(Sequence sequence, const BulkItem& item) {
  const auto [verdict, advice, tells_of_index] = judge_item(item);
  if (may_be_there_twice(item)) ++possible_duplicates_;
  if (verdict == ItemVerdict::kDelivered) return;
  const bool blocked = verdict == ItemVerdict::kBlocked;
  const bool waited_out = blocked && question_.gives_up_blocked;
  if (verdict == ItemVerdict::kRefused || waited_out) return refuse(sequence, item, waited_out);
  again_.push_back(sequence);
  all_blocked_ = all_blocked_ && blocked;
  std::string& reason = verdict == ItemVerdict::kPark ? park_reason_ : again_reason_;
  if (reason.empty()) reason = words_of(item, tells_of_index ? item.reason : "", advice);
}

void Judgement::refuse(Sequence sequence, const BulkItem& item, bool waited_out) {
  std::string reason = words_of(item, item.reason, {});
  const auto [known, fresh] = refused_by_.try_emplace(reason, refused_.size());
  if (fresh)
    refused_.push_back(
        {{}, std::move(reason), item.type, false, words_of(item, {}, {}), waited_out});
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
  if (again_.empty() && refused_.empty()) return Delivered{possible_duplicates_};
  // Where some were taken, those are done with; what is left then says so alone.
  if (!park_reason_.empty() && again_.size() == records_.size()) return Park{park_reason_};
  for (Rejected& refusal : refused_) std::ranges::sort(refusal.records);
  Partly partly;
  partly.refused = std::move(refused_);
  partly.again = again();
  partly.reason = again_reason_.empty() ? park_reason_ : again_reason_;
  partly.alone = !again_.empty() && all_blocked_;
  partly.possible_duplicates = possible_duplicates_;
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
