#include "sinks/elasticsearch/document_fields.h"

#include <gtest/gtest.h>

namespace edgehose {
namespace {

Record record() {
  Record made;
  made.sequence = Sequence(7);
  made.file = FileId(1);
  made.begin = 1024;
  return made;
}

std::string members(const EventContext& context, const Record& of, std::string_view file = "",
                    DocumentFields::Roots taken = 0) {
  std::string out;
  DocumentFields(context, "app").append(of, file, taken, out);
  return out;
}

TEST(DocumentFields, AreThoseOfEcs) {
  EXPECT_EQ(
      members({"gw-1", "edge-7", {{"site", "north"}}, {}}, record(), "/var/log/\"a\".log"),
      R"(,"event":{"dataset":"app","sequence":7},"log":{"file":{"path":"/var/log/\"a\".log"},)"
      R"("offset":1024},"labels":{"site":"north"},"agent":{"id":"gw-1"},)"
      R"("host":{"name":"edge-7"})");
}

TEST(DocumentFields, WhatIsNotKnownIsNotSaid) {
  Record bare = record();
  bare.file = FileId();
  EXPECT_EQ(members({"gw-1", "", {}, {}}, bare),
            R"(,"event":{"dataset":"app","sequence":7},"agent":{"id":"gw-1"})");
}

TEST(DocumentFields, TheConfigsAreNestedAndHaveTheLastWord) {
  const EventContext context{"gw-1",
                             "edge-7",
                             {},
                             {{"service.name", "gateway"},
                              {"service.node.name", "a"},
                              {"event.dataset", "mine"},
                              {"event.kind", "metric"},
                              {"log.level", "info"},
                              {"host.name", "other"},
                              {"agent", "flat"},
                              {"site", "n\"orth"}}};
  EXPECT_EQ(members(context, record()),
            R"(,"event":{"dataset":"mine","kind":"metric","sequence":7},)"
            R"("log":{"level":"info","offset":1024},"agent":"flat","host":{"name":"other"},)"
            R"("service":{"name":"gateway","node":{"name":"a"}},"site":"n\"orth")");
}

TEST(DocumentFields, FlagsAndAttributes) {
  Record odd = record();
  odd.file = FileId();
  odd.truncated = odd.partial = true;
  odd.attributes = {{"a.b", "1"}, {"site", "its own"}};
  EXPECT_EQ(members({"gw-1", "", {{"site", "north"}, {"zone", "z"}}, {}}, odd),
            R"(,"event":{"dataset":"app","sequence":7},"log":{"flags":["truncated","partial"]},)"
            R"("labels":{"a_b":"1","site":"its own","zone":"z"},"agent":{"id":"gw-1"})");
}

TEST(DocumentFields, WhatTheDocumentHasIsLeftToIt) {
  const EventContext context{"gw-1", "edge-7", {{"site", "north"}}, {{"service.name", "g"}}};
  const DocumentFields fields(context, "app");
  DocumentFields::Roots taken = 0;
  for (const char* key : {"event", "log.level", "labels", "host.ip", "service"})
    taken |= fields.root_of(key);
  EXPECT_EQ(fields.root_of("message"), 0u);
  EXPECT_EQ(fields.root_of("hostname"), 0u);
  EXPECT_EQ(members(context, record(), "/a", taken), R"(,"agent":{"id":"gw-1"})");
}

TEST(DocumentFields, NamesThatEachRecordWritesAreRefused) {
  for (const char* own : {"@timestamp", "message", "event.sequence", "event", "log", "log.offset",
                          "log.file.path", "log.file", "log.flags", "labels", "_id", "", ".a", "a.",
                          "a..b", "message.x", "@timestamp.x", "event.sequence.x", "log.offset.x"})
    EXPECT_NE(not_a_field(own), "") << own;
  for (const char* good : {"service.name", "event.kind", "log.level", "labels.x", "site"})
    EXPECT_EQ(not_a_field(good), "") << good;
}

}  // namespace
}  // namespace edgehose
