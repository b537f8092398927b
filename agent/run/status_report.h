// StatusReport: what `edgehose status` shows, and the rule by which an agent is healthy. A plain
// value: the daemon makes it, JSON carries it over the status socket, the command draws it.
//
// Health, the worst that applies:
//   down      no daemon; the intake loop has not beaten for kIntakeSilence; commits have failed for
//             kCommitsFail; the buffer or its disk is full, nothing may be dropped ("block", or
//             "drop_oldest" where all of it is claimed) and no sink has delivered for kCatchesUp:
//             nothing is read; the buffer's file was deleted, moved or replaced and cannot be put
//             back
//   degraded  the last reload was refused; commits fail; the buffer is full or at
//   kAlmostFullPercent
//             of its limit (whatever the policy); its disk is full, or leaves it less than the rest
//             of that; a source has a problem; a sink is parked; a sink is stalled: it has a
//             backlog, nothing of it was acknowledged for kStallTime, and its oldest record has
//             been ripe (older than the batch's max_age) for as long; each attempt of a sink has
//             failed for kFailingTime, and kFailingAttempts of them at least; a batch has failed
//             for kStallTime while others went; a system call on a destination has hung for
//             kHangTime; there are dead letters; buffers are set aside
//   healthy   otherwise. Notes are worth knowing and change nothing.
//
// Threading: values and pure functions, but read_store(), which reads the store.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/result.h"
#include "agent/base/types.h"
#include "agent/run/reload.h"
#include "agent/run/traffic.h"
#include "agent/sources/source.h"
#include "buffer/state.h"
#include "buffer/store.h"
#include "sinks/delivery/events.h"

