#include "sinks/directory/directory_sink.h"

#include <algorithm>
#include <cerrno>

#include "agent/base/text.h"
#include "sinks/directory/directory_tree.h"
#include "sinks/directory/portable_name.h"
#include "sinks/object/object_encoder.h"

namespace edgehose {
namespace {

constexpr std::size_t kMaxPortablePartBytes = 24;  // two of them and the rest: kMaxPortableBytes
constexpr std::size_t kShortestCut = 16;
constexpr Duration kProbeEvery = std::chrono::seconds(5);

// What is remembered of the destination: "type=ef53 fsid=... names=portable".
struct Memory {
  std::string filesystem;  // identity; empty: nothing was delivered yet
  bool portable = false;   // the file system has refused a name

  static constexpr std::string_view kPortable = "names=portable";
  static Memory of(std::string_view note) {
    const bool portable = note.ends_with(kPortable);
    if (portable) note.remove_suffix(kPortable.size());
    while (note.ends_with(' ')) note.remove_suffix(1);
    return {std::string(note), portable};
  }
  std::string note() const {
    if (!portable) return filesystem;
    return filesystem + (filesystem.empty() ? "" : " ") + std::string(kPortable);
  }
};

// No file system takes a longer name, and a claim that was made with one keeps it.
Status check_length(const std::string& key) {
  constexpr std::size_t kMaxNameBytes = 255;
  for (std::size_t begin = 0; begin < key.size();) {
    const std::size_t end = std::min(key.find('/', begin), key.size());
    if (end - begin > kMaxNameBytes)
      return fail(ErrorCode::kInvalid,
                  "prefix: it makes the name {}... of {} bytes; {} are possible between "
                  "two '/'",
                  key.substr(begin, 40), end - begin, kMaxNameBytes);
    begin = end + 1;
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<DirectorySink>> DirectorySink::create(const DirectoryConfig& config,
                                                             const ObjectContext& context,
                                                             std::vector<std::string>& warnings) {
  EH_ASSIGN(const ObjectRendering rendering, config.object.rendering(context.agent));
  EH_ASSIGN(ObjectNames names, ObjectNames::compile(config.object, context, rendering, warnings));
  std::unique_ptr<DirectorySink> sink(
      new DirectorySink(config, context.agent, std::move(names), rendering));
  BatchOutline sample;
  sample.source = "source";
  sample.replay = "00000000";
  EH_TRY(check_length(sink->key(sample, "")));
  return sink;
}

DirectorySink::DirectorySink(DirectoryConfig config, std::string agent, ObjectNames names,
                             const ObjectRendering& rendering)
    : config_(std::move(config)),
      agent_(std::move(agent)),
      names_(std::move(names)),
      rendering_(serialize_rendering(rendering)) {}

std::string DirectorySink::key(const BatchOutline& batch, const std::string& note) const {
  const bool portable = Memory::of(note).portable;
  const auto [prefix, name] =
      names_.name(batch, portable ? kMaxPortablePartBytes : ObjectNames::kMaxPartBytes);
  if (!portable) return prefix + name;
  // A prefix may end in the beginning of the file's own name.
  const std::size_t room = kMaxPortableBytes - std::min(name.size(), kMaxPortableBytes);
  return portable_path(prefix, std::max(room, kShortestCut)) + name;
}

std::string DirectorySink::recorded_filesystem(const std::string& note) {
  return Memory::of(note).filesystem;
}

std::vector<std::string> DirectorySink::own_files() const {
  const auto digits = [](int count, std::string_view one = "[0-9]") {
    std::string all;
    while (count-- > 0) all += one;
    return all;
  };
  const auto object = [&](std::string_view agent) {
    return fmt::format("*-{}T{}Z-{}-{}-{}*-{}*.*", digits(8), digits(6), agent,
                       digits(32, "[0-9a-f]"), digits(12), digits(12));
  };
  const std::string below = quote_glob(config_.path) + "/**/";
  return {object(object_name_part(agent_, ObjectNames::kMaxPartBytes)),
          object(object_name_part(agent_, kMaxPortablePartBytes)), below + object("*"),
          below + ".*.tmp"};
}

Request DirectorySink::request(const Batch& batch, const std::string& note,
                               std::shared_ptr<ByteSource> body) const {
  return FileRequest{config_.path, batch.claim.key, Memory::of(note).filesystem, std::move(body)};
}

Verdict DirectorySink::judge(const Batch& batch, const Response& response) const {
  const auto& file = std::get<FileResponse>(response);
  if (file.status) return Delivered{};
  const Error& error = file.status.error();
  const bool needs_person =
      file.missing || file.other_filesystem || error.code == ErrorCode::kPermission ||
      error.code == ErrorCode::kInvalid || error.sys == EROFS || error.sys == ENOTDIR;
  if (file.name_refused) {
    const std::string part = unportable_part(batch.claim.key);
    return KeyRefused{part.empty() ? error.message : error.message + ": " + part};
  }
  if (file.other_filesystem)
    return Park{fmt::format("{}, or accept the new one: edgehose buffer confirm {} --yes",
                            error.message, name()),
                kProbeEvery};
  // A look at a directory costs nothing: a stick that is put back is used within seconds.
  const std::string reason = error.message + what_to_do(file);
  if (needs_person) return Park{reason, kProbeEvery};
  return Retry{reason, {}, file.renamed};
}

// Behind what the system says, which is no help by itself.
std::string DirectorySink::what_to_do(const FileResponse& file) const {
  switch (file.status.error().sys) {
    case EACCES: return how_to_let_in(file.refusing.empty() ? config_.path : file.refusing);
    case EROFS:
      // The shipped unit may write nowhere but where it is told to.
      return fmt::format(
          "; let the service write there: systemctl edit edgehose: [Service] ReadWritePaths={}{}, "
          "then restart it; or, where the file system is mounted read-only: mount -o remount,rw it",
          is_below_mount_points(config_.path) ? "-" : "", config_.path);
    case ENOSPC:
    case EDQUOT: return "; make room there";
    default: return {};
  }
}

std::string DirectorySink::how_to_let_in(const std::string& refusing) const {
  const bool above = refusing.size() < config_.path.size() && config_.path.starts_with(refusing);
  if (!above) return "; " + how_to_grant_writing(refusing, user_);
  return fmt::format(
      "; open the way with: setfacl -m u:{0}:x {1} (package acl), or, if {2} is not there, make it "
      "with: install -d -o {0} {2}",
      user_, refusing, config_.path);
}

std::optional<std::string> DirectorySink::learn(const std::string& note,
                                                const Response& response) const {
  const auto& file = std::get<FileResponse>(response);
  Memory memory = Memory::of(note);
  memory.portable = memory.portable || file.name_refused;
  // A refused name proves nothing about the medium.
  if (memory.filesystem.empty() && file.status) memory.filesystem = file.filesystem;
  if (memory.note() == note) return std::nullopt;
  return memory.note();
}

}  // namespace edgehose
