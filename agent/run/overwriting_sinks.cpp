#include "agent/run/overwriting_sinks.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>

#include "agent/run/registry.h"
#include "sinks/directory/directory_config.h"
#include "sinks/s3/s3_config.h"

namespace edgehose {
namespace {

// What is compared of a sink.
struct Writer {
  const Component* component;
  std::string place;
  SinkParts parts;
  std::vector<std::string> keys;  // who opens its objects
};

std::vector<std::string> keys_of(const ObjectConfig& objects) {
  std::vector<std::string> keys = objects.age_recipients;
  const SecretRef& rsa = objects.s3ec.rsa_public_key;
  if (objects.s3ec.set()) {
    keys.push_back(rsa.set() ? rsa.text() : objects.s3ec.aes_key.text());
    keys.push_back(fmt::format("format {}", objects.s3ec_format.value_or(3)));
  }
  return keys;
}

std::optional<Writer> writer_of(const Component& component, const Config& config) {
  Writer writer{&component, {}, {}, {}};
  if (component.type == "directory") {
    const auto& directory = component.as<DirectoryConfig>();
    writer.place = std::filesystem::path(directory.path + "/").lexically_normal();
    writer.keys = keys_of(directory.object);
  } else if (component.type == "s3") {
    const auto& s3 = component.as<S3Config>();
    writer.place = fmt::format("s3 {} {}/", s3.bucket.endpoint, s3.bucket.name);
    writer.keys = keys_of(s3.object);
  } else {
    return std::nullopt;
  }
  const std::string& id = config.agent.id;
  auto parts =
      make_sink(component, {id.empty() ? "agent" : id, config.agent.labels, config.agent.timezone});
  if (!parts) return std::nullopt;  // told by who starts it
  writer.parts = *std::move(parts);
  return writer;
}

// Where a batch goes that both could have: its time, in 1996, is hardly written out in a prefix.
std::string destination(const Writer& writer, const std::string& source) {
  BatchOutline batch;
  batch.source = source;
  batch.first = batch.last = Sequence(1);
  batch.first_time = WallTime(825'600'000'123'456'789);
  return writer.place + writer.parts.sink->key(batch, "");
}

bool overwrite(const Writer& a, const Writer& b, const std::vector<Component>& sources) {
  // All else of how an object is made is in its extension.
  if (std::ranges::is_permutation(a.keys, b.keys)) return false;
  return std::ranges::any_of(sources, [&](const Component& source) {
    return takes(a.parts.config.inputs, source.name) && takes(b.parts.config.inputs, source.name) &&
           destination(a, source.name) == destination(b, source.name);
  });
}

}  // namespace

std::vector<config::Problem> overwriting_sinks(const Config& config) {
  std::vector<config::Problem> problems;
  std::vector<Writer> writers;
  for (const Component& component : config.sinks) {
    auto writer = writer_of(component, config);
    if (!writer) continue;
    const auto other = std::ranges::find_if(writers, [&](const Writer& earlier) {
      return overwrite(earlier, *writer, config.sources);
    });
    if (other != writers.end())
      problems.push_back(
          {component.origin,
           fmt::format(
               "[sinks.{}] and [sinks.{}] ({}) give their objects the same names at the same "
               "place, encrypted for different readers: one would overwrite the other; "
               "give one of them another path or prefix",
               component.name, other->component->name, other->component->origin.text())});
    writers.push_back(*std::move(writer));
  }
  return problems;
}

}  // namespace edgehose
