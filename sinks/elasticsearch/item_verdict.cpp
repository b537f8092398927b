#include "sinks/elasticsearch/item_verdict.h"

#include <algorithm>

namespace edgehose {
namespace {

struct ItemRule {
  int status;              // 0: any
  std::string_view type;   // of the error; empty: any
  std::string_view words;  // that its reason begins with; empty: whatever it says
  ItemVerdict verdict;
  std::string_view advice = {};
};

// The first that fits counts.
constexpr ItemRule kItemRules[] = {
    {409, "version_conflict_engine_exception", "",
     ItemVerdict::kDelivered},  // an earlier attempt's
    {0, "cluster_block_exception", "", ItemVerdict::kBlocked, "see why the index is blocked"},
    {0, "index_closed_exception", "", ItemVerdict::kBlocked, "open the index"},
    {0, "unavailable_shards_exception", "", ItemVerdict::kBlocked},
    {0, "es_rejected_execution_exception", "", ItemVerdict::kAgain},
    {0, "rejected_execution_exception", "", ItemVerdict::kAgain},
    {0, "circuit_breaking_exception", "", ItemVerdict::kAgain},
    {0, "index_not_found_exception", "", ItemVerdict::kPark,
     "make the index or its template, or let the server make it (action.auto_create_index)"},
    {0, "invalid_index_name_exception", "", ItemVerdict::kPark, "correct \"index\""},
    {0, "security_exception", "", ItemVerdict::kPark,
     "the credentials need to create documents there (create_doc, and auto_configure or "
     "create_index)"},
    {0, "routing_missing_exception", "", ItemVerdict::kPark, "set \"routing\""},
    {400, "", "pipeline with id [", ItemVerdict::kPark,
     "make the pipeline, or correct \"pipeline\""},
    {400, "", "no write index is defined", ItemVerdict::kPark, "give the alias a write index"},
    {400, "", "Document ID is not supported", ItemVerdict::kPark,
     "set ids = false: this collection takes no ids"},
    // The cluster has as many shards as it may have.
    {400, "", "Validation Failed: 1: this action would add [", ItemVerdict::kAgain,
     "see to the cluster's shards"},
    {400, "", "this action would add [", ItemVerdict::kAgain, "see to the cluster's shards"},
    // A pipeline's processor that fails says so on purpose, and will say so again.
    {500, "fail_processor_exception", "", ItemVerdict::kRefused},
};

// "pipeline with id [x] does not exist", but not what else a pipeline has to say of a document, nor
// a reason that repeats such words of one.
bool fits(const ItemRule& rule, const BulkItem& item) {
  return (rule.status == 0 || rule.status == item.status) &&
         (rule.type.empty() || rule.type == item.type) && item.reason.starts_with(rule.words);
}

ItemVerdict by_status(int status) {
  if (status >= 200 && status < 300) return ItemVerdict::kDelivered;  // a pipeline may have dropped
  switch (status) {
    case 401:
    case 403: return ItemVerdict::kPark;
    case 408:
    case 425:
    case 429: return ItemVerdict::kAgain;
    default: return status >= 500 ? ItemVerdict::kAgain : ItemVerdict::kRefused;
  }
}

}  // namespace

ItemJudgement judge_item(const BulkItem& item) {
  if (item.status < 300) return {by_status(item.status)};
  const auto rule = std::ranges::find_if(
      kItemRules, [&](const ItemRule& candidate) { return fits(candidate, item); });
  const bool of_index = rule != std::end(kItemRules) && !rule->type.empty();
  if (rule != std::end(kItemRules)) return {rule->verdict, rule->advice, of_index};
  return {by_status(item.status)};
}

}  // namespace edgehose
