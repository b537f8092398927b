#include "agent/commands/load.h"

#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "agent/base/log.h"
#include "agent/commands/service_unit.h"
#include "agent/commands/service_user.h"
#include "agent/run/agent.h"
#include "agent/run/registry.h"

namespace edgehose {
namespace {

enum class Access { kRead, kWrite };

OpenedBuffer open_buffer(const Invocation& invocation, Access access, Needs needs) {
  OpenedBuffer opened;
  opened.clock = make_system_clock();
  opened.config = load_or_complain(invocation, needs);
  if (!opened.config) {
    opened.code = kExitUsage;
    return opened;
  }
  auto options =
      store_options(opened.config->config, access == Access::kRead ? &opened.unread : nullptr);
  if (!options) {
    opened.code = failed(options.error());
    return opened;
  }
  options->sets_aside = false;  // that is for `run`
  if (access == Access::kWrite) {
    const Status became = become_owner_of(options->directory);
    if (!became) {
      opened.code = failed(became.error());
      return opened;
    }
  }
  auto store = access == Access::kRead ? Store::open_read_only(*options, *opened.clock)
                                       : Store::open(*options, *opened.clock);
  if (store) {
    opened.store = std::move(*store);
  } else if (access == Access::kWrite && store.error().code == ErrorCode::kBusy) {
    opened.code = kExitFailed;
    opened.busy = store.error();
  } else {
    opened.code = failed(with_advice(store.error(), options->directory));
  }
  return opened;
}

}  // namespace

Status OpenedBuffer::opens_what_is_sealed() const {
  if (unread.empty() || store->keys_fit()) return {};
  Error error = unread.front();
  error.message = "what is asked for is encrypted: " + error.message;
  return tl::unexpected(std::move(error));
}

LoadOptions load_options(const Invocation& invocation, Needs needs) {
  LoadOptions options;
  options.path = invocation.value("config").value_or(options.path);
  options.sets = invocation.values("set");
  options.try_secrets = needs == Needs::kAll;
  options.need_variables = needs != Needs::kBuffer;
  if (needs != Needs::kAll) options.service = read_service_unit().grants();
  return options;
}

std::string absolute_config(const Invocation& invocation) {
  const std::string path = load_options(invocation, Needs::kAll).path;
  std::error_code none;
  const auto absolute = std::filesystem::absolute(path, none);
  return none ? path : absolute.lexically_normal().string();
}

std::optional<LoadedConfig> load_or_complain(const Invocation& invocation, Needs needs,
                                             const std::vector<ConfigText>& texts) {
  LoadOptions options = load_options(invocation, needs);
  options.texts = texts;
  auto loaded = load_config(options, make_schema());
  if (!loaded) {
    for (const config::Problem& problem : loaded.error().errors) complain(problem.text());
    return std::nullopt;
  }
  if (!invocation.has("log-level")) log::set_level(loaded->config.agent.log_level);
  return *std::move(loaded);
}

Error with_advice(Error error, const std::string& data_dir) {
  // What is in a closed directory seems not to be there.
  if (error.code == ErrorCode::kNotFound && ::access(data_dir.c_str(), X_OK) != 0 &&
      errno == EACCES)
    error = errno_error(EACCES, "opening " + data_dir);
  if (error.sys == EROFS)
    error.message +=
        "; mount its file system writable (mount -o remount,rw), or put agent.data_dir elsewhere";
  if (error.code != ErrorCode::kPermission || error.message.find(data_dir) == std::string::npos)
    return error;
  const auto owner = owner_of(data_dir);
  const std::string who =
      owner ? fmt::format("{0} (sudo -u {0} edgehose ...)", owner->name) : "whoever it is";
  error.message += fmt::format("; run this as the owner of {}: {}", data_dir, who);
  return error;
}

OpenedBuffer open_for_reading(const Invocation& invocation, Needs needs) {
  return open_buffer(invocation, Access::kRead, needs);
}
OpenedBuffer open_for_writing(const Invocation& invocation) {
  return open_buffer(invocation, Access::kWrite, Needs::kValues);
}

}  // namespace edgehose
