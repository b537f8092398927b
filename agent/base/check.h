// EH_CHECK(condition): a programmer's assumption that must hold in every build. When it does not,
// the process says which one and aborts; systemd restarts it and recovery, the path tested most,
// takes over. Bad input, full disks and broken peers are Errors (result.h), never checks.
#pragma once

namespace edgehose {
[[noreturn]] void check_failed(const char* condition, const char* file, int line);
}

#define EH_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::edgehose::check_failed(#condition, __FILE__, __LINE__))
