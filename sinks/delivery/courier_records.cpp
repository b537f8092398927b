// What a courier knows of a claim's records, and how it settles the claim: each of them was
// delivered, refused, or could not be read.
#include <algorithm>
#include <sstream>

#include "agent/base/log.h"
#include "agent/base/text.h"
#include "sinks/delivery/courier.h"

namespace edgehose {
namespace {

// What refusals of one kind have in common: ids, times and amounts in a reason differ each time.
std::string kind_of(const Rejected& verdict) {
  if (!verdict.kind.empty()) return verdict.kind;
  std::string kind;
  std::istringstream words(verdict.reason);
  for (std::string word; words >> word;)
    if (word.find_first_of("0123456789") == std::string::npos) kind += word + ' ';
  return kind;
}

// So many of the claim's records, whose bytes nobody knows.
Counter in_proportion(const Claim& claim, std::uint64_t records) {
  const double share = static_cast<double>(records) / static_cast<double>(claim.size.records);
  return {records, static_cast<std::uint64_t>(share * static_cast<double>(claim.size.bytes))};
}

// What an attempt promised and its body did not hold.
Counter unreadable(const Batch& batch, const ObjectSummary& body) {
  const Claim& claim = batch.claim;
  if (body.missing_records == 0 || claim.replay()) return {};
  if (!batch.left.empty()) return in_proportion(claim, body.missing_records);
  return {claim.size.records - std::min(claim.size.records, body.encoded.records),
          claim.size.bytes - std::min(claim.size.bytes, body.encoded.bytes)};
}

// What of a claim was neither delivered nor is among its dead letters. `told`: what its attempts
// said was unreadable.
Counter neither(const Claim& claim, std::uint64_t delivered, const std::vector<DeadLetter>& dead,
                const Counter& told) {
  Counter rest = claim.size;
  for (const DeadLetter& letter : dead) {
    rest.records -= std::min<std::uint64_t>(rest.records, 1);
    rest.bytes -= std::min(rest.bytes, letter.size().bytes);
  }
  if (claim.replay() || delivered >= rest.records) return {};
  if (delivered == 0) return rest;
  const std::uint64_t lost = rest.records - delivered;
  const Counter likely = lost == told.records ? told : in_proportion(claim, lost);
  return {lost, std::min(likely.bytes, rest.bytes)};
}

}  // namespace

void Courier::delivered(Held& held, const Delivered& verdict, Instant now) {
  const std::uint64_t sent = left_records(held.batch);
  const bool delivered = take_in(held, {}, 0) > 0;
  held.told.nobody_asked = verdict.nothing;
  held.told.duplicates += verdict.possible_duplicates;
  rest(verdict.pause, now);
  if (!held.later.empty()) return slice_delivered(held, sent, delivered, now);
  told_of_all(held, now);
}

void Courier::rejected(Held& held, const Rejected& verdict, Instant now) {
  if (!held.batch.claim.replay() && !may_cut_anew(held, verdict.absent))
    return park_unsure(held, "refused, and not given up", verdict.reason, now);
  const std::uint64_t sent = left_records(held.batch);
  const bool delivered = take_in(held, {verdict}, 0) > 0;
  if (held.later.empty()) return told_of_all(held, now);
  held.batch.left.clear();
  drop_receipt(held);
  if (delivered) got_further(held, now);
  go_on(held, verdict.reason, sent, delivered, now);
}

// What is left goes again, later: with the whole sink's next attempt, or alone.
void Courier::partly(Held& held, const Partly& verdict, Instant now) {
  const std::uint64_t sent = left_records(held.batch);
  const std::uint64_t delivered = take_in(held, verdict.refused, count_records(verdict.again));
  held.told.duplicates += verdict.possible_duplicates;
  if (verdict.again.empty() && held.later.empty()) return told_of_all(held, now);
  held.batch.left = verdict.again;
  drop_receipt(held);
  if (delivered > 0) got_further(held, now);
  if (verdict.at_once || verdict.again.empty())
    return go_on(held, verdict.reason, sent, delivered > 0, now);
  if (!verdict.alone) return back_off(held, verdict.reason, verdict.after, now);
  ++report_.retries;
  recovered(now);
  held.waits_since = now;
  const Duration ceiling = backoff_ceiling(options_.retry, held.own_failures + 1);
  const Duration pause =
      verdict.after ? obey(*verdict.after, ceiling, random_) : full_jitter(ceiling, random_);
  wait_alone(held, verdict.reason, pause, now);
}

// Some of it was delivered: how often it failed before does not count any more.
void Courier::got_further(Held& held, Instant now) {
  count_delivery();
  recovered(now);
  held.failed_at = deliveries_;
  at_ease(held);
}

// Of what an attempt holds, where a body may lack what the buffer cannot give any more.
std::uint64_t Courier::sent_records(const Held& held) const {
  const Batch& batch = held.batch;
  if (held.summary && held.summary->missing_records > 0) return held.summary->encoded.records;
  return left_records(batch);
}

// What was told of the records that an attempt held: `again` of them are left. Returns how many
// were delivered. What had nothing to be sent says nothing of the destination.
std::uint64_t Courier::take_in(Held& held, const std::vector<Rejected>& refused,
                               std::uint64_t again) {
  Told& told = held.told;
  const std::uint64_t sent = sent_records(held);
  std::uint64_t refused_records = 0;
  for (const Rejected& verdict : refused) {
    Refusal refusal{ranges_of(verdict.records), verdict.reason, held.attempts, clock_.wall(),
                    kind_of(verdict),           verdict.shown};
    told.waited_out = told.waited_out || verdict.waited_out;
    if (refusal.records.empty()) refusal.records = held.batch.left;
    refused_records += refusal.records.empty() ? sent : count_records(refusal.records);
    told.refused.add(std::move(refusal));
  }
  const std::uint64_t told_of = sent - std::min(sent, refused_records + again);
  const std::uint64_t omitted = held.summary ? std::min(told_of, held.summary->omitted_records) : 0;
  const std::uint64_t delivered = told_of - omitted;
  told.delivered += delivered;
  told.omitted += omitted;
  // Refused ones too: earlier attempts may have brought them more than once.
  told.duplicates += unsure(held) - std::min(unsure(held), again + omitted);
  if (!held.summary) return delivered;
  told.lost += unreadable(held.batch, *held.summary);
  if (held.batch.left.empty()) told.sent_bytes = held.summary->object_bytes;
  return delivered;
}

// Settles it, with what was refused as dead letters.
void Courier::told_of_all(Held& held, Instant now) {
  Told& told = held.told;
  told.all = true;
  const Claim& claim = held.batch.claim;
  std::vector<DeadLetter> dead;
  if (!told.refused.empty()) {
    auto collected = collect_dead_letters(store_, claim, told.refused.all());
    if (!collected) return back_off(held, collected.error().message, std::nullopt, now);
    dead = std::move(*collected);
    if (park_refused(held, now)) return;
    tell_refusal(held, dead.size(), now);
  }
  const bool empty_there = told.refused.empty() && told.omitted == 0 && !told.nobody_asked;
  if (told.delivered > 0 || empty_there) {
    count_delivery();
    ++report_.sent_objects;
  }
  if (!told.nobody_asked) answered(held, now);
  settle(held, std::move(dead));
}

// What refuses everything for one reason gets nothing more: the last batch is kept whole. What was
// held back for too long says nothing of the others.
bool Courier::park_refused(Held& held, Instant now) {
  if (held.batch.claim.replay() || held.told.delivered > 0 || held.told.waited_out) return false;
  const std::string kinds = held.told.refused.kinds();
  refused_ = kinds == refusal_ ? std::min(refused_ + 1, kRefusedInARow) : 1;
  refusal_ = kinds;
  if (refused_ < kRefusedInARow) return false;
  const std::string reason = held.told.refused.all().front().words();
  held.told = {};
  held.batch.left.clear();
  held.from_end = false;
  drop_receipt(held);
  park(held,
       Park{fmt::format("{} batches in a row were refused whole: {}", kRefusedInARow, reason)},
       now);
  return true;
}

void Courier::tell_refusal(const Held& held, std::size_t letters, Instant now) {
  const Claim& claim = held.batch.claim;
  if (const auto count = refusal_lines_.pass(now))
    log::warn("sink {}: of {} {} refused and {} the dead letters: {} ({} since this was last told)",
              sink_->name(), claim.key, format_count(letters, "record is", "records are"),
              claim.replay() ? "kept in" : "put into", held.told.refused.all().front().words(),
              format_count(*count, "batch", "batches"));
}

// Ends the claim: the held one is gone afterwards.
void Courier::settle(Held& held, std::vector<DeadLetter> dead) {
  const Claim& claim = held.batch.claim;
  Settled outcome;
  outcome.sink = claim.lane.sink;
  outcome.ack.claim = claim.id;
  outcome.ack.unreadable =
      neither(claim, held.told.delivered + held.told.omitted, dead, held.told.lost);
  outcome.ack.dead = std::move(dead);
  outcome.ack.possible_duplicates = held.told.duplicates;
  outcome.sent_bytes = held.told.sent_bytes;
  if (outcome.ack.unreadable.records > 0)
    log::error("sink {}: {} of the {} records of {} are damaged in the buffer and were left out",
               sink_->name(), outcome.ack.unreadable.records, claim.size.records, claim.key);
  report_.sent_bytes += outcome.sent_bytes;
  outcomes_.post(std::move(outcome));
  forget(held);
}

// How many of what is left may be there already, at a destination that cannot tell.
std::uint64_t Courier::unsure(const Held& held) const {
  const Batch& batch = held.batch;
  if (options_.recognises != Recognises::kNothing) return 0;
  if (!held.maybe_arrived && !batch.claim.resumed) return 0;
  return left_records(batch);
}

// The same of all its records, were they sent once more.
std::uint64_t Courier::sent_anew(const Held& held) const {
  const bool told_apart = options_.recognises != Recognises::kNothing;
  const std::uint64_t left = unsure(held);
  const std::uint64_t later = left > 0 ? count_records(held.later) : 0;
  return told_apart ? 0 : left + later + held.told.delivered;
}

void Courier::count_delivery() {
  ++deliveries_;
  refused_ = refusals_only_ = 0;
  report_.last_success = clock_.wall();
}

}  // namespace edgehose
