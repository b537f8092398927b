// The format of a release after this one, linked in the place of buffer/newest_format.cpp: what a
// buffer holds once it is upgraded to 1.4 only such a release reads.
#include "buffer/format.h"

namespace edgehose::keyspace {

namespace {
constexpr MinorVersion kAll[] = {
    {0, 1, ""}, {1, 1, ""}, {2, 1, ""}, {3, 1, ""}, {4, 3, "what this release cannot know"},
};
}  // namespace

constinit const std::span<const MinorVersion> kMinorVersions{kAll};
constinit const FormatVersion kFormat{1, 4, 3};
constinit const std::uint16_t kSupport = 3;

}  // namespace edgehose::keyspace
