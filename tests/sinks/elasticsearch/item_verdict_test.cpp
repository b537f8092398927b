#include "sinks/elasticsearch/item_verdict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgehose {
namespace {

using enum ItemVerdict;

struct Case {
  int status;
  const char* type;
  const char* reason;
  ItemVerdict verdict;
};

// Each answer that was seen of the servers, or is in their documentation.
const Case kCases[] = {
    {200, "", "", kDelivered},  // noop: a pipeline dropped it
    {201, "", "", kDelivered},
    {409, "version_conflict_engine_exception", "[b]: version conflict, document already exists",
     kDelivered},
    {429, "es_rejected_execution_exception", "rejected execution of coordinating operation",
     kAgain},
    {429, "rejected_execution_exception", "rejected execution of org.opensearch", kAgain},
    {429, "circuit_breaking_exception", "[parent] Data too large", kAgain},
    {429, "cluster_block_exception", "index [x] blocked by: [TOO_MANY_REQUESTS/12/disk usage",
     kBlocked},
    {403, "cluster_block_exception", "index [x] blocked by: [FORBIDDEN/8/index write (api)];",
     kBlocked},
    {400, "index_closed_exception", "closed", kBlocked},
    {503, "unavailable_shards_exception", "[logs][0] primary shard is not active", kBlocked},
    {503, "no_shard_available_action_exception", "", kAgain},
    {500, "internal_server_error", "", kAgain},
    {500, "fail_processor_exception", "this one never", kRefused},
    {400, "document_parsing_exception", "[1:20] failed to parse field [n] of type [long]",
     kRefused},
    {400, "mapper_parsing_exception", "failed to parse field [n] of type [long]", kRefused},
    {400, "strict_dynamic_mapping_exception", "mapping set to strict", kRefused},
    {400, "illegal_argument_exception", "Limit of total fields [1000] has been exceeded", kRefused},
    {400, "illegal_argument_exception", "Document contains at least one immense term", kRefused},
    {400, "illegal_argument_exception", "pipeline with id [clean] does not exist", kPark},
    {400, "illegal_argument_exception", "no write index is defined for alias [x]", kPark},
    {400, "illegal_argument_exception",
     "Document ID is not supported in create/index operation request", kPark},
    {400, "validation_exception",
     "this action would add [2] shards, but this cluster currently has [1000]/[1000] maximum normal "
     "shards open;",
     kAgain},
    {400, "validation_exception",
     "Validation Failed: 1: this action would add [2] total shards, but this cluster currently has "
     "[1000]/[1000] maximum shards open;",
     kAgain},
    {400, "mapper_parsing_exception", "failed to parse 'pipeline with id [x] does not exist'",
     kRefused},  // words of a record
    {400, "mapper_parsing_exception", "failed to parse 'maximum shards open'", kRefused},
    {400, "invalid_index_name_exception", "Invalid index name [X], must be lowercase", kPark},
    {400, "routing_missing_exception", "routing is required", kPark},
    {404, "index_not_found_exception", "no such index [x]", kPark},
    {404, "document_missing_exception", "", kRefused},
    {403, "security_exception", "no permissions for [indices:data/write/bulk[s]]", kPark},
    {403, "something_new", "", kPark},
    {401, "", "", kPark},
    {409, "something_new", "", kRefused},
    {422, "something_new", "", kRefused},
};

TEST(ItemVerdict, EachAnswerHasOne) {
  for (const Case& c : kCases)
    EXPECT_EQ(judge_item({{}, c.status, c.type, c.reason}).verdict, c.verdict)
        << c.status << " " << c.type << ": " << c.reason;
}

TEST(ItemVerdict, WhatNeedsAPersonSaysWhatToDo) {
  for (const Case& c : kCases)
    if (c.verdict == kPark && *c.type != '\0' && std::string_view(c.type) != "something_new") {
      EXPECT_FALSE(judge_item({{}, c.status, c.type, c.reason}).advice.empty()) << c.type;
    }
}

}  // namespace
}  // namespace edgehose
