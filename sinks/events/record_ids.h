// What a document is called: `_id` is a function of (agent, epoch, source, sequence), so that a
// repeated `create` meets the document of the first, and an answer tells which record it is about.
//
//   kJ3dA1b-Qe09_xYz-4711     16 characters for agent, epoch and source, '-', the sequence
//
// The 16 are 96 bits of a SHA-256 in base64url: short, since the index keeps them of each document,
// and alike for the documents of a source, which makes them cheap there.
//
// Threading: const after construction.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "agent/base/types.h"
#include "buffer/block.h"
#include "sinks/sink.h"

namespace edgehose {

class RecordIds {
 public:
  RecordIds(std::string_view agent, const Epoch& epoch, std::string_view source);

  void append(Sequence sequence, std::string& out) const;
  // None: it is not of these.
  std::optional<Sequence> sequence_of(std::string_view id) const;
  // What a batch of them is called, for people: "app 4711 to 5000, kJ3dA1b-Qe09_xYz-".
  std::string key_of(const BatchOutline& batch) const;
  // What all of them begin with.
  const std::string& beginning() const { return beginning_; }

 private:
  std::string beginning_;
};

}  // namespace edgehose
