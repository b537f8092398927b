#include "sinks/object/object_config.h"

#include "agent/config/field.h"
#include "sinks/object/s3ec/keys.h"

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

Fields<S3ecKeys> s3ec_fields() {
  return Fields<S3ecKeys>{
      field<&S3ecKeys::rsa_public_key>(
          "rsa_public_key",
          "An RSA public key in PEM. Its private key opens the objects; this device cannot.")
          .is_for_all_to_see(),
      field<&S3ecKeys::aes_key>("aes_key",
                                "32 random bytes, or their base64. Whoever has it opens the "
                                "objects, this device too."),
  }
      .rule({"rsa_public_key", "aes_key"}, [](const S3ecKeys& keys) {
        return keys.rsa_public_key.set() && keys.aes_key.set()
                   ? "stands in place of \"aes_key\": give one"
                   : "";
      });
}

TableField<ObjectConfig> encrypt_group(Fields<ObjectConfig> fields, std::string help) {
  return group<ObjectConfig>("encrypt", std::move(fields), std::move(help))
      .not_empty("encrypts to nobody; leave it out for plain objects")
      .example(R"({ age = ["age1..."] })");
}

auto age_field() {
  return field<&ObjectConfig::age_recipients>(
             "age", "Public keys. Any one of their secret keys opens the objects.")
      .each(not_a_recipient)
      .check(not_for_nobody)
      .are_distinct()
      .unset_means("no recipients")
      .example(R"(["age1..."])");
}

TableField<ObjectConfig> encrypt_field(KeepsMetadata keeps) {
  if (keeps == KeepsMetadata::kNo)
    return encrypt_group(
        {age_field(),
         not_here<ObjectConfig>("s3ec",
                                "keeps each object's key in its metadata, and files have none: use "
                                "\"age\" here, \"s3ec\" is for type = \"s3\""),
         not_here<ObjectConfig>("format", "goes with \"s3ec\", which is for type = \"s3\"")},
        "Encrypts each object to these age recipients.");
  return encrypt_group(
      Fields<ObjectConfig>{
          age_field(),
          table<&ObjectConfig::s3ec>("s3ec", s3ec_fields(),
                                     "The Amazon S3 Encryption Client's format, which AWS's own "
                                     "clients open: to one of these keys.")
              .not_empty("names no key; give rsa_public_key or aes_key"),
          choice<&ObjectConfig::s3ec_format>(
              "format", {{"v3", std::uint8_t{3}}, {"v2", std::uint8_t{2}}},
              "Of `s3ec`. `v3` commits to its key; `v2` is for clients before v3.")
              .unset_means("v3"),
      }
          .rule({"age", "s3ec"},
                [](const ObjectConfig& config) {
                  return !config.age_recipients.empty() && config.s3ec.set()
                             ? "stands in place of \"s3ec\": give one"
                             : "";
                })
          .rule({"format", "s3ec"},
                [](const ObjectConfig& config) {
                  return config.s3ec_format && !config.s3ec.set() ? "goes with \"s3ec\"" : "";
                }),
      "Encrypts each object, to age recipients or for the Amazon S3 Encryption Client.");
}

}  // namespace

Fields<ObjectConfig> object_fields(KeepsMetadata keeps) {
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
      encrypt_field(keeps),
  }
      .rule({"compression_level", "compression"}, [](const ObjectConfig& config) {
        const bool good = config.compression != Compression::kGzip || config.compression_level <= 9;
        return good ? "" : "gzip has the levels 1 to 9; zstd goes to 19";
      });
}

Result<ObjectRendering> ObjectConfig::rendering(const std::string& agent) const {
  ObjectRendering made{format, compression, compression_level, age_recipients, {}, agent};
  if (!s3ec.set()) return made;
  made.s3ec = S3ecRendering{s3ec_format.value_or(3), {}, s3ec.aes_key};
  if (!s3ec.rsa_public_key.set()) return made;
  auto der = s3ec.rsa_public_key.read().and_then(
      [](const Secret& pem) { return s3ec::rsa_public_key(pem.reveal()); });
  if (!der) return tl::unexpected(std::move(der).error().with_context("encrypt.s3ec"));
  made.s3ec->rsa_public_key = *std::move(der);
  return made;
}

std::optional<S3ecKeyError> wrong_s3ec_key(const S3ecKeys& keys) {
  if (const auto pem = keys.rsa_public_key.read()) {
    const auto der = s3ec::rsa_public_key(pem->reveal());
    if (!der) return S3ecKeyError{"rsa_public_key", der.error().message};
  }
  if (const auto content = keys.aes_key.read()) {
    const auto key = s3ec::aes_key(content->reveal());
    if (!key) return S3ecKeyError{"aes_key", key.error().message};
  }
  return std::nullopt;
}

}  // namespace edgehose
