// edgehose decrypt: opens objects again: age, then zstd or gzip.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "agent/base/file.h"
#include "agent/commands/table.h"
#include "sinks/object/decrypt.h"

namespace edgehose {
namespace {

constexpr std::size_t kIdentityFileBytes = 1 << 20;

Result<std::vector<AgeIdentity>> read_identities(const Invocation& invocation) {
  std::vector<AgeIdentity> identities;
  for (const std::string& path : invocation.values("identity")) {
    EH_ASSIGN(std::string content, read_file(path, kIdentityFileBytes));
    auto parsed = AgeIdentity::parse_file(content);
    ::explicit_bzero(content.data(), content.size());
    if (!parsed) return tl::unexpected(std::move(parsed).error().with_context(path));
    identities.insert(identities.end(), parsed->begin(), parsed->end());
  }
  return identities;
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

// Where one file's plaintext goes. A file gets its name only when it is whole: until then it is a
// hidden temporary beside it, removed where anything fails.
class Output {
 public:
  static Result<Output> open(const std::optional<std::string>& path) {
    Output output;
    if (!path || *path == "-") return output;
    output.path_ = *path;
    const std::size_t slash = path->rfind('/');
    const std::string directory = slash == std::string::npos ? "" : path->substr(0, slash + 1);
    output.temporary_ = directory + "." + path->substr(slash + 1) + ".XXXXXX";
    output.file_ = FileDescriptor(::mkostemp(output.temporary_.data(), O_CLOEXEC));
    if (!output.file_.valid()) {
      output.temporary_.clear();
      return fail_errno(errno, fmt::format("writing {}", *path));
    }
    return output;
  }
  Output(Output&& other) noexcept
      : path_(std::exchange(other.path_, {})),
        temporary_(std::exchange(other.temporary_, {})),
        file_(std::move(other.file_)) {}
  ~Output() {
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
  }

  Status write(std::string_view bytes) {
    const bool to_file = file_.valid();
    return write_all(to_file ? file_.get() : STDOUT_FILENO, bytes,
                     to_file ? path_ : "standard output");
  }
  Status finish() {
    if (!file_.valid()) return {};
    // Decrypted logs are as private as logs in /var/log: readable by the owner and the group.
    if (::fchmod(file_.get(), 0640) != 0 || ::fdatasync(file_.get()) != 0)
      return fail_errno(errno, fmt::format("writing {}", path_));
    if (::rename(temporary_.c_str(), path_.c_str()) != 0)
      return fail_errno(errno, fmt::format("naming {}", path_));
    temporary_.clear();
    return {};
  }

 private:
  Output() = default;
  std::string path_, temporary_;
  FileDescriptor file_;
};

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
                "{} is not compressed: its beginning is damaged, or its name is wrong", name);
  return {};
}

Status decrypt_file(const std::string& path, const std::vector<AgeIdentity>& identities,
                    bool keep_compressed, const std::optional<std::string>& output_path) {
  FileDescriptor file;
  if (path != "-") {
    EH_ASSIGN(file, open_file(path, O_RDONLY));
  }
  const std::string name = path == "-" ? "standard input" : path;
  auto opened = open_object(read_descriptor(path == "-" ? STDIN_FILENO : file.get(), name),
                            {identities, !keep_compressed});
  if (!opened) return tl::unexpected(std::move(opened).error());
  EH_TRY(check_name(path, *opened, keep_compressed));
  EH_ASSIGN(Output output, Output::open(output_path));
  EH_TRY(copy_stream(*opened->plain, [&](std::string_view bytes) { return output.write(bytes); }));
  return output.finish();
}

bool is_directory(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

// Where each input goes: one file, or below one directory, each under its plain name.
tl::expected<std::vector<std::optional<std::string>>, std::string> destinations(
    const Invocation& invocation) {
  const auto output = invocation.value("output");
  const bool directory = output && is_directory(*output);
  if (output && *output != "-" && !directory && invocation.words.size() > 1)
    return tl::unexpected(fmt::format("{} is not a directory, and {} files cannot go into one",
                                      *output, invocation.words.size()));
  if (output && output->ends_with('/') && !directory)
    return tl::unexpected(fmt::format("{} is not a directory: make it first", *output));
  std::vector<std::optional<std::string>> paths;
  std::set<std::string> taken;
  for (const std::string& input : invocation.words) {
    if (!directory) {
      paths.push_back(output);
      continue;
    }
    if (input == "-")
      return tl::unexpected<std::string>("standard input has no name to be given in a directory");
    paths.push_back(
        fmt::format("{}/{}", *output, plain_name(input, invocation.has("keep-compressed"))));
    if (!taken.insert(*paths.back()).second)
      return tl::unexpected(
          fmt::format("two files would become {}: give them one at a time", *paths.back()));
  }
  return paths;
}

int decrypt(const Invocation& invocation) {
  const auto outputs = destinations(invocation);
  if (!outputs) return usage_error("decrypt", outputs.error());
  const auto identities = read_identities(invocation);
  if (!identities) {
    complain(identities.error().message);
    return kExitUsage;
  }
  int code = kExitOk;
  for (std::size_t i = 0; i < invocation.words.size(); ++i) {
    const std::string& path = invocation.words[i];
    const Status done =
        decrypt_file(path, *identities, invocation.has("keep-compressed"), (*outputs)[i]);
    if (done) continue;
    std::string message = done.error().message;
    if (message.find(path) == std::string::npos && path != "-") message = path + ": " + message;
    if (done.error().code == ErrorCode::kAuth && identities->empty())
      message += ", in a file, with --identity FILE";
    complain(message);
    code = kExitFailed;
  }
  return code;
}

}  // namespace

Command decrypt_command() {
  return {.name = "decrypt",
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
              "  age -d -i fleet.age OBJECT.log.zst.age | zstd -dc",
          .options = {{"identity", "FILE",
                       "Secret keys (AGE-SECRET-KEY-1...), one a line. May be repeated", true},
                      {"output", "PATH",
                       "A file, or a directory: each object goes there without its .zst.age"},
                      {"keep-compressed", "", "Only decrypts"}},
          .examples =
              "edgehose decrypt --identity fleet.age app-*.log.zst.age | less\n"
              "edgehose decrypt --identity fleet.age --output plain/ objects/*.age",
          .exit_codes =
              "0  all of them were opened\n"
              "1  one or more could not be: no key fits, damaged, or not readable\n"
              "2  the command line is wrong, or an identity file is",
          .min_words = 1,
          .max_words = kAnyWords,
          .run = decrypt};
}

}  // namespace edgehose
