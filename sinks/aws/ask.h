// What finding credentials asks of the world, and what the world answers: plain values. Whoever
// carries them out (an HTTP client, the file system, a child process) needs to know nothing of AWS.
//
// Threading: values. Answers hold secrets: Conversation wipes those that it keeps.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "agent/base/result.h"
#include "agent/base/types.h"
#include "sinks/http_message.h"

namespace edgehose::aws {

// Paths of PEM files: who we are to a server that asks for a certificate.
struct ClientCertificate {
  std::string certificate;
  std::string private_key;
  std::string ca_file{};  // whom to trust; empty: whom the system trusts
};

struct HttpAsk {
  std::string method;
  std::string url;                    // sent as it is; its host is also what TLS asks for (SNI)
  std::vector<HttpHeader> headers{};  // beside Host and Content-Length
  std::string body{};
  Duration connect_timeout = std::chrono::seconds(10);
  Duration total_timeout = std::chrono::seconds(30);
  std::size_t response_limit = 64 << 10;    // bytes of the body; more is a problem
  ClientCertificate client{};               // empty paths: none
  bool direct = false;                      // an address of this machine's own link: no proxy
  Duration wait_before = Duration::zero();  // a repetition's back-off
};

struct HttpAnswer {
  int status = 0;  // 0: no answer
  std::string body{};
  std::string problem{};  // why there is none, for people: "timed out"
  std::string date{};     // its Date; empty: none, or not over TLS with a verified certificate
};

struct FileAsk {
  std::string path;
  std::size_t limit = 1 << 20;  // bytes; a longer file is an error
};
using FileAnswer = Result<std::string>;

// Runs a program without a shell, with the agent's environment and no input.
struct CommandAsk {
  std::vector<std::string> arguments;   // the program first; searched in PATH
  std::size_t output_limit = 64 << 10;  // bytes of standard output; more is a problem
  Duration timeout = std::chrono::seconds(60);
};

struct CommandAnswer {
  int exit_code = 0;
  std::string output{};
  std::string problem{};  // why it did not run to its end, for people; empty: it did
};

using Ask = std::variant<HttpAsk, FileAsk, CommandAsk>;
using Answer = std::variant<HttpAnswer, FileAnswer, CommandAnswer>;

}  // namespace edgehose::aws
