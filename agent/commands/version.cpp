// edgehose version: ours, and of the libraries it runs with.
#include "agent/base/version.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <spdlog/version.h>
#include <zlib.h>
#include <zstd.h>

#include <boost/version.hpp>
#include <nlohmann/json.hpp>

#include "agent/commands/table.h"
#include "buffer/lmdb.h"

namespace edgehose {
namespace {

int version(const Invocation&) {
  fmt::print("edgehose {}\n", kVersion);
  fmt::print("  lmdb     {}\n", lmdb::version());
  fmt::print("  zstd     {}\n", ZSTD_versionString());
  fmt::print("  zlib     {}\n", zlibVersion());
  fmt::print("  openssl  {}\n", OpenSSL_version(OPENSSL_VERSION));
  fmt::print("  boost    {}.{}.{}\n", BOOST_VERSION / 100000, BOOST_VERSION / 100 % 1000,
             BOOST_VERSION % 100);
  fmt::print("  json     {}.{}.{}\n", NLOHMANN_JSON_VERSION_MAJOR, NLOHMANN_JSON_VERSION_MINOR,
             NLOHMANN_JSON_VERSION_PATCH);
  fmt::print("  spdlog   {}.{}.{}\n", SPDLOG_VER_MAJOR, SPDLOG_VER_MINOR, SPDLOG_VER_PATCH);
  fmt::print("  fmt      {}.{}.{}\n", FMT_VERSION / 10000, FMT_VERSION / 100 % 100,
             FMT_VERSION % 100);
  return kExitOk;
}

}  // namespace

Command version_command() {
  return {.name = "version",
          .arguments = "",
          .summary = "versions of edgehose and of its libraries",
          .description = "Prints the version of edgehose and of the libraries that it runs with.",
          .options = {},
          .examples = "edgehose version",
          .exit_codes = {},
          .run = version};
}

}  // namespace edgehose
