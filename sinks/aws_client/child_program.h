// ChildProgram: a program that is run without a shell, for what it prints. Its environment is the
// agent's, its input empty, its standard error dropped (it may name secrets).
//
// Threading: one thread. No call blocks, but that the destructor waits for a program it has killed.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/file.h"
#include "agent/base/result.h"

namespace edgehose {

class ChildProgram {
 public:
  // arguments[0] is the program, searched in PATH. At most `limit` bytes of output are kept.
  static Result<std::unique_ptr<ChildProgram>> start(const std::vector<std::string>& arguments,
                                                     std::size_t limit);
  ~ChildProgram();  // kills it and its children where it still runs
  ChildProgram(const ChildProgram&) = delete;
  ChildProgram& operator=(const ChildProgram&) = delete;

  // Takes what it has printed. Its exit code once it has ended; 128 and the signal's number where
  // one ended it.
  std::optional<int> step();
  // Readable when it has printed something, or closed its output; -1: only time tells of its end.
  int descriptor() const { return output_.get(); }
  bool too_long() const { return too_long_; }
  std::string take_output() { return std::move(text_); }

 private:
  ChildProgram(pid_t pid, FileDescriptor output, std::size_t limit);
  void read_output();

  pid_t pid_;  // also its process group's; 0: it has ended
  FileDescriptor output_;
  const std::size_t limit_;
  std::string text_;
  bool too_long_ = false;
};

}  // namespace edgehose
