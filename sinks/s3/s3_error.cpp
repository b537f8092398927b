#include "sinks/s3/s3_error.h"

#include <fmt/format.h>

#include <algorithm>

#include "sinks/aws/credentials_json.h"
#include "sinks/aws/xml.h"
#include "sinks/http/retry_after.h"
#include "sinks/s3/endpoint.h"

namespace edgehose {
namespace {

enum class Meaning {
  kRetry,        // it was not taken, and may be the next time
  kUnclear,      // the same, but it may have been taken
  kClock,        // the time that it is signed with
  kCredentials,  // they have expired
  kRegion,       // the bucket is in another
  kPark,         // needs a person
  kReject,       // these bytes never
  kTooLarge,
  kKey,  // this name never
};

struct ErrorRule {
  std::string_view code;
  Meaning meaning;
  std::string_view advice = {};  // what to do
};

// Beside AWS's codes those of others that speak the protocol (MinIO: XMinio...).
constexpr ErrorRule kRules[] = {
    {"SlowDown", Meaning::kRetry},
    {"SlowDownWrite", Meaning::kRetry},
    {"ServiceUnavailable", Meaning::kRetry},
    {"Throttling", Meaning::kRetry},
    {"ThrottlingException", Meaning::kRetry},
    {"RequestLimitExceeded", Meaning::kRetry},
    {"TooManyRequests", Meaning::kRetry},
    {"RequestTimeout", Meaning::kRetry},
    {"OperationAborted", Meaning::kRetry},
    {"NoSuchUpload", Meaning::kRetry},
    {"ConditionalRequestConflict", Meaning::kRetry},
    {"BadDigest", Meaning::kRetry},
    {"InvalidDigest", Meaning::kRetry},
    {"IncompleteBody", Meaning::kRetry},
    {"XAmzContentSHA256Mismatch", Meaning::kRetry},
    {"XAmzContentChecksumMismatch", Meaning::kRetry},
    {"TemporaryRedirect", Meaning::kRetry},
    {"KMS.ThrottlingException", Meaning::kRetry},
    {"KMS.KMSInternalException", Meaning::kRetry},
    {"KMS.DependencyTimeoutException", Meaning::kRetry},
    {"InternalError", Meaning::kUnclear},
    {"RequestTimeTooSkewed", Meaning::kClock,
     "set this machine's clock: only over https, with a verified certificate, is the server's time "
     "believed"},
    {"RequestExpired", Meaning::kClock, "set this machine's clock"},
    {"ExpiredToken", Meaning::kCredentials, "renew the credentials"},
    {"ExpiredTokenException", Meaning::kCredentials, "renew the credentials"},
    {"TokenRefreshRequired", Meaning::kCredentials, "renew the credentials"},
    {"InvalidToken", Meaning::kCredentials, "the session token does not belong to the key"},
    {"AuthorizationHeaderMalformed", Meaning::kRegion, "set \"region\""},
    {"PermanentRedirect", Meaning::kRegion, "set \"region\", or \"endpoint\""},
    {"IllegalLocationConstraintException", Meaning::kRegion, "set \"region\""},
    {"AccessDenied", Meaning::kPark,
     "the credentials need s3:PutObject on the objects (and, for a KMS key, kms:GenerateDataKey)"},
    {"SignatureDoesNotMatch", Meaning::kPark, "the secret access key is another one"},
    {"InvalidAccessKeyId", Meaning::kCredentials, "the access key id is not known there"},
    {"NoSuchBucket", Meaning::kPark, "make the bucket, or correct \"bucket\""},
    {"NotImplemented", Meaning::kPark,
     "the service does not know an option of this sink (\"checksum\", \"tags\", \"create_only\" "
     "...)"},
    {"InvalidStorageClass", Meaning::kReject, "the service has no such storage class"},
    {"EntityTooSmall", Meaning::kReject},
    {"InvalidPart", Meaning::kReject},
    {"EntityTooLarge", Meaning::kTooLarge},
    {"KeyTooLongError", Meaning::kKey},
    {"InvalidURI", Meaning::kKey},
    {"InvalidObjectName", Meaning::kKey},
    {"XMinioInvalidObjectName", Meaning::kKey},
};

// A code that is not in the table, or none: S3's own answer to HEAD has no body.
ErrorRule rule_of_status(int status) {
  switch (status) {
    case 408:
    case 409:
    case 425:
    case 429:
    case 503: return {"", Meaning::kRetry};
    case 413: return {"", Meaning::kTooLarge};
    case 501: return {"", Meaning::kPark};
    default: break;
  }
  if (status >= 500) return {"", Meaning::kUnclear};
  // What is no answer of an object store's: a portal, a proxy.
  return status >= 400 ? ErrorRule{"", Meaning::kPark} : ErrorRule{"", Meaning::kRetry};
}

ErrorRule rule_of(const S3Error& error, int status) {
  const auto known = std::find_if(std::begin(kRules), std::end(kRules),
                                  [&](const ErrorRule& rule) { return rule.code == error.code; });
  if (known != std::end(kRules)) return *known;
  if (error.code.starts_with("KMS.")) return {"", Meaning::kPark, "see to the KMS key"};
  if (error.code.empty() && status >= 300 && status < 400 && !error.region.empty())
    return {"", Meaning::kRegion, "set \"region\""};
  return rule_of_status(status);
}

// "S3 answers 400 ExpiredToken: The provided token has expired". The same for the same trouble: the
// courier tells by it whether batch after batch is refused for one reason. So no request's id.
std::string words_of(const HttpResponse& response, const S3Error& error) {
  std::string words = fmt::format("S3 answers {}", response.status);
  if (!error.code.empty()) words += " " + error.code;
  if (!error.message.empty()) words += ": " + error.message;
  if (error.code.empty() && response.header("x-amz-request-id") == nullptr)
    words += ", not in S3's words: it may be of something between here and there";
  return words;
}

Verdict judge_region(const S3Error& error, const std::string& region, std::string words,
                     std::string_view advice) {
  if (!is_region(error.region) || error.region == region)
    return Park{fmt::format("{}; {}", words, advice)};
  Retry retry;
  retry.reason = fmt::format(
      "{}; the bucket is in {}, not in {}: it is asked there from now on. "
      "Set region = \"{}\"",
      words, error.region, region, error.region);
  retry.lesson = true;
  return retry;
}

}  // namespace

S3Error read_s3_error(const HttpResponse& response) {
  S3Error error;
  const auto text = [&](const char* path) {
    return aws::printable(aws::xml_text(response.body, path).value_or(""));
  };
  error.code = text("Error/Code");
  if (!error.code.empty()) error.message = text("Error/Message");
  if (const std::string* region = response.header("x-amz-bucket-region"))
    error.region = aws::printable(*region);
  else
    error.region = text("Error/Region");
  return error;
}

Remedy s3_remedy(const HttpResponse& response) {
  if (response.status < 400) return Remedy::kNone;
  switch (rule_of(read_s3_error(response), response.status).meaning) {
    case Meaning::kClock: return Remedy::kClock;
    case Meaning::kCredentials: return Remedy::kCredentials;
    default: return Remedy::kNone;
  }
}

Verdict judge_s3_refusal(const HttpResponse& response, const std::string& region) {
  const S3Error error = read_s3_error(response);
  const ErrorRule rule = rule_of(error, response.status);
  std::string words = words_of(response, error);
  if (rule.meaning == Meaning::kRegion)
    return judge_region(error, region, std::move(words), rule.advice);
  if (!rule.advice.empty()) words += fmt::format("; {}", rule.advice);
  switch (rule.meaning) {
    case Meaning::kRetry: return Retry{std::move(words), retry_after(response)};
    case Meaning::kUnclear: return Retry{std::move(words), retry_after(response), true};
    case Meaning::kReject: return Rejected{{}, std::move(words)};
    case Meaning::kTooLarge: return TooLarge{std::move(words)};
    case Meaning::kKey: return KeyRefused{std::move(words)};
    case Meaning::kClock:
    case Meaning::kCredentials:
    case Meaning::kRegion:
    case Meaning::kPark: break;
  }
  return Park{std::move(words)};
}

bool faults_completion(const std::string& code) {
  constexpr std::string_view kFaults[] = {"InvalidPart",    "InvalidPartOrder",
                                          "InvalidRequest", "EntityTooSmall",
                                          "BadDigest",      "XAmzContentChecksumMismatch",
                                          "MalformedXML"};
  return std::ranges::find(kFaults, code) != std::end(kFaults);
}

std::optional<Verdict> refused_for_good(const UploadResponse& upload) {
  const HttpResponse& answer = upload.answer;
  const bool completion = upload.to == UploadResponse::To::kComplete;
  // Only to a completion a 2xx may be a refusal.
  if (answer.status == 0 || (answer.succeeded() && !completion)) return std::nullopt;
  if (completion && faults_completion(read_s3_error(answer).code)) return std::nullopt;
  Verdict verdict = judge_s3_refusal(answer, upload.region);
  const bool leaves = std::holds_alternative<TooLarge>(verdict) ||
                      std::holds_alternative<Rejected>(verdict) ||
                      std::holds_alternative<KeyRefused>(verdict);
  if (!leaves) return std::nullopt;
  return verdict;
}

std::string not_of_s3(const HttpResponse& answer, std::string_view why) {
  return fmt::format(
      "the answer {} is not S3's{}: something between here and there, such as a "
      "portal that wants a login",
      answer.status, why.empty() ? "" : fmt::format(" ({})", why));
}

Verdict judge_s3_silence(const HttpResponse& response) {
  // Options that cannot be applied stay so; all else passes, a portal's certificate too.
  if (response.failure == HttpFailure::kSetup) return Park{response.problem};
  return Retry{response.problem, {}, response.maybe_arrived};
}

}  // namespace edgehose
