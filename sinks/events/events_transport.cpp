#include "sinks/events/events_transport.h"

#include <algorithm>
#include <cctype>

#include "agent/base/check.h"
#include "agent/base/log.h"
#include "agent/base/text.h"
#include "sinks/aws/digest.h"
#include "sinks/events/guid.h"
#include "sinks/events/gzip.h"

namespace edgehose {
namespace {

constexpr std::uint64_t kAbout = 1ull << 63;  // beside the requests' ids

// Ceilings: an answer is mostly a few bytes for each record. One that refuses each record has the
// server's words for it, which may be longer than the record.
constexpr std::size_t kAnswerBytes = 1 << 20;  // beside as many as the request has
constexpr std::size_t kHealthBytes = 64 << 10;
constexpr std::uint64_t kAskFirstFrom = 16 << 10;  // bytes of a body

CarrierOptions carrier_options(const EventsTransport::Options& options) {
  return {options.name,           options.auth, options.credentials, options.http,
          options.service.remedy, options.seed, options.environment};
}

// Of the request, whoever is asked.
bool is_our_own(HttpFailure failure) {
  return failure == HttpFailure::kSetup || failure == HttpFailure::kBody ||
         failure == HttpFailure::kTooLong;
}

// RFC 9110, section 8.4.1: in any case, and x-gzip is the same.
bool names_gzip(std::string_view coding) {
  constexpr auto same = [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) == b;
  };
  return std::ranges::equal(coding, std::string_view("gzip"), same) ||
         std::ranges::equal(coding, std::string_view("x-gzip"), same);
}

// An answer is read compressed where the service can: mostly the same words for each record. Of one
// that is too long its beginning is kept, and of a refusal that cannot be read its status.
void unpack(HttpResponse& answer, std::size_t limit) {
  const std::string* encoding = answer.header("content-encoding");
  if (encoding == nullptr || !names_gzip(*encoding)) return;
  std::string body;
  const Status read = gunzip(std::exchange(answer.body, {}), limit, body);
  const bool long_one = !read && read.error().code == ErrorCode::kFull;
  if (read || long_one || answer.status == 0) answer.body = std::move(body);
  if (read || !answer.succeeded()) return;
  answer.failure = long_one ? HttpFailure::kTooLong : HttpFailure::kResponse;
  answer.problem = "the answer cannot be read: " + read.error().message;
  answer.maybe_arrived = true;
  answer.status = 0;
}

Endpoints::Set only(std::size_t host) { return Endpoints::Set(1) << host; }

bool says(bool (*what)(const HttpResponse&), const HttpResponse& answer) {
  return what != nullptr && what(answer);
}

}  // namespace

struct EventsTransport::Job {
  Job(PostRequest asked, std::shared_ptr<EventBody> its_events)
      : request(std::move(asked)), events(std::move(its_events)) {}

  std::size_t answer_limit() const {
    return kAnswerBytes + static_cast<std::size_t>(response.bytes);
  }

  const PostRequest request;
  const std::shared_ptr<EventBody> events;  // null: a text, or a GET
  std::string bytes;                        // to be sent, while they are made
  std::shared_ptr<RequestBody> body;        // then
  std::string payload_hash = aws::sha256_hex({});
  bool gzipped = false;
  bool plain = false;               // its host does not read it compressed
  bool keeps_host = false;          // for the next attempt
  Endpoints::Set refused_gzip = 0;  // by these hosts
  // The host is asked how it is before the body goes; it was, and said that it is well.
  bool asks_health = false, is_well = false;
  std::size_t host = 0;
  Endpoints::Set tried = 0;
  std::string refusals;              // of hosts that refused, so that others were asked
  std::optional<HttpResponse> lost;  // what became of it at a host that did not refuse
  PostResponse response;
};

EventsTransport::EventsTransport(Options options, const Clock& clock)
    : options_(std::move(options)),
      carrier_(carrier_options(options_), clock),
      endpoints_(options_.endpoints),
      channels_(endpoints_.size()),
      random_(options_.seed),
      about_(options_.service.about.empty() ? About::kKnown : About::kDue) {}

EventsTransport::~EventsTransport() = default;

void EventsTransport::start(RequestId id, Request request, std::shared_ptr<const ObjectSummary>) {
  auto post = std::get<PostRequest>(std::move(request));
  auto events = std::dynamic_pointer_cast<EventBody>(post.body);
  EH_CHECK((events != nullptr) == (post.body != nullptr));
  jobs_[id] = std::make_unique<Job>(std::move(post), std::move(events));
  to_encode_.push_back(id);
}

Instant EventsTransport::step(Instant now, std::vector<Completion>& finished) {
  encode(now, finished);
  std::vector<Carrier::Finished> answers;
  const Instant next = carrier_.step(answers);
  for (Carrier::Finished& answer : answers) take(std::move(answer), now, finished);
  // What an answer led to waits for the carrier's next step.
  return to_encode_.empty() && answers.empty() ? next : now;
}

