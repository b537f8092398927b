#include "sinks/elasticsearch/elasticsearch_sink.h"

#include <fmt/format.h>

#include "sinks/aws/uri.h"
#include "sinks/elasticsearch/bulk_response.h"
#include "sinks/elasticsearch/bulk_verdict.h"
#include "sinks/elasticsearch/search_error.h"
#include "sinks/events/size_note.h"
#include "sinks/events/status_verdict.h"

namespace edgehose {
namespace {

std::string query_value(std::string_view text) {
  return aws::uri_encode(text, aws::Slash::kEncoded);
}

// "/gateway/_bulk?filter_path=...&pipeline=clean"
std::string bulk_target(const ElasticsearchConfig& config, const IndexName& index) {
  const auto fixed = index.fixed();
  std::string target = fixed ? "/" + query_value(*fixed) + "/_bulk" : "/_bulk";
  target += std::string("?filter_path=") + kBulkFilter;
  // Behind an alias a repetition may meet another index.
  if (fixed && config.data_stream.empty() && config.ids) target += kBulkIndexFilter;
  if (!config.pipeline.empty()) target += "&pipeline=" + query_value(config.pipeline);
  if (!config.routing.empty()) target += "&routing=" + query_value(config.routing);
  if (config.require_data_stream) target += "&require_data_stream=true";
  return target;
}

DocumentOptions document_options(const ElasticsearchConfig& config, const EventContext& context,
                                 const IndexName& index) {
  DocumentOptions options;
  options.context = context;
  options.context.fields = config.fields;
  options.format = config.format;
  options.time_field = config.time_field;
  options.ids = config.ids;
  if (!index.fixed()) options.index = index;
  return options;
}

constexpr std::string_view kPlaceRendering = " to=";

// "index logs-!{label:site} 2"
std::string place_of(const ElasticsearchConfig& config, const IndexName& index) {
  const bool stream = !config.data_stream.empty();
  return fmt::format("{} {} {}", stream ? "data_stream" : "index",
                     index.fixed().value_or(config.index), static_cast<int>(config.rotation));
}

}  // namespace

Result<std::unique_ptr<ElasticsearchSink>> ElasticsearchSink::create(
    const ElasticsearchConfig& config, const EventContext& context,
    std::vector<std::string>& warnings) {
  EH_ASSIGN(const IndexName index, index_of(config, context.labels, warnings));
  return std::unique_ptr<ElasticsearchSink>(new ElasticsearchSink(config, context, index));
}

ElasticsearchSink::ElasticsearchSink(const ElasticsearchConfig& config, const EventContext& context,
                                     const IndexName& index)
    : name_(config.common.name),
      target_(bulk_target(config, index)),
      index_(index.fixed().value_or("")),
      data_stream_(!config.data_stream.empty()),
      place_(place_of(config, index)),
      blocked_max_age_(config.blocked_max_age),
      documents_(std::make_shared<DocumentOptions>(document_options(config, context, index))) {}

RecordIds ElasticsearchSink::ids_of(const Batch& batch) const {
  return {documents_->context.agent, batch.epoch, batch.source};
}

// For people: no request has it. "app 4711 to 5000, kJ3dA1b-Qe09_xYz-"
std::string ElasticsearchSink::key(const BatchOutline& batch, const std::string&) const {
  return RecordIds(documents_->context.agent, batch.epoch, batch.source).key_of(batch);
}

// Documents are told by their ids, so what is left to be sent goes by the present config. Where it
// went then tells whether a repetition meets them.
std::string ElasticsearchSink::rendering() const {
  return fmt::format("bulk{}{}", kPlaceRendering, place_);
}

// Older claims do not say it.
bool ElasticsearchSink::has_moved(const Batch& batch) const {
  const std::string& rendering = batch.claim.rendering;
  const std::size_t at = rendering.find(kPlaceRendering);
  return at != std::string::npos &&
         std::string_view(rendering).substr(at + kPlaceRendering.size()) != place_;
}

// With the time for the indexes of those records whose own is of a clock that was never set.
std::string ElasticsearchSink::rendering_at(WallTime cut) const {
  const bool tells = goes_by_time() && is_plausible(cut);
  return tells ? fmt::format("{}{}{}{}", kCutRendering, cut.value, kPlaceRendering, place_)
               : rendering();
}

Request ElasticsearchSink::request(const Batch&, const std::string&,
                                   std::shared_ptr<ByteSource> body) const {
  return PostRequest{target_, "application/x-ndjson", {}, std::move(body)};
}

Verdict ElasticsearchSink::judge(const Batch& batch, const Response& response) const {
  const auto& post = std::get<PostResponse>(response);
  if (post.nothing) return Delivered{.nothing = true};
  if (post.unsent) return judge_unmade(*post.unsent);
  if (post.of_health) return judge_search_health(post.answer);
  if (post.answer.status == 0) return judge_silence(post.answer);
  if (!post.answer.succeeded()) return judge_search_refusal(post.answer, post.bytes);
  const RecordIds ids = ids_of(batch);
  const bool given_up = blocked_max_age_ && batch.held_back >= *blocked_max_age_;
  const bool has_ids = documents_->ids;
  return judge_bulk({post.sent, has_ids ? &ids : nullptr, given_up, has_ids && batch.maybe_arrived,
                     index_, data_stream_, has_moved(batch)},
                    post.answer.body);
}

std::optional<std::string> ElasticsearchSink::learn(const std::string& note,
                                                    const Response& response) const {
  const auto& post = std::get<PostResponse>(response);
  if (post.unsent || post.of_health || post.answer.status == 0) return std::nullopt;
  if (post.answer.succeeded()) return note_taken(note, post.bytes);
  if (!std::holds_alternative<TooLarge>(judge_search_refusal(post.answer, post.bytes)))
    return std::nullopt;
  return note_too_large(note, post.bytes);
}

std::optional<std::uint64_t> ElasticsearchSink::size_limit(const std::string& note) const {
  return noted_size_limit(note);
}

MakeWriter ElasticsearchSink::writer() const {
  return [documents = documents_](const Batch& batch) -> std::unique_ptr<EventWriter> {
    return std::make_unique<DocumentWriter>(documents, batch);
  };
}

EventsTransport::Options elasticsearch_transport(const ElasticsearchConfig& config,
                                                 EventsAuth auth) {
  EventsTransport::Options options;
  options.name = config.common.name;
  options.once = !config.ids;
  options.endpoints = config.endpoints;
  options.auth = std::move(auth);
  options.credentials = config.credentials;
  options.gzip = config.gzip;
  options.service = {refuses_gzip, search_remedy, host_fails, "/", describe_server};
  options.service.host_refuses = search_host_refuses;
  options.service.health = "/";
  options.service.health_of = search_health;
  options.http.config = config.http;
  return options;
}

}  // namespace edgehose
