#include "agent/commands/status_screen.h"

#include <fmt/format.h>

#include <algorithm>

#include "agent/base/text.h"
#include "agent/commands/layout.h"

namespace edgehose {
namespace {

constexpr std::string_view kGreen = "\033[32m", kYellow = "\033[33m", kRed = "\033[31m";

class Screen {
 public:
  Screen(const StatusReport& report, bool colour) : report_(report), colour_(colour) {}
  std::string draw() {
    heading();
    sources();
    sinks();
    buffer();
    return std::move(out_);
  }

 private:
  void heading();
  void sources();
  void sinks();
  void sink_details(const SinkReport& sink);
  std::vector<std::string> batches(const SinkReport& sink) const;
  void buffer();

  template <class... Args>
  void line(fmt::format_string<Args...> format, Args&&... args) {
    std::string text = fmt::format(format, std::forward<Args>(args)...);
    text.erase(text.find_last_not_of(' ') + 1);
    out_ += text + "\n";
  }
  void item(std::string_view bullet, std::string_view text, std::size_t indent) {
    out_ += std::string(indent - bullet.size(), ' ');
    out_ += bullet;
    out_ += wrapped(printable(text), indent);
  }
  std::string painted(std::string_view colour, std::string text) const {
    if (!colour_ || colour.empty()) return text;
    return fmt::format("{}{}\033[0m", colour, text);
  }

