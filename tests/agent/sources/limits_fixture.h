// What tests of bounds measure of their own process.
#pragma once

#include <malloc.h>
#include <time.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/agent/sources/harness.h"

#if defined(__SANITIZE_ADDRESS__)
#define EDGEHOSE_MEASURES 0  // a sanitizer's memory and time are not the program's
#else
#define EDGEHOSE_MEASURES 1
#endif

namespace edgehose::testing {

class Limits : public FileSourceTest {
 protected:
  static double cpu_ms() {
    timespec t{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) / 1e6;
  }
  static std::size_t heap() {
    const auto info = ::mallinfo2();
    return info.uordblks + info.hblkhd;
  }
  // Peak resident memory since the last reset; 0: the kernel does not say.
  static std::size_t peak_kib() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
      if (line.starts_with("VmHWM:")) return static_cast<std::size_t>(std::stoul(line.substr(6)));
    return 0;
  }
  static std::ptrdiff_t descriptors() {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"),
                         std::filesystem::directory_iterator());
  }
  // Bytes this process has asked read() for; 0: the kernel does not say.
  static std::uint64_t bytes_read() {
    std::ifstream io("/proc/self/io");
    std::string word;
    std::uint64_t bytes = 0;
    io >> word >> bytes;
    return word == "rchar:" ? bytes : 0;
  }
  static void reset_peak() { std::ofstream("/proc/self/clear_refs") << "5"; }
};

}  // namespace edgehose::testing