void EventsTransport::abandon() {
  carrier_.abandon();
  jobs_.clear();
  to_encode_.clear();
  if (about_ == About::kAsked) about_ = About::kDue;
}

// --- out -----------------------------------------------------------------------------------------

void EventsTransport::encode(Instant now, std::vector<Completion>& finished) {
  if (to_encode_.empty()) return;
  const RequestId id = to_encode_.front();
  Job& job = *jobs_.at(id);
  const Result<bool> more = encode_slice(job);
  if (more && *more) return;  // one after the other: so one is in the making at a time
  to_encode_.pop_front();
  if (!more) return fail_unsent(id, more.error(), finished);
  if (job.response.nothing) return finish(id, finished);
  send(id, job, now, finished);
}

// False: it may go.
Result<bool> EventsTransport::encode_slice(Job& job) {
  if (job.events == nullptr) {
    job.response.bytes = job.request.text.size();
    if (job.request.text.empty()) return false;
    job.payload_hash = aws::sha256_hex(job.request.text);
    job.body = body_of(job.request.text);
    return false;
  }
  // Grown bit by bit it would be copied each time; what is not touched of it costs nothing.
  if (job.bytes.empty()) job.bytes.reserve(last_body_ + last_body_ / 8);
  EH_ASSIGN(const bool more, job.events->more(job.bytes));
  if (more) return true;
  last_body_ = job.bytes.size();
  job.response.sent = job.events->sent();
  job.response.bytes = job.bytes.size();
  job.response.nothing = job.response.sent.empty();
  job.gzipped = options_.gzip && !job.plain && !is_all(plain_);
  if (job.gzipped && !job.response.nothing) {
    EH_ASSIGN(job.bytes, gzip(job.bytes));
  }
  if (options_.auth.is_signed()) job.payload_hash = aws::sha256_hex(job.bytes);
  job.body = body_of(std::exchange(job.bytes, {}));
  return false;
}

HttpRequest EventsTransport::http_request(const Job& job) const {
  HttpRequest http;
  http.method = job.body ? "POST" : "GET";
  http.url = endpoints_.url(job.host) + job.request.target;
  http.headers = job.request.headers;
  if (!job.response.channel.empty())
    http.headers.push_back({options_.channel_header, job.response.channel});
  http.headers.push_back({"accept-encoding", "gzip"});
  if (job.body) http.headers.push_back({"content-type", job.request.content_type});
  if (job.gzipped) http.headers.push_back({"content-encoding", "gzip"});
  http.expect_continue = wary_ && !job.is_well && job.body && job.body->size() >= kAskFirstFrom;
  http.once = options_.once && job.events != nullptr;
  http.response_limit = job.answer_limit();
  http.body = job.body;
  return http;
}

void EventsTransport::send(RequestId id, Job& job, Instant now, std::vector<Completion>& finished) {
  choose_host(job, now);
  if (job.gzipped && (plain_ & only(job.host)) != 0) return encode_plain(id, job);
  if (!options_.channel_header.empty()) choose_channel(job);
  job.is_well = job.response.of_health = false;
  job.asks_health = wary_ && job.events != nullptr && !options_.service.health.empty();
  carry(id, job, finished);
}

void EventsTransport::choose_host(Job& job, Instant now) {
  const std::string& wanted = job.request.endpoint;
  if (!std::exchange(job.keeps_host, false))
    job.host =
        wanted.empty() ? endpoints_.choose(now, random_(), job.tried) : endpoints_.find(wanted);
  EH_CHECK(job.host < endpoints_.size());
  job.tried |= only(job.host);
  job.response.endpoint = endpoints_.url(job.host);
}

// What was sent on a spent channel before goes on being asked for there.
void EventsTransport::choose_channel(Job& job) {
  std::string& current = channels_[job.host];
  if (current.empty() || current == job.request.spent_channel)
    current = guid_of(random_(), random_());
  job.response.channel = job.request.channel.empty() ? current : job.request.channel;
}

void EventsTransport::carry(RequestId id, Job& job, std::vector<Completion>& finished) {
  HttpRequest http = job.asks_health ? health_request(job) : http_request(job);
  const std::string hash = job.asks_health ? aws::sha256_hex({}) : job.payload_hash;
  if (Status begun = carrier_.start(id.value, std::move(http), hash); !begun)
    fail_unsent(id, std::move(begun).error(), finished);
}

HttpRequest EventsTransport::health_request(const Job& job) const {
  HttpRequest http{.method = "GET", .url = job.response.endpoint + options_.service.health};
  if (!job.response.channel.empty())
    http.headers.push_back({options_.channel_header, job.response.channel});
  http.response_limit = kHealthBytes;
  return http;
}

// --- back ----------------------------------------------------------------------------------------

