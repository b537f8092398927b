// SimTransport: between a courier and the simulated servers. It reads a request's bytes when it is
// started, as one does that has sent them, and answers when the plan says so: well, badly, or with
// the answer lost on the way.
//
// Threading: one thread.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sinks/delivery/transport.h"
#include "tests/sim/plan.h"
#include "tests/sim/servers.h"

namespace edgehose::sim {

// A defect that is put in on purpose, to see that it is found.
enum class Bug { kNone, kLoses, kDoubles };

struct Servers {
  Bug bug = Bug::kNone;
  std::uint64_t objects = 0;  // taken
  Bucket bucket, directory;
  Index index;
  Collector collector;
};

// What becomes of a request on its way there and back.
enum class Fate : std::uint8_t {
  kAnswered,
  kBusy,       // the server has no room for it now, or for some of it
  kUnreached,  // nobody listens
  kLost,       // it is served, and the answer does not come back
  kDenied,
  kStranger,  // somebody else answers: 200, and a page
  kCount_,
};

// What was sent, to be served once, later, or (a network may do that) twice.
struct Parcel {
  enum class To { kBucket, kDirectory, kIndex, kEvents, kAcks };
  To to = To::kBucket;
  std::string name;  // of the object; the channel
  std::string bytes;
};

// Whether the directory's file system takes such a name, ever.
bool takes_name(const std::string& name);

// What the server says to it. `chance`: of what it does not say by itself.
struct Served {
  int status = 200;
  std::string body;
};
Served serve(const Parcel& parcel, Servers& servers, bool busy, Random& chance);

class SimTransport final : public Transport {
 public:
  // `late`: takes what is under way when a life ends.
  SimTransport(Servers& servers, std::deque<Parcel>& late) : servers_(servers), late_(late) {}
  ~SimTransport() override { abandon(); }

  void start(RequestId id, Request request, std::shared_ptr<const ObjectSummary> body) override;
  Instant step(Instant now, std::vector<Completion>& finished) override;
  void abandon() override;
  std::vector<int> descriptors() const override { return {}; }

  std::size_t under_way() const { return jobs_.size(); }
  // `which`: any number. `twice`: the network delivers the request twice.
  void answer(std::size_t which, Fate fate, bool twice, Random& chance);

 private:
  struct Job {
    RequestId id;
    Parcel parcel;
    Response response;  // what is known of it before the answer
  };
  void start_file(RequestId id, FileRequest request);
  void start_upload(RequestId id, UploadRequest request);
  void start_post(RequestId id, PostRequest request);
  void send(Job job);
  void fail(RequestId id, Response response) { answers_.push_back({id, std::move(response)}); }
  std::string channel_of(const PostRequest& request);

  Servers& servers_;
  std::deque<Parcel>& late_;
  std::vector<Job> jobs_;
  std::vector<Completion> answers_;
  std::string channel_;  // the endpoint's
  std::uint64_t channels_ = 0;
};

}  // namespace edgehose::sim
