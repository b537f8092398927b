// SplunkSink: each record an event of a Splunk HTTP Event Collector (HEC).
//
// At least once: a collector recognises nothing that it has got already. With `ack` a batch is
// delivered when its indexers have said so; else with the answer 200 and code 0.
//
// The note remembers which size of a request is small enough for the server, once one was not.
//
// Threading: sink.h.
#pragma once

#include <memory>
#include <string>

#include "sinks/events/event_body.h"
#include "sinks/events/event_context.h"
#include "sinks/events/events_transport.h"
#include "sinks/sink.h"
#include "sinks/splunk/acknowledgements.h"
#include "sinks/splunk/hec_verdict.h"
#include "sinks/splunk/splunk_config.h"

namespace edgehose {

class SplunkSink final : public Sink {
 public:
  static Result<std::unique_ptr<SplunkSink>> create(const SplunkConfig& config,
                                                    const EventContext& context);

  const std::string& name() const override { return name_; }
  std::string key(const BatchOutline& batch, const std::string& note) const override;
  std::string rendering() const override;
  Request request(const Batch& batch, const std::string& note,
                  std::shared_ptr<ByteSource> body) const override;
  std::optional<Request> poll(std::span<const Batch* const> batches,
                              const std::string& note) const override;
  Verdict judge(const Batch& batch, const Response& response) const override;
  std::optional<std::string> learn(const std::string& note,
                                   const Response& response) const override;
  std::optional<std::uint64_t> size_limit(const std::string& note) const override;

  // What writes its requests' bodies. May outlive the sink.
  MakeWriter writer() const;

 private:
  SplunkSink(const SplunkConfig& config, const EventContext& context, EventTexts texts);
  Verdict judge_answer(const Batch& batch, const Response& response) const;
  bool raw() const { return events_->format == EventFormat::kRaw; }

  const std::string name_;
  const std::shared_ptr<const EventOptions> events_;
  const HecOptions hec_;
  const AckOptions acks_;
};

// What its transport needs to know of such servers.
EventsTransport::Options splunk_transport(const SplunkConfig& config);
EventsAuth splunk_auth(const SplunkConfig& config);

// Tells how the server is. With `ack` also whether it acknowledges.
std::string hec_health_target(bool ack);

}  // namespace edgehose
