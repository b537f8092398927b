#include "tests/sim/world.h"

#include <fmt/format.h>

#include <array>
#include <cstdlib>

#include "agent/config/load.h"
#include "sinks/s3/s3_config.h"
#include "tests/sim/disk.h"
#include "tests/sim/services.h"

namespace edgehose::sim {
namespace {

constexpr const char* kPolicies[] = {"block", "drop_oldest", "drop_newest"};
constexpr const char* kCompressions[] = {"none", "zstd", "gzip"};
const std::string kBucket =
    "[sinks.bucket]\ntype = \"s3\"\nbucket = \"bucket\"\nregion = \"eu-west-1\"\n"
    "credentials = { access_key_id = \"AKSIMULATED\", secret_access_key = \"simulated\" }\n";
const std::string kDirectory = "[sinks.directory]\ntype = \"directory\"\npath = \"/out\"\n";
const std::string kIndex = "[sinks.index]\ntype = \"elasticsearch\"\nindex = \"simulated\"\n";
const std::string kCollector =
    "[sinks.collector]\ntype = \"splunk\"\nack = true\ntoken = { env = \"SIMULATED_TOKEN\" }\n";
constexpr unsigned kSmallestPart = 1024;  // bytes; the config takes none below 5 MiB
constexpr std::uint64_t kSmallBuffer = 1536 << 10, kLargeBuffer = 64 << 20;
constexpr Duration kAge = std::chrono::seconds(5);

std::string endpoints(std::string_view sink, unsigned hosts) {
  std::string list;
  for (unsigned host = 0; host < hosts; ++host)
    list += fmt::format("\"https://{}\", ", host_name(sink, host));
  return fmt::format("endpoints = [{}]\n", list);
}

[[noreturn]] void broken(std::string what) { throw Broken{std::move(what)}; }

}  // namespace

World::World(const Setup& setup, std::string directory, Bug bug)
    : setup_(setup),
      directory_(std::move(directory)),
      logs_(directory_ + "/logs", setup.sources),
      servers_(bug, setup),
      chance_(setup.seed) {
  may_drop_ = setup.small_buffer;
  ::setenv("SIMULATED_TOKEN", "simulated", 1);
  network::begin(servers_, clock_);
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
      "prefix = \"{}\"\ncompression = \"{}\"\n", prefix(),
      kCompressions[all ? setup_.compression : (variant_ >> 12) % std::size(kCompressions)]);
  const std::string create_only = (variant_ >> 18) % 2 == 0 ? "" : "create_only = true\n";
  const std::string requests = (variant_ >> 19) % 2 == 0 ? "" : "compression = \"none\"\n";
  std::string text = fmt::format("[agent]\nid = \"sim\"\ndata_dir = \"{}/data\"\n", directory_);
  text += fmt::format("[buffer]\nwhen_full = \"{}\"\n", kPolicies[setup_.policy]);
  for (unsigned s = 0; s < setup_.sources; ++s)
    text += fmt::format("[sources.{}]\ntype = \"file\"\npaths = [\"{}\"]\n", Logs::source_name(s),
                        logs_.path(s));
  const std::array<std::string, 4> sinks{
      setup_.bucket ? kBucket + objects + create_only : "",
      setup_.directory ? kDirectory + objects : "",
      setup_.index ? kIndex + endpoints("index", setup_.hosts) + requests : "",
      setup_.collector
          ? kCollector + endpoints("collector", setup_.balanced ? 1 : setup_.hosts) + requests
          : ""};
  std::string kept, every;
  for (std::size_t i = 0; i < sinks.size(); ++i) {
    every += sinks[i];
    if ((variant_ >> i) % 8 != 0) kept += sinks[i];
  }
  text += all || kept.empty() ? every : kept;
  return text;
}

std::string World::prefix() const { return (variant_ >> 16) % 4 == 0 ? "12:30/" : "logs/"; }

StoreOptions World::store_options() const {
  StoreOptions options;
  options.directory = directory_ + "/data";
  options.free_disk_percent = 0;
  options.max_size = setup_.small_buffer ? kSmallBuffer : kLargeBuffer;
  options.reserve = kSmallBuffer / 4;
  options.slow_zstd_level = options.zstd_level;
  options.checks_apart = setup_.apart;
  if (setup_.encrypted) options.keys.push_back({"simulated", {1, 2, 3, 4}});
  return options;
}

void World::begin_life() {
  ++life_;
  LoadOptions load;
  load.path = "/simulated.toml";
  load.texts = {{load.path, config_text()}};
  load.try_secrets = false;
  static const ConfigSchema schema = make_schema();
  auto loaded = load_config(load, schema);
  if (!loaded) broken("config: " + loaded.error().errors.front().message);
  config_ = std::move(loaded->config);

  store_ = must(Store::open(store_options(), clock_), "opening the buffer");
  std::vector<SinkParts> parts;
  for (Component& component : config_->sinks) {
    if (auto* const s3 = std::any_cast<S3Config>(&component.config); s3 && setup_.in_parts)
      s3->part_size = kSmallestPart << (variant_ >> 22) % 3;
    parts.push_back(must(make_sink(component, sink_context(config_->agent, "sim")), "a sink"));
  }
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
  std::unique_ptr<Transport> transport;
  if (parts.config.name == "directory") {
    auto files = std::make_unique<SimFiles>(servers_.directory, interrupted_);
    files_ = files.get();
    transport = std::move(files);
  } else {
    transport = parts.transport(clock_, chance_.next());
  }
  Delivery delivery;
  delivery.name = parts.config.name;
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
  files_ = nullptr;
  intake_.reset();
  store_.reset();
  outcomes_.take();
  for (const File& file : std::exchange(interrupted_, {}))
    if (takes_name(file.name) && chance_.one_in(2)) servers_.directory.put(file.name, file.bytes);
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
  cease_faults();
  drain();
  check_leftovers();
  check_end();
}

}  // namespace edgehose::sim
