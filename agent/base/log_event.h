// Lines that a flood of others must not swallow: changes of state (a sink parks, delivers again;
// the buffer is full), a stop, an ending. They have half of the log's bound, errors among them.
//
// Threading: any thread.
#pragma once

#include <utility>

#include "agent/base/log.h"

namespace edgehose::log {

void write_event(Level level, std::string_view message);

// "log: 3 lines were left out", if some were: before the process ends.
void tell_left_out();

template <class... Args>
void event(Level level, fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(level)) write_event(level, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace edgehose::log
