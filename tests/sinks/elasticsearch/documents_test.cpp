#include "sinks/elasticsearch/documents.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgehose {
namespace {

using testing::HasSubstr;

class DocumentsTest : public ::testing::Test {
 protected:
  DocumentsTest() {
    options_.context = {"gw-1", "edge-7", {}, {}};
    batch_.source = "app";
    record_.sequence = Sequence(7);
    record_.time = WallTime(1'763'861'040'123'000'000);
    record_.file = FileId(1);
  }
  std::string of(std::string_view body) {
    DocumentWriter writer(std::make_shared<DocumentOptions>(options_), batch_);
    record_.body = body;
    std::string out;
    writer.append(record_, "/a.log", out);
    return out;
  }
  // Without the action.
  std::string document(std::string_view body) {
    const std::string both = of(body);
    return both.substr(both.find('\n') + 1);
  }
  std::string action() {
    const std::string both = of("x");
    return both.substr(0, both.find('\n'));
  }
  std::string id() {
    std::string out;
    RecordIds("gw-1", batch_.epoch, "app").append(Sequence(7), out);
    return out;
  }

  DocumentOptions options_;
  Batch batch_;
  Record record_;
};

const std::string kFields =
    R"("event":{"dataset":"app","sequence":7},"log":{"file":{"path":"/a.log"},"offset":0},)"
    R"("agent":{"id":"gw-1"},"host":{"name":"edge-7"})";

TEST_F(DocumentsTest, ALineIsTheMessage) {
  EXPECT_EQ(of("a \"line\"\tof \xFFtext"),
            "{\"create\":{\"_id\":\"" + id() + "\"}}\n" +
                R"({"@timestamp":"2025-11-23T01:24:00.123Z","message":"a \"line\"\tof )" +
                "\xEF\xBF\xBD" + R"(text",)" + kFields + "}\n");
}

TEST_F(DocumentsTest, JsonIsTextWhereTheConfigDoesNotSayOtherwise) {
  EXPECT_THAT(document(R"({"a":1})"), HasSubstr(R"("message":"{\"a\":1}")"));
}

TEST_F(DocumentsTest, TheActionNamesAnIndexThatChangesWithTime) {
  std::vector<std::string> warnings;
  options_.index = *IndexName::compile("g-!{timestamp:yyyy.MM.dd}", {}, {}, warnings);
  EXPECT_EQ(action(), R"({"create":{"_id":")" + id() + R"(","_index":"g-2025.11.23"}})");
  options_.ids = false;
  EXPECT_EQ(action(), R"({"create":{"_index":"g-2025.11.23"}})");
  options_.index.reset();
  EXPECT_EQ(action(), R"({"create":{}})");
}

TEST_F(DocumentsTest, EachRecordHasTheIndexOfItsOwnTime) {
  std::vector<std::string> warnings;
  options_.index = *IndexName::compile("g-!{timestamp:dd}", {}, {}, warnings);
  DocumentWriter writer(std::make_shared<DocumentOptions>(options_), batch_);
  std::string out;
  writer.append(record_, "", out);
  record_.time = WallTime(record_.time.value + 86'400'000'000'000);
  writer.append(record_, "", out);
  EXPECT_THAT(out, HasSubstr("g-23"));
  EXPECT_THAT(out, HasSubstr("g-24"));
  EXPECT_THAT(out, HasSubstr("2025-11-24T01:24:00.123Z"));
}

class JsonDocumentsTest : public DocumentsTest {
 protected:
  JsonDocumentsTest() { options_.format = DocumentFormat::kJson; }
};

TEST_F(JsonDocumentsTest, AnObjectIsTheDocumentWithWhatItLacks) {
  EXPECT_EQ(document(R"({"a" : 1.50,"b":"\/"})"), R"({"@timestamp":"2025-11-23T01:24:00.123Z",)" +
                                                      kFields + R"(,"a" : 1.50,"b":"\/"})" + "\n");
  EXPECT_EQ(document("{ }"), R"({"@timestamp":"2025-11-23T01:24:00.123Z",)" + kFields + " }\n");
}

TEST_F(JsonDocumentsTest, ItsOwnFieldsWin) {
  EXPECT_EQ(document(R"({"@timestamp":"x","event":"login","log.level":"i","agent":{},"host":"h"})"),
            R"({"@timestamp":"x","event":"login","log.level":"i","agent":{},"host":"h"})"
            "\n");
  EXPECT_EQ(document(R"({"@timestamp":"x","event":"login","log.level":"i","host":"h"})"),
            R"({"agent":{"id":"gw-1"},"@timestamp":"x","event":"login","log.level":"i","host":"h"})"
            "\n");
}

TEST_F(JsonDocumentsTest, AnyOtherLineIsTheMessage) {
  EXPECT_THAT(document("{\"a\":1"), HasSubstr(R"("message":"{\"a\":1")"));
  EXPECT_THAT(document("[1]"), HasSubstr(R"("message":"[1]")"));
  EXPECT_THAT(document(std::string("\0\x1B", 2)), HasSubstr("\"message\":\"\\u0000\\u001b\""));
}

TEST_F(JsonDocumentsTest, TheTimeIsTheFieldsElseTheRecords) {
  options_.time_field = "ts";
  EXPECT_THAT(document(R"({"ts":1763861041})"),
              HasSubstr("\"@timestamp\":\"2025-11-23T01:24:01Z\""));
  EXPECT_THAT(document(R"({"ts":"soon"})"),
              HasSubstr("\"@timestamp\":\"2025-11-23T01:24:00.123Z\""));
  EXPECT_THAT(document(R"({"tt":1})"), HasSubstr("\"@timestamp\":\"2025-11-23T01:24:00.123Z\""));
  EXPECT_EQ(document(R"({"@timestamp":1,"ts":1763861041})").find("01:24:01"), std::string::npos);
}

}  // namespace
}  // namespace edgehose
