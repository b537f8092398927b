// edgehose decrypt: opens objects again: age or the S3 Encryption Client's, then zstd or gzip.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "agent/base/file.h"
#include "agent/commands/plain_output.h"
#include "agent/commands/stored_metadata.h"
#include "agent/commands/table.h"
#include "sinks/object/decrypt.h"
#include "sinks/object/s3ec/decryptor.h"

namespace edgehose {
namespace {

constexpr std::size_t kKeyFileBytes = 1 << 20;
constexpr mode_t kDirectoryMode = 0750;  // as PlainOutput's files

// What objects may be opened with.
struct Keys {
  std::vector<AgeIdentity> identities;
  std::vector<s3ec::UnwrappingKey> s3ec;
};

Result<std::vector<AgeIdentity>> read_identities(const Invocation& invocation) {
  std::vector<AgeIdentity> identities;
  for (const std::string& path : invocation.values("identity")) {
    EH_ASSIGN(std::string content, read_file(path, kKeyFileBytes));
    auto parsed = AgeIdentity::parse_file(content);
    ::explicit_bzero(content.data(), content.size());
    if (!parsed) return tl::unexpected(std::move(parsed).error().with_context(path));
    identities.insert(identities.end(), parsed->begin(), parsed->end());
  }
  return identities;
}

Result<Keys> read_keys(const Invocation& invocation) {
  Keys keys;
  EH_ASSIGN(keys.identities, read_identities(invocation));
  for (const std::string& path : invocation.values("s3ec-key")) {
    EH_ASSIGN(std::string content, read_file(path, kKeyFileBytes));
    auto parsed = s3ec::UnwrappingKey::parse(content);
    ::explicit_bzero(content.data(), content.size());
    if (!parsed) return tl::unexpected(std::move(parsed).error().with_context(path));
    keys.s3ec.push_back(*std::move(parsed));
  }
  return keys;
}

std::string_view without_suffix(std::string_view name, std::string_view suffix) {
  if (name.size() > suffix.size() && name.ends_with(suffix)) name.remove_suffix(suffix.size());
  return name;
}

// "a/app.log.zst.age" -> "app.log": what is in it, without the layers that were taken off.
std::string plain_name(std::string_view path, bool keep_compressed) {
  std::string_view name = path.substr(path.rfind('/') + 1);
  name = without_suffix(name, ".age");
  if (!keep_compressed) name = without_suffix(without_suffix(name, ".zst"), ".gz");
  return std::string(name);
}

// A name says what an object is. One whose first bytes say otherwise is damaged there, and would
// pass through as it lies.
Status check_name(std::string_view path, const OpenedObject& object, bool keep_compressed) {
  const auto strip = [&path](std::string_view extension) {
    if (!path.ends_with(extension)) return false;
    path.remove_suffix(extension.size());
    return true;
  };
  const std::string name(path);
  if (strip(".age") && !object.encrypted)
    return fail(ErrorCode::kCorrupt,
                "{} is no age file: its beginning is damaged, or its name is wrong", name);
  const bool compressed = strip(".zst") || strip(".gz");
  if (compressed && !keep_compressed && !object.compressed)
    return fail(ErrorCode::kCorrupt,
                "{} is not compressed: its beginning is damaged, or its name is wrong, or it was "
                "encrypted for the S3 Encryption Client and needs its --metadata",
                name);
  return {};
}

// One object, and where it goes.
struct Work {
  std::string path;
  s3ec::Metadata metadata;  // as far as they are given
  std::optional<std::string> output;
};

Status decrypt_file(const Work& work, const Keys& keys, bool keep_compressed) {
  FileDescriptor file;
  if (work.path != "-") {
    EH_ASSIGN(file, open_file(work.path, O_RDONLY));
  }
  const int fd = work.path == "-" ? STDIN_FILENO : file.get();
  const std::string name = work.path == "-" ? "standard input" : work.path;
  std::unique_ptr<ByteStream> input = read_descriptor(fd, name);
  std::unique_ptr<ByteSource> again;  // outlives what is read from it
  if (s3ec::is_encrypted(work.metadata)) {
    again = reread_descriptor(fd, name);
    EH_ASSIGN(const s3ec::Envelope envelope, s3ec::parse_envelope(work.metadata));
    EH_ASSIGN(input, open_s3ec(*again, envelope, keys.s3ec));
  }
  EH_ASSIGN(OpenedObject opened,
            open_object(std::move(input), {keys.identities, !keep_compressed}));
  EH_TRY(check_name(work.path, opened, keep_compressed));
  EH_ASSIGN(PlainOutput output, PlainOutput::open(work.output));
  EH_TRY(copy_stream(*opened.plain, [&](std::string_view bytes) { return output.write(bytes); }));
  return output.finish();
}

bool is_directory(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

// One that is there, or is to be made.
bool names_directory(const std::string& output) {
  return output.ends_with('/') || is_directory(output);
}

// Where each input goes: one file, or below one directory, each under its plain name.
tl::expected<std::vector<std::optional<std::string>>, std::string> destinations(
    const Invocation& invocation) {
  const auto output = invocation.value("output");
  const bool directory = output && names_directory(*output);
  if (output && *output != "-" && !directory && invocation.words.size() > 1)
    return tl::unexpected(
        fmt::format("{0} is not a directory, and {1} files cannot go into one; "
                    "\"{0}/\" makes it",
                    *output, invocation.words.size()));
  std::vector<std::optional<std::string>> paths;
  std::set<std::string> taken;
  for (const std::string& input : invocation.words) {
    if (!directory) {
      paths.push_back(output);
      continue;
    }
    if (input == "-")
      return tl::unexpected<std::string>("standard input has no name to be given in a directory");
    paths.push_back(fmt::format("{}{}{}", *output, output->ends_with('/') ? "" : "/",
                                plain_name(input, invocation.has("keep-compressed"))));
    if (!taken.insert(*paths.back()).second)
      return tl::unexpected(
          fmt::format("two files would become {}: give them one at a time", *paths.back()));
  }
  return paths;
}

// Each object with its metadata and its destination.
Result<std::vector<Work>> work_list(const Invocation& invocation,
                                    const std::vector<std::optional<std::string>>& outputs) {
  const std::vector<std::string> metadata = invocation.values("metadata");
  std::vector<Work> list;
  for (std::size_t i = 0; i < invocation.words.size(); ++i) {
    Work work{invocation.words[i], {}, outputs[i]};
    if (!metadata.empty()) {
      EH_ASSIGN(work.metadata, read_stored_metadata(metadata[i]));
    }
    list.push_back(std::move(work));
  }
  return list;
}

// Says why it failed, and with what it may not.
void complain_of(const Work& work, const Error& error, const Keys& keys) {
  std::string message = error.message;
  const bool named = message.find(work.path) != std::string::npos || work.path == "-";
  if (!named) message = work.path + ": " + message;
  const bool s3ec = s3ec::is_encrypted(work.metadata);
  if (error.code == ErrorCode::kAuth && s3ec && keys.s3ec.empty())
    message += ", in a file, with --s3ec-key FILE";
  if (error.code == ErrorCode::kAuth && !s3ec && keys.identities.empty())
    message += ", in a file, with --identity FILE";
  complain(message);
}

int decrypt(const Invocation& invocation) {
  const auto outputs = destinations(invocation);
  if (!outputs) return usage_error("decrypt", outputs.error());
  const std::size_t metadata = invocation.values("metadata").size();
  if (metadata != 0 && metadata != invocation.words.size())
    return usage_error("decrypt", fmt::format("{} files need as many --metadata, in their order: "
                                              "there are {}",
                                              invocation.words.size(), metadata));
  const auto keys = read_keys(invocation);
  const auto list = work_list(invocation, *outputs);
  if (!keys || !list) {
    complain(keys ? list.error().message : keys.error().message);
    return kExitUsage;
  }
  const auto output = invocation.value("output");
  if (output && names_directory(*output))
    if (const Status made = make_directories(*output, kDirectoryMode); !made)
      return failed(made.error());
  int code = kExitOk;
  for (const Work& work : *list) {
    const Status done = decrypt_file(work, *keys, invocation.has("keep-compressed"));
    if (done) continue;
    complain_of(work, done.error(), *keys);
    code = kExitFailed;
  }
  return code;
}

}  // namespace

Command decrypt_command() {
  return {
      .name = "decrypt",
      .arguments = "FILE...",
      .summary = "opens delivered objects: decrypts, decompresses",
      .description =
          "Decrypts objects (age) with the secret key of one of their recipients and\n"
          "decompresses them (zstd, gzip). What they are is found out from their first\n"
          "bytes, so objects that are not encrypted are fine too. \"-\" is standard input.\n"
          "Without --output everything goes to standard output, in the order given.\n"
          "\n"
          "A file appears under its name only when all of it was decrypted and found\n"
          "authentic; one that is there already is replaced then. On standard output what\n"
          "came before damage is there, and the exit code tells. The tools\n"
          "age and zstd read the same objects:\n"
          "  age -d -i fleet.age OBJECT.log.zst.age | zstd -dc\n"
          "\n"
          "An object of the Amazon S3 Encryption Client (v2, v3) has its key in its\n"
          "metadata, so those are needed too: what \"aws s3api head-object\" prints. It is\n"
          "read twice, and nothing of it goes out before it was found authentic. Objects\n"
          "under a customer's key (SSE-C) come decrypted from S3: they need nothing here.",
      .options =
          {{"identity", "FILE", "Secret keys (AGE-SECRET-KEY-1...), one a line. May be repeated",
            true},
           {"s3ec-key", "FILE",
            "Of the S3 Encryption Client: an RSA private key (PEM), or an AES key (32 "
            "bytes, or their base64). May be repeated",
            true},
           {"metadata", "FILE",
            "What \"aws s3api head-object\" prints of the object; with several objects, "
            "one for each, in their order",
            true},
           {"output", "PATH",
            "A file, or a directory, which is made where it ends in '/': each object goes there "
            "without its .zst.age"},
           {"keep-compressed", "", "Only decrypts"}},
      .examples =
          "edgehose decrypt --identity fleet.age app-*.log.zst.age | less\n"
          "edgehose decrypt --identity fleet.age --output plain/ objects/*.age\n"
          "edgehose decrypt --s3ec-key private.pem --metadata head.json app.log.zst",
      .exit_codes =
          "0  all of them were opened\n"
          "1  one or more could not be: no key fits, damaged, or not readable\n"
          "2  the command line is wrong, or a file of keys or metadata is",
      .min_words = 1,
      .max_words = kAnyWords,
      .run = decrypt};
}

}  // namespace edgehose
