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
// Credentials that AWS extends in an outage come back expired: not asked for without a pause.
constexpr Duration kExtendedRenewal = 5min;

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
  talk_.reset();
  take(std::move(found), now, wall);
}

bool CredentialKeeper::due(Instant now, WallTime wall) const {
  if (now < not_before_) return false;
  if (!current_ || refused_ || now >= reread_at_) return true;
  return renew_at_ && wall >= *renew_at_;
}

void CredentialKeeper::take(Result<Credentials> found, Instant now, WallTime wall) {
  if (found && found->expires && *found->expires <= wall && !found->good_after_expiry)
    found = fail(ErrorCode::kAuth,
                 "the credentials from {} have expired already; is this "
                 "machine's clock right?",
                 found->source);
  if (!found) {
    failure_ = std::move(found).error();
    not_before_ =
        now + std::max<Duration>(kRetry.initial, up_to(backoff_ceiling(kRetry, ++failures_)));
    return;
  }
  after_refusal_ = std::exchange(refused_, false);
  current_ = std::move(*found);
  failure_.reset();
  failures_ = 0;
  not_before_ = now;
  reread_at_ = current_->reread ? now + kRereadEvery : kNever;
  renew_at_.reset();
  if (!current_->expires) return;
  const Duration life(*current_->expires - wall);
  if (life <= Duration::zero()) {
    renew_at_ = plus(wall, kExtendedRenewal + up_to(kExtendedRenewal));
    return;
  }
  const Duration before = std::min(kRenewBefore, life / 4);
  renew_at_ = plus(*current_->expires, -(before + up_to(before / 3)));
}

const Credentials* CredentialKeeper::usable(WallTime wall) const {
  if (!current_ || refused_) return nullptr;
  const bool good = !current_->expires || wall < *current_->expires || current_->good_after_expiry;
  return good ? &*current_ : nullptr;
}

bool CredentialKeeper::refused() {
  if (!current_ || refused_) return true;  // they are being looked for
  if (after_refusal_) return false;
  refused_ = true;
  return true;
}

Duration CredentialKeeper::up_to(Duration longest) { return full_jitter(longest, random_); }

}  // namespace edgehose::aws
