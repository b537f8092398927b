#include "agent/base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <mutex>

#include "agent/base/line_bound.h"
#include "agent/base/log_event.h"
#include "agent/base/wrap.h"

namespace edgehose::log {
namespace {

std::atomic<Level> g_level{Level::kInfo};

// systemd sets JOURNAL_STREAM=device:inode for a standard error that is its own.
bool is_journal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat st {};
  if (stream == nullptr || ::fstat(STDERR_FILENO, &st) != 0) return false;
  return fmt::format("{}:{}", st.st_dev, st.st_ino) == stream;
}

// Broken where a line ends, the time before it counted.
std::string for_a_terminal(const std::string& line) {
  const std::string time = "YYYY-MM-DDThh:mm:ss.mmm+zz:zz ";
  std::string text = wrapped(time + line, 4, LongWords::kKept).substr(time.size());
  text.pop_back();
  return text;
}

class Logger {
 public:
  Logger()
      : journal_(is_journal()),
        terminal_(::isatty(STDERR_FILENO) == 1),
        logger_("edgehose", std::make_shared<spdlog::sinks::stderr_sink_mt>()) {
    logger_.set_level(spdlog::level::trace);
    logger_.set_pattern(journal_ ? "%v" : "%Y-%m-%dT%H:%M:%S.%e%z %v");
    logger_.flush_on(spdlog::level::trace);
  }

  void write(Level level, std::string_view message, LineBound::Kind kind) {
    const std::lock_guard lock(mutex_);
    tell(bound_.begin_minute(std::chrono::steady_clock::now()));
    // Debugging asks for everything; the bound is for the levels that run for years.
    if (level < Level::kInfo || bound_.take(kind)) put(level, printable(message));
  }
  void tell_left_out() {
    const std::lock_guard lock(mutex_);
    tell(bound_.left_out());
  }

 private:
  void tell(int left_out) {
    if (left_out > 0)
      put(Level::kWarn,
          fmt::format("log: {} left out: at most {} are told in a minute, "
                      "half of them errors and changes of state",
                      left_out == 1 ? "1 line was" : fmt::format("{} lines were", left_out),
                      kLinesPerMinute));
  }

  void put(Level level, std::string_view message) {
    constexpr std::array<std::string_view, 5> kNames{"trace", "debug", "info", "warn", "error"};
    constexpr std::array<int, 5> kPriorities{7, 7, 6, 4, 3};
    const auto i = static_cast<std::size_t>(level);
    if (journal_)
      logger_.info("<{}>{}", kPriorities[i], message);
    else if (terminal_)
      logger_.info("{}", for_a_terminal(fmt::format("{:5} {}", kNames[i], message)));
    else
      logger_.info("{:5} {}", kNames[i], message);
  }

  const bool journal_, terminal_;
  std::mutex mutex_;  // guards what follows
  spdlog::logger logger_;
  LineBound bound_{kLinesPerMinute, std::chrono::steady_clock::now()};
};

Logger& logger() {
  static Logger* const instance = new Logger;  // never destroyed: threads may log until the end
  return *instance;
}

}  // namespace

std::optional<Level> parse_level(std::string_view name) {
  constexpr std::array<std::string_view, 6> kNames{"trace", "debug", "info",
                                                   "warn",  "error", "off"};
  for (std::size_t i = 0; i < kNames.size(); ++i)
    if (kNames[i] == name) return static_cast<Level>(i);
  return std::nullopt;
}

void set_level(Level level) { g_level = level; }
bool enabled(Level level) { return level >= g_level.load(std::memory_order_relaxed); }
void write(Level level, std::string_view message) {
  const bool error = level == Level::kError;
  logger().write(level, message, error ? LineBound::Kind::kEvent : LineBound::Kind::kOrdinary);
}
void write_event(Level level, std::string_view message) {
  logger().write(level, message, LineBound::Kind::kEvent);
}
void tell_left_out() { logger().tell_left_out(); }

}  // namespace edgehose::log
