#include "sinks/events/sent_records.h"

#include <gtest/gtest.h>

namespace edgehose {
namespace {

using Ranges = std::vector<SequenceRange>;

TEST(SentRecords, PlacesAndSequences) {
  const Ranges ranges{
      {Sequence(3), Sequence(4)}, {Sequence(9), Sequence(9)}, {Sequence(20), Sequence(22)}};
  const SentRecords records(ranges);
  ASSERT_EQ(records.size(), 6u);
  const std::uint64_t sequences[] = {3, 4, 9, 20, 21, 22};
  for (std::uint64_t place = 0; place < 6; ++place) {
    EXPECT_EQ(records.at(place), Sequence(sequences[place]));
    EXPECT_EQ(records.place_of(Sequence(sequences[place])), place);
  }
  for (const std::uint64_t none : {2, 5, 10, 23})
    EXPECT_EQ(records.place_of(Sequence(none)), std::nullopt);
}

TEST(SentRecords, WhatStandsBehindAPlace) {
  const Ranges ranges{
      {Sequence(3), Sequence(4)}, {Sequence(9), Sequence(9)}, {Sequence(20), Sequence(22)}};
  const SentRecords records(ranges);
  EXPECT_EQ(records.behind(0), (Ranges{{Sequence(4), Sequence(4)}, ranges[1], ranges[2]}));
  EXPECT_EQ(records.behind(1), (Ranges{ranges[1], ranges[2]}));
  EXPECT_EQ(records.behind(2), (Ranges{ranges[2]}));
  EXPECT_EQ(records.behind(4), (Ranges{{Sequence(22), Sequence(22)}}));
  EXPECT_EQ(records.behind(5), Ranges{});
}

}  // namespace
}  // namespace edgehose
