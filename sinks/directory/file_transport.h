// FileTransport: puts objects into a directory, each durably and whole under its name or not at
// all: temporary name, fdatasync, rename, fsync of the directory.
//
// A final name that is there already is an earlier attempt of the same claim, killed between its
// rename and its acknowledgement: names hold agent, epoch, source and sequences, so the same name
// has the same records, and the rename over it is atomic. Only where this attempt lacks records
// that the buffer could not give, the one that is there is left.
//
// The temporary name is a function of the final one (hidden, ".NAME.tmp"), so a retry after a kill
// finds and replaces what that left; there is nothing to sweep. It is locked (flock) while it is
// written: of two processes with the same claim (two copies of one data_dir) one waits for the
// other.
//
// Threading: transport.h. Bounded: one slice of kSliceBytes, or one sync, a step.
// A system call that hangs on a dying disk blocks this sink's thread alone; call() names it.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "agent/base/file.h"
#include "agent/base/mailbox.h"
#include "sinks/delivery/transport.h"
#include "sinks/directory/directory_tree.h"

namespace edgehose {

class FileTransport final : public Transport {
 public:
  static constexpr std::size_t kSliceBytes = 1 << 20;

  FileTransport();
  ~FileTransport() override;
  void start(RequestId id, Request request, std::shared_ptr<const ObjectSummary> body) override;
  Instant step(Instant now, std::vector<Completion>& finished) override;
  void abandon() override;
  Call call() const override { return call_.read(); }
  std::vector<int> descriptors() const override { return {}; }

 private:
  class Job;
  std::deque<std::unique_ptr<Job>> jobs_;
  SubdirectoryOpener subdirectories_;
  std::vector<char> buffer_;
  Published<Call> call_;
};

// The hidden name that a file has until it is whole.
std::string temporary_name(const std::string& name);

}  // namespace edgehose
