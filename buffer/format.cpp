#include "buffer/format.h"

#include <algorithm>

#include "buffer/keyspace_values.h"

namespace edgehose::keyspace {

namespace {

std::uint16_t minor_of(Feature feature) {
  switch (feature) {
    case Feature::kReplays:
    case Feature::kLetterOrigin: return 1;
    case Feature::kReferences:
    case Feature::kSourceLosses:
    case Feature::kHeld:
    case Feature::kUploads:
    case Feature::kFirstSequences: return 2;
    case Feature::kTraffic: return 3;
  }
  return UINT16_MAX;
}

// Of a buffer of this minor version without references. A later one's is not known: it is kept.
std::uint16_t reader_of(const FormatVersion& format) {
  const auto known = std::ranges::find(kMinorVersions, format.minor, &MinorVersion::minor);
  return known == kMinorVersions.end() ? format.min_reader : known->min_reader;
}

}  // namespace

bool FormatVersion::allows(Feature feature) const {
  return major > kFormat.major || minor >= minor_of(feature);
}

FormatVersion FormatVersion::with(Feature feature) const {
  FormatVersion format = *this;
  if (allows(feature)) return format;
  format.minor = minor_of(feature);
  format.min_reader = std::max(min_reader, reader_of(format));
  return format;
}

bool FormatVersion::older_than(const FormatVersion& other) const {
  return std::pair(major, minor) < std::pair(other.major, other.minor);
}

std::string FormatVersion::text() const { return fmt::format("{}.{}", major, minor); }

FormatVersion upgraded(const FormatVersion& format) {
  if (!format.older_than(kFormat)) return format;
  FormatVersion newest = kFormat;
  newest.min_reader = std::max(newest.min_reader, format.min_reader);
  return newest;
}

FormatVersion without_references(const FormatVersion& format) {
  FormatVersion plain = format;
  plain.min_reader = reader_of(format);
  return plain;
}

std::string format_key() { return std::string("\0\0", 2); }

std::string encode_format(const FormatVersion& format) {
  std::string out;
  put_le(out, format.major);
  put_le(out, format.minor);
  put_le(out, format.min_reader);
  return checksummed(format_key(), out);
}

Result<FormatVersion> decode_format(std::string_view value) {
  EH_ASSIGN(const std::string_view body, checked(format_key(), value, "format version"));
  ByteReader in(body);
  FormatVersion f;
  f.major = in.le<std::uint16_t>();
  f.minor = in.le<std::uint16_t>();
  f.min_reader = in.le<std::uint16_t>();
  return finish(in, f, "format version");
}

Status check_format(const FormatVersion& format, std::string_view path) {
  if (format.min_reader <= kSupport) return {};
  return fail(ErrorCode::kUnsupported,
              "{} has format {} of a later release, and this one reads up to {}; the later release "
              "delivers it",
              path, format.text(), kFormat.text());
}

}  // namespace edgehose::keyspace
