// SimFiles: in the place of FileTransport, the directory's file system: it takes a file or refuses
// it when the plan says so. A file's bytes are read when its request is started.
//
// Threading: one thread.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "sinks/delivery/transport.h"
#include "tests/sim/network.h"
#include "tests/sim/plan.h"

namespace edgehose::sim {

// Whether the directory's file system takes such a name, ever.
bool takes_name(const std::string& name);

struct File {
  std::string name, bytes;
};

class SimFiles final : public Transport {
 public:
  // `interrupted`: takes what is under way when a life ends.
  SimFiles(Bucket& directory, std::deque<File>& interrupted)
      : directory_(directory), interrupted_(interrupted) {}
  ~SimFiles() override { abandon(); }

  void start(RequestId id, Request request, std::shared_ptr<const ObjectSummary> body) override;
  Instant step(Instant now, std::vector<Completion>& finished) override;
  void abandon() override;
  std::vector<int> descriptors() const override { return {}; }

  std::size_t under_way() const { return jobs_.size(); }
  // `which`: any number. Of a fate of the network what a disk has like it.
  void answer(std::size_t which, Fate fate);

 private:
  struct Job {
    RequestId id;
    File file;
    FileResponse response;  // what is known of it before
  };

  Bucket& directory_;
  std::deque<File>& interrupted_;
  std::vector<Job> jobs_;
  std::vector<Completion> answers_;
};

}  // namespace edgehose::sim
