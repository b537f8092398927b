// edgehose key new: keys for objects (age) and for the buffer.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ctime>

#include "agent/base/clock.h"
#include "agent/base/file.h"
#include "agent/base/text.h"
#include "agent/commands/table.h"
#include "buffer/keys.h"
#include "sinks/object/age/keys.h"

namespace edgehose {
namespace {

// Never over what is there: the old key may be all that opens something.
Status write_new_file(const std::string& path, std::string_view content) {
  auto file = open_file(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
  if (!file && file.error().sys == EEXIST)
    return fail(
        ErrorCode::kInvalid,
        "{} exists and is not overwritten: what is encrypted to its key could never be read again",
        path);
  if (!file) return tl::unexpected(std::move(file.error()));
  Status written = write_all(file->get(), content, path);
  if (written && ::fsync(file->get()) != 0)
    written = fail_errno(errno, fmt::format("syncing {}", path));
  if (!written) ::unlink(path.c_str());
  return written;
}

// A redirection makes its file as the umask says, mostly readable by all. It is not ours to change.
void warn_of_readers() {
  struct stat info {};
  if (::fstat(STDOUT_FILENO, &info) != 0 || !S_ISREG(info.st_mode) || (info.st_mode & 077) == 0)
    return;
  complain(
      fmt::format("warning: the key goes to a file that others may open (mode {:04o}): chmod "
                  "600 it, or use --output FILE",
                  info.st_mode & 07777));
}

// To a file, or to standard output where there is none; `about` goes to standard error.
int hand_out(const std::optional<std::string>& path, std::string_view content,
             std::string_view about) {
  const Status written =
      path ? write_new_file(*path, content) : write_all(STDOUT_FILENO, content, "standard output");
  if (!written) return failed(written.error());
  if (!path) warn_of_readers();
  fmt::print(stderr, "{}", about);
  return kExitOk;
}

int new_age_key(const std::optional<std::string>& path) {
  const auto identity = AgeIdentity::generate();
  if (!identity) return failed(identity.error());
  const std::string recipient = identity->recipient().to_string();
  const auto clock = make_system_clock();
  std::string content = fmt::format("# created: {}\n# public key: {}\n{}\n",
                                    format_wall(clock->wall()), recipient, identity->to_string());
  const int code = hand_out(
      path, content,
      fmt::format("Keep the secret key away from the device; its sinks need only the public one:\n"
                  "  encrypt = {{ age = [\"{}\"] }}\n",
                  recipient));
  if (path && code == kExitOk) fmt::print("{}\n", recipient);
  ::explicit_bzero(content.data(), content.size());
  return code;
}

int new_buffer_key(const std::optional<std::string>& path) {
  auto key = make_wrapping_key();
  if (!key) return failed(key.error());
  const int code =
      hand_out(path, *key,
               fmt::format("In the config, newest first, and readable by the agent's user:\n"
                           "  [buffer]\n  encryption_keys = [{{ file = \"{}\" }}]\n",
                           path.value_or("FILE")));
  ::explicit_bzero(key->data(), key->size());
  return code;
}

int key_new(const Invocation& invocation) {
  const bool age = invocation.has("age");
  if (age == invocation.has("buffer"))
    return usage_error("key new", "say which: --age for objects, or --buffer for the buffer");
  const auto path = invocation.value("output");
  return age ? new_age_key(path) : new_buffer_key(path);
}

}  // namespace

Command key_new_command() {
  return {.name = "key new",
          .arguments = "",
          .summary = "makes a key for objects (age) or for the buffer",
          .description =
              "--age makes a key pair: objects are encrypted to its public key (age1...), and\n"
              "only its secret key opens them. Make it where the objects will be read, not on\n"
              "the device. The age tool reads the same file. With --output the public key is\n"
              "printed.\n"
              "\n"
              "--buffer makes the key that encrypts the buffer at rest: 64 hexadecimal digits.\n"
              "\n"
              "A file is written with mode 0600; one that exists is never overwritten. Where\n"
              "standard output is a file that others may open, a warning says so.",
          .options = {{"age", "", "An age identity"},
                      {"buffer", "", "A key for [buffer] encryption_keys"},
                      {"output", "FILE", "Where it goes (default: standard output)"}},
          .examples =
              "edgehose key new --age --output fleet.age\n"
              "edgehose key new --buffer --output /etc/edgehose/buffer.key",
          .exit_codes = {},
          .run = key_new};
}

}  // namespace edgehose
