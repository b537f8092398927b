// Secrets: where one is kept (SecretRef, what a config holds), and the bytes themselves (Secret,
// short-lived, wiped). A SecretRef is read when it is needed, so that a rotated file is seen.
//
//   key = { file = "/etc/edgehose/buffer.key" }
//   key = { env = "BUFFER_KEY" }
//   key = { credential = "buffer-key" }   $CREDENTIALS_DIRECTORY/buffer-key (systemd's
//                                         LoadCredential=), else
//                                         /etc/edgehose/credentials/buffer-key
//
// Errors name the place and what to do, never the content. Neither type has an operator<< or a
// fmt formatter, so that a secret in a message does not compile.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "agent/base/result.h"

namespace edgehose {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string_view bytes) : bytes_(bytes) {}
  Secret(const Secret&) = default;
  Secret& operator=(const Secret& other);
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  ~Secret() { wipe(); }

  std::string_view reveal() const { return bytes_; }
  bool empty() const { return bytes_.empty(); }

 private:
  void wipe();
  std::string bytes_;
};

struct SecretRef {
  static constexpr std::size_t kMaxBytes = 64 << 10;
  static constexpr const char* kCredentialsFallback = "/etc/edgehose/credentials";

  enum class Kind { kNone, kFile, kEnv, kCredential, kPlain };
  Kind kind = Kind::kNone;
  std::string where;  // path, variable or credential name; empty for kPlain
  Secret plain;       // written in the config itself; only where the field allows it

  bool set() const { return kind != Kind::kNone; }
  Result<Secret> read() const;       // the bytes as they are
  Result<Secret> read_text() const;  // without the line end that editors leave
  std::string text() const;          // "{ file = \"...\" }"; a plain one is "\"***\""
  // A warning where other users of this machine can read it.
  std::optional<std::string> exposure() const;
};

}  // namespace edgehose
