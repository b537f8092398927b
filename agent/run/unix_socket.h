// What both ends of the control socket do with unix sockets.
#pragma once

#include <sys/un.h>

#include <string>

#include "agent/base/file.h"
#include "agent/base/result.h"

namespace edgehose {

// kInvalid: the path is too long for a socket.
Result<sockaddr_un> socket_address(const std::string& path);
// A stream socket that does not block.
Result<FileDescriptor> unix_socket();
// 0 or errno.
int connect_to(int fd, const sockaddr_un& address);

}  // namespace edgehose
