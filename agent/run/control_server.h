// The control socket: a unix stream socket. A client sends one line (control.h) and gets one
// answer, then the agent closes. The agent's main thread serves it between its other duties; no
// client can hold that up.
//
// Who may: whoever the socket's mode lets in (0660, group adm where there is one and we may give
// it) reads the status; only root and the agent's own user may change something.
//
// Bounds: kMaxClients at once (one more displaces the oldest), kMaxRequest bytes a line, kMaxAnswer
// an answer, kClientTime for each client and kChangeTime while a change is made. One who is silent
// for kSilence gets the status: releases before there were requests ask so.
//
// Threading: one thread.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/file.h"
#include "agent/base/result.h"
#include "agent/run/control.h"

namespace edgehose {

using ControlTicket = std::uint64_t;  // a client's, never reused

struct ControlHandlers {
  std::function<std::string()> status;  // JSON; at most once a call of serve()
  // Takes a change on; answer() is called when it is made.
  std::function<void(ControlTicket, const ControlChange&)> change;
  // Whether the config is taken on; answered at once.
  std::function<Result<ChangeReport>()> reload{};
};

class ControlServer {
 public:
  static constexpr std::size_t kMaxClients = 8;
  static constexpr std::size_t kMaxAnswer = 1 << 20;
  static constexpr Duration kClientTime = std::chrono::seconds(5);
  static constexpr Duration kChangeTime = std::chrono::seconds(30);
  static constexpr Duration kSilence = std::chrono::milliseconds(100);

  // Replaces the socket that a dead process left at `path`; kBusy where a live one answers there,
  // kInvalid where something else than a socket lies there or the path is too long for one.
  static Result<std::unique_ptr<ControlServer>> listen(const std::string& path, const Clock& clock);
  ~ControlServer();
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

  // Readable when serve() has something to do.
  int fd() const { return epoll_.get(); }
  // When serve() is due even if fd() is not readable. kNever: no client.
  Instant deadline() const;
  // Accepts, reads, sends, closes: what is possible at once.
  void serve(const ControlHandlers& handlers);
  // The outcome of a change; nothing where its client left.
  void answer(ControlTicket ticket, const Result<ChangeReport>& outcome);

  const std::string& path() const { return path_; }
  std::size_t clients() const { return clients_.size(); }

 private:
  enum class Step { kReading, kWaiting, kAnswering };
  struct Client {
    ControlTicket ticket = 0;
    FileDescriptor socket;
    bool may_change = false;
    Step step = Step::kReading;
    std::string request;
    std::shared_ptr<const std::string> answer;
    std::size_t sent = 0;
    Instant silent_until, deadline;
  };
  using MakeStatus = std::function<std::shared_ptr<const std::string>()>;

  ControlServer(std::string path, const Clock& clock) : path_(std::move(path)), clock_(clock) {}
  void accept_clients();
  bool advance(Client& client, const MakeStatus& status, const ControlHandlers& handlers);
  bool read_request(Client& client, bool& ended) const;
  void act(Client& client, std::string_view line, const MakeStatus& status,
           const ControlHandlers& handlers);
  bool send_more(Client& client) const;

  std::string path_;
  const Clock& clock_;
  FileDescriptor listener_;
  FileDescriptor epoll_;
  std::vector<Client> clients_;  // oldest first
  ControlTicket next_ticket_ = 1;
};

}  // namespace edgehose
