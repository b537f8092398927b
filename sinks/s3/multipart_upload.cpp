#include "sinks/s3/multipart_upload.h"

#include <algorithm>
#include <ranges>
#include <utility>

#include "sinks/s3/multipart_answers.h"
#include "sinks/s3/s3_error.h"

namespace edgehose {
namespace {

using To = UploadResponse::To;

// What S3 says of a part whose upload was begun in another way (with another checksum).
bool faults_part(const std::string& code) {
  constexpr std::string_view kFaults[] = {"InvalidPart", "InvalidPartOrder", "InvalidRequest"};
  return std::ranges::find(kFaults, code) != std::end(kFaults);
}

}  // namespace

bool same_object(const HttpResponse& head, S3Checksum kind, const std::string& checksum,
                 std::uint64_t size, bool renewed) {
  if (head.status != 200) return false;
  const std::string* kept = head.header(checksum_header(kind));
  if (kept != nullptr && comparable_checksums(*kept, checksum)) {
    if (*kept == checksum) return true;
    if (!renewed) return false;
  }
  const std::string* length = head.header("content-length");
  return length != nullptr && *length == std::to_string(size);
}

MultipartUpload::MultipartUpload(Task task, std::shared_ptr<ByteSource> body)
    : task_(std::move(task)), reader_(std::make_shared<PartReader>(std::move(body))) {
  if (continues()) {
    upload_ = task_.begun;
    step_ = done() == task_.facts.parts.size() ? Step::kComplete : Step::kPart;
  } else if (task_.begun) {
    step_ = Step::kDropOld;
  } else if (task_.attempted) {
    step_ = Step::kLookFirst;
  }
}

bool MultipartUpload::continues() const {
  const PartialUpload& begun = task_.begun;
  const std::vector<PartFacts>& parts = task_.facts.parts;
  // An object's own metadata hold its key, and were sent when the upload began. That this attempt
  // has the same one, only a part shows: under another the object could never be opened.
  const bool keyed = task_.place.metadata != nullptr && !task_.place.metadata->empty();
  if (keyed && begun.parts.empty()) return false;
  return begun && begun.part_size == task_.facts.part_size && begun.parts.size() <= parts.size() &&
         std::ranges::equal(begun.parts, parts | std::views::take(begun.parts.size()),
                            [](const UploadPart& there, const PartFacts& here) {
                              return there.check == here.check;
                            });
}

Result<bool> MultipartUpload::seek(std::span<char> buffer) {
  if (done() == task_.facts.parts.size()) return true;
  return reader_->seek(done() * task_.facts.part_size, buffer);
}

AwsRequest MultipartUpload::next(WallTime now, const Secret& customer_key) {
  const S3Place& place = task_.place;
  switch (step_) {
    case Step::kDropOld: return abort_multipart(place, task_.begun.id);
    case Step::kList: return list_multiparts(place, place.key, {});
    case Step::kDropFound: return abort_multipart(place, found_.back());
    case Step::kBegin: return begin_multipart(place, now, customer_key);
    case Step::kPart: {
      const PartFacts& part = task_.facts.parts[done()];
      return upload_part(place, upload_.id, done() + 1, part,
                         PartReader::part(reader_, done() * task_.facts.part_size, part.size),
                         customer_key);
    }
    case Step::kComplete:
      return complete_multipart(place, upload_, task_.facts, task_.create_only, customer_key);
    case Step::kLookFirst:
    case Step::kLookGone:
    case Step::kLookTaken: return head_object(place, customer_key);
    case Step::kDropBroken:
    case Step::kDropSpare: break;
  }
  return abort_multipart(place, upload_.id);
}

bool MultipartUpload::take(HttpResponse answer) {
  switch (step_) {
    case Step::kDropOld:
      if (is_gone(answer)) advanced_ = true;
      return take_clearing(answer, Step::kLookFirst);
    case Step::kList: return take_list(answer);
    case Step::kDropFound:
      found_.pop_back();
      return take_clearing(answer, found_.empty() ? Step::kBegin : Step::kDropFound);
    case Step::kBegin: return take_begun(answer);
    case Step::kPart: return take_part(answer);
    case Step::kComplete: return take_completed(answer);
    case Step::kLookFirst:
    case Step::kLookGone:
    case Step::kLookTaken: return take_look(std::move(answer));
    case Step::kDropBroken:
      if (is_gone(answer) || not_allowed(answer)) return begin_anew();
      // What S3 found fault with decides, if no earlier attempt had a share in it. Else the next
      // attempt comes back to it.
      return fresh_ || over(std::move(answer), To::kClearing);
    case Step::kDropSpare: break;
  }
  if (is_gone(answer)) end_upload();
  return true;
}

// Who may not abort goes on: it is a matter of space, and the bucket's rules see to it.
bool MultipartUpload::take_clearing(const HttpResponse& answer, Step then) {
  return is_gone(answer) || not_allowed(answer) ? go(then) : over(answer, To::kClearing);
}

bool MultipartUpload::take_list(const HttpResponse& answer) {
  const std::optional<ListedUploads> list = read_uploads(answer);
  if (!list && !not_allowed(answer)) return over(answer, To::kClearing);
  if (list)
    for (const ListedUpload& upload : list->uploads)
      if (upload.key == task_.place.key) found_.push_back(upload.id);
  return go(found_.empty() ? Step::kBegin : Step::kDropFound);
}

bool MultipartUpload::take_begun(const HttpResponse& answer) {
  const std::optional<std::string> id = read_begun(answer);
  if (!id) return over(answer, To::kBegin);
  upload_ = {*id, task_.facts.part_size, {}};
  advanced_ = fresh_ = true;
  return go(Step::kPart);
}

bool MultipartUpload::take_part(const HttpResponse& answer) {
  const PartFacts& part = task_.facts.parts[done()];
  const std::optional<std::string> tag = read_part_tag(answer);
  const std::string* kept = answer.header(checksum_header(task_.place.options.checksum));
  if (!tag || (kept != nullptr && !part.checksum.empty() && *kept != part.checksum))
    return take_refusal(answer, To::kPart);
  upload_.parts.push_back({*tag, part.check});
  advanced_ = true;
  return go(done() == task_.facts.parts.size() ? Step::kComplete : Step::kPart);
}

bool MultipartUpload::take_completed(const HttpResponse& answer) {
  if (read_completed(answer, task_.place.options.checksum)) {
    end_upload();
    return over(answer, To::kComplete);
  }
  if (answer.status != 412) return take_refusal(answer, To::kComplete);
  over(answer, To::kComplete);
  return go(Step::kLookTaken);
}

bool MultipartUpload::take_refusal(const HttpResponse& answer, To to) {
  over(answer, to);
  const std::string code = read_s3_error(answer).code;
  if (code == "NoSuchUpload") return go(Step::kLookGone);
  // In an upload that this attempt began, a refused part tells of the options, not of the parts
  // before it.
  const bool faulty = to == To::kComplete ? faults_completion(code) : faults_part(code) && !fresh_;
  return faulty ? go(Step::kDropBroken) : true;
}

bool MultipartUpload::take_look(HttpResponse answer) {
  const bool same = same_object(answer, task_.place.options.checksum, task_.facts.checksum,
                                task_.facts.size, task_.renewed);
  const bool kept = task_.create_only || task_.place.options.create_only;
  if (step_ == Step::kLookFirst && tells_nothing(answer))
    return over(std::move(answer), To::kClearing);
  if (step_ == Step::kLookFirst && !same && !(answer.status == 200 && kept)) return go(Step::kList);
  if (step_ == Step::kLookTaken) {
    // Another's object: its key may be given free, and then the parts are there.
    const bool spare = same || (answer.status == 200 && task_.create_only);
    existing_ = std::move(answer);
    return spare ? go(Step::kDropSpare) : true;
  }
  if (same || (answer.status == 200 && kept)) {
    end_upload();
    existing_ = std::move(answer);
    return true;
  }
  return tells_nothing(answer) ? true : begin_anew();
}

// What went up in this very attempt would end in the same way again.
bool MultipartUpload::begin_anew() {
  end_upload();
  return fresh_ || go(Step::kList);
}

bool MultipartUpload::go(Step step) {
  step_ = step;
  return false;
}

bool MultipartUpload::over(HttpResponse answer, To to) {
  answer_ = std::move(answer);
  to_ = to;
  return true;
}

void MultipartUpload::end_upload() {
  upload_ = {};
  advanced_ = true;
}

std::optional<PartialUpload> MultipartUpload::take_advance() {
  if (!std::exchange(advanced_, false)) return std::nullopt;
  return upload_;
}

void MultipartUpload::tell(UploadResponse& response) const {
  response.answer = answer_;
  response.to = to_;
  response.existing = existing_;
}

}  // namespace edgehose
