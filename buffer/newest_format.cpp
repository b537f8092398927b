// The newest format that this release writes and the level that it reads; a file of its own, so
// that a test links that of a later release in its place.
#include "buffer/format.h"

namespace edgehose::keyspace {

namespace {
constexpr MinorVersion kAll[] = {
    {0, 1, "blocks, positions, cursors, claims and dead letters"},
    {1, 1, "dead letters can be replayed, and tell where they came from"},
    {2, 1,
     "what sources cut and lost is counted across restarts; an upload in parts goes on after a "
     "restart; a salvage reads less of the files again; sources can be forgotten"},
    {3, 1, "what a sink's connections carried is counted across restarts"},
};
}  // namespace

constinit const std::span<const MinorVersion> kMinorVersions{kAll};
constinit const FormatVersion kFormat{1, 3, 1};
constinit const std::uint16_t kSupport = kFollowsReferences;

}  // namespace edgehose::keyspace
