// The destinations, as their services' documents have it, without a network: what a request makes
// of them (services.h says how it is asked for, in HTTP). What arrived stays when the agent dies.
//
// Each violation of what a server may demand (another content under a name, a document twice, a
// part before the one that precedes it) is told by a Broken.
//
// Threading: one thread.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/sim/logs.h"
#include "tests/sim/plan.h"

namespace edgehose::sim {

// The promise that does not hold, in words.
struct Broken {
  std::string what;
};

// A defect that is put in on purpose, to see that it is found.
enum class Bug { kNone, kLoses, kDoubles, kLeaves };

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

// Objects under names: a bucket, and a directory. A name keeps its lines for ever; its bytes may be
// replaced by others that hold the same ones.
class Bucket {
 public:
  struct Object {
    std::vector<Token> tokens;  // of its lines, in their order
    std::uint64_t size = 0;     // of its bytes, compressed or not
    std::string checksum;       // CRC-64/NVME of them, as S3 writes it
  };
  using Upload = std::pair<std::string, std::string>;  // key, id

  explicit Bucket(Bug bug) : bug_(bug) {}

  void put(const std::string& key, const std::string& bytes);
  const Object* find(const std::string& key) const;

  // Uploads in parts. `follows`: it comes now, and not late, so all parts before it are there.
  std::string begin(const std::string& key);
  bool part(const Upload& upload, unsigned number, const std::string& bytes, bool follows);
  // Of the parts with these tags, from the first on; what S3 says where it does not come to that.
  std::optional<std::string_view> complete(const Upload& upload,
                                           const std::vector<std::string>& tags,
                                           const std::string& checksum);
  bool abort(const Upload& upload);
  std::vector<Upload> uploads(const std::string& prefix) const;

  const Arrivals& arrivals() const { return arrivals_; }
  const std::map<std::string, Object>& objects() const { return objects_; }

 private:
  void keep(const std::string& key, const std::string& bytes);

  const Bug bug_;
  std::uint64_t taken_ = 0, begun_ = 0;
  std::map<std::string, Object> objects_;
  std::map<Upload, std::map<unsigned, std::string>> uploads_;  // bytes by part
  Arrivals arrivals_;
};

// What S3 checks bytes against, and what it calls a part by.
std::string checksum_of(std::string_view bytes);
std::string tag_of(std::string_view bytes);

// A search server: documents by id. Whichever of its hosts is asked, it is the same.
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

// A HEC with indexer acknowledgement: one host of several. It takes an event, and indexes it later;
// a restart forgets what was not indexed, and counts anew on every channel.
class Collector {
 public:
  std::uint64_t take(const std::string& channel, const std::string& body);  // ackId
  bool knows(const std::string& channel) const { return channels_.contains(channel); }
  // Of these ids those that are indexed, each told once.
  std::set<std::uint64_t> acknowledged(const std::string& channel,
                                       const std::vector<std::uint64_t>& ids);
  void index(std::size_t requests, Arrivals& arrivals);  // the oldest, at most so many
  void restart();

 private:
  struct Pending {
    std::string channel;
    std::uint64_t id = 0;
    std::vector<Token> events;
  };
  std::deque<Pending> pending_;
  std::map<std::string, std::uint64_t> next_id_;            // by channel
  std::map<std::string, std::set<std::uint64_t>> indexed_;  // not asked for yet
  std::set<std::string> channels_;                          // that were ever used
};

struct Servers {
  Servers(Bug bug, const Setup& setup)
      : bucket(bug), directory(bug), collectors(setup.hosts), balanced(setup.balanced) {}
  Bucket bucket, directory;
  Index index;
  std::vector<Collector> collectors;  // by host
  const bool balanced;                // Setup::balanced
  Arrivals collected;                 // of all of them
};

// What an object was before it was compressed, as its name says. Broken where it is no whole one.
std::string decompressed(std::string_view name, const std::string& bytes);

}  // namespace edgehose::sim
