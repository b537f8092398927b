// Prefix expressions: what compiles renders, at any time, to what can be a key and a path.
#include "sinks/object/prefix.h"
#include "tests/fuzz/fuzz.h"

namespace edgehose::fuzz {

void one(std::string_view bytes) {
  Input input(bytes);
  PrefixContext context;
  context.agent = input.take(input.byte() % 16);
  context.source = input.take(input.byte() % 16);
  std::int64_t time = 0;
  for (int i = 0; i < 8; ++i) time = time << 7 ^ input.byte();
  context.time = WallTime(time);
  context.seed = static_cast<std::uint64_t>(time) * 31;
  std::vector<std::string> warnings;
  const auto prefix =
      Prefix::compile(input.rest(), {{"site", "north"}, {"empty", ""}}, "Europe/Berlin", warnings);
  if (!prefix) return require(!prefix.error().message.empty(), "refused without a word");
  const std::string key = prefix->render(context);
  require(key.size() <= kMaxPrefixBytes, "{} bytes", key.size());
  require(!key.starts_with('/'), "it begins with a slash: {}", key);
  require(key.find("//") == std::string::npos, "it has an empty part: {}", key);
  const std::string parts = "/" + key + "/";
  require(parts.find("/./") == std::string::npos && parts.find("/../") == std::string::npos,
          "it leads elsewhere: {}", key);
  require(prefix->render(context) == key, "it renders otherwise the second time");
}

std::vector<std::string> seeds() {
  const std::string context(
      "\x04gw-1\x03"
      "app\x17\x22\x33\x44\x55\x66\x77\x10",
      17);
  return {context + "logs/!{edgehose:agent}/!{edgehose:source}/!{timestamp:yyyy/MM/dd/HH}/",
          context + "site=!{label:site}/!{firehose:random-string}/",
          context + "a-!{timestamp:'year'=yyyy-DDD'T'hh:mm:ss.SSS a EEE XXX VV}-",
          context + "plain"};
}

}  // namespace edgehose::fuzz
