#include "sinks/elasticsearch/bulk_verdict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgehose {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

SequenceRange range(std::uint64_t first, std::uint64_t last) {
  return {Sequence(first), Sequence(last)};
}

class BulkVerdictTest : public ::testing::Test {
 protected:
  std::string id(std::uint64_t sequence) {
    std::string out;
    ids_.append(Sequence(sequence), out);
    return out;
  }
  // {"create":{"_id":...,"status":...,"error":...}}
  std::string item(std::uint64_t sequence, int status, const std::string& type = "",
                   const std::string& reason = "words") {
    return nameless(status, type, reason, ",\"_id\":\"" + id(sequence) + "\"");
  }
  static std::string nameless(int status, const std::string& type = "",
                              const std::string& reason = "words", const std::string& id = "") {
    const std::string error =
        type.empty()
            ? ""
            : fmt::format(",\"error\":{{\"type\":\"{}\",\"reason\":\"{}\"}}", type, reason);
    return fmt::format("{{\"create\":{{\"status\":{}{}{}}}}}", status, id, error);
  }
  Verdict judge(const std::vector<std::string>& items) {
    return judge_text(fmt::format("{{\"errors\":true,\"items\":[{}]}}", fmt::join(items, ",")));
  }
  Verdict judge_text(std::string_view answer) {
    question_.ids = with_ids_ ? &ids_ : nullptr;
    return judge_bulk(question_, answer);
  }
  Partly partly(const std::vector<std::string>& items) {
    const Verdict verdict = judge(items);
    const auto* found = std::get_if<Partly>(&verdict);
    EXPECT_NE(found, nullptr) << verdict.index();
    return found ? *found : Partly{};
  }
  std::string retry(const std::vector<std::string>& items) { return retry_of(judge(items)); }
  static std::string retry_of(const Verdict& verdict) {
    const auto* found = std::get_if<Retry>(&verdict);
    if (found == nullptr) return fmt::format("verdict {}", verdict.index());
    EXPECT_TRUE(found->maybe_arrived);
    return found->reason;
  }

  const RecordIds ids_{"gw-1", Epoch{}, "app"};
  std::vector<SequenceRange> sent_{range(1, 2), range(7, 7)};
  bool with_ids_ = true;
  BulkQuestion question_{sent_};
};

constexpr const char* kRejected = "es_rejected_execution_exception";
constexpr const char* kParsing = "document_parsing_exception";
constexpr const char* kBlock = "cluster_block_exception";

TEST_F(BulkVerdictTest, CreatedAndThereAlreadyAreDelivered) {
  EXPECT_TRUE(std::holds_alternative<Delivered>(
      judge({item(1, 201), item(2, 409, "version_conflict_engine_exception"), item(7, 200)})));
}

TEST_F(BulkVerdictTest, EachRecordGoesItsOwnWay) {
  const Partly verdict =
      partly({item(1, 429, kRejected, "full"), item(2, 400, kParsing, "bad"), item(7, 201)});
  EXPECT_THAT(verdict.again, ElementsAre(range(1, 1)));
  EXPECT_EQ(verdict.reason, "the server answers 429 es_rejected_execution_exception: full");
  EXPECT_FALSE(verdict.alone);
  ASSERT_EQ(verdict.refused.size(), 1u);
  EXPECT_THAT(verdict.refused[0].records, ElementsAre(Sequence(2)));
  EXPECT_EQ(verdict.refused[0].reason, "the server answers 400 document_parsing_exception: bad");
  EXPECT_EQ(verdict.refused[0].kind, kParsing);
}

TEST_F(BulkVerdictTest, ReasonsStayWithTheirRecords) {
  const Partly verdict = partly({item(1, 400, kParsing, "one"), item(2, 400, kParsing, "two"),
                                 item(7, 400, kParsing, "one")});
  EXPECT_TRUE(verdict.again.empty());
  ASSERT_EQ(verdict.refused.size(), 2u);
  EXPECT_THAT(verdict.refused[0].records, ElementsAre(Sequence(1), Sequence(7)));
  EXPECT_THAT(verdict.refused[1].records, ElementsAre(Sequence(2)));
}

TEST_F(BulkVerdictTest, ItemsInAnotherOrderAreToldByTheirIds) {
  const Partly verdict =
      partly({item(7, 400, kParsing), item(2, 429, kRejected), item(1, 429, kRejected)});
  EXPECT_THAT(verdict.again, ElementsAre(range(1, 2)));
  EXPECT_THAT(verdict.refused[0].records, ElementsAre(Sequence(7)));
}

