#include "sinks/aws/conversation.h"

#include <string.h>

#include <utility>

#include "agent/base/check.h"

namespace edgehose::aws {
namespace {

constexpr Duration kFirstBackoff = std::chrono::milliseconds(200);

void wipe(std::string& text) { explicit_bzero(text.data(), text.size()); }

void wipe(Answer& answer) {
  if (auto* http = std::get_if<HttpAnswer>(&answer)) wipe(http->body);
  if (auto* file = std::get_if<FileAnswer>(&answer); file != nullptr && *file) wipe(**file);
  if (auto* command = std::get_if<CommandAnswer>(&answer)) wipe(command->output);
}

}  // namespace

Conversation::~Conversation() {
  for (Answer& answer : answers_) wipe(answer);
}

void Conversation::rewind() {
  given_ = 0;
  pending_.reset();
}

void Conversation::answer(Answer answer) {
  EH_CHECK(waiting());
  answers_.push_back(std::move(answer));
}

template <class Wanted, class AskType>
Result<Wanted> Conversation::next(AskType ask) {
  if (waiting()) return fail(ErrorCode::kCancelled, "waiting for an answer");
  if (given_ < answers_.size()) {
    const Wanted* answer = std::get_if<Wanted>(&answers_[given_++]);
    EH_CHECK(answer != nullptr);  // else a provider asks other things than it did before
    return *answer;
  }
  if (answers_.size() == kMaxAnswers)
    return fail(ErrorCode::kInvalid, "more than {} questions were asked: roles in a circle?",
                kMaxAnswers);
  pending_ = std::move(ask);
  return fail(ErrorCode::kCancelled, "waiting for an answer");
}

Result<HttpAnswer> Conversation::http(HttpAsk ask) { return next<HttpAnswer>(std::move(ask)); }

Result<HttpAnswer> Conversation::http_with_retries(const HttpAsk& ask) {
  HttpAsk again = ask;
  for (int attempt = 1;; ++attempt) {
    auto answer = http(again);
    if (!answer || attempt == kAttempts || (answer->status < 500 && answer->status != 429))
      return answer;
    again.wait_before =
        again.wait_before == Duration::zero() ? kFirstBackoff : again.wait_before * 2;
  }
}

Result<std::string> Conversation::file(FileAsk ask) {
  EH_ASSIGN(FileAnswer content, next<FileAnswer>(std::move(ask)));
  return content;
}

Result<CommandAnswer> Conversation::command(CommandAsk ask) {
  return next<CommandAnswer>(std::move(ask));
}

}  // namespace edgehose::aws
