// The whole way of a claim: a real store, the object encoder, a courier, files; restarted at every
// moment between two steps.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <map>

#include "agent/base/file.h"
#include "buffer/store.h"
#include "sinks/delivery/courier.h"
#include "sinks/directory/directory_sink.h"
#include "sinks/directory/file_transport.h"
#include "sinks/object/decrypt.h"
#include "tests/sinks/directory/temporary_directory.h"

namespace edgehose {
namespace {

class DeliveryTest : public ::testing::Test {
 protected:
  static constexpr int kClaims = 6;

  void SetUp() override {
    StoreOptions options;
    options.directory = directory / "buffer";
    std::filesystem::create_directory(options.directory);
    auto opened = Store::open(options, clock);
    ASSERT_TRUE(opened) << opened.error().message;
    store = std::move(*opened);

    DirectoryConfig config;
    config.common.name = "archive";
    config.path = directory / "objects";
    config.object.prefix = "!{timestamp:yyyy/MM/dd}/";
    std::vector<std::string> warnings;
    auto made = DirectorySink::create(config, {"gw-0042", {}, "UTC"}, warnings);
    ASSERT_TRUE(made) << made.error().message;
    sink = std::move(*made);
    fill();
  }

  // A block and a claim over it, kClaims times.
  void fill() {
    auto transaction = store->begin();
    ASSERT_TRUE(transaction);
    const LaneKey lane{store->sink_id("archive"), store->source_id("app")};
    ASSERT_TRUE((*transaction)->add_lane(lane, {BlockNumber{1}, 0}));
    for (int i = 0; i < kClaims; ++i) {
      BlockBuilder builder(lane.source);
      std::string text;
      for (int line = 0; line < 500; ++line) {
        const std::string body = fmt::format("claim {} line {} 0123456789", i, line);
        NewRecord record{};
        record.body = body;
        record.time = clock.wall();
        builder.append(record);
        text += body + "\n";
      }
      const auto block = (*transaction)->append(builder.take());
      ASSERT_TRUE(block) << block.error().message;
      Claim claim;
      claim.lane = lane;
      claim.begin = {block->number, 0};
      claim.end = {block->number + 1, 0};
      claim.first = block->first;
      claim.last = block->first + (block->records - 1);
      claim.size = {block->records, text.size()};
      claim.first_time = clock.wall();
      claim.key = sink->key(outline_of(claim, "app", store->epoch()), "");
      claim.rendering = sink->rendering();
      expected[claim.key] = text;
      ASSERT_TRUE((*transaction)->claim(claim));
    }
    ASSERT_TRUE((*transaction)->commit());
  }

  std::unique_ptr<Courier> start() {
    auto courier =
        std::make_unique<Courier>(sink, std::make_unique<FileTransport>(), object_bodies(*store),
                                  *store, clock, outcomes, CourierOptions{});
    const std::vector<Claim> claims = store->claims().value();
    for (const Claim& claim : claims) courier->claims().post(claim);
    return courier;
  }

  // What intake does with outcomes.
  void acknowledge() {
    auto transaction = store->begin();
    ASSERT_TRUE(transaction);
    for (const CourierEvent& event : outcomes.take()) {
      if (const auto* settled = std::get_if<Settled>(&event)) {
        ASSERT_TRUE((*transaction)->acknowledge(settled->ack));
      } else if (const auto* learned = std::get_if<Learned>(&event)) {
        ASSERT_TRUE((*transaction)->put_sink({learned->sink, "archive", learned->note}));
      }
    }
    ASSERT_TRUE((*transaction)->commit());
  }

  std::string decoded(const std::string& path) {
    auto fd = open_file(path, O_RDONLY);
    EXPECT_TRUE(fd);
    auto opened = open_object(read_descriptor(fd->get(), path), {});
    EXPECT_TRUE(opened) << opened.error().message;
    std::string text;
    EXPECT_TRUE(copy_stream(*opened->plain, [&](std::string_view part) -> Status {
      text += part;
      return {};
    }));
    return text;
  }

  void expect_all_delivered() {
    std::map<std::string, std::string> found;
    for (const std::string& file : files_below(directory / "objects"))
      found[file] = decoded(directory / ("objects/" + file));
    EXPECT_TRUE(found == expected) << found.size() << " objects of " << expected.size();
    const auto lanes = store->lanes();
    ASSERT_TRUE(lanes && lanes->size() == 1);
    EXPECT_EQ((*lanes)[0].delivered.records, 500u * kClaims);
    EXPECT_EQ((*lanes)[0].buffered().records, 0u);
    EXPECT_TRUE(store->claims().value().empty());
    EXPECT_TRUE(store->sinks().value().at(0).note.starts_with("type="));
  }

  TemporaryDirectory directory;
  ManualClock clock;
  Waker waker;
  Mailbox<CourierEvent> outcomes{waker};
  std::unique_ptr<Store> store;
  std::shared_ptr<const Sink> sink;
  std::map<std::string, std::string> expected;
};

TEST_F(DeliveryTest, ClaimsBecomeObjectsThatDecodeToTheirRecords) {
  const auto courier = start();
  for (int i = 0; i < 1000 && courier->step() <= clock.now(); ++i) {
  }
  acknowledge();
  expect_all_delivered();
}

// Stopped after every number of steps, outcomes lost with the process: the claims come again.
TEST_F(DeliveryTest, ARestartBetweenAnyTwoStepsRepeatsNamesAndRecords) {
  for (int steps = 0; steps < 40; ++steps) {
    const auto courier = start();
    for (int i = 0; i < steps; ++i) courier->step();
    courier->stop();
    outcomes.take();
    if (!std::filesystem::exists(directory / "objects")) continue;
    for (const std::string& file : files_below(directory / "objects"))
      ASSERT_EQ(decoded(directory / ("objects/" + file)), expected.at(file)) << file;
  }
  const auto courier = start();
  for (int i = 0; i < 1000 && courier->step() <= clock.now(); ++i) {
  }
  acknowledge();
  expect_all_delivered();
}

}  // namespace
}  // namespace edgehose