TEST_F(BulkVerdictTest, RefusedRecordsAreInTheirOrderToo) {
  const Partly verdict = partly({item(7, 400, kParsing), item(2, 400, kParsing), item(1, 201)});
  EXPECT_THAT(verdict.refused[0].records, ElementsAre(Sequence(2), Sequence(7)));
}

TEST_F(BulkVerdictTest, ItemsWithoutIdsAreToldByTheirPlace) {
  const Partly verdict = partly({item(1, 201), nameless(429, kRejected), item(7, 201)});
  EXPECT_THAT(verdict.again, ElementsAre(range(2, 2)));
}

TEST_F(BulkVerdictTest, WhatIsThereSaysItsId) {
  for (const std::string& there :
       {nameless(201), nameless(200), nameless(409, "version_conflict_engine_exception")})
    EXPECT_THAT(retry({item(1, 201), there, item(7, 201)}), HasSubstr("which document")) << there;
}

TEST_F(BulkVerdictTest, WithoutIdsOfOursThoseOfTheServerTellNothing) {
  with_ids_ = false;
  const Partly verdict = partly(
      {nameless(201, "", "", ",\"_id\":\"LVktGaIB6\""), nameless(429, kRejected), nameless(201)});
  EXPECT_THAT(verdict.again, ElementsAre(range(2, 2)));
}

TEST_F(BulkVerdictTest, AnAnswerOfAnotherLengthIsNone) {
  EXPECT_THAT(retry({item(1, 201), item(2, 201)}), HasSubstr("tells of 2 records, 3 were sent"));
  EXPECT_THAT(retry({item(1, 201), item(2, 201), item(7, 201), nameless(201)}), HasSubstr("else"));
  EXPECT_THAT(retry({}), HasSubstr("tells of 0 records"));
}

TEST_F(BulkVerdictTest, AnAnswerAboutOthersIsNone) {
  EXPECT_THAT(retry({item(1, 201), item(1, 201), item(7, 201)}), HasSubstr("something else"));
  EXPECT_THAT(retry({item(1, 201), item(3, 201), item(7, 201)}), HasSubstr("something else"));
  EXPECT_THAT(retry({nameless(429), item(1, 201), item(7, 201)}), HasSubstr("something else"))
      << "a place that is another's";
  EXPECT_THAT(retry({item(1, 201), nameless(201, "", "", ",\"_id\":\"other\""), item(7, 201)}),
              HasSubstr("something else"));
  EXPECT_THAT(retry({item(1, 201), item(2, 0), item(7, 201)}), HasSubstr("no status"));
  for (const int status : {100, 199, 300, 302, 399, 600})
    EXPECT_THAT(retry({item(1, 201), item(2, status), item(7, 201)}),
                HasSubstr(fmt::format("the status {}", status)));
}

TEST_F(BulkVerdictTest, AReplaysTwoLettersOfOneRecordAreTwoItems) {
  sent_ = {range(1, 1), range(1, 2), range(7, 7)};
  const char* const conflict = "version_conflict_engine_exception";
  EXPECT_TRUE(std::holds_alternative<Delivered>(
      judge({item(1, 201), item(1, 409, conflict), item(2, 201), item(7, 201)})));
  EXPECT_TRUE(std::holds_alternative<Delivered>(
      judge({item(7, 201), item(2, 201), item(1, 201), item(1, 409, conflict)})));
  EXPECT_THAT(retry({item(1, 201), item(1, 409, conflict), item(1, 409, conflict), item(7, 201)}),
              HasSubstr("something else"));
}

// Before a rollover it may have been created in another index.
TEST_F(BulkVerdictTest, WhatARepetitionCreatesBehindADataStreamIsAPossibleDuplicate) {
  const std::vector<std::string> items = {
      item(1, 201), item(2, 409, "version_conflict_engine_exception"), item(7, 201)};
  const auto duplicates = [&] { return std::get<Delivered>(judge(items)).possible_duplicates; };
  question_.data_stream = true;
  EXPECT_EQ(duplicates(), 0u) << "nothing was sent before";
  question_.repeated = true;
  EXPECT_EQ(duplicates(), 2u);
  EXPECT_EQ(partly({item(1, 201), item(2, 429, kRejected), item(7, 200)}).possible_duplicates, 1u);
  question_.data_stream = false;
  EXPECT_EQ(duplicates(), 0u) << "an index has a document once";
}

