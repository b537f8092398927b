// A config: whatever its text is, it loads or tells what is wrong with it, at a line of the file.
#include "agent/config/load.h"
#include "agent/run/registry.h"
#include "tests/fuzz/fuzz.h"

namespace edgehose::fuzz {

void one(std::string_view text) {
  static const ConfigSchema schema = make_schema();
  LoadOptions options;
  options.path = "/fuzzed.toml";
  options.texts = {{options.path, std::string(text)}};
  options.try_secrets = false;
  options.need_variables = false;
  const auto loaded = load_config(options, schema);
  if (!loaded) require(!loaded.error().errors.empty(), "refused without an error");
}

std::vector<std::string> seeds() {
  return {R"([agent]
id = "gw-1"
data_dir = "/var/lib/edgehose"
labels = { site = "north" }
[buffer]
max_size = "64MiB"
when_full = "drop_oldest"
encryption_keys = [{ file = "/etc/edgehose/key" }]
[sources.app]
type = "file"
paths = ["/var/log/app/**/*.log"]
exclude = ["*.gz"]
start_at = "end"
[sinks.cloud]
type = "s3"
bucket = "telemetry"
region = "eu-west-1"
prefix = "logs/!{edgehose:source}/!{timestamp:yyyy/MM/dd}/"
batch = { max_size = "4MiB", max_age = "1m" }
credentials = { access_key_id = "AKIA", secret_access_key = { env = "KEY" } }
)",
          R"([sources.a]
type = "file"
paths = ["/${WHERE}/*.log"]
[sinks.search]
type = "elasticsearch"
endpoints = ["https://es1:9200"]
index = "gateway-!{timestamp:yyyy.MM.dd}"
auth = { user = "writer", password = { credential = "es" } }
[sinks.soc]
type = "splunk"
endpoints = ["https://hec:8088"]
token = { credential = "hec" }
ack = true
[sinks.archive]
type = "directory"
path = "/media/usb"
encrypt = { age = ["age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"] }
)"};
}

}  // namespace edgehose::fuzz
