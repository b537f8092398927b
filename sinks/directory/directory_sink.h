// DirectorySink: objects in a directory: a disk, a USB stick, a mounted share.
//
//   key = PREFIX SOURCE-TIME-AGENT-EPOCH-FIRST-LAST.EXTENSION
//   site=north/2026/11/23/01/app-20261123T012400Z-gw-0042-0f...-000000000001-000000004711.log.zst
//
// TIME is the arrival of the batch's oldest record in UTC, to the second; EPOCH the buffer's 128
// bits in hex; FIRST and LAST sequences, padded so that names sort. A function of what is in it:
// a retry repeats it, and two buffers never share one. In SOURCE and AGENT what is not a letter, a
// digit, '.', '_' or '-' is written %XX; what is longer than 64 bytes is cut and ends in ~CHECKSUM,
// as does a SOURCE with capitals: FAT takes App and app for one.
//
// Where the file system has refused a name, the note says so, and from then on names are portable:
// the prefix as portable_name.h makes it, SOURCE and AGENT of at most 24 bytes.
//
// Threading: sink.h.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/base/result.h"
#include "sinks/directory/directory_config.h"
#include "sinks/object/prefix.h"
#include "sinks/sink.h"

namespace edgehose {

struct DirectoryContext {
  std::string agent;
  std::map<std::string, std::string> labels;
  std::string timezone = "UTC";
};

class DirectorySink final : public Sink {
 public:
  // `warnings` get what the prefix is suspected of (object/prefix.h).
  static Result<std::unique_ptr<DirectorySink>> create(const DirectoryConfig& config,
                                                       const DirectoryContext& context,
                                                       std::vector<std::string>& warnings);

  const std::string& name() const override { return config_.common.name; }
  std::string key(const BatchOutline& batch, const std::string& note) const override;
  std::string rendering() const override;
  Request request(const Batch& batch, const std::string& note,
                  std::unique_ptr<ByteStream> body) const override;
  Verdict judge(const Batch& batch, const Response& response) const override;
  std::optional<std::string> learn(const std::string& note,
                                   const Response& response) const override;
  // Globs of what is ours in directories: every object of this agent wherever it lies, for links
  // and mounts give a file several paths; and below `path` any agent's, and what a kill left half
  // written.
  std::vector<std::string> own_files() const;

 private:
  DirectorySink(DirectoryConfig config, std::string agent, Prefix prefix);

  const DirectoryConfig config_;
  const std::string agent_;
  const Prefix prefix_;
  const ObjectRendering rendering_;
};

}  // namespace edgehose
