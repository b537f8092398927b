// How a claim becomes the bytes of an object, pulled as a stream, so that memory does not depend on
// the object's size: a block of the store at a time, rendered, compressed, encrypted.
//
// Pass-through: for lines in zstd the body frames of full blocks are handed out as they are stored.
// Runs of smaller blocks, and blocks that the claim has only a part of, are decompressed and
// compressed again into frames of up to kBlockRawBytes.
//
// A replay's records come from the dead letters instead (letter_renderer.h).
//
// Every stream made from the same claim and rendering holds the same records in the same order. The
// bytes may differ: a key is drawn per object, blocks are damaged meanwhile, and an ndjson line
// names the path that its file has by then. The streams of one ObjectBody have the same bytes too,
// or end in an error.
//
// Threading: a stream belongs to one thread at a time; the Store is read from it, one call at a
// time.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/result.h"
#include "agent/base/stream.h"
#include "agent/base/types.h"
#include "buffer/state.h"
#include "buffer/store.h"
#include "sinks/sink.h"

namespace edgehose {

// Records [first, last] that the claim promises and the store could not give. `source` is 0 where
// it is not known (a lane over several sources).
struct MissingRecords {
  SourceId source;
  Sequence first, last;
  bool operator==(const MissingRecords&) const = default;
};

// What became of an object; grows while the stream is read, final once `complete`.
struct ObjectSummary {
  Counter encoded;                      // records and raw bytes (as Claim::size counts) in it
  std::uint64_t omitted_records = 0;    // of those: nothing is sent of them, such as empty lines
  std::uint64_t object_bytes = 0;       // handed out
  std::uint64_t passed_through = 0;     // blocks handed out as stored
  std::vector<MissingRecords> missing;  // in order, neighbours joined
  std::uint64_t missing_records = 0;    // how many
  // What has to be kept beside the object for it to be opened: user metadata, names without
  // "x-amz-meta-". Known before the first byte, and the same for all streams of a body.
  std::map<std::string, std::string> metadata;
  bool complete = false;  // read to its end without an error
  // A later stream of the same body had other bytes: blocks were damaged meanwhile.
  bool changed = false;
};

// One stream.
class ObjectStream : public ByteStream {
 public:
  // Outlives the stream. Same thread as read().
  virtual std::shared_ptr<const ObjectSummary> summary() const = 0;
};

// An object that can be streamed again: for its length first, and then to be sent.
class ObjectBody : public ByteSource {
 public:
  // Of the first stream; later ones give the same bytes. Outlives the body, which a request owns
  // and its transport destroys.
  virtual std::shared_ptr<const ObjectSummary> summary() const = 0;
};

// `source`: the name of the claim's source, for ndjson; where it is empty (a lane over several
// sources) names are looked up in the store. The store must outlive the stream. Blocks that fail
// their check or are gone are left out and told by summary(); other errors end the stream.
// kInvalid: a recipient, a level or a key is wrong. kNotFound: nothing of a replay is there any
// more.
Result<std::unique_ptr<ObjectStream>> encode_object(Store& store, const Claim& claim,
                                                    const ObjectRendering& rendering,
                                                    std::string_view source);
// The same, to be streamed as often as is needed. Its errors are those of the first stream.
Result<std::shared_ptr<ObjectBody>> encode_object_body(Store& store, Claim claim,
                                                       ObjectRendering rendering,
                                                       std::string source);

// What such an object's name ends in: ".log.zst", ".ndjson.gz", ".log", ".log.zst.age".
std::string object_extension(const ObjectRendering& rendering);

// Whether encode_object would take it: levels (zstd 1 to 19, gzip 1 to 9), recipients and keys;
// what a secret holds shows when it is encoded.
Status check_rendering(const ObjectRendering& rendering);

// To and from the opaque string that is persisted with a claim (Claim::rendering):
//   version u8 = 1 or 2 | format u8 | compression u8 | level u8 | agent string |
//   count varint | count x recipient string          (strings: varint length, bytes; bytes.h)
// and in version 2, written where there is an S3ecRendering:
//   its version u8 | RSA public key string | AES key: kind of place u8, place string
std::string serialize_rendering(const ObjectRendering& rendering);
Result<ObjectRendering> parse_rendering(std::string_view bytes);

}  // namespace edgehose
