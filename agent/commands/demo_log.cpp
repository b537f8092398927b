#include "agent/commands/demo_log.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

namespace edgehose {
namespace {

constexpr std::uint64_t kSlice = 2000;  // lines of one call, so that the caller sees signals

std::string rotation(const std::string& log, unsigned number) {
  return number == 0 ? log : fmt::format("{}.{}", log, number);
}

}  // namespace

Result<DemoLog> DemoLog::begin(DemoLogPlan plan) {
  DemoLog log(std::move(plan));
  EH_TRY(log.open());
  return log;
}

Status DemoLog::open() {
  EH_ASSIGN(file_, open_file(plan_.directory + "/app.log", O_WRONLY | O_CREAT | O_APPEND, 0640));
  return {};
}

Status DemoLog::rotate() {
  const std::string log = plan_.directory + "/app.log";
  for (unsigned number = ++rotations_; number > 0; --number) {
    const std::string from = rotation(log, number - 1);
    if (std::rename(from.c_str(), rotation(log, number).c_str()) != 0)
      return fail_errno(errno, fmt::format("renaming {}", from));
  }
  return open();
}

Status DemoLog::write_due(Duration elapsed) {
  const double seconds = std::chrono::duration<double>(elapsed).count();
  const auto due = static_cast<std::uint64_t>(std::max(0.0, seconds * plan_.lines_per_second));
  const std::uint64_t until = std::min({due, plan_.lines, lines_ + kSlice});
  for (; lines_ < until; ++lines_, bytes_ += text_.size()) {
    if (lines_ > 0 && lines_ % plan_.rotate_every == 0) EH_TRY(rotate());
    text_.clear();
    gateway::append_line(plan_.line, lines_, text_);
    text_ += '\n';
    EH_TRY(write_all(file_.get(), text_, "the demo's log"));
  }
  return {};
}

}  // namespace edgehose
