// Leftovers: finds multipart uploads that no claim needs any more, and aborts them: S3 keeps, and
// bills, their parts until somebody does. A page of the list or an abort at a time, once a day.
//
// Only what IsLeftover says is touched: the bucket may hold the uploads of other agents and other
// programs. What was begun by a buffer that is gone is nobody's we know of, and left to a rule of
// the bucket's.
//
// Threading: one thread. No I/O: the caller sends what next() gives and hands in the answer.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "sinks/delivery/transport.h"
#include "sinks/s3/multipart_answers.h"
#include "sinks/s3/multipart_requests.h"

namespace edgehose {

class Leftovers {
 public:
  static constexpr Duration kEvery = std::chrono::hours(24);
  static constexpr Duration kAfterFailure = std::chrono::hours(1);
  static constexpr unsigned kMaxPages = 100;  // of 1,000 uploads; more are not looked at

  // `prefix`: what all keys of the sink begin with.
  Leftovers(std::string sink, std::string prefix)
      : sink_(std::move(sink)), prefix_(std::move(prefix)) {}

  // Begins to look, where it is time to.
  void tidy(Instant now, IsLeftover leftover);
  // A request is due, and none is under way.
  bool due() const { return looking_ && !asked_; }
  // `bucket`: its key counts for nothing.
  AwsRequest next(const S3Place& bucket);
  // The answer to it; a `response` without status: none came.
  void take(const HttpResponse& answer, Instant now);
  void stop() { looking_ = asked_ = false; }

 private:
  void take_page(const HttpResponse& answer, Instant now);
  void skip_needed();
  void tell_refusal(const HttpResponse& answer, std::string_view what,
                    std::string_view permission) const;
  void end(Instant now, Duration pause);

  const std::string sink_, prefix_;
  IsLeftover leftover_;
  Instant next_look_{};
  bool looking_ = false, asked_ = false;
  UploadsAfter after_;
  unsigned pages_ = 0;
  bool more_ = false;
  std::vector<ListedUpload> found_;  // of the last page, to be aborted
  std::uint64_t aborted_ = 0;
};

}  // namespace edgehose
