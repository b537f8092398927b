// PlainOutput: where one file's plaintext goes. A file gets its name only when it is whole: until
// then it is a hidden temporary beside it, removed where anything fails.
//
// Threading: one thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "agent/base/file.h"
#include "agent/base/result.h"

namespace edgehose {

class PlainOutput {
 public:
  // None, or "-": standard output.
  static Result<PlainOutput> open(const std::optional<std::string>& path);
  PlainOutput(PlainOutput&& other) noexcept;
  ~PlainOutput();

  Status write(std::string_view bytes);
  Status finish();  // all is written

 private:
  PlainOutput() = default;
  std::string path_, temporary_;
  FileDescriptor file_;
};

}  // namespace edgehose
