#include "sinks/s3/leftovers.h"

#include <algorithm>

#include "agent/base/log.h"
#include "agent/base/text.h"
#include "sinks/s3/s3_error.h"

namespace edgehose {

void Leftovers::tidy(Instant now, IsLeftover leftover) {
  leftover_ = std::move(leftover);
  if (looking_ || now < next_look_) return;
  looking_ = more_ = true;
  pages_ = 0;
  aborted_ = 0;
  after_ = {};
  found_.clear();
}

AwsRequest Leftovers::next(const S3Place& bucket) {
  asked_ = true;
  if (found_.empty()) return list_multiparts(bucket, prefix_, after_);
  const ListedUpload& upload = found_.back();
  return abort_multipart({bucket.options, bucket.endpoint, bucket.region, upload.key}, upload.id);
}

void Leftovers::take(const HttpResponse& answer, Instant now) {
  asked_ = false;
  if (!looking_) return;
  if (found_.empty()) {
    take_page(answer, now);
  } else if (not_allowed(answer)) {
    tell_refusal(answer, "aborted", "s3:AbortMultipartUpload on its objects");
    return end(now, kEvery);
  } else {
    aborted_ += is_gone(answer) ? 1 : 0;
    found_.pop_back();
  }
  skip_needed();
  if (looking_ && found_.empty() && !more_) end(now, kEvery);
}

void Leftovers::take_page(const HttpResponse& answer, Instant now) {
  std::optional<ListedUploads> page = read_uploads(answer);
  if (!page) {
    // Deliveries tell what is wrong with the bucket; this alone is told here.
    if (not_allowed(answer))
      tell_refusal(answer, "looked for", "s3:ListBucketMultipartUploads on the bucket");
    return end(now, not_allowed(answer) ? kEvery : kAfterFailure);
  }
  found_ = std::move(page->uploads);
  const bool moves = page->next.key != after_.key || page->next.id != after_.id;
  more_ = page->more && moves && ++pages_ < kMaxPages;
  after_ = std::move(page->next);
}

// Asked at the last moment: claims have come meanwhile.
void Leftovers::skip_needed() {
  while (!found_.empty() && !leftover_(found_.back().key)) found_.pop_back();
}

void Leftovers::tell_refusal(const HttpResponse& answer, std::string_view what,
                             std::string_view permission) const {
  log::warn(
      "sink {}: uploads that were broken off cannot be {} (S3 answers {} {}): the credentials need "
      "{}",
      sink_, what, answer.status, read_s3_error(answer).code, permission);
}

void Leftovers::end(Instant now, Duration pause) {
  looking_ = false;
  found_.clear();
  next_look_ = now + pause;
  if (aborted_ > 0)
    log::info("sink {}: {} that had broken off, and that no batch needs any more, aborted", sink_,
              format_count(aborted_, "upload"));
}

}  // namespace edgehose
