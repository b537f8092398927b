// DirectorySink: objects in a directory: a disk, a USB stick, a mounted share.
//
// Keys are names as object_name.h makes them, below the config's `path`.
//
// Where the file system has refused a name, the note says so, and from then on names are portable:
// the prefix as portable_name.h makes it, SOURCE and AGENT of at most 24 bytes.
//
// Threading: sink.h.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/base/grant.h"
#include "agent/base/result.h"
#include "sinks/directory/directory_config.h"
#include "sinks/object/object_name.h"
#include "sinks/sink.h"

namespace edgehose {

class DirectorySink final : public Sink {
 public:
  // `warnings` get what the prefix is suspected of (object/prefix.h).
  static Result<std::unique_ptr<DirectorySink>> create(const DirectoryConfig& config,
                                                       const ObjectContext& context,
                                                       std::vector<std::string>& warnings);

  const std::string& name() const override { return config_.common.name; }
  std::string key(const BatchOutline& batch, const std::string& note) const override;
  std::string rendering() const override { return rendering_; }
  Request request(const Batch& batch, const std::string& note,
                  std::shared_ptr<ByteSource> body) const override;
  Verdict judge(const Batch& batch, const Response& response) const override;
  std::optional<std::string> learn(const std::string& note,
                                   const Response& response) const override;
  // The identity of the file system (filesystem_identity.h) that a note remembers; empty: none.
  static std::string recorded_filesystem(const std::string& note);
  // Globs of what is ours in directories: every object of this agent wherever it lies, for links
  // and mounts give a file several paths; and below `path` any agent's, and what a kill left half
  // written.
  std::vector<std::string> own_files() const;

 private:
  DirectorySink(DirectoryConfig config, std::string agent, ObjectNames names,
                const ObjectRendering& rendering);

  std::string what_to_do(const FileResponse& file) const;
  std::string how_to_let_in(const std::string& refusing) const;

  const std::string user_ = this_user();  // whom rights are granted to
  const DirectoryConfig config_;
  const std::string agent_;
  const ObjectNames names_;
  const std::string rendering_;
};

}  // namespace edgehose
