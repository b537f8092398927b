// Sink: what is particular to one kind of destination, as pure functions: how a batch becomes a
// request, and what an answer means. No I/O, no clock, no retries: those exist once, in the
// courier (delivery/courier.h) and in its transports.
//
// What a sink learns about its destination (which file system it is, which names or sizes it takes)
// is its note: one persisted string that courier and intake hand in, so that a Sink has no state.
//
// Threading: const and stateless after construction; called by the intake thread (key, rendering)
// and by the sink's courier thread (all of them).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "agent/base/bytes.h"
#include "agent/base/compression.h"
#include "agent/base/crc32c.h"
#include "agent/base/result.h"
#include "agent/base/stream.h"
#include "agent/base/types.h"
#include "agent/config/secret.h"
#include "buffer/state.h"
#include "sinks/http_message.h"

namespace edgehose {

// What a claim will hold, when it is cut.
struct BatchOutline {
  std::string source;  // its name; empty for a lane that mixes sources
  Epoch epoch{};
  Sequence first, last;
  Counter size;
  WallTime first_time;
  std::string replay;  // of a replay: says which records between first and last; else empty
};

// Which records between its first and last a replay holds: the same dead letters always have the
// same mark, others between the same ends another one. Empty for what is no replay.
inline std::string replay_mark(const Claim& claim) {
  if (!claim.replay()) return {};
  std::string letters;
  for (const std::uint64_t id : claim.letters) put_varint(letters, id);
  return fmt::format("{:08x}", crc32c(0, letters));
}

inline BatchOutline outline_of(const Claim& claim, const std::string& source, const Epoch& epoch) {
  return {source, epoch, claim.first, claim.last, claim.size, claim.first_time, replay_mark(claim)};
}

// Encrypted as the Amazon S3 Encryption Client does (object/s3ec/): to one of these keys.
struct S3ecRendering {
  std::uint8_t version = 3;    // of the format: 3 or 2
  std::string rsa_public_key;  // SubjectPublicKeyInfo in DER; empty: aes_key
  SecretRef aes_key;           // where it is; what it is, is never persisted
};

// How an object's bytes are made from its records. Persisted with the claim ("rendering"), so that
// a retry after a change of config makes the same object.
struct ObjectRendering {
  enum class Format : std::uint8_t { kLines, kNdjson };
  using Compression = edgehose::Compression;
  Format format = Format::kLines;
  Compression compression = Compression::kZstd;
  int level = 1;
  std::vector<std::string> age_recipients;  // public keys; empty: not encrypted to them
  std::optional<S3ecRendering> s3ec;        // none: not so
  std::string agent;                        // for ndjson
};

// By what a destination tells a repeated delivery from a new one.
enum class Recognises {
  kNothing,  // at least once: a batch whose earlier attempt may have arrived is a possible
             // duplicate
  kKey,      // the same key is the same object, so an unclear attempt binds its key to its records
  kRecords,  // each record has an id
};

// Records [first, last] of a lane.
struct SequenceRange {
  Sequence first, last;
  bool operator==(const SequenceRange&) const = default;
};

// How many records ranges hold that do not overlap.
inline std::uint64_t count_records(const std::vector<SequenceRange>& ranges) {
  std::uint64_t records = 0;
  for (const SequenceRange& range : ranges) records += range.last - range.first + 1;
  return records;
}

// A claim with what its sink needs to render it.
struct Batch {
  Claim claim;
  std::string source;
  Epoch epoch{};
  bool attempted = false;  // not the first attempt, of an earlier life perhaps
  // An earlier attempt may have: of this life, or of one in which config, proxies and the
  // destination's own rules may have been others.
  bool maybe_arrived = false;
  bool wrong_there = false;  // Retry::wrong_there was said of it in this life
  // What is still to be sent, ascending; empty: all of the claim. The others were told of, one by
  // one (Partly). A body holds these only, and misses (ObjectSummary) only what it lacks of them.
  std::vector<SequenceRange> left{};
  std::string receipt{};  // Poll::receipt: it was taken, and is asked after
  // Another batch has got the same receipt, or may have (the destination has begun to count anew):
  // what is acknowledged may be either.
  bool ambiguous = false;
  // Sink::size_limit when this attempt began: what is longer by far was refused before.
  std::optional<std::uint64_t> size_limit{};
  // Receipts of this life that came to nothing, so that it is sent again: how many, and the last.
  unsigned spent_receipts = 0;
  std::string spent_receipt{};
  // How long its destination has held it back (Partly::alone) or left it unacknowledged (Poll), in
  // this life: between answers that said so.
  Duration held_back{};
};

// How many records its next attempt is of.
inline std::uint64_t left_records(const Batch& batch) {
  return batch.left.empty() ? batch.claim.size.records : count_records(batch.left);
}

// --- what a sink asks a transport to do ----------------------------------------------------------

// Put `body` into directory/name (name may hold '/'), durably, under exactly that name. An older
// attempt of the same claim under that name is replaced.
struct FileRequest {
  std::string directory;
  std::string name;
  std::string expected_filesystem;  // identity recorded at the first delivery; empty: none yet
  std::shared_ptr<ByteSource> body;
};

// Put `body` under `key` into the bucket of the sink (s3/).
struct UploadRequest {
  std::string key;
  std::string region;  // that the bucket is in, as far as is known
  std::shared_ptr<ByteSource> body;
  PartialUpload begun{};       // by an earlier attempt
  bool attempted = false;      // there was one, so there may be an upload that is not known
  bool maybe_arrived = false;  // Batch::maybe_arrived
  bool renewed = false;        // each attempt has other bytes of the same length: a fresh key
};

// Hand `body` to a service that takes records by request (events/): to one of the sink's endpoints.
struct PostRequest {
  std::string target;  // path and query: "/_bulk?filter_path=..."
  std::string content_type;
  std::vector<HttpHeader> headers{};  // beside those that the transport has for every request
  std::shared_ptr<ByteSource> body;   // null: `text`
  std::string text{};                 // a small body; where there is none at all: a GET
  std::string endpoint{};             // that has to be asked; empty: any
  // Of services that have channels (EventsTransport::Options): which one; empty: the endpoint's.
  std::string channel{};
  std::string spent_channel{};  // if that is still the endpoint's, it gets another one
};
using Request = std::variant<FileRequest, UploadRequest, PostRequest>;

struct FileResponse {
  Status status;                  // of the whole: written, synced, renamed, directory synced
  bool name_refused = false;      // the file system never takes a part of the name
  bool renamed = false;           // the file has its name, though `status` may be an error
  std::string filesystem;         // identity of the file system that directory is on
  bool other_filesystem = false;  // it is not the expected one; nothing was written
  bool missing = false;           // the directory is not there; nothing was created
  std::string refusing;           // EACCES: the directory that may not be entered or written
  std::uint64_t bytes = 0;
};

struct UploadResponse {
  // What `answer` answers. All but kWhole and kComplete leave nothing under the key.
  enum class To { kWhole, kBegin, kPart, kComplete, kClearing };
  HttpResponse answer;
  To to = To::kWhole;
  std::optional<Error> unsent;  // nothing was sent: no credentials, or a body that cannot be read
  bool nothing = false;         // nothing was sent: no record is left of the batch
  // The key was taken, and what is there is not replaced; or this attempt was refused for good, and
  // an earlier one may have arrived: what the bucket says of the object.
  std::optional<HttpResponse> existing;
  std::string region;       // that it was signed for
  std::string checksum;     // of what was sent, as the bucket would say it; empty: none
  std::uint64_t bytes = 0;  // of what was sent
  bool partial = false;     // records were left out that the buffer could not give
};

struct PostResponse {
  HttpResponse answer;
  std::optional<Error> unsent;  // nothing was sent: no credentials, or a body that cannot be read
  bool nothing = false;         // nothing was sent: no record is left of the batch
  std::string endpoint;         // that was asked
  std::string channel;          // on which; empty: the service has none
  bool of_health = false;       // nothing was sent: that is how the endpoint says it is
  std::vector<SequenceRange> sent;  // the records of the body, in its order
  std::uint64_t bytes = 0;          // of the body, before it was compressed
};
using Response = std::variant<FileResponse, UploadResponse, PostResponse>;

// --- what an answer means ------------------------------------------------------------------------

struct Delivered {
  // Records that it may hold twice although it recognises them: they went to another index.
  std::uint64_t possible_duplicates = 0;
  Duration pause{};  // it is close to its limits: nothing more is sent to it for so long
  bool nothing =
      false;  // nothing was to be sent, and nobody asked: says nothing of the destination
};
struct Retry {  // transient: back off and send the same again
  std::string reason;
  std::optional<Duration> after{};  // the server's wish
  bool maybe_arrived = false;       // no clear refusal: it may have been taken nevertheless
  bool lesson = false;              // it says how to ask instead: the note is learned from it first
  bool wrong_there = false;         // it has kept other bytes than were sent
};
// `absent`, of the following three: the destination was asked, and nothing is under the key.
struct Rejected {  // these records (sequences; none: all) never; the others were delivered
  std::vector<Sequence> records;
  std::string reason;
  std::string kind{};  // the server's code or class for it; empty: told by the reason's words
  bool absent = false;
  std::string shown{};      // to log and status: what of it repeats nothing of a record; empty: all
  bool waited_out = false;  // held back for too long: says nothing of what else is taken there
};
struct TooLarge {  // halve
  std::string reason;
  bool absent = false;
  bool maybe_arrived = false;  // no clear refusal: it may have been taken nevertheless
  bool unsent = false;         // it turned out so before anybody was asked
};
struct KeyRefused {    // the destination can never take this key: nothing has arrived under it
  std::string reason;  // which part of it, and what the destination said
  bool absent = false;
};
struct Park {  // needs a person: keep everything, probe slowly, say it loudly
  std::string reason;
  std::optional<Duration> probe_every{};  // where a probe costs nothing; else backoff.h's pace
  // Its body went, and was refused in words that are not the service's: something between here and
  // there may have taken offence at a record.
  bool of_batch = false;
};
// The destination told of each record that was sent: what is in neither list was delivered.
struct Partly {
  std::vector<Rejected> refused;          // never; each names its records
  std::vector<SequenceRange> again;       // of those that were sent: to be sent again, ascending
  std::string reason;                     // of those
  std::optional<Duration> after{};        // the server's wish
  bool alone = false;                     // it takes others meanwhile: only this batch waits
  std::uint64_t possible_duplicates = 0;  // as in Delivered
  bool at_once = false;                   // it has not looked at them: nothing is to be waited for
};
// Taken; whether it is safe there is to be asked for (Sink::poll), and was not said yet.
struct Poll {
  std::string receipt;
  Duration after;         // until it is asked for
  std::string group{};    // receipts of one group are asked for in one request
  std::string failure{};  // why it could not be asked for; empty: it was
  Duration pause{};       // as in Delivered
  // Its place among the receipts of its group, which count up from 0; none: it has no place. A
  // destination that has lost its memory counts from 0 again.
  std::optional<std::uint64_t> serial{};
};
using Verdict = std::variant<Delivered, Retry, Rejected, TooLarge, KeyRefused, Park, Partly, Poll>;

// For people; empty: it has none.
inline std::string reason_of(const Verdict& verdict) {
  return std::visit(
      [](const auto& v) -> std::string {
        if constexpr (requires { v.reason; }) return v.reason;
        return {};
      },
      verdict);
}

// What it means that nothing was sent: no credentials, a body that cannot be read.
inline Verdict judge_unsent(const Error& why) {
  switch (why.code) {
    case ErrorCode::kAuth:
    case ErrorCode::kInvalid:
    case ErrorCode::kNotFound:
    case ErrorCode::kPermission:
    case ErrorCode::kUnsupported: return Park{why.message};
    default: return Retry{why.message};
  }
}

class Sink {
 public:
  virtual ~Sink() = default;
  virtual const std::string& name() const = 0;
  // The object's name: a function of what is in it (agent, epoch, source, sequences, replay), of
  // the arrival of its oldest record, and of what the note says about names. No two share one.
  virtual std::string key(const BatchOutline& batch, const std::string& note) const = 0;
  // Whether a sink of this agent, whatever its prefix, may have given that key to an object of the
  // buffer `epoch`, and nobody else.
  virtual bool is_own_key(const std::string& /*key*/, const Epoch& /*epoch*/) const {
    return false;
  }
  // The options to persist with a claim.
  virtual std::string rendering() const = 0;
  // The same of a claim that is cut at this time.
  virtual std::string rendering_at(WallTime /*cut*/) const { return rendering(); }
  // Whether a record's time says where it goes: then batches are not cut by a clock that was never
  // set, for a while (Intake).
  virtual bool goes_by_time() const { return false; }
  // `note` is the sink's persisted note (SinkState::note), `body` the object's bytes.
  virtual Request request(const Batch& batch, const std::string& note,
                          std::shared_ptr<ByteSource> body) const = 0;
  // Asks for the receipts of these batches, which are of one group; its answer is judged for each
  // of them: Delivered, Poll, or Retry, which sends it again. None: they cannot be asked for any
  // more, and are sent again.
  virtual std::optional<Request> poll(std::span<const Batch* const> /*batches*/,
                                      const std::string& /*note*/) const {
    return std::nullopt;
  }
  // Of a batch with a receipt: what was asked for it, else what it was sent with.
  virtual Verdict judge(const Batch& batch, const Response& response) const = 0;
  // The note to persist after any verdict but Rejected, Park, and a Retry that is no lesson; none:
  // it stays as it is.
  virtual std::optional<std::string> learn(const std::string& note,
                                           const Response& response) const = 0;
  // The largest batch that the destination takes, in bytes as it counts them, where the note says
  // so (a 413 taught it): what is planned from then on is no larger.
  virtual std::optional<std::uint64_t> size_limit(const std::string& /*note*/) const {
    return std::nullopt;
  }
};

}  // namespace edgehose
