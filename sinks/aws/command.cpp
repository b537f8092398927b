#include "sinks/aws/command.h"

#include "sinks/aws/credentials_json.h"

namespace edgehose::aws {

Result<std::vector<std::string>> split_command(std::string_view line) {
  std::vector<std::string> words;
  bool in_word = false;
  char quote = '\0';
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    const bool blank = c == ' ' || c == '\t' || c == '\n';
    if (quote == '\0' && blank) {
      in_word = false;
      continue;
    }
    if (!in_word) words.emplace_back();
    in_word = true;
    if (c == quote)
      quote = '\0';
    else if (quote == '\0' && (c == '"' || c == '\''))
      quote = c;
    else if (c == '\\' && quote != '\'' && i + 1 < line.size())
      words.back().push_back(line[++i]);
    else
      words.back().push_back(c);
  }
  if (quote != '\0') return fail(ErrorCode::kInvalid, "credential_process: a quote is not closed");
  if (words.empty() || words[0].empty())
    return fail(ErrorCode::kInvalid, "credential_process names no program");
  return words;
}

Result<Credentials> command_credentials(Search& search, std::string_view line) {
  EH_ASSIGN(CommandAsk ask, split_command(line).map([](std::vector<std::string> words) {
    return CommandAsk{.arguments = std::move(words)};
  }));
  // Its arguments may be secret, its name is not.
  const std::string program = printable(ask.arguments[0]);
  EH_ASSIGN(const CommandAnswer answer, search.talk.command(std::move(ask)));
  if (!answer.problem.empty())
    return fail(ErrorCode::kAuth, "credential_process {}: {}", program, answer.problem);
  if (answer.exit_code != 0)
    return fail(ErrorCode::kAuth,
                "credential_process {} ended with {}; run it as the service's user (it gets no "
                "shell: pipes and variables belong into a script)",
                program, answer.exit_code);
  auto found = parse_credentials(answer.output, kProcessLayout, "credential_process " + program);
  if (!found)
    return tl::unexpected(std::move(found).error().with_context("credential_process " + program));
  return found;
}

}  // namespace edgehose::aws
