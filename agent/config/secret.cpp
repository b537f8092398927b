#include "agent/config/secret.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "agent/base/file.h"
#include "agent/base/grant.h"
#include "agent/config/value.h"

namespace edgehose {

Secret& Secret::operator=(const Secret& other) {
  if (this == &other) return *this;
  wipe();
  bytes_ = other.bytes_;
  return *this;
}

Secret::Secret(Secret&& other) noexcept : bytes_(other.bytes_) { other.wipe(); }

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this == &other) return *this;
  wipe();
  bytes_ = other.bytes_;
  other.wipe();
  return *this;
}

// A moved-from std::string may keep short contents in place, hence copies and wipes above.
void Secret::wipe() {
  explicit_bzero(bytes_.data(), bytes_.size());
  bytes_.clear();
}

namespace {

// Where a credential is: what the service manager passed, else the directory for those that can't.
std::string credential_path(const std::string& name) {
  const std::string fallback = std::string(SecretRef::kCredentialsFallback) + "/" + name;
  const char* directory = std::getenv("CREDENTIALS_DIRECTORY");
  if (directory == nullptr || *directory == '\0') return fallback;
  std::string passed = std::string(directory) + "/" + name;
  return ::access(passed.c_str(), F_OK) == 0 ? passed : fallback;
}

// What to do where there is none, and what else than to let this user read it.
Result<Secret> read_secret_file(const std::string& path, std::string_view what_to_do,
                                std::string_view or_else = {}) {
  auto bytes = read_file(path, SecretRef::kMaxBytes);
  if (!bytes) {
    Error error = std::move(bytes).error();
    const std::string grant = fmt::format(
        "let this user read it: setfacl -m u:{}:r {} (package acl){}", this_user(), path, or_else);
    error.message = fmt::format("secret not read: {}; {}", error.message,
                                error.sys == EACCES ? grant : what_to_do);
    return tl::unexpected(std::move(error));
  }
  Secret secret(*bytes);
  explicit_bzero(bytes->data(), bytes->size());
  if (secret.empty()) return fail(ErrorCode::kInvalid, "secret file {} is empty", path);
  return secret;
}

}  // namespace

Result<Secret> SecretRef::read() const {
  switch (kind) {
    case Kind::kNone: return fail(ErrorCode::kNotFound, "no secret is configured");
    case Kind::kPlain: return plain;
    case Kind::kFile:
      return read_secret_file(where, "create it, readable by the service's user alone (mode 0400)");
    case Kind::kEnv: {
      const char* value = std::getenv(where.c_str());
      if (value != nullptr && *value != '\0') return Secret(value);
      return fail(ErrorCode::kNotFound,
                  "secret not read: the environment variable {} is {}; set it", where,
                  value == nullptr ? "not set" : "empty");
    }
    case Kind::kCredential:
      return read_secret_file(
          credential_path(where),
          fmt::format(
              "pass the credential \"{0}\" with LoadCredential={0}:PATH in the unit (the drop-in "
              "credentials.conf), or put it into {1}/{0}",
              where, kCredentialsFallback),
          ", or have systemd pass it to the service: the drop-in credentials.conf");
  }
  return fail(ErrorCode::kInvalid, "no secret is configured");
}

Result<Secret> SecretRef::read_text() const {
  EH_ASSIGN(const Secret secret, read());
  std::string_view text = secret.reveal();
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text.ends_with('\r')) text.remove_suffix(1);
  if (text.empty())
    return fail(ErrorCode::kInvalid, "the secret {} is an empty line", this->text());
  return Secret(text);
}

std::string SecretRef::text() const {
  const auto in = [&](const char* key) {
    return fmt::format("{{ {} = {} }}", key, config::quote(where));
  };
  switch (kind) {
    case Kind::kNone: return {};
    case Kind::kFile: return in("file");
    case Kind::kEnv: return in("env");
    case Kind::kCredential: return in("credential");
    case Kind::kPlain: break;
  }
  return "\"***\"";
}

std::optional<std::string> SecretRef::exposure() const {
  if (kind == Kind::kPlain)
    return "a secret is written in the config itself; keep it in { file = \"...\" }, readable by "
           "the "
           "service's user alone";
  if (kind != Kind::kFile && kind != Kind::kCredential) return std::nullopt;
  const std::string path = kind == Kind::kFile ? where : credential_path(where);
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0 || (info.st_mode & S_IROTH) == 0) return std::nullopt;
  return fmt::format("the secret file {} can be read by every user of this machine; chmod o= {}",
                     path, path);
}

}  // namespace edgehose
