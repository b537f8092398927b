// A world that answers: what providers ask for is looked up here, and kept for the test to look at.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "sinks/aws/chain.h"

namespace edgehose::aws::test {

struct World {
  std::map<std::string, std::string> variables;
  std::map<std::string, std::string> files;
  std::deque<HttpAnswer> answers;  // in their order; then none answers
  CommandAnswer command_answer{.problem = "no such program"};
  std::function<CommandAnswer(const CommandAsk&)> run_command;
  std::vector<HttpAsk> asked;
  std::vector<CommandAsk> commands;
  WallTime now{1'600'000'000LL * 1'000'000'000};

  Environment environment() const {
    return Environment([this](const char* name) -> const char* {
      const auto found = variables.find(name);
      return found == variables.end() ? nullptr : found->second.c_str();
    });
  }

  Answer answer(const Ask& ask) {
    if (const auto* file = std::get_if<FileAsk>(&ask)) {
      const auto found = files.find(file->path);
      if (found == files.end())
        return FileAnswer(fail(ErrorCode::kNotFound, "opening {}: No such file", file->path));
      return FileAnswer(found->second);
    }
    if (const auto* command = std::get_if<CommandAsk>(&ask)) {
      commands.push_back(*command);
      return run_command ? run_command(*command) : command_answer;
    }
    asked.push_back(std::get<HttpAsk>(ask));
    if (answers.empty()) return HttpAnswer{.problem = "timed out"};
    HttpAnswer next = std::move(answers.front());
    answers.pop_front();
    return next;
  }

  // Runs a search to its end, as whoever owns one does.
  template <class Found>
  Result<Found> run(const std::function<Result<Found>(Search&)>& find, std::string profile = "",
                    std::string region = "") {
    const Environment env = environment();
    Conversation talk(now);
    for (;;) {
      talk.rewind();
      Search search = make_search(talk, env, profile, region);
      Result<Found> found = find(search);
      if (!talk.waiting()) return found;
      talk.answer(answer(talk.pending()));
    }
  }

  Result<Credentials> find(const CredentialsConfig& config = {}, std::string region = "") {
    return run<Credentials>([&](Search& search) { return find_credentials(search, config); },
                            config.profile, std::move(region));
  }
};

inline std::string header(const HttpAsk& ask, const std::string& name) {
  for (const HttpHeader& h : ask.headers)
    if (lower_case(h.name) == lower_case(name)) return h.value;
  return {};
}

inline std::string message_of(const Result<Credentials>& found) {
  return found ? "found: " + found->source : found.error().message;
}

// What instance metadata and containers answer.
inline std::string metadata_json(const std::string& expires = "2030-01-01T00:00:00Z",
                                 const std::string& id = "ASIAMETADATA") {
  return R"({"Code":"Success","AccessKeyId":")" + id +
         R"(","SecretAccessKey":"canary-key","Token":"canary-token","Expiration":")" + expires +
         R"("})";
}

inline std::string sts_xml(const std::string& action) {
  return "<" + action + "Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><" + action +
         "Result><Credentials><AccessKeyId>ASIAROLE</AccessKeyId>"
         "<SecretAccessKey>canary-role-key</SecretAccessKey>"
         "<SessionToken>canary-role-token</SessionToken>"
         "<Expiration>2030-01-01T00:00:00Z</Expiration></Credentials></" +
         action + "Result></" + action + "Response>";
}

}  // namespace edgehose::aws::test
