// Format: which version a buffer has, what each minor version added, and what may be written into a
// buffer of an older one.
//
// A buffer keeps the version that it was made with until `edgehose buffer upgrade` raises it: a
// release reads every version that it knows, and writes into a buffer only what its version allows.
// So an upgrade of the program alone can always be taken back. Whoever encodes a value asks
// allows() for each part of it that a minor version added. The one exception is a salvage: it needs
// references, and raises the version to the one that has them.
//
// Within a major version names, positions, counters and wrapped keys only grow at their end: a
// release may take them from a buffer that it cannot read otherwise (set_aside.h).
//
// Threading: values and pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "agent/base/result.h"

namespace edgehose::keyspace {

// What was added since 1.0. README.md tells what a release makes of each that does not know it.
enum class Feature : std::uint8_t {
  kReplays,         // 1.1
  kLetterOrigin,    // 1.1: file, flags and attributes of a dead letter
  kReferences,      // 1.2: blocks in damaged files
  kSourceLosses,    // 1.2
  kHeld,            // 1.2: where a file's undelivered content lies
  kUploads,         // 1.2: how far the upload of a claim has come
  kFirstSequences,  // 1.2: of sources that begin after others were forgotten
  kTraffic,         // 1.3: what a sink's connections carried
};

struct FormatVersion {
  std::uint16_t major = 1;       // changes that no older release understands
  std::uint16_t minor = 0;       // additions
  std::uint16_t min_reader = 1;  // the smallest level of support that may open it
  bool operator==(const FormatVersion&) const = default;

  bool allows(Feature feature) const;
  // With what a feature needs; unchanged where it is allowed already.
  FormatVersion with(Feature feature) const;
  bool older_than(const FormatVersion& other) const;
  std::string text() const;  // "1.3"
};

// Levels of support: 1 reads every block where its key is; 2 follows references, too.
constexpr std::uint16_t kFollowsReferences = 2;

// A minor version that this release can write.
struct MinorVersion {
  std::uint16_t minor;
  std::uint16_t min_reader;  // that a buffer of it has always; more while it holds references
  std::string_view adds;     // in words, for who is to decide on an upgrade
};

// newest_format.cpp, apart from all else: the tests of upgrades link a later release's.
extern const std::span<const MinorVersion> kMinorVersions;  // in order, from 1.0 on
extern const FormatVersion kFormat;                         // the newest of them: of new buffers
extern const std::uint16_t kSupport;                        // the level of this release

// What a buffer of this version is after `edgehose buffer upgrade`; a later one stays as it is.
FormatVersion upgraded(const FormatVersion& format);
// Without references: what min_reader is then.
FormatVersion without_references(const FormatVersion& format);

std::string format_key();
std::string encode_format(const FormatVersion& format);
Result<FormatVersion> decode_format(std::string_view value);
// kUnsupported, with instructions, where this release must not touch the buffer.
Status check_format(const FormatVersion& format, std::string_view path);

}  // namespace edgehose::keyspace
