// The records of a replay as lines or ndjson, compressed; not encrypted. They are read from the
// dead letters at once: a replay is at most kReplayBytes, or a single larger record. Letters that
// were purged meanwhile, or fail their check, are left out and counted as missing.
//
// Threading: as object_encoder.h, which hands it out.
#pragma once

#include <memory>
#include <string_view>

#include "agent/base/result.h"
#include "agent/base/stream.h"
#include "buffer/store.h"
#include "sinks/object/compressor.h"
#include "sinks/object/object_encoder.h"

namespace edgehose {

// As it was read. Borrows the letter's texts.
Record record_of(const DeadLetter& letter);

// kNotFound: none of the letters is there any more.
Result<std::unique_ptr<ByteStream>> render_letters(Store& store, const Claim& replay,
                                                   const ObjectRendering& rendering,
                                                   std::string_view source,
                                                   std::unique_ptr<Compressor> compressor,
                                                   std::shared_ptr<ObjectSummary> summary);

}  // namespace edgehose
