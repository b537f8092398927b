#include "agent/base/result.h"

#include <cerrno>
#include <system_error>

namespace edgehose {

std::string_view name(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalid: return "invalid";
    case ErrorCode::kNotFound: return "not found";
    case ErrorCode::kPermission: return "permission";
    case ErrorCode::kIo: return "i/o";
    case ErrorCode::kFull: return "full";
    case ErrorCode::kCorrupt: return "corrupt";
    case ErrorCode::kBusy: return "busy";
    case ErrorCode::kUnsupported: return "unsupported";
    case ErrorCode::kAuth: return "auth";
    case ErrorCode::kUnavailable: return "unavailable";
    case ErrorCode::kCancelled: return "cancelled";
  }
  return "unknown";
}

Error Error::with_context(std::string_view what) && {
  message = fmt::format("{}: {}", what, message);
  return std::move(*this);
}

namespace {
ErrorCode code_of(int sys) {
  switch (sys) {
    case ENOENT:
    case ENOTDIR:
    case ENODEV: return ErrorCode::kNotFound;
    case EACCES:
    case EPERM: return ErrorCode::kPermission;
    case ENOSPC:
    case EDQUOT: return ErrorCode::kFull;
    case EBUSY:
    case EAGAIN: return ErrorCode::kBusy;
    case EINVAL:
    case ENAMETOOLONG: return ErrorCode::kInvalid;
    case ENOSYS:
    case EOPNOTSUPP: return ErrorCode::kUnsupported;
    default: return ErrorCode::kIo;  // EIO, EROFS, EMFILE ...: may work later
  }
}
}  // namespace

Error errno_error(int sys, std::string_view what) {
  return Error{code_of(sys), sys,
               fmt::format("{}: {}", what, std::generic_category().message(sys))};
}

}  // namespace edgehose
