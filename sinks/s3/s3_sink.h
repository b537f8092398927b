// S3Sink: objects in a bucket. Keys are names as object_name.h makes them.
//
// An answer is a delivery only if it can be nobody else's than the bucket's: 200, an ETag, no text.
// A key that is taken (If-None-Match) is a delivery where what is there is what was sent. So is one
// that is refused for good, where an earlier attempt turns out to have arrived.
//
// The note remembers the region that S3 says the bucket is in, where it is not the configured one.
// It counts while `bucket`, `region` and `endpoint` are what they were.
//
// Threading: sink.h.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/base/result.h"
#include "sinks/object/object_name.h"
#include "sinks/s3/s3_config.h"
#include "sinks/sink.h"

namespace edgehose {

class S3Sink final : public Sink {
 public:
  // `config.bucket` has its region. `warnings` get what the prefix is suspected of.
  static Result<std::unique_ptr<S3Sink>> create(const S3Config& config,
                                                const ObjectContext& context,
                                                std::vector<std::string>& warnings);

  const std::string& name() const override { return name_; }
  std::string key(const BatchOutline& batch, const std::string& note) const override;
  bool is_own_key(const std::string& key, const Epoch& epoch) const override;
  std::string rendering() const override { return rendering_; }
  Request request(const Batch& batch, const std::string& note,
                  std::shared_ptr<ByteSource> body) const override;
  Verdict judge(const Batch& batch, const Response& response) const override;
  std::optional<std::string> learn(const std::string& note,
                                   const Response& response) const override;

 private:
  S3Sink(const S3Config& config, ObjectNames names, const ObjectRendering& rendering);
  Verdict judge_existing(const Batch& batch, const UploadResponse& upload) const;

  const std::string name_;
  const S3Bucket bucket_;
  const S3Checksum checksum_;
  const ObjectNames names_;
  const std::string rendering_;
};

}  // namespace edgehose
