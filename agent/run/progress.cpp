#include "agent/run/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "agent/base/text.h"

namespace edgehose {
namespace {

double seconds_since(const Progress& progress, Instant now) {
  return std::chrono::duration<double>(now - progress.started).count();
}

double fraction_done(const Progress& progress) {
  if (progress.bytes_total == 0) return progress.waiting == 0 ? 1.0 : 0.0;
  const double done = static_cast<double>(bytes_done(progress));
  return std::min(1.0, done / static_cast<double>(progress.bytes_total));
}

// Rounded down, so that 100 % means all of it.
unsigned percent(const Progress& progress) {
  return static_cast<unsigned>(fraction_done(progress) * 100.0);
}

double bytes_per_second(const Progress& progress, Instant now) {
  const double seconds = seconds_since(progress, now);
  return seconds > 0.0 ? static_cast<double>(bytes_done(progress)) / seconds : 0.0;
}

std::string rate(const Progress& progress, Instant now) {
  return format_size(static_cast<std::uint64_t>(bytes_per_second(progress, now))) + "/s";
}

// Whole seconds: a running figure with milliseconds cannot be read.
std::string whole_seconds(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::min(seconds, 1e9) + 0.5);
  return format_duration(std::chrono::seconds(whole));
}

std::string time_left(const Progress& progress, Instant now) {
  if (fraction_done(progress) >= 1.0) return "took " + whole_seconds(seconds_since(progress, now));
  const double speed = bytes_per_second(progress, now);
  if (speed <= 0.0) return "nothing acknowledged yet";
  const double left = static_cast<double>(progress.bytes_total - bytes_done(progress)) / speed;
  return whole_seconds(left) + " left";
}

}  // namespace

std::uint64_t bytes_done(const Progress& progress) {
  if (progress.waiting == 0) return progress.bytes_read;
  const auto records = static_cast<double>(std::max(progress.records, progress.waiting));
  return static_cast<std::uint64_t>(static_cast<double>(progress.bytes_read) *
                                    (records - static_cast<double>(progress.waiting)) / records);
}

std::string progress_bar(const Progress& progress, Instant now, unsigned width) {
  const std::string text =
      fmt::format(" {:3} %  {} of {}  {}  {}", percent(progress), format_size(bytes_done(progress)),
                  format_size(progress.bytes_total), rate(progress, now), time_left(progress, now));
  constexpr std::size_t kFrame = 2, kNarrowest = 5;
  if (width < text.size() + kFrame + kNarrowest) return text.substr(1, width);
  const std::size_t cells = std::min<std::size_t>(width - text.size() - kFrame, 40);
  const auto filled =
      static_cast<std::size_t>(fraction_done(progress) * static_cast<double>(cells));
  return fmt::format("[{}{}]{}", std::string(filled, '#'), std::string(cells - filled, '-'), text);
}

std::string progress_line(const Progress& progress, Instant now) {
  const std::uint64_t done = progress.records - std::min(progress.records, progress.waiting);
  std::string read = format_count(progress.records - progress.earlier) + " records";
  if (progress.earlier > 0)
    read += fmt::format(" and {} of earlier runs", format_count(progress.earlier));
  std::string delivered = format_count(progress.delivered) + " records";
  if (done > progress.delivered)
    delivered += ", gave up " + format_count(done - progress.delivered);
  return fmt::format("read {} of {} ({}), delivered {}, {} %, {}, {}",
                     format_size(progress.bytes_read), format_size(progress.bytes_total), read,
                     delivered, percent(progress), rate(progress, now), time_left(progress, now));
}

void ProgressPrinter::update(const Progress& progress, Instant now) {
  if (now < next_) return;
  next_ = now + (terminal_ ? Duration(std::chrono::milliseconds(100)) : std::chrono::seconds(5));
  print(progress, now);
}

void ProgressPrinter::finish(const Progress& progress, Instant now) {
  if (terminal_ || !told(progress)) print(progress, now);
  if (terminal_) std::fputc('\n', out_);
  std::fflush(out_);
}

bool ProgressPrinter::told(const Progress& progress) const { return last_ && *last_ == progress; }

void ProgressPrinter::print(const Progress& progress, Instant now) {
  last_ = progress;
  if (terminal_)
    fmt::print(out_, "\r{}\033[K", progress_bar(progress, now));
  else
    fmt::print(out_, "{}\n", progress_line(progress, now));
  std::fflush(out_);
}

}  // namespace edgehose
