// A bulk answer: what it makes of a request's records is of those records alone, each told once.
#include <algorithm>
#include <set>

#include "sinks/elasticsearch/bulk_response.h"
#include "sinks/elasticsearch/bulk_verdict.h"
#include "tests/fuzz/fuzz.h"

namespace edgehose::fuzz {
namespace {

const std::vector<SequenceRange> kSent{{Sequence{5}, Sequence{6}}, {Sequence{9}, Sequence{9}}};
const RecordIds& ids() {
  static const RecordIds the_ids("gw-1", Epoch{}, "app");
  return the_ids;
}

bool was_sent(Sequence sequence) {
  return std::ranges::any_of(kSent, [&](const SequenceRange& range) {
    return range.first <= sequence && sequence <= range.last;
  });
}

void check(const Rejected& refused, std::set<Sequence>& told) {
  for (const Sequence sequence : refused.records) {
    require(was_sent(sequence), "record {} is refused, and was not sent", sequence.value);
    require(told.insert(sequence).second, "record {} is told twice", sequence.value);
  }
}

void check(const Partly& partly) {
  std::set<Sequence> told;
  for (const Rejected& refused : partly.refused) {
    require(!refused.records.empty(), "a refusal of nothing");
    check(refused, told);
  }
  Sequence before{0};
  for (const SequenceRange& range : partly.again) {
    require(before < range.first && range.first <= range.last, "ranges do not ascend");
    before = range.last;
    for (Sequence s = range.first; s <= range.last; s = s + 1) {
      require(was_sent(s), "record {} is to come again, and was not sent", s.value);
      require(told.insert(s).second, "record {} is told twice", s.value);
    }
  }
}

}  // namespace

void one(std::string_view bytes) {
  Input input(bytes);
  const std::uint8_t flags = input.byte();
  BulkQuestion question{kSent, (flags & 1) != 0 ? &ids() : nullptr};
  question.gives_up_blocked = (flags & 2) != 0;
  question.repeated = (flags & 4) != 0;
  question.data_stream = (flags & 8) != 0;
  question.moved = (flags & 16) != 0;
  if ((flags & 32) != 0) question.index = "gateway";
  const Verdict verdict = judge_bulk(question, input.rest());
  std::set<Sequence> told;
  if (const auto* partly = std::get_if<Partly>(&verdict)) check(*partly);
  if (const auto* refused = std::get_if<Rejected>(&verdict)) check(*refused, told);
  if (const auto* done = std::get_if<Delivered>(&verdict))
    require(done->possible_duplicates <= 3, "more duplicates than records");
}

std::vector<std::string> seeds() {
  const auto item = [](std::uint64_t sequence, std::string_view rest) {
    std::string id;
    ids().append(Sequence{sequence}, id);
    return fmt::format(R"({{"create":{{"_id":"{}",{}}}}})", id, rest);
  };
  const auto answer = [&](char flags, std::string_view a, std::string_view b, std::string_view c) {
    return flags + fmt::format(R"({{"took":30,"errors":true,"items":[{},{},{}]}})", item(5, a),
                               item(6, b), item(9, c));
  };
  constexpr std::string_view
      kCreated = R"("status":201)",
      kThere =
          R"("_index":"gateway","status":409,"error":{"type":"version_conflict_engine_exception","reason":"[x]: version conflict"})",
      kFull = R"("status":429,"error":{"type":"es_rejected_execution_exception","reason":"full"})",
      kBad =
          R"("status":400,"error":{"type":"document_parsing_exception","reason":"failed to parse","caused_by":{"type":"x","reason":"y"}})",
      kBlocked = R"("status":403,"error":{"type":"cluster_block_exception","reason":"blocked"})";
  return {answer(1, kCreated, kCreated, kCreated), answer(1, kCreated, kFull, kBad),
          answer(37, kThere, kCreated, kBlocked), answer(0, kBad, kBad, kThere),
          answer(7, kBlocked, kBlocked, kFull)};
}

}  // namespace edgehose::fuzz
