#include "sinks/object/object_config.h"

#include "agent/config/field.h"

namespace edgehose {

using namespace config;

namespace {

std::string not_a_recipient(const std::string& key) {
  if (key.starts_with("AGE-SECRET-KEY-"))
    return "is a secret key: give the public one (\"age1...\"), so that this device cannot read "
           "what it wrote";
  return key.starts_with("age1") ? "" : "must be an age X25519 public key (\"age1...\")";
}

// An empty list would leave objects in plain text where somebody meant to encrypt them.
std::string not_for_nobody(const std::vector<std::string>& recipients) {
  return recipients.empty() ? "must not be empty; leave \"encrypt\" out for plain objects" : "";
}

}  // namespace

Fields<ObjectConfig> object_fields() {
  using Format = ObjectRendering::Format;
  return Fields<ObjectConfig>{
      field<&ObjectConfig::prefix>(
          "prefix",
          "In front of each object's name, with expressions: `!{timestamp:yyyy/MM/dd/HH}`, "
          "`!{label:NAME}`, `!{edgehose:agent}`, `!{edgehose:source}`. Without a timestamp "
          "expression `yyyy/MM/dd/HH/` is appended.")
          .example("\"site=!{label:site}/!{timestamp:yyyy/MM/dd/HH}/\""),
      choice<&ObjectConfig::format>("format",
                                    {{"lines", Format::kLines}, {"ndjson", Format::kNdjson}},
                                    "`lines`: records as they were read. `ndjson`: each wrapped "
                                    "with time, source, sequence and agent."),
      choice<&ObjectConfig::compression>("compression",
                                         {{"zstd", Compression::kZstd},
                                          {"gzip", Compression::kGzip},
                                          {"none", Compression::kNone}},
                                         "How objects are compressed. `zstd` with `lines` costs no "
                                         "CPU: the buffer's frames are passed on."),
      field<&ObjectConfig::compression_level>(
          "compression_level", "The codec's effort, where objects are compressed anew.")
          .range(1, 19),
      group<ObjectConfig>(
          "encrypt",
          {field<&ObjectConfig::age_recipients>(
               "age", "Public keys. Any one of their secret keys opens the objects.")
               .each(not_a_recipient)
               .check(not_for_nobody)
               .are_distinct()
               .unset_means("not encrypted")
               .example(R"(["age1..."])")},
          "Encrypts each object to these age recipients."),
  }
      .rule({"compression_level", "compression"}, [](const ObjectConfig& config) {
        const bool good = config.compression != Compression::kGzip || config.compression_level <= 9;
        return good ? "" : "gzip has the levels 1 to 9; zstd goes to 19";
      });
}

}  // namespace edgehose
