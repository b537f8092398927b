// Logs that programs of the device write: real files in a directory, with rotations, and the
// knowledge of every line that was ever written, whose name is its token.
//
// Threading: one thread.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/types.h"

namespace edgehose::sim {

// "<<app:17>>": stands once in every line, and nowhere else.
using Token = std::string;
// All tokens of a text, in their order.
std::vector<Token> tokens_in(std::string_view text);

// 17: lines of a source are numbered as they are written.
std::uint64_t number_of(const Token& token);

// A line that its destination never takes.
bool is_poison(const Token& token);

class Logs {
 public:
  Logs(std::string directory, unsigned sources);

  static std::string source_name(unsigned source) { return source == 0 ? "app" : "web"; }
  std::string path(unsigned source) const;

  // `pad`: bytes beside the token; the wall clock gives the file its time.
  void write(unsigned source, unsigned lines, unsigned pad, WallTime now);
  // By renaming: app.log becomes app.log.1, that one app.log.2, and so on.
  void rotate(unsigned source, WallTime now);
  void copy_truncate(unsigned source, WallTime now);
  // The oldest rotation; false: there is none.
  bool remove_oldest(unsigned source);
  // Of each file a part of what was not synced is gone, and its last line may be torn. `choice`
  // picks where. `positions`, by inode: how far the agent says that it has read; Broken where that
  // is not all there any more.
  void cut_power(std::uint64_t choice, const std::map<std::uint64_t, std::uint64_t>& positions);

  // Lines that files still hold, whole, with their end.
  std::set<Token> held() const;
  const std::set<Token>& written() const { return written_; }
  // Lines of which a power cut left a beginning: what is there of them may arrive.
  const std::set<Token>& torn() const { return torn_; }
  // Whether it is of a source of which a power cut once made a copy shorter than what was read of
  // the log: nothing tells what the rest of the copy is, or what goes on behind bytes that both
  // begin with.
  bool is_unsure(const Token& token) const;
  // Whether files by age have its lines in their order: it was not rotated by copying, no power cut
  // took an end, and the clock was not set back between two of them.
  bool order_is_kept(unsigned source) const {
    return !copied_.contains(source) && !torn_sources_.contains(source) &&
           !set_back_.contains(source);
  }

 private:
  std::vector<std::string> files(unsigned source) const;  // newest first
  void note_ages(unsigned source);
  void append(const std::string& path, std::string_view text, WallTime now) const;

  const std::string directory_;
  const unsigned sources_;
  std::map<unsigned, std::uint64_t> next_;  // number of the next line
  std::set<Token> written_, torn_;
  std::set<unsigned> copied_, torn_sources_, unsure_;  // sources that were rotated by copying
  std::set<unsigned> set_back_;     // of which an older file is the younger one by its time
  std::set<std::uint64_t> copies_;  // inodes: what was read of them was in the log itself
};

}  // namespace edgehose::sim
