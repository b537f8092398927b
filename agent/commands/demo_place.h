// DemoPlace: the directory that `edgehose demo` works in, made by it and removed with all that is
// in it.
//
// Threading: one thread.
#pragma once

#include <cstdint>
#include <string>

#include "agent/base/result.h"

namespace edgehose {

class DemoPlace {
 public:
  // Below $TMPDIR; where that is not set, below /var/tmp, or /tmp where that one takes nothing. A
  // temporary file system counts as memory, of which little is asked.
  static Result<DemoPlace> make();
  DemoPlace(DemoPlace&& other) noexcept;
  ~DemoPlace();  // removes it, unless it is kept

  const std::string& path() const { return path_; }
  std::string below(const std::string& name) const { return path_ + "/" + name; }
  bool in_memory() const { return in_memory_; }
  // Bytes that a demo may take here.
  std::uint64_t room() const { return room_; }
  void keep() { kept_ = true; }
  bool kept() const { return kept_; }

 private:
  DemoPlace() = default;
  std::string path_;  // empty: moved from
  std::uint64_t room_ = 0;
  bool in_memory_ = false;
  bool kept_ = false;
};

}  // namespace edgehose
