// The sockets of an HttpClient: how they are opened, how far the peer has acknowledged, and what
// they cost on the wire, TLS, headers and what TCP sent again included (the payload of TCP; its own
// and IP's headers are not).
//
// Threading: the thread of its client.
#pragma once

#include <cstdint>
#include <unordered_set>

#include "agent/base/wire_bytes.h"

namespace edgehose {

struct SocketProgress {
  std::uint64_t moved = 0;  // acknowledged by the peer, or received from it
  std::uint64_t received = 0;
  bool all_acknowledged = false;
};

class Sockets {
 public:
  // A TCP socket that dies with its peer: what is not acknowledged for 60 s, or a peer that does
  // not answer keep-alive probes for as long, ends the connection. Little waits in the kernel
  // unsent. -1: it cannot be had (errno).
  int open(int family, int type, int protocol);
  void close(int fd);
  static SocketProgress progress(int fd);
  WireBytes total() const;  // of all sockets so far

 private:
  std::unordered_set<int> open_;
  WireBytes closed_;
};

}  // namespace edgehose
