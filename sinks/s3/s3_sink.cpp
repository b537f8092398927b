#include "sinks/s3/s3_sink.h"

#include <algorithm>

#include "agent/base/text.h"
#include "sinks/http/retry_after.h"
#include "sinks/object/object_encoder.h"
#include "sinks/s3/multipart_answers.h"
#include "sinks/s3/multipart_upload.h"
#include "sinks/s3/s3_error.h"

namespace edgehose {
namespace {

constexpr std::string_view kRegionNote = "region=";
constexpr Duration kFaultPause = std::chrono::hours(1);

// What was learned counts for the bucket that answered, as it was configured then.
std::string note_of(const std::string& region, const S3Bucket& asked) {
  return fmt::format("{}{} of={} in={} at={}", kRegionNote, region, asked.name, asked.region,
                     asked.endpoint);
}

// Empty: the note is none, is of another kind of sink that had this name, or of another config.
std::string region_of_note(const std::string& note, const S3Bucket& asked) {
  if (!note.starts_with(kRegionNote)) return "";
  S3Bucket there = asked;
  there.region = note.substr(kRegionNote.size(), note.find(' ') - kRegionNote.size());
  return note == note_of(there.region, asked) && S3Endpoint::resolve(there) ? there.region : "";
}

Retry judge_stranger(const HttpResponse& answer, std::string_view why) {
  return {not_of_s3(answer, why), {}, true};
}

// It is sent again soon; a service that has it wrong each time (it makes checksums in its own way)
// gets it rarely: each time costs the whole object.
Verdict judge_checksum(const Batch& batch, const std::string& kept, const std::string& sent) {
  if (kept == sent || !comparable_checksums(kept, sent)) return Delivered{};
  const std::string wrong = "S3 has kept other bytes than were sent: the checksums differ";
  if (batch.wrong_there)
    return Park{wrong + " each time; set \"checksum\" to one that the service knows, or \"none\"",
                kFaultPause};
  Retry retry{wrong, {}, true};
  retry.wrong_there = true;
  return retry;
}

// Whether each attempt has other bytes: it is encrypted under a fresh key. What the bucket was seen
// to have wrong is not taken for them.
bool renewed(const Batch& batch) {
  if (batch.wrong_there) return false;
  const auto rendering = parse_rendering(batch.claim.rendering);
  return rendering && (!rendering->age_recipients.empty() || rendering->s3ec);
}

// Whether the answer to a look says that nothing is under the key. Under a name that the service
// can never take there is nothing, however it says so.
bool is_absent(const HttpResponse& there, const Verdict& refusal) {
  const bool never = std::holds_alternative<KeyRefused>(refusal);
  return there.status == 404 || (never && there.status == 400);
}

Verdict absent(Verdict refusal) {
  std::visit(
      [](auto& v) {
        if constexpr (requires { v.absent; }) v.absent = true;
      },
      refusal);
  return refusal;
}

Verdict judge_failure(const UploadResponse& upload) {
  if (upload.answer.status == 0) return judge_s3_silence(upload.answer);
  return judge_s3_refusal(upload.answer, upload.region);
}

Verdict judge_whole(const Batch& batch, const UploadResponse& upload, S3Checksum checksum) {
  const HttpResponse& answer = upload.answer;
  if (!answer.succeeded()) return judge_failure(upload);
  const std::string* tag = answer.header("etag");
  if (answer.status != 200 || tag == nullptr || tag->empty() || !blank(answer.body))
    return judge_stranger(answer, tag == nullptr ? "it has no ETag" : "it has a text");
  const std::string* kept = answer.header(checksum_header(checksum));
  return judge_checksum(batch, kept == nullptr ? "" : *kept, upload.checksum);
}

// All parts went up in one attempt, and S3 does not take them together. To send them again costs
// the whole object, so it is tried rarely; a part that S3 has lost may be there again soon.
Park judge_fault(const std::string& code, std::string words) {
  Park park{std::move(words) +
            "; the service takes no object in parts like this one: set \"checksum\" to one that it "
            "knows, or \"none\", or part_size above batch.max_size"};
  if (!code.starts_with("InvalidPart")) park.probe_every = kFaultPause;
  return park;
}

// A 200 may hold an error: S3 begins to answer before it knows.
Verdict judge_completed(const Batch& batch, const UploadResponse& upload, S3Checksum checksum) {
  const HttpResponse& answer = upload.answer;
  const std::string code = read_s3_error(answer).code;
  if (faults_completion(code))
    return judge_fault(code,
                       fmt::format("S3 answers {} {} to the completion", answer.status, code));
  if (!answer.succeeded()) {
    Verdict verdict = judge_failure(upload);
    auto* retry = std::get_if<Retry>(&verdict);
    // S3 does not know it: it may have been completed before.
    if (retry != nullptr && answer.status == 404) retry->maybe_arrived = true;
    return verdict;
  }
  if (const auto completed = read_completed(answer, checksum))
    return judge_checksum(batch, completed->checksum, upload.checksum);
  if (code.empty()) return judge_stranger(answer, "it does not tell of the object");
  Verdict verdict = judge_s3_refusal(answer, upload.region);
  if (auto* retry = std::get_if<Retry>(&verdict)) retry->maybe_arrived = true;
  return verdict;
}

// Nothing is there under the key before all parts are put together.
Verdict judge_on_the_way(const UploadResponse& upload) {
  Verdict verdict = upload.answer.succeeded()
                        ? judge_stranger(upload.answer, "not what it says of a part of an object")
                        : judge_failure(upload);
  if (auto* retry = std::get_if<Retry>(&verdict)) retry->maybe_arrived = false;
  return verdict;
}

}  // namespace

Result<std::unique_ptr<S3Sink>> S3Sink::create(const S3Config& config, const ObjectContext& context,
                                               std::vector<std::string>& warnings) {
  EH_TRY(S3Endpoint::resolve(config.bucket));
  EH_ASSIGN(const ObjectRendering rendering, config.object.rendering(context.agent));
  EH_ASSIGN(ObjectNames names, ObjectNames::compile(config.object, context, rendering, warnings));
  return std::unique_ptr<S3Sink>(new S3Sink(config, std::move(names), rendering));
}

S3Sink::S3Sink(const S3Config& config, ObjectNames names, const ObjectRendering& rendering)
    : name_(config.common.name),
      bucket_(config.bucket),
      checksum_(config.upload.checksum),
      names_(std::move(names)),
      rendering_(serialize_rendering(rendering)) {}

bool S3Sink::is_own_key(const std::string& key, const Epoch& epoch) const {
  return names_.is_own(key, epoch);
}

std::string S3Sink::key(const BatchOutline& batch, const std::string&) const {
  const auto [prefix, name] = names_.name(batch);
  return prefix + name;
}

Request S3Sink::request(const Batch& batch, const std::string& note,
                        std::shared_ptr<ByteSource> body) const {
  std::string learned = region_of_note(note, bucket_);
  return UploadRequest{batch.claim.key, learned.empty() ? bucket_.region : std::move(learned),
                       std::move(body), batch.claim.upload,
                       batch.attempted, batch.maybe_arrived,
                       renewed(batch)};
}

Verdict S3Sink::judge(const Batch& batch, const Response& response) const {
  const auto& upload = std::get<UploadResponse>(response);
  if (upload.nothing) return Delivered{.nothing = true};
  if (upload.existing) return judge_existing(batch, upload);
  if (upload.unsent) return judge_unsent(*upload.unsent);
  switch (upload.to) {
    case UploadResponse::To::kWhole: return judge_whole(batch, upload, checksum_);
    case UploadResponse::To::kComplete: return judge_completed(batch, upload, checksum_);
    default: return judge_on_the_way(upload);
  }
}

// The key is taken, or this attempt was refused for good and an earlier one may have arrived. A key
// says which records are under it, so what is there mostly is ours, of an attempt whose answer was
// lost; what else it may be is not replaced.
Verdict S3Sink::judge_existing(const Batch& batch, const UploadResponse& upload) const {
  const HttpResponse& there = *upload.existing;
  // Where records are left out now, an earlier attempt holds at least as much.
  if (there.status == 200 &&
      ((upload.partial && !batch.wrong_there) ||
       same_object(there, checksum_, upload.checksum, upload.bytes, renewed(batch))))
    return Delivered{};
  const std::optional<Verdict> refusal = refused_for_good(upload);
  if (refusal && is_absent(there, *refusal)) return absent(*refusal);
  const std::string& key = batch.claim.key;
  const std::string what =
      refusal ? fmt::format("{} is refused ({}), and whether an earlier attempt has arrived", key,
                            reason_of(*refusal))
              : key + " is taken, and whether by us";
  const auto unknown = [&](std::string why) {
    return Retry{fmt::format("{} could not be seen: {}", what, why), retry_after(there), true};
  };
  if (upload.unsent) return unknown(upload.unsent->message);
  if (there.status == 0) return unknown(there.problem);
  if (there.status == 403)
    return Park{fmt::format("{} cannot be seen: the credentials need s3:GetObject there{}", what,
                            refusal ? ", and s3:ListBucket on the bucket"
                                    : ", where objects are not replaced (\"create_only\")")};
  if (there.status != 200) return unknown(fmt::format("S3 answers {}", there.status));
  if (refusal)
    return Park{fmt::format("{} is refused ({}), and an object of other bytes is under that name",
                            key, reason_of(*refusal))};
  const std::string* length = there.header("content-length");
  return Park{fmt::format(
      "{} is taken by an object of other bytes ({} of them, {} were sent). It is not replaced: move "
      "it away, or set create_only = false",
      key, length == nullptr ? "unknown" : *length, upload.bytes)};
}

std::optional<std::string> S3Sink::learn(const std::string& note, const Response& response) const {
  const auto& upload = std::get<UploadResponse>(response);
  const int status = upload.answer.status;
  if (status < 300 || upload.existing) return std::nullopt;
  S3Bucket there = bucket_;
  there.region = read_s3_error(upload.answer).region;
  // A name of a region, and nothing else, becomes part of a URL.
  if (there.region.empty() || !S3Endpoint::resolve(there)) return std::nullopt;
  std::string learned = there.region == bucket_.region ? "" : note_of(there.region, bucket_);
  if (learned == note) return std::nullopt;
  return learned;
}

}  // namespace edgehose
