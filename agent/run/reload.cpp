#include "agent/run/reload.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "agent/base/clock.h"
#include "agent/base/file.h"
#include "agent/base/json.h"
#include "agent/base/log.h"
#include "agent/base/process.h"

namespace edgehose {
namespace {

constexpr const char* kVariable = "EDGEHOSE_HANDOVER";  // a file descriptor's number
constexpr std::size_t kMaxBytes = 64 << 20;
constexpr std::size_t kMaxArguments = 1 << 20;

Json texts_json(const std::vector<ConfigText>& texts) {
  Json json = Json::array();
  for (const ConfigText& file : texts) json.push_back({{"path", file.path}, {"text", file.text}});
  return json;
}

std::vector<ConfigText> texts_from(const Json& json) {
  std::vector<ConfigText> texts;
  for (const Json& file : json)
    texts.push_back({file.at("path").get<std::string>(), file.at("text").get<std::string>()});
  return texts;
}

// In memory, so that nothing of a config lies around, and read from its beginning.
Result<FileDescriptor> keep(const std::string& bytes) {
  FileDescriptor file(::memfd_create("edgehose-handover", MFD_CLOEXEC));
  if (!file.valid()) return fail_errno(errno, "making a file in memory");
  EH_TRY(write_all(file.get(), bytes, "a file in memory"));
  if (::lseek(file.get(), 0, SEEK_SET) != 0 || ::fcntl(file.get(), F_SETFD, 0) != 0)
    return fail_errno(errno, "a file in memory");
  return file;
}

// Whatever a library left without FD_CLOEXEC would be kept open for ever.
void close_at_exec_all_but(int kept) {
  const std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir("/proc/self/fd"), ::closedir);
  if (!open) return;
  while (const dirent* entry = ::readdir(open.get())) {
    int fd = -1;
    std::from_chars(entry->d_name, entry->d_name + std::strlen(entry->d_name), fd);
    if (fd > STDERR_FILENO && fd != kept) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  }
}

Result<std::vector<std::string>> own_arguments() {
  EH_ASSIGN(const std::string line, read_file("/proc/self/cmdline", kMaxArguments));
  std::vector<std::string> words;
  for (std::size_t at = 0; at < line.size();) {
    words.emplace_back(line.c_str() + at);
    at += words.back().size() + 1;
  }
  return words;
}

}  // namespace

std::string to_bytes(const Handover& handover) {
  const Json json = {{"config", texts_json(handover.config)},
                     {"before", texts_json(handover.before)},
                     {"count", handover.reload.count},
                     {"refused", handover.reload.refused},
                     {"refused_at", handover.reload.refused_at.value}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<Handover> parse_handover(std::string_view bytes) {
  try {
    const Json json = Json::parse(bytes);
    Handover handover;
    handover.config = texts_from(json.at("config"));
    handover.before = texts_from(json.at("before"));
    json.at("count").get_to(handover.reload.count);
    json.at("refused").get_to(handover.reload.refused);
    json.at("refused_at").get_to(handover.reload.refused_at.value);
    return handover;
  } catch (const std::exception& e) {
    return fail(ErrorCode::kInvalid, "what a reload left behind cannot be read: {}", e.what());
  }
}

std::optional<Handover> take_handover() {
  const char* const variable = std::getenv(kVariable);
  if (variable == nullptr) return std::nullopt;
  int fd = -1;
  std::from_chars(variable, variable + std::strlen(variable), fd);
  ::unsetenv(kVariable);
  if (fd <= STDERR_FILENO) return std::nullopt;
  const FileDescriptor file(fd);
  auto bytes = read_file(fmt::format("/proc/self/fd/{}", fd), kMaxBytes);
  auto handover = bytes ? parse_handover(*bytes) : tl::unexpected(bytes.error());
  if (handover) return *std::move(handover);
  log::error("reload: {}; the config is read from its files", handover.error().message);
  return std::nullopt;
}

Error start_anew(const Handover& handover) {
  const auto start = [&]() -> Status {
    EH_ASSIGN(std::vector<std::string> words, own_arguments());
    EH_ASSIGN(const FileDescriptor file, keep(to_bytes(handover)));
    if (::setenv(kVariable, std::to_string(file.get()).c_str(), 1) != 0)
      return fail_errno(errno, "passing the config on");
    close_at_exec_all_but(file.get());
    ::execv(own_program().c_str(), argument_list(words).data());
    return fail_errno(errno, "starting this program anew");
  };
  return start().error().with_context("reload: ");
}

Error go_back(const Handover& handed, Error why) {
  if (handed.before.empty()) return why;
  log::error("reload: a start with the new config fails, the one before it runs again: {}",
             why.message);
  Handover back{handed.before, {}, handed.reload};
  back.reload.refused = why.message;
  back.reload.refused_at = make_system_clock()->wall();
  return start_anew(back);
}

}  // namespace edgehose
