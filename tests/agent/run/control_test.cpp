// The lines and answers of the control socket.
#include "agent/run/control.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgehose {
namespace {

TEST(Control, AChangeIsDescribedByWhatWasAsked) {
  EXPECT_EQ(described(ForgetLane{"archive", "app"}), "forget lane archive app");
  EXPECT_EQ(described(ConfirmSink{"usb"}), "confirm usb");
  PurgeLetters many;
  for (std::uint64_t id = 1; id <= 1000; ++id) many.which.ids.push_back(id);
  EXPECT_EQ(described(many).size(), kMaxDescribed);
  EXPECT_TRUE(described(many).ends_with("..."));
}

using ::testing::HasSubstr;

std::string there_and_back(const ControlChange& change) {
  const auto line = request_line(change);
  if (!line) return line.error().message;
  const auto request = parse_request(std::string_view(*line).substr(0, line->size() - 1));
  EXPECT_TRUE(request) << request.error().message;
  if (!request) return "";
  EXPECT_EQ(std::get<ControlChange>(*request).index(), change.index());
  EXPECT_EQ(request_line(std::get<ControlChange>(*request)).value_or(""), *line);
  return *line;
}

TEST(Control, EveryChangeHasItsLine) {
  EXPECT_EQ(there_and_back(ConfirmSink{"archive"}), "confirm archive\n");
  EXPECT_EQ(there_and_back(ForgetSink{"old"}), "forget sink old\n");
  EXPECT_EQ(there_and_back(ForgetSource{"app"}), "forget source app\n");
  EXPECT_EQ(there_and_back(ForgetLane{"archive", "app"}), "forget lane archive app\n");
  EXPECT_EQ(there_and_back(ForgetPositions{}), "forget positions\n");
  EXPECT_EQ(there_and_back(ReplayLetters{{{}, ""}}), "dead-letters replay all\n");
  EXPECT_EQ(there_and_back(ReplayLetters{{{3, 17}, "search"}}),
            "dead-letters replay sink=search 3 17\n");
  EXPECT_EQ(there_and_back(PurgeLetters{{{}, "search"}}), "dead-letters purge sink=search all\n");
}

TEST(Control, ANameCannotBecomeAnotherRequest) {
  for (const char* name : {"", "a b", "a\nforget sink b"}) {
    EXPECT_EQ(request_line(ConfirmSink{name}).error().code, ErrorCode::kInvalid);
    EXPECT_EQ(request_line(ForgetSink{name}).error().code, ErrorCode::kInvalid);
    EXPECT_EQ(request_line(ForgetLane{name, "app"}).error().code, ErrorCode::kInvalid);
    EXPECT_EQ(request_line(ForgetLane{"archive", name}).error().code, ErrorCode::kInvalid);
  }
  EXPECT_FALSE(request_line(PurgeLetters{{{}, "a all"}}));
}

TEST(Control, NothingAndStatusAskForTheStatus) {
  for (const char* line : {"", " ", "status"})
    EXPECT_TRUE(std::holds_alternative<StatusRequest>(*parse_request(line))) << line;
}

TEST(Control, AReloadIsAskedForInOneWord) {
  EXPECT_TRUE(std::holds_alternative<ReloadRequest>(*parse_request("reload")));
  EXPECT_FALSE(parse_request("reload now"));
}

TEST(Control, WhatIsNoRequestIsToldWhatIsOne) {
  for (const char* line :
       {"confirm", "confirm a b", "forget", "forget sink", "forget all of it",
        "dead-letters replay", "dead-letters purge 1 x", "dead-letters purge all 1",
        "dead-letters replay -1", "dead-letters replay 99999999999999999999", "reboot"}) {
    const auto request = parse_request(line);
    ASSERT_FALSE(request) << line;
    EXPECT_THAT(request.error().message, HasSubstr("one of: status, reload, confirm SINK"));
  }
  std::string many = "dead-letters purge";
  for (std::size_t i = 0; i <= LetterSelection::kMaxIds; ++i) many += " 1";
  EXPECT_FALSE(parse_request(many));
}

TEST(Control, AnswersCarryReportsAndErrors) {
  EXPECT_EQ(answer_json(ChangeReport{"3 records will be delivered again.", 3, true}),
            "{\"ok\":true,\"text\":\"3 records will be delivered "
            "again.\",\"records\":3,\"more\":true}\n");
  const auto back = parse_answer(answer_json(ChangeReport{"x", 3, true, "7 is damaged"}));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->records, 3u);
  EXPECT_TRUE(back->more);
  EXPECT_EQ(back->problem, "7 is damaged");
  const auto failed = parse_answer(answer_json(fail(ErrorCode::kBusy, "not \xff now")));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::kBusy);
  for (const char* text : {"", "[]", "{}", "{\"format\":1}", "{\"ok\":1}"})
    EXPECT_EQ(parse_answer(text).error().code, ErrorCode::kInvalid) << text;
}

}  // namespace
}  // namespace edgehose
