#include "sinks/splunk/splunk_sink.h"

#include <fmt/format.h>

#include <cstring>

#include "sinks/aws/digest.h"
#include "sinks/events/guid.h"
#include "sinks/events/record_ids.h"
#include "sinks/events/size_note.h"
#include "sinks/events/status_verdict.h"

namespace edgehose {
namespace {

constexpr unsigned kOwnChannelFrom = 1;  // receipts that came to nothing

// Another one for each batch, and each time.
std::string own_channel(const Batch& batch) {
  const std::string hash = aws::sha256(fmt::format("{} {}", batch.claim.key, batch.spent_receipt));
  std::uint64_t high = 0, low = 0;
  std::memcpy(&high, hash.data(), sizeof high);
  std::memcpy(&low, hash.data() + sizeof high, sizeof low);
  return guid_of(high, low);
}

}  // namespace

Result<std::unique_ptr<SplunkSink>> SplunkSink::create(const SplunkConfig& config,
                                                       const EventContext& context) {
  EH_ASSIGN(EventTexts texts, event_texts(config, context.labels, context.host));
  return std::unique_ptr<SplunkSink>(new SplunkSink(config, context, std::move(texts)));
}

SplunkSink::SplunkSink(const SplunkConfig& config, const EventContext& context, EventTexts texts)
    : name_(config.common.name),
      events_(std::make_shared<EventOptions>(
          EventOptions{{context.agent, context.host, context.labels, config.fields},
                       config.format,
                       config.time_field,
                       std::move(texts)})),
      hec_{config.format == EventFormat::kRaw, events_->texts.index.fixed(), config.ack,
           config.ack_interval},
      acks_{config.endpoints.size() > 1, config.ack_timeout, config.ack_interval} {}

// For people: no request has it. "app 4711 to 5000, kJ3dA1b-Qe09_xYz-"
std::string SplunkSink::key(const BatchOutline& batch, const std::string&) const {
  return RecordIds(events_->context.agent, batch.epoch, batch.source).key_of(batch);
}

// What is sent again goes by the present config: nothing there recognises it anyway.
std::string SplunkSink::rendering() const { return "hec"; }

// What was not acknowledged goes over a channel of its own, where no other batch can have its id:
// behind a balancer that mixes up indexers each of them counts from 0, and in the end the right one
// is asked. What comes next takes another channel too: that one's server may have begun anew.
Request SplunkSink::request(const Batch& batch, const std::string&,
                            std::shared_ptr<ByteSource> body) const {
  PostRequest request{"/services/collector/event", "application/json", {}, std::move(body)};
  if (raw()) {
    request.target = "/services/collector/raw" + raw_query(*events_, batch.source);
    request.content_type = "text/plain";
  }
  if (!batch.spent_receipt.empty())
    request.spent_channel = Receipt::read(batch.spent_receipt).channel;
  if (batch.spent_receipts >= kOwnChannelFrom) request.channel = own_channel(batch);
  return request;
}

std::optional<Request> SplunkSink::poll(std::span<const Batch* const> batches,
                                        const std::string&) const {
  return ask_for_acks(batches);
}

// On a channel of its own an id can be of this batch alone: however often it was sent there.
Verdict SplunkSink::judge(const Batch& batch, const Response& response) const {
  Verdict verdict = judge_answer(batch, response);
  auto* const poll = std::get_if<Poll>(&verdict);
  if (poll != nullptr && batch.spent_receipts >= kOwnChannelFrom) poll->serial.reset();
  return verdict;
}

Verdict SplunkSink::judge_answer(const Batch& batch, const Response& response) const {
  const auto& post = std::get<PostResponse>(response);
  if (!batch.receipt.empty()) return judge_acks(acks_, batch, post);
  if (post.nothing) return Delivered{.nothing = true};
  if (post.unsent) return judge_unmade(*post.unsent);
  if (post.of_health) return judge_hec_health(post.answer);
  if (post.answer.status == 0) return judge_silence(post.answer);
  return judge_hec(hec_, post);
}

std::optional<std::string> SplunkSink::learn(const std::string& note,
                                             const Response& response) const {
  const auto& post = std::get<PostResponse>(response);
  if (post.unsent || post.of_health || post.sent.empty()) return std::nullopt;
  if (post.answer.succeeded()) return note_taken(note, post.bytes);
  return post.answer.status == 413 ? note_too_large(note, post.bytes) : std::nullopt;
}

std::optional<std::uint64_t> SplunkSink::size_limit(const std::string& note) const {
  return noted_size_limit(note);
}

MakeWriter SplunkSink::writer() const {
  return [events = events_](const Batch& batch) -> std::unique_ptr<EventWriter> {
    if (events->format == EventFormat::kRaw) return std::make_unique<RawLines>();
    return std::make_unique<EventObjects>(events, batch);
  };
}

EventsAuth splunk_auth(const SplunkConfig& config) {
  EventsAuth auth;
  auth.token = config.token;
  auth.token_scheme = "Splunk";
  return auth;
}

std::string hec_health_target(bool ack) {
  return ack ? "/services/collector/health?ack=true" : "/services/collector/health";
}

EventsTransport::Options splunk_transport(const SplunkConfig& config) {
  EventsTransport::Options options;
  options.name = config.common.name;
  options.once = true;
  options.endpoints = config.endpoints;
  options.auth = splunk_auth(config);
  options.gzip = config.gzip;
  options.channel_header = "X-Splunk-Request-Channel";
  options.service.refuses_gzip = hec_refuses_gzip;
  options.service.host_fails = host_fails;
  options.service.host_refuses = host_refuses;
  options.service.health = hec_health_target(config.ack);
  options.service.health_of = hec_health;
  options.http.config = config.http;
  options.http.cookies = true;  // by which balancers keep a channel at its indexer
  return options;
}

}  // namespace edgehose
