// CredentialKeeper: the credentials of one sink over time. It finds them, renews them ahead of
// their end, keeps those that are still good when renewing fails, and renews once when AWS refuses
// them. No I/O and no clock: whoever owns it carries its questions out.
//
//   if (const Ask* ask = keeper.next(now, wall)) ... later: keeper.answer(answer, now, wall);
//   if (const Credentials* keys = keeper.usable(wall)) ... sign
//   else keeper.failure() says why there are none, keeper.again() when to look
//
// Nothing is done while nobody asks: an idle sink costs nothing.
//
// Threading: one thread.
#pragma once

#include <memory>
#include <optional>

#include "agent/base/types.h"
#include "sinks/aws/chain.h"
#include "sinks/delivery/backoff.h"

namespace edgehose::aws {

class CredentialKeeper {
 public:
  CredentialKeeper(CredentialsConfig config, std::string region, Environment env,
                   std::uint64_t random_seed);

  // The question to carry out now; null: none. The same one until it is answered.
  const Ask* next(Instant now, WallTime wall);
  void answer(Answer answer, Instant now, WallTime wall);

  // What may sign now; null: nothing. Valid until the next call of another function.
  const Credentials* usable(WallTime wall) const;
  // AWS answered ExpiredToken or the like to what `usable` gave. True: they are looked for anew,
  // try again with those. False: they were looked for just now; not again for some minutes.
  bool refused(Instant now);

  const std::optional<Error>& failure() const { return failure_; }  // of the last search
  Instant again() const { return not_before_; }  // no search before; after a failure

 private:
  void resume(Instant now, WallTime wall);
  void take(Credentials found, Instant now, WallTime wall);
  void take_failure(Error why, Instant now, bool time_was_wrong);
  bool due(Instant now, WallTime wall) const;
  bool worse(const Credentials& found, WallTime wall) const;  // than what is there
  Duration up_to(Duration longest);

  const CredentialsConfig config_;
  const std::string region_;
  const Environment env_;
  Random random_;

  std::unique_ptr<Conversation> talk_;  // a search under way
  Instant begun_{};                     // of that
  std::optional<Credentials> current_;
  std::optional<WallTime> renew_at_;  // of current_
  Instant reread_at_ = kNever;        // of current_
  bool doubtful_ = false;             // current_ had expired when it came, by our idea of time
  bool refused_ = false;              // current_ was
  Instant next_after_refusal_{Duration::min()};  // no search for that reason before
  bool repeated_ = false;  // the last search, since the time was put right in the midst of it
  std::optional<Error> failure_;
  std::uint64_t failures_ = 0;  // in a row
  Instant not_before_{Duration::min()};
};

}  // namespace edgehose::aws
