// ElasticsearchSink: each record a document of Elasticsearch or OpenSearch, by bulk requests.
//
// Each document is created under an id of its own, so that what is sent twice is there once; 409
// for such an id is a delivery. An answer is one only if it tells of each record that was sent.
//
// The note remembers which size of a request is small enough for the server, once one was not.
//
// Threading: sink.h.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sinks/elasticsearch/elasticsearch_config.h"
#include "sinks/events/event_body.h"
#include "sinks/events/event_context.h"
#include "sinks/events/events_transport.h"
#include "sinks/sink.h"

namespace edgehose {

class ElasticsearchSink final : public Sink {
 public:
  // `warnings` get what the index's name is suspected of.
  static Result<std::unique_ptr<ElasticsearchSink>> create(const ElasticsearchConfig& config,
                                                           const EventContext& context,
                                                           std::vector<std::string>& warnings);

  const std::string& name() const override { return name_; }
  std::string key(const BatchOutline& batch, const std::string& note) const override;
  std::string rendering() const override;
  std::string rendering_at(WallTime cut) const override;
  bool goes_by_time() const override { return documents_->index.has_value(); }
  Request request(const Batch& batch, const std::string& note,
                  std::shared_ptr<ByteSource> body) const override;
  Verdict judge(const Batch& batch, const Response& response) const override;
  std::optional<std::string> learn(const std::string& note,
                                   const Response& response) const override;
  std::optional<std::uint64_t> size_limit(const std::string& note) const override;

  // What writes its requests' bodies. May outlive the sink.
  MakeWriter writer() const;

 private:
  ElasticsearchSink(const ElasticsearchConfig& config, const EventContext& context,
                    const IndexName& index);
  RecordIds ids_of(const Batch& batch) const;
  bool has_moved(const Batch& batch) const;

  const std::string name_;
  const std::string target_;  // of a bulk request
  const std::string index_;   // in it; empty: each document names its own
  const bool data_stream_;    // that it is
  const std::string place_;   // what config says of where documents go
  const std::optional<Duration> blocked_max_age_;
  const std::shared_ptr<const DocumentOptions> documents_;
};

// What its transport needs to know of such servers. `auth` with its region.
EventsTransport::Options elasticsearch_transport(const ElasticsearchConfig& config,
                                                 EventsAuth auth);

}  // namespace edgehose
