#include "tests/sim/world.h"

#include <fmt/format.h>

#include <array>

#include "agent/config/load.h"
#include "tests/sim/disk.h"

namespace edgehose::sim {
namespace {

constexpr const char* kPolicies[] = {"block", "drop_oldest", "drop_newest"};
constexpr const char* kCompressions[] = {"none", "zstd", "gzip"};
const std::string kBucket =
    "[sinks.bucket]\ntype = \"s3\"\nbucket = \"simulated\"\nregion = \"eu-west-1\"\n";
const std::string kDirectory = "[sinks.directory]\ntype = \"directory\"\npath = \"/out\"\n";
const std::string kIndex =
    "[sinks.index]\ntype = \"elasticsearch\"\nendpoints = [\"http://127.0.0.1:1\"]\n"
    "index = \"simulated\"\n";
const std::string kCollector =
    "[sinks.collector]\ntype = \"splunk\"\nendpoints = [\"http://127.0.0.1:1\"]\nack = true\n"
    "token = { file = \"/dev/null\" }\n";
constexpr std::uint64_t kSmallBuffer = 1536 << 10;
constexpr Duration kAge = std::chrono::seconds(5);

[[noreturn]] void broken(std::string what) { throw Broken{std::move(what)}; }

}  // namespace

World::World(const Setup& setup, std::string directory, Bug bug)
    : setup_(setup),
      directory_(std::move(directory)),
      logs_(directory_ + "/logs", setup.sources),
      chance_(setup.seed) {
  servers_.bug = bug;
  may_drop_ = setup.small_buffer;
  disk::begin(directory_ + "/data");
}

World::~World() {
  disk::disarm();
  end_life();
}

// Of the first and the last life it has every sink; between, some may be left out for a life, and
// names, sizes and compression differ.
std::string World::config_text() const {
  const bool all = calm_ || life_ == 1;
  const std::string objects = fmt::format(
      "prefix = \"{}\"\ncompression = \"{}\"\n", (variant_ >> 16) % 4 == 0 ? "12:30/" : "logs/",
      kCompressions[all ? setup_.compression : (variant_ >> 12) % std::size(kCompressions)]);
  std::string text = fmt::format("[agent]\nid = \"sim\"\ndata_dir = \"{}/data\"\n", directory_);
  text += fmt::format("[buffer]\nwhen_full = \"{}\"\n", kPolicies[setup_.policy]);
  for (unsigned s = 0; s < setup_.sources; ++s)
    text += fmt::format("[sources.{}]\ntype = \"file\"\npaths = [\"{}\"]\n", Logs::source_name(s),
                        logs_.path(s));
  const std::array<std::string, 4> sinks{
      setup_.bucket ? kBucket + objects : "", setup_.directory ? kDirectory + objects : "",
      setup_.index ? kIndex : "", setup_.collector ? kCollector : ""};
  std::string kept, every;
  for (std::size_t i = 0; i < sinks.size(); ++i) {
    every += sinks[i];
    if ((variant_ >> i) % 8 != 0) kept += sinks[i];
  }
  text += all || kept.empty() ? every : kept;
  return text;
}

StoreOptions World::store_options() const {
  StoreOptions options;
  options.directory = directory_ + "/data";
  options.free_disk_percent = 0;
  if (setup_.small_buffer) {
    options.max_size = kSmallBuffer;
    options.reserve = kSmallBuffer / 4;
  }
  if (setup_.encrypted) options.keys.push_back({"simulated", {1, 2, 3, 4}});
  return options;
}

void World::begin_life() {
  ++life_;
  LoadOptions load;
  load.path = "/simulated.toml";
  load.texts = {{load.path, config_text()}};
  load.try_secrets = false;
  auto loaded = load_config(load, make_schema());
  if (!loaded) broken("config: " + loaded.error().errors.front().message);
  config_ = std::move(loaded->config);

  store_ = must(Store::open(store_options(), clock_), "opening the buffer");
  std::vector<SinkParts> parts;
  for (const Component& component : config_->sinks)
    parts.push_back(must(make_sink(component, sink_context(config_->agent, "sim")), "a sink"));
  FileEnvironment files;
  files.inotify = false;
  files.boot_id = fmt::format("boot-{}", boots_);
  auto sources = must(make_sources(config_->sources, *store_, clock_, files), "the sources");
  IntakeOptions options;
  options.when_full = config_->buffer.when_full;
  options.commit_limit = options.ack_limit = kAge;
  std::vector<SinkLink> links;
  for (SinkParts& part : parts) {
    part.config.batch.max_size = 4096 << (variant_ >> 20) % 4;
    part.config.batch.max_age = kAge;
    part.config.retry = {std::chrono::seconds(1), std::chrono::minutes(1)};
    part.config.concurrency = 1 + (variant_ >> 24) % 3;
    SinkLink link;
    link.config = part.config;
    link.sink = part.sink;
    link.estimate = part.estimate;
    links.push_back(std::move(link));
  }
  intake_ = std::make_unique<Intake>(*store_, clock_, waker_, options, std::move(sources),
                                     std::move(links));
  intake_->connect_operator(outcomes_, change_context(*config_, true));
  for (SinkParts& part : parts) add_sink(part);
  if (const Status started = intake_->start(); !started)
    broken("starting: " + started.error().message);
}

void World::add_sink(SinkParts& parts) {
  auto transport = std::make_unique<SimTransport>(servers_, late_);
  Delivery delivery;
  delivery.name = parts.config.name;
  delivery.transport = transport.get();
  delivery.concurrency = parts.config.concurrency;
  CourierOptions options;
  options.retry = parts.config.retry;
  options.concurrency = parts.config.concurrency;
  options.recognises = parts.recognises;
  options.seed = chance_.next();
  delivery.courier =
      std::make_unique<Courier>(parts.sink, std::move(transport), parts.bodies(*store_), *store_,
                                clock_, intake_->inbox(), options);
  const Status connected =
      intake_->connect(delivery.name, delivery.courier->claims(), delivery.courier->holds());
  if (!connected) broken("connecting: " + connected.error().message);
  deliveries_.push_back(std::move(delivery));
}

// As a kill: what is in memory is gone. An object on its way to a directory has its name, or not.
void World::end_life() {
  deliveries_.clear();
  intake_.reset();
  store_.reset();
  outcomes_.take();
  std::deque<Parcel> on_the_way;
  for (Parcel& parcel : late_) {
    if (parcel.to != Parcel::To::kDirectory)
      on_the_way.push_back(std::move(parcel));
    else if (takes_name(parcel.name) && chance_.one_in(2))
      serve(parcel, servers_, false, chance_);
  }
  late_ = std::move(on_the_way);
}

void World::stop_in_order() {
  for (Delivery& delivery : deliveries_) delivery.courier->stop();
  const Status stopped = intake_->stop();  // an error is a disk's, and then it is a kill
  if (stopped) static_cast<void>(store_->close());
}

// What was rotated before a log was first seen is not read: each is seen first.
void World::see_all_logs() {
  for (unsigned source = 0; source < setup_.sources; ++source)
    logs_.write(source, 1, 10, clock_.wall());
  intake_->step();
  clock_.advance(kAge);
  intake_->step();
}

void World::run(const std::vector<Op>& ops) {
  begin_life();
  see_all_logs();
  for (const Op& op : ops) {
    take(op);
    check_step();
  }
  drain();
  check_end();
}

}  // namespace edgehose::sim
