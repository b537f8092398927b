// Errors are values: every call of ours that can fail returns Result<T> or Status.
//
// An Error says what happened, to what, and what to do; its code says how a caller may react.
// Programmer errors are not Errors: they abort (check.h). No exception leaves a file of ours: a
// library that throws is wrapped where it is called.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace edgehose {

enum class ErrorCode {
  kInvalid,      // the input is wrong: config, arguments, a file of another format
  kNotFound,     // a file, key or record is not there
  kPermission,   // the operating system refused it
  kIo,           // a read or write failed; may work later
  kFull,         // the buffer's limit, its quota or the disk's floor is reached
  kCorrupt,      // stored bytes fail their checksum, tag or grammar
  kBusy,         // another process holds it
  kUnsupported,  // understood, but not by this version or this machine
  kAuth,         // a key or credential is missing or does not fit
  kUnavailable,  // a peer or device is away; try later
  kCancelled,    // given up because the process stops
};

std::string_view name(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::kIo;
  int sys = 0;  // errno where an operating-system call failed, else 0
  std::string message;

  // "reading /var/log/a.log: " in front of the message.
  Error with_context(std::string_view what) &&;
};

template <class T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

template <class... Args>
tl::unexpected<Error> fail(ErrorCode code, fmt::format_string<Args...> format, Args&&... args) {
  return tl::unexpected<Error>(Error{code, 0, fmt::format(format, std::forward<Args>(args)...)});
}

// For a failed system call: maps errno to a code and appends strerror: "opening X: No such file".
Error errno_error(int sys, std::string_view what);
inline tl::unexpected<Error> fail_errno(int sys, std::string_view what) {
  return tl::unexpected<Error>(errno_error(sys, what));
}

// Passes an error on: EH_TRY(commit());
#define EH_TRY(expression)                                                     \
  do {                                                                         \
    if (auto eh_status_ = (expression); !eh_status_)                           \
      return tl::unexpected<::edgehose::Error>(std::move(eh_status_).error()); \
  } while (0)

#define EH_CONCAT_(a, b) a##b
#define EH_CONCAT(a, b) EH_CONCAT_(a, b)
// Takes the value or passes the error on: EH_ASSIGN(auto fd, open_file(path));
#define EH_ASSIGN(declaration, expression) \
  EH_ASSIGN_(EH_CONCAT(eh_result_, __LINE__), declaration, expression)
#define EH_ASSIGN_(result, declaration, expression)                                 \
  auto result = (expression);                                                       \
  if (!result) return tl::unexpected<::edgehose::Error>(std::move(result).error()); \
  declaration = std::move(*result)

}  // namespace edgehose
