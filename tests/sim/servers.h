// The destinations, as their services' documents have it, without a network: what a request makes
// of them, and the answer. What arrived stays when the agent dies.
//
// Each violation of what a server may demand (another content under a name, a document twice) is
// told by a Broken.
//
// Threading: one thread.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "sinks/http_message.h"
#include "tests/sim/logs.h"

namespace edgehose::sim {

// The promise that does not hold, in words.
struct Broken {
  std::string what;
};

// How often each line is there, and what the server says of it all.
class Arrivals {
 public:
  void add(const Token& token) { ++count_[token]; }
  std::uint64_t of(const Token& token) const {
    const auto found = count_.find(token);
    return found == count_.end() ? 0 : found->second;
  }
  std::uint64_t lines() const { return count_.size(); }
  const std::map<Token, std::uint64_t>& all() const { return count_; }

 private:
  std::map<Token, std::uint64_t> count_;
};

// Objects under names: a bucket, and a directory. A name keeps its content for ever.
class Bucket {
 public:
  // `content`: the object as it was before it was compressed.
  void put(const std::string& key, const std::string& content);
  const Arrivals& arrivals() const { return arrivals_; }
  // Of each object the lines in their order.
  const std::map<std::string, std::vector<Token>>& objects() const { return objects_; }

 private:
  std::map<std::string, std::vector<Token>> objects_;
  Arrivals arrivals_;
};

// A search server: documents by id.
class Index {
 public:
  // Whether there is no room for an item at this moment.
  using Busy = std::function<bool()>;
  // A bulk request's answer. `shuffled`: its items come in another order, as OpenSearch's do.
  std::string bulk(const std::string& body, const Busy& busy, bool shuffled);
  const Arrivals& arrivals() const { return arrivals_; }

 private:
  std::map<std::string, Token> documents_;
  Arrivals arrivals_;
};

// A HEC with indexer acknowledgement. It takes an event, and indexes it later; a restart forgets
// what was not indexed, and counts anew on every channel.
class Collector {
 public:
  // HTTP status and body.
  struct Answer {
    int status = 200;
    std::string body;
  };
  Answer events(const std::string& channel, const std::string& body);
  Answer acks(const std::string& channel, const std::string& question);
  void index(std::size_t requests);  // the oldest, at most so many
  void restart();
  const Arrivals& arrivals() const { return arrivals_; }

 private:
  struct Pending {
    std::string channel;
    std::uint64_t id = 0;
    std::vector<Token> events;
  };
  std::deque<Pending> pending_;
  std::map<std::string, std::uint64_t> next_id_;            // by channel
  std::map<std::string, std::set<std::uint64_t>> indexed_;  // not asked for yet
  Arrivals arrivals_;
};

// What an object was before it was compressed, as its name says. Broken where it is no whole one.
std::string decompressed(const std::string& name, const std::string& bytes);

}  // namespace edgehose::sim
