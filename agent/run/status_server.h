// The status socket: a unix stream socket that answers every connection with one text and closes
// it. The daemon's main thread serves it between its other duties; no client can hold that up.
//
// Bounds: kMaxClients at once (one more displaces the oldest), kClientTime for each, kMaxAnswer
// bytes an answer; nothing a client sends is read.
//
// Threading: one thread. Permissions: mode 0660, group adm where there is one and we may give it.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/file.h"
#include "agent/base/result.h"

namespace edgehose {

class StatusServer {
 public:
  static constexpr std::size_t kMaxClients = 8;
  static constexpr std::size_t kMaxAnswer = 1 << 20;
  static constexpr Duration kClientTime = std::chrono::seconds(5);

  // Replaces the socket that a dead process left at `path`; kBusy where a live one answers there,
  // kInvalid where something else than a socket lies there or the path is too long for one.
  static Result<std::unique_ptr<StatusServer>> listen(const std::string& path, const Clock& clock);
  ~StatusServer();
  StatusServer(const StatusServer&) = delete;
  StatusServer& operator=(const StatusServer&) = delete;

  // Readable when serve() has something to do.
  int fd() const { return epoll_.get(); }
  // When serve() is due even if fd() is not readable: the oldest client's time is up. kNever: no
  // client.
  Instant deadline() const;
  // Accepts, sends, closes: what is possible at once. make_json is called at most once, and only
  // for a client.
  void serve(const std::function<std::string()>& make_json);

  const std::string& path() const { return path_; }
  std::size_t clients() const { return clients_.size(); }

 private:
  struct Client {
    FileDescriptor socket;
    std::shared_ptr<const std::string> answer;
    std::size_t sent = 0;
    Instant deadline;
  };

  StatusServer(std::string path, const Clock& clock) : path_(std::move(path)), clock_(clock) {}
  void accept_clients(const std::function<std::string()>& make_json);
  bool send_more(Client& client) const;  // false: done with it

  std::string path_;
  const Clock& clock_;
  FileDescriptor listener_;
  FileDescriptor epoll_;
  std::vector<Client> clients_;  // oldest first
};

// Connects and reads the answer. kNotFound: nobody listens there; kPermission: ask as root or as a
// member of adm; kUnavailable: no whole answer within `patience`.
Result<std::string> ask_status(const std::string& path,
                               Duration patience = std::chrono::seconds(5));

}  // namespace edgehose