TEST_F(BulkVerdictTest, WhatARepetitionCreatesBehindAnAliasIsAPossibleDuplicate) {
  const auto in = [&](std::uint64_t sequence, const std::string& index) {
    return nameless(201, "", "", fmt::format(R"(,"_id":"{}","_index":"{}")", id(sequence), index));
  };
  const auto duplicates = [&] {
    return std::get<Delivered>(judge({in(1, "logs"), in(2, "logs-000002"), item(7, 201)}))
        .possible_duplicates;
  };
  question_.repeated = true;
  EXPECT_EQ(duplicates(), 0u) << "documents name their own";
  question_.index = "logs";
  EXPECT_EQ(duplicates(), 1u);
}

TEST_F(BulkVerdictTest, WhatIsShownOfARefusalRepeatsNoRecord) {
  const Partly refused = partly({item(1, 400, kParsing, "canary"), item(2, 201), item(7, 201)});
  EXPECT_THAT(refused.refused[0].reason, HasSubstr("canary")) << "for the dead letter";
  EXPECT_EQ(refused.refused[0].shown, "the server answers 400 document_parsing_exception");
  EXPECT_EQ(partly({item(1, 503, "odd_exception", "canary"), item(2, 201), item(7, 201)}).reason,
            "the server answers 503 odd_exception");
  const Verdict parked =
      judge({item(1, 400, "illegal_argument_exception", "pipeline with id [canary]"),
             item(2, 401, "", "canary"), item(7, 403, "odd", "canary")});
  EXPECT_EQ(std::get<Park>(parked).reason,
            "the server answers 400 illegal_argument_exception; make the pipeline, or correct "
            "\"pipeline\"");
  EXPECT_EQ(
      partly({item(1, 403, kBlock, "index [logs] blocked"), item(2, 201), item(7, 201)}).reason,
      "the server answers 403 cluster_block_exception: index [logs] blocked; see why the "
      "index is blocked");
}

TEST_F(BulkVerdictTest, APortalsPageIsNoDelivery) {
  EXPECT_THAT(retry_of(judge_text("<html>Log in</html>")), HasSubstr("portal"));
  EXPECT_THAT(retry_of(judge_text("")), HasSubstr("portal"));
  EXPECT_THAT(retry_of(judge_text("{\"errors\":false}")), HasSubstr("no \"items\""));
}

TEST_F(BulkVerdictTest, ABlockedIndexHoldsBackItsOwnItemsOnly) {
  const Partly some = partly({item(1, 403, kBlock), item(2, 201), item(7, 429, kBlock)});
  EXPECT_THAT(some.again, ElementsAre(range(1, 1), range(7, 7)));
  EXPECT_TRUE(some.alone);
  EXPECT_TRUE(partly({item(1, 403, kBlock), item(2, 403, kBlock), item(7, 403, kBlock)}).alone);
  EXPECT_FALSE(partly({item(1, 403, kBlock), item(2, 429, kRejected), item(7, 201)}).alone);
}

TEST_F(BulkVerdictTest, WhatWasBlockedForTooLongIsRefused) {
  question_.gives_up_blocked = true;
  const Partly verdict = partly({item(1, 403, kBlock), item(2, 429, kRejected), item(7, 201)});
  EXPECT_THAT(verdict.again, ElementsAre(range(2, 2)));
  ASSERT_EQ(verdict.refused.size(), 1u);
  EXPECT_THAT(verdict.refused[0].records, ElementsAre(Sequence(1)));
  EXPECT_TRUE(verdict.refused[0].waited_out);
  EXPECT_FALSE(partly({item(1, 400, kParsing), item(2, 201), item(7, 201)}).refused[0].waited_out);
}

TEST_F(BulkVerdictTest, NoRightsParkTheSink) {
  const Verdict all =
      judge({item(1, 403, "security_exception", "no permissions"),
             item(2, 403, "security_exception"), item(7, 403, "security_exception")});
  ASSERT_TRUE(std::holds_alternative<Park>(all));
  EXPECT_THAT(std::get<Park>(all).reason, HasSubstr("security_exception: no permissions; "));
  EXPECT_TRUE(std::holds_alternative<Park>(
      judge({item(1, 429, kRejected), item(2, 404, "index_not_found_exception"), item(7, 503)})));
}

TEST_F(BulkVerdictTest, WhatWasTakenBesideThoseWithoutRightsIsDoneWith) {
  const Partly verdict = partly({item(1, 201), item(2, 403, "security_exception"), item(7, 201)});
  EXPECT_THAT(verdict.again, ElementsAre(range(2, 2)));
  EXPECT_FALSE(verdict.alone);
  EXPECT_THAT(verdict.reason, HasSubstr("security_exception"));
}

}  // namespace
}  // namespace edgehose