  const StatusReport& report_;
  bool colour_;
  std::string out_;
};

std::string_view health_colour(Health health) {
  return health == Health::kHealthy ? kGreen : health == Health::kDegraded ? kYellow : kRed;
}

void Screen::heading() {
  const std::string who =
      report_.agent.empty() ? "edgehose" : "edgehose " + clipped(printable(report_.agent), 32);
  const std::string health =
      painted(health_colour(report_.health), std::string(name(report_.health)));
  const std::string about =
      report_.running
          ? fmt::format("version {}, pid {}, up {}", clipped(printable(report_.version), 16),
                        report_.pid, rough_duration(report_.uptime))
          : fmt::format("read from the buffer in {}", clipped(printable(report_.data_dir), 48));
  const std::size_t width = who.size() + 2 + name(report_.health).size() + 3 + about.size();
  line("{}: {}{}{}", who, health, width <= kColumns ? "   " : "\n  ", about);
  for (const std::string& reason : report_.reasons) item("! ", reason, 4);
  for (const std::string& note : report_.notes) item("- ", note, 4);
}

void Screen::sources() {
  out_ += "\n";
  if (report_.running)
    line("{:<17} {:>7} {:>12} {:>14} {:>12} {:>12}", "SOURCE", "FILES", "SINCE START", "IN ALL",
         "SIZE", "BEHIND");
  else
    line("{:<17} {:>14} {:>12}", "SOURCE", "IN ALL", "SIZE");
  if (report_.sources.empty()) line("none");
  for (const SourceReport& source : report_.sources) {
    const std::string name = clipped(printable(source.name), 17);
    if (!report_.running)
      line("{:<17} {:>14} {:>12}", name, format_count(source.committed.records),
           format_size(source.committed.bytes));
    else if (!source.configured)
      line("{:<17} not in the config; {} committed", name,
           format_count(source.committed.records, "record"));
    else
      line("{:<17} {:>7} {:>12} {:>14} {:>12} {:>12}", name,
           source.files == 0 && source.problem.empty() ? "-" : format_count(source.files),
           format_count(source.read.records), format_count(source.committed.records),
           format_size(source.committed.bytes), format_size(source.behind_bytes));
    std::vector<std::string> details;
    if (source.truncated_records > 0)
      details.push_back(fmt::format("{} truncated", format_count(source.truncated_records)));
    if (source.lost_bytes > 0)
      details.push_back(fmt::format("{} lost unread", format_size(source.lost_bytes)));
    if (source.copied_bytes > 0)
      details.push_back(fmt::format("{} in copies", format_size(source.copied_bytes)));
    if (source.not_taken.records > 0)
      details.push_back(
          fmt::format("{} not taken (buffer full)", format_count(source.not_taken.records)));
    if (!details.empty()) item("", fmt::format("{}", fmt::join(details, ", ")), 4);
  }
}

std::string_view state_colour(std::string_view state) {
  return state == "parked" ? kRed : state == "backing off" ? kYellow : std::string_view();
}

void Screen::sinks() {
  out_ += "\n";
  line("{:<16} {:<11} {:>12} {:>10} {:>10} {:>13}", "SINK", "STATE", "BACKLOG", "SIZE", "OLDEST",
       "DELIVERED");
  if (report_.sinks.empty()) line("none");
  for (const SinkReport& sink : report_.sinks) {
    const std::string state = !sink.configured     ? "no config"
                              : sink.state.empty() ? "-"
                                                   : sink.state;
    line("{:<16} {} {:>12} {:>10} {:>10} {:>13}", clipped(printable(sink.name), 16),
         painted(state_colour(state), fmt::format("{:<11}", clipped(state, 11))),
         format_count(sink.backlog.records), format_size(sink.backlog.bytes),
         sink.oldest_age ? rough_duration(*sink.oldest_age) : "-",
         format_count(sink.delivered.records));
    sink_details(sink);
  }
}

std::string ago(WallTime now, WallTime then) {
  return rough_duration(Duration(std::max<std::int64_t>(0, now.value - then.value))) + " ago";
}

// Where the batches are that are cut and not yet acknowledged.
std::vector<std::string> Screen::batches(const SinkReport& sink) const {
  std::vector<std::string> parts;
  const std::uint64_t held = sink.in_flight + sink.queued + sink.unacknowledged;
  if (sink.in_flight > 0) parts.push_back(fmt::format("{} in flight", sink.in_flight));
  if (sink.queued > 0) parts.push_back(fmt::format("{} waiting to be sent", sink.queued));
  if (sink.unacknowledged > 0)
    parts.push_back(fmt::format("{} not acknowledged there yet", sink.unacknowledged));
  if (sink.claims > held)
    parts.push_back(fmt::format("{} {}", format_count(sink.claims - held, "batch", "batches"),
                                report_.running ? "being acknowledged" : "begun"));
  return parts;
}

// What a metered link is charged for, TLS and retries included.
std::string traffic(const SinkReport& sink) {
  const auto both = [](const WireBytes& bytes) {
    return fmt::format("{} out, {} in", format_size(bytes.sent), format_size(bytes.received));
  };
  return fmt::format("on the wire today {}; this month {}", both(sink.wire_today),
                     both(sink.wire_this_month));
}

void Screen::sink_details(const SinkReport& sink) {
  if (!sink.last_error.empty()) {
    // A reason for the health has it in full already.
    const bool told = std::any_of(
        report_.reasons.begin(), report_.reasons.end(),
        [&](const std::string& r) { return r.find(sink.last_error) != std::string::npos; });
    std::string text = fmt::format("error since {}: {}", ago(report_.at, sink.error_since),
                                   told ? "see above" : sink.last_error);
    if (sink.next_attempt_in)
      text += fmt::format("; next attempt in {}", rough_duration(*sink.next_attempt_in));
    item("", text, 4);
  }
  if (sink.last_error.empty() && !sink.past_error.empty())
    item("",
         fmt::format("recovered {} from: {}", ago(report_.at, sink.past_error_at), sink.past_error),
         4);
  std::vector<std::string> parts = batches(sink);
  if (sink.state == kWaiting && sink.next_batch_in)
    parts.push_back(
        fmt::format("a batch in {}, or when it is full", rough_duration(*sink.next_batch_in)));
  parts.push_back(sink.last_delivery.value == 0
                      ? "nothing delivered yet"
                      : "last delivery " + ago(report_.at, sink.last_delivery));
  if (sink.dead_lettered.records > 0)
    parts.push_back(fmt::format("{} ({}{})",
                                format_count(sink.dead_lettered.records, "dead letter"),
                                format_size(sink.dead_lettered.bytes),
                                sink.oldest_dead_letter.value == 0
                                    ? ""
                                    : ", oldest " + ago(report_.at, sink.oldest_dead_letter)));
  if (sink.replaying > 0)
    parts.push_back(fmt::format("{} of them to be delivered again", format_count(sink.replaying)));
  for (std::size_t i = 0; i < sink.dropped.size(); ++i)
    if (sink.dropped[i].records > 0)
      parts.push_back(fmt::format("{} dropped ({})", format_count(sink.dropped[i].records),
                                  name(static_cast<DropReason>(i))));
  if (sink.possible_duplicates > 0)
    parts.push_back(fmt::format("{} possibly twice", format_count(sink.possible_duplicates)));
  item("", fmt::format("{}", fmt::join(parts, ", ")), 4);
  if (sink.wire_ever != WireBytes{}) item("", traffic(sink), 4);
}

std::string milliseconds(Duration duration) {
  if (duration < std::chrono::milliseconds(1)) return "< 1 ms";
  return fmt::format("{:.0f} ms", std::chrono::duration<double, std::milli>(duration).count());
}

std::string rough_size(double bytes) { return format_size(static_cast<std::uint64_t>(bytes)); }

void Screen::buffer() {
  const BufferReport& b = report_.buffer;
  constexpr std::uint64_t kCells = 20;
  const double share =
      b.limit == 0 ? 0.0
                   : std::min(1.0, static_cast<double>(b.used) / static_cast<double>(b.limit));
  const auto filled = static_cast<std::size_t>(share * kCells + 0.5);
  out_ += "\n";
  line("BUFFER [{}{}] {:.0f} %: {} of {}, {} free", std::string(filled, '#'),
       std::string(kCells - filled, '.'), share * 100.0, format_size(b.used), format_size(b.limit),
       format_size(b.free));
  line("  {:<13}{}   when full: {}", "full in",
       !b.full_in                       ? "not foreseeable"
       : *b.full_in == Duration::zero() ? "now"
                                        : rough_duration(*b.full_in),
       b.when_full);
  line("  {:<13}{} allocated, {} free", "on disk", format_size(b.allocated),
       format_size(b.disk_free));
  if (b.compression) line("  {:<13}{:.1f} : 1", "compression", *b.compression);
  std::vector<std::string> writes;
  if (b.write_ratio) writes.push_back(fmt::format("{:.2f} bytes per raw byte", *b.write_ratio));
  if (b.writes_per_day)
    writes.push_back(fmt::format("about {} a day", rough_size(*b.writes_per_day)));
  if (!writes.empty()) line("  {:<13}{} by this process", "disk writes", fmt::join(writes, ", "));
  if (b.device_per_day)
    line("  {:<13}{}: about {} a day by all programs, journals included", "whole disk",
         clipped(b.device, 16), rough_size(*b.device_per_day));
  if (report_.running && b.mean_commit > Duration{}) {
    line("  {:<13}{} last, {} mean", "commit", milliseconds(b.last_commit),
         milliseconds(b.mean_commit));
    line("  {:<13}{} last, {} mean: of the files read, before a commit", "flush",
         milliseconds(b.last_flush), milliseconds(b.mean_flush));
  }
  if (b.dead_letters > 0)
    line("  {:<13}{}, {} of {}", "dead letters", format_count(b.dead_letters),
         format_size(b.dead_letter_bytes), format_size(b.dead_letter_quota));
  if (b.corrupt_blocks > 0 || b.quarantines > 0)
    line("  {:<13}{} since start, {} kept aside ({})", "damaged",
         format_count(b.corrupt_blocks, "block"), format_count(b.quarantines, "buffer"),
         format_size(b.quarantine_bytes));
  if (b.salvaged_records > 0 || b.lost_records > 0)
    line("  {:<13}{} in all; {} lost, or read again from files", "salvaged",
         format_count(b.salvaged_records, "record"), format_count(b.lost_records));
  if (b.archived_blocks > 0)
    line("  {:<13}{} ({}) are in the damaged file", "", format_count(b.archived_blocks, "block"),
         format_size(b.archived_bytes));
}

}  // namespace

std::string status_screen(const StatusReport& report, bool colour) {
  return Screen(report, colour).draw();
}

}  // namespace edgehose
