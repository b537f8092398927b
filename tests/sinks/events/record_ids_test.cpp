#include "sinks/events/record_ids.h"

#include <gtest/gtest.h>

#include <set>

namespace edgehose {
namespace {

const Epoch kEpoch{1, 2, 3};

std::string id(const RecordIds& ids, std::uint64_t sequence) {
  std::string out;
  ids.append(Sequence(sequence), out);
  return out;
}

TEST(RecordIds, AreAFunctionOfTheRecordsIdentity) {
  const RecordIds ids("gw-1", kEpoch, "app");
  EXPECT_EQ(id(ids, 4711), id(RecordIds("gw-1", kEpoch, "app"), 4711));
  std::set<std::string> all{id(ids, 1), id(ids, 2)};
  all.insert(id(RecordIds("gw-2", kEpoch, "app"), 1));
  all.insert(id(RecordIds("gw-1", Epoch{}, "app"), 1));
  all.insert(id(RecordIds("gw-1", kEpoch, "apq"), 1));
  all.insert(id(RecordIds("gw-", kEpoch, "1app"), 1));
  EXPECT_EQ(all.size(), 6u);
}

// What was created once is known again by this name only: it must never change.
TEST(RecordIds, StayWhatTheyAre) {
  EXPECT_EQ(id(RecordIds("gw-1", kEpoch, "app"), 4711), "ZxNdB_oMd0BetmIm-4711");
}

TEST(RecordIds, AreShortAndSafeInJsonAndUrls) {
  const std::string longest = id(RecordIds(std::string(500, 'x'), kEpoch, "\"\n"), UINT64_MAX);
  EXPECT_EQ(longest.size(), 16u + 1 + 20);
  EXPECT_EQ(longest.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                      "0123456789-_"),
            std::string::npos);
}

TEST(RecordIds, SayWhichRecordTheyAreOf) {
  const RecordIds ids("gw-1", kEpoch, "app");
  EXPECT_EQ(ids.sequence_of(id(ids, 4711)), Sequence(4711));
  EXPECT_EQ(ids.sequence_of(id(ids, UINT64_MAX)), Sequence(UINT64_MAX));
  EXPECT_EQ(ids.sequence_of(id(RecordIds("gw-2", kEpoch, "app"), 4711)), std::nullopt);
  for (const std::string& other : {ids.beginning(), ids.beginning() + "x", ids.beginning() + "1x",
                                   ids.beginning() + "99999999999999999999", std::string()})
    EXPECT_EQ(ids.sequence_of(other), std::nullopt) << other;
}

}  // namespace
}  // namespace edgehose
