#include "agent/commands/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <set>

#include "agent/commands/command.h"
#include "agent/commands/help.h"
#include "agent/commands/table.h"

namespace edgehose {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string message_of(const std::vector<std::string>& arguments) {
  const auto line = parse_command_line(arguments);
  return line ? "no error" : line.error().message;
}

TEST(CommandTable, EveryPageHasEverything) {
  for (const Command& command : commands()) {
    const std::string page = help_page(command);
    EXPECT_THAT(page, AllOf(HasSubstr("usage: edgehose "), HasSubstr("Examples:\n"),
                            HasSubstr("Exit codes:\n")));
    EXPECT_FALSE(command.summary.empty()) << command.name;
    EXPECT_FALSE(command.description.empty()) << command.name;
    EXPECT_NE(command.run, nullptr) << command.name;
    for (const auto* options : {&command.options, &global_options()})
      for (const Option& option : *options) {
        EXPECT_THAT(page, HasSubstr("--" + std::string(option.name)));
        EXPECT_FALSE(option.help.empty()) << command.name << " --" << option.name;
      }
  }
}

TEST(CommandTable, PagesFitATerminal) {
  std::vector<std::string> pages = {overview_page(), group_page("buffer")};
  for (const Command& command : commands()) pages.push_back(help_page(command));
  for (const std::string& page : pages) {
    std::size_t begin = 0;
    while (begin < page.size()) {
      const std::size_t end = page.find('\n', begin);
      ASSERT_NE(end, std::string::npos) << page;
      EXPECT_LE(end - begin, 80u) << page.substr(begin, end - begin);
      begin = end + 1;
    }
  }
}

TEST(CommandTable, NamesAreUniqueAndListed) {
  std::set<std::string_view> names;
  const std::string overview = overview_page();
  for (const Command& command : commands()) {
    EXPECT_TRUE(names.insert(command.name).second) << command.name;
    EXPECT_THAT(overview, HasSubstr(fmt::format("\n  {} ", command.name)));
  }
}

TEST(CommandTable, NoOptionTakesASecret) {
  for (const Command& command : commands())
    for (const Option& option : command.options)
      for (const char* word : {"password", "secret", "token", "key="})
        EXPECT_EQ(option.name.find(word), std::string_view::npos) << option.name;
}

TEST(CommandLine, GlobalOptionsMayStandAnywhere) {
  for (const std::vector<std::string>& line :
       {std::vector<std::string>{"--config", "a.toml", "run", "--once"},
        std::vector<std::string>{"run", "--once", "--config=a.toml"},
        std::vector<std::string>{"--config=a.toml", "run", "--once"}}) {
    const auto parsed = parse_command_line(line);
    ASSERT_TRUE(parsed) << parsed.error().message;
    EXPECT_EQ(parsed->command->name, "run");
    EXPECT_TRUE(parsed->invocation.has("once"));
    EXPECT_EQ(parsed->invocation.value("config"), "a.toml");
  }
}

TEST(CommandLine, SettingsAddUpInOrder) {
  const auto parsed = parse_command_line({"--set", "a=1", "check", "--set", "b=2"});
  ASSERT_TRUE(parsed);
  EXPECT_THAT(parsed->invocation.values("set"), ElementsAre("a=1", "b=2"));
}

TEST(CommandLine, TwoWordCommandsAndTheirWords) {
  const auto parsed = parse_command_line({"dead-letters", "purge", "17", "18", "--yes"});
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->command->name, "dead-letters purge");
  EXPECT_THAT(parsed->invocation.words, ElementsAre("17", "18"));
}

TEST(CommandLine, ADashIsAWord) {
  const auto parsed = parse_command_line({"decrypt", "-", "--output", "-"});
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_THAT(parsed->invocation.words, ElementsAre("-"));
  EXPECT_EQ(parsed->invocation.value("output"), "-");
}

TEST(CommandLine, TheNearestNameIsOffered) {
  EXPECT_EQ(message_of({"statsu"}), "there is no command \"statsu\"; did you mean \"status\"?");
  EXPECT_EQ(message_of({"buffer", "lsit"}),
            "there is no command \"buffer lsit\"; did you mean \"list\"?");
  EXPECT_EQ(message_of({"run", "--onec"}),
            "\"edgehose run\" has no option --onec; did you mean \"--once\"?");
  EXPECT_EQ(message_of({"run", "--confg=x"}),
            "\"edgehose run\" has no option --confg; did you mean \"--config\"?");
}

TEST(CommandLine, NothingIsAbbreviated) {
  EXPECT_THAT(message_of({"run", "--onc"}), HasSubstr("has no option --onc"));
}

TEST(CommandLine, WrongLinesAreTold) {
  EXPECT_EQ(message_of({}), "which command?");
  EXPECT_EQ(message_of({"--config", "x"}), "there is no command after x");
  EXPECT_EQ(message_of({"buffer"}),
            "\"buffer\" needs one of: verify, list, export, forget, confirm, upgrade");
  EXPECT_EQ(message_of({"status", "now"}), "\"now\" is one word too many");
  EXPECT_EQ(message_of({"decrypt"}), "\"edgehose decrypt\" needs FILE...");
  EXPECT_EQ(message_of({"run", "--timeout", "1s", "--timeout", "2s"}),
            "--timeout is given more than once");
  EXPECT_THAT(message_of({"run", "--timeout"}), HasSubstr("timeout"));
  EXPECT_NE(message_of({"run", "--once=1"}), "no error");
}

// What `do_it` leaves in one pipe of both streams.
template <class DoIt>
std::string in_one_pipe(DoIt do_it) {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) return "no pipe";
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(ends[1], STDOUT_FILENO);
    ::dup2(ends[1], STDERR_FILENO);
    std::setvbuf(stdout, nullptr, _IOFBF, BUFSIZ);  // as where it never was a terminal
    do_it();
    std::fflush(nullptr);
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string text(1024, '\0');
  std::size_t size = 0;
  for (ssize_t n; (n = ::read(ends[0], text.data() + size, text.size() - size)) > 0;)
    size += static_cast<std::size_t>(n);
  ::close(ends[0]);
  ::waitpid(child, nullptr, 0);
  text.resize(size);
  return text;
}

TEST(Complain, ComesAfterWhatWasPrintedBefore) {
  EXPECT_EQ(in_one_pipe([] {
              std::puts("first");
              complain("second");
            }),
            "first\nedgehose: second\n");
}

TEST(CommandLine, HelpWinsOverWhatElseIsWrong) {
  const auto parsed = parse_command_line({"run", "--nonsense", "--help"});
  ASSERT_TRUE(parsed);
  EXPECT_TRUE(parsed->help);
  EXPECT_EQ(parsed->command->name, "run");
  const auto group = parse_command_line({"buffer", "-h"});
  ASSERT_TRUE(group);
  EXPECT_EQ(group->command->name, "help");
}

}  // namespace
}  // namespace edgehose
