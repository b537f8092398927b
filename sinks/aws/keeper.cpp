#include "sinks/aws/keeper.h"

#include <algorithm>
#include <utility>

#include "agent/base/check.h"

namespace edgehose::aws {
namespace {

using namespace std::chrono_literals;

constexpr Duration kRenewBefore = 15min;  // of the end; at most a quarter of the whole life
constexpr Duration kRereadEvery = 1min;   // files that may have changed
constexpr RetryConfig kRetry{.initial = 1s, .max = 5min};
// What comes back expired, or is refused, is not asked for again without a pause.
constexpr Duration kPause = 5min;
// More than a search takes apart from its waiting: the idea of the time has changed meanwhile.
constexpr Duration kTimeChanged = 1min;

WallTime plus(WallTime time, Duration by) { return WallTime(time.value + by.count()); }

}  // namespace

CredentialKeeper::CredentialKeeper(CredentialsConfig config, std::string region, Environment env,
                                   std::uint64_t random_seed)
    : config_(std::move(config)),
      region_(std::move(region)),
      env_(std::move(env)),
      random_(random_seed) {}

const Ask* CredentialKeeper::next(Instant now, WallTime wall) {
  if (!talk_ && due(now, wall)) {
    talk_ = std::make_unique<Conversation>(wall);
    begun_ = now;
    resume(now, wall);
  }
  return talk_ ? &talk_->pending() : nullptr;
}

void CredentialKeeper::answer(Answer answer, Instant now, WallTime wall) {
  EH_CHECK(talk_ != nullptr);
  talk_->answer(std::move(answer));
  resume(now, wall);
}

void CredentialKeeper::resume(Instant now, WallTime wall) {
  talk_->rewind();
  Search search = make_search(*talk_, env_, config_.profile, region_);
  auto found = find_credentials(search, config_);
  if (talk_->waiting()) return;
  const Duration moved(wall.value - talk_->now().value);
  talk_.reset();
  if (found && worse(*found, wall))
    found =
        fail(ErrorCode::kAuth, "the new credentials from {} have expired already", found->source);
  if (found)
    take(std::move(*found), now, wall);
  else
    take_failure(std::move(found).error(), now,
                 std::chrono::abs(moved - (now - begun_)) > kTimeChanged);
}

bool CredentialKeeper::due(Instant now, WallTime wall) const {
  if (now < not_before_) return false;
  if (!current_ || refused_ || now >= reread_at_) return true;
  return renew_at_ && wall >= *renew_at_;
}

bool CredentialKeeper::worse(const Credentials& found, WallTime wall) const {
  const auto expired = [&](const Credentials& c) { return c.expires && *c.expires <= wall; };
  return current_ && !refused_ && !expired(*current_) && expired(found);
}

// Those that have expired already may be good: where this machine's clock is ahead, only the answer
// to them tells its time.
void CredentialKeeper::take(Credentials found, Instant now, WallTime wall) {
  current_ = std::move(found);
  refused_ = repeated_ = false;
  failure_.reset();
  failures_ = 0;
  not_before_ = now;
  reread_at_ = current_->reread ? now + kRereadEvery : kNever;
  renew_at_.reset();
  doubtful_ = current_->expires && *current_->expires <= wall;
  if (doubtful_) reread_at_ = now + kPause + up_to(kPause);
  if (doubtful_ || !current_->expires) return;
  const Duration before = std::min<Duration>(kRenewBefore, Duration(*current_->expires - wall) / 4);
  renew_at_ = plus(*current_->expires, -(before + up_to(before / 3)));
}

// What was signed with a wrong time is asked once more at once.
void CredentialKeeper::take_failure(Error why, Instant now, bool time_was_wrong) {
  failure_ = std::move(why);
  repeated_ = time_was_wrong && !repeated_;
  if (repeated_) return;
  not_before_ =
      now + std::max<Duration>(kRetry.initial, up_to(backoff_ceiling(kRetry, ++failures_)));
}

const Credentials* CredentialKeeper::usable(WallTime wall) const {
  if (!current_ || refused_) return nullptr;
  const bool good =
      !current_->expires || wall < *current_->expires || current_->good_after_expiry || doubtful_;
  return good ? &*current_ : nullptr;
}

bool CredentialKeeper::refused(Instant now) {
  if (!current_ || refused_) return true;  // they are being looked for
  if (now < next_after_refusal_) return false;
  next_after_refusal_ = now + kPause;
  refused_ = true;
  return true;
}

Duration CredentialKeeper::up_to(Duration longest) { return full_jitter(longest, random_); }

}  // namespace edgehose::aws
