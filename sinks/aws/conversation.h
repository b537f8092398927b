// Conversation: the questions that finding credentials asks, one after the other, without I/O.
//
// A provider is a plain function that asks its Conversation and goes on with the answer:
//
//   EH_ASSIGN(const HttpAnswer token, talk.http({.method = "PUT", .url = ...}));
//
// Where an answer is not there yet, that is an Error: the function returns it at once, and is
// called again from its beginning when the answer has come; the answers so far are given again in
// their order. So a function must ask the same things when it is given the same answers: it looks
// at nothing else that changes. While waiting() whatever a function returns means nothing.
//
// Threading: one thread. Bounded: kMaxAnswers, each bounded by its ask. Answers are wiped at the
// end.
#pragma once

#include <optional>
#include <vector>

#include "agent/base/types.h"
#include "sinks/aws/ask.h"

namespace edgehose::aws {

class Conversation {
 public:
  static constexpr std::size_t kMaxAnswers = 64;
  static constexpr int kAttempts = 3;

  explicit Conversation(WallTime now) : now_(now) {}
  ~Conversation();
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;

  // For providers. The error is only that there is no answer yet, but for a file's own.
  Result<HttpAnswer> http(HttpAsk ask);
  // Again, up to kAttempts, while the server has trouble (5xx, 429).
  Result<HttpAnswer> http_with_retries(const HttpAsk& ask);
  Result<std::string> file(FileAsk ask);
  Result<CommandAnswer> command(CommandAsk ask);
  WallTime now() const { return now_; }  // the same from beginning to end

  // For who drives it: rewind(), call the function; while waiting(), carry pending() out, answer().
  void rewind();
  bool waiting() const { return pending_.has_value(); }
  const Ask& pending() const { return *pending_; }
  void answer(Answer answer);

 private:
  template <class Wanted, class AskType>
  Result<Wanted> next(AskType ask);

  WallTime now_;
  std::vector<Answer> answers_;
  std::size_t given_ = 0;       // of answers_, since rewind()
  std::optional<Ask> pending_;  // the first question without an answer
};

}  // namespace edgehose::aws
