#include "sinks/aws/search.h"

namespace edgehose::aws {
namespace {

Status read_one(Search& search, SharedFile kind, const char* variable, const char* usual) {
  std::string path = search.env.get(variable);
  path = search.env.home_path(path.empty() ? usual : path);
  if (path.empty()) return {};
  auto content = search.talk.file({.path = path});
  if (!content && content.error().code == ErrorCode::kNotFound) return {};
  if (!content) return tl::unexpected(std::move(content).error());
  return add_shared_file(search.files, kind, *content, path);
}

}  // namespace

Status Search::read_files() {
  EH_TRY(read_one(*this, SharedFile::kConfig, "AWS_CONFIG_FILE", "~/.aws/config"));
  return read_one(*this, SharedFile::kCredentials, "AWS_SHARED_CREDENTIALS_FILE",
                  "~/.aws/credentials");
}

std::string Search::setting(const char* variable, const char* name) const {
  std::string value = env.get(variable);
  return value.empty() ? property(files.profile(profile), name) : value;
}

Search make_search(Conversation& talk, const Environment& env, std::string profile,
                   std::string region) {
  if (profile.empty()) profile = env.get("AWS_PROFILE");
  if (profile.empty()) profile = "default";
  return {talk, env, std::move(profile), std::move(region)};
}

std::string known_region(const Search& search) {
  if (!search.region.empty()) return search.region;
  const std::string region = search.env.get("AWS_REGION");
  return region.empty() ? search.setting("AWS_DEFAULT_REGION", "region") : region;
}

}  // namespace edgehose::aws