namespace edgehose {

constexpr int kStatusFormat = 1;  // of the JSON; grows when a field changes its meaning
constexpr Duration kStallTime = std::chrono::minutes(10);
// A connection that is lost once is made again long before.
constexpr Duration kFailingTime = std::chrono::seconds(30);
constexpr std::uint64_t kFailingAttempts = 2;
constexpr Duration kHangTime = std::chrono::seconds(30);
constexpr Duration kIntakeSilence = std::chrono::seconds(30);
constexpr Duration kCommitsFail = std::chrono::minutes(1);  // nothing is taken in for so long
constexpr Duration kCatchesUp = std::chrono::minutes(1);    // a delivery so recent makes room
constexpr unsigned kAlmostFullPercent = 90;
constexpr Duration kPastErrorShown = std::chrono::hours(1);

// Of an idle sink that has something to send: its batch is not due yet.
constexpr std::string_view kWaiting = "waiting";

enum class Health { kHealthy, kDegraded, kDown };
std::string_view name(Health health);

struct SourceReport {
  std::string name;
  bool configured = true;               // false: the buffer knows it, the config does not
  std::uint64_t files = 0;              // 0 with no problem: not looked for yet
  Counter read;                         // since start
  Counter committed;                    // ever
  Counter not_taken;                    // ever: refused by drop_newest
  std::uint64_t behind_bytes = 0;       // there, not yet in the buffer
  std::uint64_t copied_bytes = 0;       // since start: not read, in files taken for copies
  std::uint64_t truncated_records = 0;  // ever
  std::uint64_t lost_bytes = 0;         // ever: known to have vanished before they were read
  std::string problem;
  bool operator==(const SourceReport&) const = default;
};

using Drops = std::array<Counter, static_cast<std::size_t>(DropReason::kCount_)>;

struct SinkReport {
  std::string name;
  bool configured = true;              // false: a cursor without a sink in the config
  std::string state;                   // idle, sending, backing off, parked, or kWaiting; empty:
                                       // no daemon
  Counter backlog;                     // committed, not yet acknowledged
  std::optional<Duration> oldest_age;  // of the oldest record in the backlog
  std::uint64_t claims = 0;            // batches that are cut and not yet acknowledged
  std::uint64_t in_flight = 0;         // of them: being sent
  std::uint64_t queued = 0;            // of them: waiting for their turn or a retry
  std::uint64_t unacknowledged = 0;    // of them: taken, and not said to be safe there yet
  Counter delivered;                   // ever
  Counter dead_lettered;               // held as dead letters (before 1.1: purged ones too)
  WallTime oldest_dead_letter;         // when it was given up; 0: none, or not known
  std::uint64_t replaying = 0;         // dead letters that wait to be delivered again
  Drops dropped{};                     // ever
  std::uint64_t possible_duplicates = 0;
  std::uint64_t sent_objects = 0, sent_bytes = 0, retries = 0;  // since start
  WireBytes wire_today, wire_this_month, wire_ever;             // what its connections carried
  std::uint64_t failed_in_a_row = 0;                            // attempts, until one succeeds
  std::string last_error;  // empty: none since the last success
  WallTime error_since;
  std::string past_error;  // one that was over less than kPastErrorShown ago; empty: none
  WallTime past_error_at;  // when it was over
  WallTime last_delivery;  // 0: never
  std::optional<Duration> next_attempt_in;
  std::optional<Duration> next_batch_in;  // when the age makes one of what waits
  std::string call;                       // the system call on the destination that is under way
  Duration call_for{};                    // and for how long
  bool operator==(const SinkReport&) const = default;
};

struct BufferReport {
  std::string epoch;         // hexadecimal, as in object names; empty: there is no buffer
  std::uint64_t blocks = 0;  // held
  std::uint64_t used = 0, limit = 0;
  std::uint64_t free = 0;       // may still be taken in: what the limit and the disk leave
  std::uint64_t allocated = 0;  // on the disk
  std::uint64_t disk_free = 0;
  std::string when_full;                 // the policy
  std::optional<Duration> full_in;       // at the present rate of growth; 0: it is; none: it does
                                         // not grow, or nobody knows yet
  std::optional<double> write_ratio;     // bytes the agent wrote to devices per raw byte taken in
  std::optional<double> writes_per_day;  // bytes, estimated
  std::string device;                    // the disk below the buffer, "mmcblk0"; empty: not known
  std::optional<double> device_per_day;  // bytes written to it, by whomever, estimated
  std::optional<double> compression;     // raw : stored, of the newest blocks
  Duration last_commit{}, mean_commit{};
  Duration last_flush{}, mean_flush{};  // of what was read, before its positions are committed
  std::uint64_t dead_letters = 0, dead_letter_bytes = 0, dead_letter_quota = 0;
  std::uint64_t corrupt_blocks = 0;                      // since start
  std::uint64_t salvaged_records = 0, lost_records = 0;  // ever, out of damaged buffers
  // Of what was salvaged, what still lies in the damaged file and is delivered from there.
  std::uint64_t archived_blocks = 0, archived_bytes = 0;
  unsigned quarantines = 0;
  std::uint64_t quarantine_bytes = 0;
  unsigned set_aside = 0;  // buffers of another release or machine
  std::uint64_t set_aside_bytes = 0;
  std::string format;         // "1.3"; empty: an agent that does not tell
  std::string newest_format;  // what `buffer upgrade` makes of it
  bool operator==(const BufferReport&) const = default;
};

struct StatusReport {
  bool running = true;  // false: read from the buffer without a daemon
  std::string agent, version, data_dir;
  std::string config;  // its main file
  ReloadReport reload;
  std::int64_t pid = 0;
  Duration uptime{};
  WallTime at;  // when it was made
  Health health = Health::kHealthy;
  std::vector<std::string> reasons;  // why not healthy, the gravest first
  std::vector<std::string> notes;
  std::vector<SourceReport> sources;
  std::vector<SinkReport> sinks;
  BufferReport buffer;
  bool operator==(const StatusReport&) const = default;
};

// --- what it is made from ------------------------------------------------------------------------

// What a sink in the config adds to its lanes.
struct SinkInput {
  std::string name;
  CourierStatus courier;
  Duration max_age{};  // of its batches: younger records do not wait, they ripen
  std::string call{};  // as in SinkReport
  Duration call_for{};
  std::vector<std::string> inputs{};     // sources; none: all
  std::optional<SinkTraffic> traffic{};  // none: what the store has
  std::optional<Duration> next_batch_in{};
};

// What the store knows, as of one moment.
struct StoreSnapshot {
  std::optional<Epoch> epoch;
  std::uint64_t blocks = 0;
  struct Lane {
    LaneState state;
    std::optional<WallTime> oldest;  // the first undelivered record's time
  };
  std::vector<SourceState> sources;
  std::vector<SinkState> sinks;
  std::vector<Lane> lanes;
  std::vector<Claim> claims;                      // unsettled ones
  std::map<SinkId, std::uint64_t> replaying;      // dead letters in replays
  std::map<SinkId, WallTime> oldest_dead_letter;  // of the first kLettersLookedAt
  StoreUsage usage;
  StoreFormat format;
  std::optional<double> compression;
};
constexpr std::size_t kLettersLookedAt = 4096;
Result<StoreSnapshot> read_store(Store& store);

// Running figures of the buffer, from status_meter.h; as in BufferReport.
struct BufferRates {
  std::optional<Duration> full_in;
  std::optional<double> write_ratio;
  std::optional<double> writes_per_day;
  std::optional<double> device_per_day;
};

struct ReportInput {
  bool running = true;
  std::string agent, version, data_dir;
  std::string config{};
  ReloadReport reload{};
  std::int64_t pid = 0;
  Duration uptime{};
  WallTime now;
  LocalDate today;  // where the agent is
  std::string when_full = "block";
  bool buffer_full = false;    // the last append was refused
  std::string disk_full;       // why, where it is the disk that is full
  bool drops = false;          // full, and the policy drops what sinks make no room for
  std::string intake_problem;  // why commits fail; empty: they do not
  Duration intake_problem_for{};
  std::string displaced;      // the buffer's file was taken away: which, and what to do
  Duration intake_silence{};  // since the intake loop last beat
  Duration last_flush{}, mean_flush{};
  std::string device;
  std::vector<SourceHealth> sources;  // of the config, running; behind: not in the buffer yet
  std::vector<SinkInput> sinks;       // of the config
  StoreSnapshot store;
  BufferRates rates;
  // By source: what the buffer had when this process began; what came since it has read.
  std::map<std::string, Counter> committed_before{};
};

StatusReport make_report(const ReportInput& input);
// Within, status_health.cpp: health, reasons and notes of a report that has all else.
void judge_health(const ReportInput& input, StatusReport& report);

// "2 buffers are set aside (64 MiB) in /data/set-aside-*, for ...": what there is and whom it is
// for.
std::string set_aside_text(unsigned buffers, std::uint64_t bytes, const std::string& data_dir);
// How long ago; nothing where the clock was set back.
Duration age_at(WallTime now, WallTime then);

// One JSON object, versioned by "format"; parse_status refuses another format and what is not one.
std::string to_json(const StatusReport& report);
Result<StatusReport> parse_status(std::string_view json);

}  // namespace edgehose
