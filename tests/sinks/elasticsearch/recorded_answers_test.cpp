// What real servers answered (answers/, one file a case and server), judged as the sink does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "sinks/elasticsearch/elasticsearch_sink.h"
#include "sinks/elasticsearch/search_error.h"
#include "tests/sinks/object/support.h"

namespace edgehose {
namespace {

using nlohmann::json;

// What becomes of records 1, 2, 3 ... of the request.
const std::map<std::string, std::string> kExpected = {
    {"bad_index_name", "park"},
    {"blocked_cluster", "retry"},
    {"blocked_flood_stage", "again alone 1"},
    {"blocked_read_only", "again alone 1"},
    {"blocked_write", "again alone 1"},
    {"circuit_breaker", "too large"},
    {"content_type", "park"},
    {"created", "delivered"},
    {"created_filtered", "delivered"},
    {"data_stream", "delivered"},
    {"data_stream_duplicate", "delivered"},
    {"data_stream_no_timestamp", "refused 1"},
    {"data_stream_op_index", "refused 2"},
    {"duplicate", "delivered"},
    {"empty", "park"},
    {"forbidden", "again 1"},
    {"forbidden_whole", "park"},
    {"gzip_cut", "park"},
    {"gzipped", "delivered"},
    {"id_too_long", "park"},
    {"immense_term", "refused 1"},
    {"index_closed", "again alone 1"},
    {"index_missing", "park"},
    {"indexing_pressure", "too large"},
    {"malformed_document", "refused 1"},
    {"mapping_conflict", "refused 2"},
    {"mapping_conflict_filtered", "refused 2"},
    {"no_final_newline", "park"},
    {"no_such_path", "park"},
    {"pipeline_drops", "delivered"},
    {"pipeline_fails", "refused 2"},
    {"pipeline_missing", "park"},
    {"pipeline_out_of_order", "refused 1"},
    {"queue_full_whole", "retry"},
    {"require_data_stream", "park"},
    {"strict_mapping", "refused 2"},
    {"too_large", "too large"},
    {"too_large_chunked", "too large"},
    {"too_large_gzipped", "too large"},
    {"too_many_fields", "refused 2"},
    {"unauthorised", "park"},
    {"unauthorised_wrong", "park"},
    {"unknown_action", "park"},
    {"without_ids", "delivered"},
};
// Of many records, by chance; and what is not about a bulk request.
const std::set<std::string> kElsewhere = {"queue_full", "root", "zstd_label", "gzip_label_only"};

std::string text_of(const Verdict& verdict) {
  if (std::holds_alternative<Delivered>(verdict)) return "delivered";
  if (std::holds_alternative<Park>(verdict)) return "park";
  if (std::holds_alternative<TooLarge>(verdict)) return "too large";
  const auto* partly = std::get_if<Partly>(&verdict);
  if (partly == nullptr) return std::get<Retry>(verdict).maybe_arrived ? "unclear" : "retry";
  std::string text;
  for (const SequenceRange& range : partly->again)
    text += fmt::format("again{} {}", partly->alone ? " alone" : "", range.first.value);
  for (const Rejected& refused : partly->refused)
    text += fmt::format("refused {}", refused.records.front().value);
  return text;
}

class RecordedAnswer {
 public:
  explicit RecordedAnswer(const std::filesystem::path& file)
      : recorded_(json::parse(test::read_whole(file))) {
    config_.common.name = "search";
    config_.endpoints = {"https://es1:9200"};
    config_.index = "logs";
    config_.ids = recorded_["case"] != "without_ids" && recorded_["case"] != "queue_full";
  }
  std::string name() const { return recorded_["case"]; }
  Verdict judged() {
    std::vector<std::string> warnings;
    const auto sink = ElasticsearchSink::create(config_, {"gw-1", "", {}, {}}, warnings);
    return (*sink)->judge(batch_, response());
  }
  HttpResponse answer() const {
    HttpResponse made;
    made.status = recorded_["answer"]["status"];
    for (const auto& [header, value] : recorded_["answer"]["headers"].items())
      made.headers.push_back({header, value});
    made.body = recorded_["answer"]["body"];
    return made;
  }

 private:
  PostResponse response() {
    PostResponse made;
    made.answer = answer();
    made.bytes = 400'000;
    json body = json::parse(made.answer.body, nullptr, false);
    if (made.answer.status != 200) return made;
    // The ids were 1, 2, 3: ours stand for them, and the place's where two indexes had the same.
    std::set<std::string> ids;
    const RecordIds ours("gw-1", batch_.epoch, "");
    for (std::size_t at = 1; json & item : body["items"]) {
      json& id = item.begin().value()["_id"];
      const std::string place = std::to_string(at++);
      if (!id.is_string() || !config_.ids) continue;
      if (!ids.insert(id.get<std::string>()).second) id = place;
      id = ours.beginning() + id.get<std::string>();
    }
    made.sent = {{Sequence(1), Sequence(body["items"].size())}};
    // That one's id is 2.
    if (recorded_["case"] == "data_stream_op_index") made.sent = {{Sequence(2), Sequence(2)}};
    made.answer.body = body.dump();
    return made;
  }

  const json recorded_;
  ElasticsearchConfig config_;
  Batch batch_;
};

std::string answer_file(std::string_view name, std::string_view server) {
  return fmt::format("{}/tests/sinks/elasticsearch/answers/{}.{}.json", EDGEHOSE_SOURCE_DIR, name,
                     server);
}

std::vector<std::filesystem::path> answers() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(
           EDGEHOSE_SOURCE_DIR "/tests/sinks/elasticsearch/answers"))
    files.push_back(entry.path());
  std::ranges::sort(files);
  return files;
}

TEST(RecordedAnswers, EachIsJudgedAsItShouldBe) {
  std::set<std::string> seen;
  for (const auto& file : answers()) {
    RecordedAnswer recorded(file);
    if (kElsewhere.contains(recorded.name())) continue;
    seen.insert(recorded.name());
    ASSERT_TRUE(kExpected.contains(recorded.name())) << file << ": give it a line in kExpected";
    EXPECT_EQ(text_of(recorded.judged()), kExpected.at(recorded.name())) << file;
  }
  EXPECT_EQ(seen.size(), kExpected.size()) << "a case has no answer any more";
}

TEST(RecordedAnswers, AFullQueueHasTheItemsAgainThatWereNotTaken) {
  for (const char* server : {"opensearch", "elasticsearch"}) {
    RecordedAnswer recorded(answer_file("queue_full", server));
    std::vector<std::uint64_t> full, again;
    const json body = json::parse(recorded.answer().body);
    for (std::size_t i = 0; i < body["items"].size(); ++i)
      if (body["items"][i].begin().value()["status"] == 429) full.push_back(i + 1);
    const Verdict verdict = recorded.judged();
    ASSERT_TRUE(std::holds_alternative<Partly>(verdict)) << server;
    for (const SequenceRange& range : std::get<Partly>(verdict).again)
      for (Sequence at = range.first; at <= range.last; ++at) again.push_back(at.value);
    EXPECT_EQ(again, full) << server;
    EXPECT_FALSE(std::get<Partly>(verdict).alone);
  }
}

TEST(RecordedAnswers, WhoServes) {
  const auto who = [](const char* server) {
    return describe_server(RecordedAnswer(answer_file("root", server)).answer());
  };
  EXPECT_EQ(who("opensearch"), "OpenSearch 2.19.4");
  EXPECT_EQ(who("elasticsearch"), "Elasticsearch")
      << "by its header: as it is packed it has no GET /";
}

}  // namespace
}  // namespace edgehose
