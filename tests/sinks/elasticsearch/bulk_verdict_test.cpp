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
    return judge_bulk({sent_, with_ids_ ? &ids_ : nullptr, gives_up_}, answer);
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
  bool with_ids_ = true, gives_up_ = false;
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
  const Partly verdict = partly({item(1, 201), nameless(429, kRejected), nameless(201)});
  EXPECT_THAT(verdict.again, ElementsAre(range(2, 2)));
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
  EXPECT_THAT(retry({nameless(201), item(1, 201), item(7, 201)}), HasSubstr("something else"))
      << "a place that is another's";
  EXPECT_THAT(retry({item(1, 201), nameless(201, "", "", ",\"_id\":\"other\""), item(7, 201)}),
              HasSubstr("something else"));
  EXPECT_THAT(retry({item(1, 201), item(2, 0), item(7, 201)}), HasSubstr("no status"));
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
  gives_up_ = true;
  const Partly verdict = partly({item(1, 403, kBlock), item(2, 429, kRejected), item(7, 201)});
  EXPECT_THAT(verdict.again, ElementsAre(range(2, 2)));
  ASSERT_EQ(verdict.refused.size(), 1u);
  EXPECT_THAT(verdict.refused[0].records, ElementsAre(Sequence(1)));
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
