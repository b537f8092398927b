// DemoLog: the log of a made-up gateway, written at a rate and rotated by renaming, as logrotate
// does it: app.log, app.log.1 the youngest rotation, and so on.
//
// Threading: one thread. Waits for nothing.
#pragma once

#include <cstdint>
#include <string>

#include "agent/base/file.h"
#include "agent/base/types.h"
#include "agent/commands/gateway_line.h"

namespace edgehose {

struct DemoLogPlan {
  std::string directory;
  std::uint64_t lines = 0;
  double lines_per_second = 0;
  std::uint64_t rotate_every = 0;  // lines, at least one
  gateway::LineOptions line;
};

class DemoLog {
 public:
  static Result<DemoLog> begin(DemoLogPlan plan);

  // Writes what is due so long after the beginning, a write(2) for each line, and rotates where a
  // rotation is due. Of much that is due, a slice: call again.
  Status write_due(Duration elapsed);

  bool done() const { return lines_ == plan_.lines; }
  std::uint64_t lines() const { return lines_; }  // so far
  std::uint64_t bytes() const { return bytes_; }

 private:
  explicit DemoLog(DemoLogPlan plan) : plan_(std::move(plan)) {}
  Status open();
  Status rotate();

  DemoLogPlan plan_;
  FileDescriptor file_;
  std::string text_;  // the next line's
  std::uint64_t lines_ = 0, bytes_ = 0;
  unsigned rotations_ = 0;
};

}  // namespace edgehose