void EventsTransport::take(Carrier::Finished answer, Instant now,
                           std::vector<Completion>& finished) {
  if (answer.id == kAbout) return take_about(answer.response);
  const RequestId id(answer.id);
  Job& job = *jobs_.at(id);
  if (answer.unsigned_why) return fail_unsent(id, *std::move(answer.unsigned_why), finished);
  unpack(answer.response, job.answer_limit());
  if (job.asks_health && take_health(id, job, answer.response, finished)) return;
  note_health(job, answer.response, now);
  if (answer.response.status != 0 && !job.response.of_health) ask_about(job);
  if (take_refusal_of_gzip(id, job, answer.response)) return;
  const bool goes_on = may_go_elsewhere(job, answer.response, now);
  const bool counts = weigh(job, answer.response);
  if (goes_on) return send(id, job, now, finished);
  job.response.answer = std::move(counts ? answer.response : *job.lost);
  if (job.response.answer.status == 0) job.response.answer.problem += job.refusals;
  finish(id, finished);
}

// A refusal counts where every host has said it: false, where the request was lost at another one.
bool EventsTransport::weigh(Job& job, const HttpResponse& answer) const {
  if (says(options_.service.host_refuses, answer)) {
    job.refusals += fmt::format("; {} answers {}", job.response.endpoint, answer.status);
    return !job.lost;
  }
  if (answer.status == 0) job.lost = answer;
  return true;
}

// True: the body goes now, to the same host. Where that cannot be asked so it goes too, behind its
// headers (Expect).
bool EventsTransport::take_health(RequestId id, Job& job, HttpResponse& answer,
                                  std::vector<Completion>& finished) {
  const HostHealth health =
      answer.status == 0 ? HostHealth::kUnwell : options_.service.health_of(answer);
  const bool unwell = health == HostHealth::kUnwell;
  job.response.of_health = unwell;
  job.asks_health = false;
  if (unwell) {
    answer.maybe_arrived = false;  // the question; the body did not go
    return false;
  }
  // The same question need not be asked twice.
  if (about_ == About::kDue && options_.service.about == options_.service.health)
    take_about(answer);
  job.is_well = health == HostHealth::kWell;
  carry(id, job, finished);
  return true;
}

// True: the same request goes to the same host once more, plain. Where that is accepted gzip was to
// blame.
bool EventsTransport::take_refusal_of_gzip(RequestId id, Job& job, const HttpResponse& answer) {
  if (job.gzipped && answer.status != 0 && says(options_.service.refuses_gzip, answer)) {
    job.refused_gzip |= only(job.host);
    encode_plain(id, job);
    return true;
  }
  const bool accepted = answer.succeeded() && !says(options_.service.host_fails, answer);
  if (!accepted || (job.refused_gzip & ~plain_ & only(job.host)) == 0) return false;
  plain_ |= only(job.host);
  log::warn(
      "sink {}: {} does not read gzip: requests go to it uncompressed until a restart. "
      "compression = \"none\" says so from the start",
      options_.name, job.response.endpoint);
  return false;
}

// Once more, from its first record on: what is sent of it is not kept.
void EventsTransport::encode_plain(RequestId id, Job& job) {
  job.plain = job.keeps_host = true;
  job.events->rewind();
  to_encode_.push_back(id);
}

// Only what certainly did not arrive: where it was lost, to somebody who is well; where a host
// refused it, to each of the others.
bool EventsTransport::may_go_elsewhere(const Job& job, const HttpResponse& answer,
                                       Instant now) const {
  if (!job.request.endpoint.empty()) return false;
  if (says(options_.service.host_refuses, answer)) return !is_all(job.tried);
  const bool lost = answer.status == 0 && !answer.maybe_arrived && !is_our_own(answer.failure);
  return lost && endpoints_.any_healthy(now, job.tried);
}

bool EventsTransport::is_all(Endpoints::Set hosts) const {
  return hosts == only(endpoints_.size()) - 1;
}

void EventsTransport::note_health(const Job& job, const HttpResponse& answer, Instant now) {
  const EventService& service = options_.service;
  const bool fails = says(service.host_fails, answer) || says(service.host_refuses, answer);
  if (is_our_own(answer.failure) && !fails) return;
  wary_ = fails || !answer.succeeded();
  if (fails || answer.status == 0)
    endpoints_.failed(job.host, now);
  else
    endpoints_.answered(job.host);
}

// Over the connection that is there.
void EventsTransport::ask_about(const Job& job) {
  if (about_ != About::kDue) return;
  HttpRequest http{.method = "GET", .url = job.response.endpoint + options_.service.about};
  if (carrier_.start(kAbout, std::move(http), aws::sha256_hex({}))) about_ = About::kAsked;
}

void EventsTransport::take_about(const HttpResponse& answer) {
  about_ = answer.status == 0 ? About::kDue : About::kKnown;
  if (about_ == About::kDue) return;
  const std::string who = options_.service.describe(answer);
  if (!who.empty()) log::info("sink {}: it is {} that answers", options_.name, who);
}

void EventsTransport::fail_unsent(RequestId id, Error error, std::vector<Completion>& finished) {
  jobs_.at(id)->response.unsent = std::move(error);
  finish(id, finished);
}

void EventsTransport::finish(RequestId id, std::vector<Completion>& finished) {
  const auto job = jobs_.extract(id);
  finished.push_back({id, std::move(job.mapped()->response)});
}

}  // namespace edgehose
