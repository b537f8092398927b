#include "tests/agent/config/temporary.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "agent/sources/file_config.h"
#include "sinks/directory/directory_config.h"
#include "sinks/elasticsearch/elasticsearch_config.h"
#include "sinks/s3/s3_config.h"
#include "sinks/splunk/splunk_config.h"

namespace edgehose {

TemporaryDirectory::TemporaryDirectory() : path_("/tmp/edgehose-config-XXXXXX") {
  EXPECT_NE(::mkdtemp(path_.data()), nullptr);
}

TemporaryDirectory::~TemporaryDirectory() { std::filesystem::remove_all(path_); }

std::string TemporaryDirectory::write(const std::string& name, const std::string& content,
                                      unsigned mode) const {
  const std::string path = path_ + "/" + name;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path, std::ios::binary) << content;
  EXPECT_EQ(::chmod(path.c_str(), mode), 0);
  return path;
}

Environment::Environment(std::string name, const char* value) : name_(std::move(name)) {
  if (const char* before = std::getenv(name_.c_str())) before_ = before;
  if (value != nullptr)
    ::setenv(name_.c_str(), value, 1);
  else
    ::unsetenv(name_.c_str());
}

Environment::~Environment() {
  if (before_)
    ::setenv(name_.c_str(), before_->c_str(), 1);
  else
    ::unsetenv(name_.c_str());
}

ConfigSchema test_schema() {
  ConfigSchema schema;
  schema.source("file", "Follows files, through every kind of rotation.", file_source_fields());
  schema.sink("directory", "Objects in a directory: a stick, a share, a spool.",
              directory_fields());
  schema.sink("s3", "Objects in a bucket.", s3_fields());
  schema.sink("elasticsearch", "Documents of a search server.", elasticsearch_fields());
  schema.sink("splunk", "Events of an HTTP Event Collector.", splunk_fields());
  return schema;
}

std::string text_of(const std::vector<config::Problem>& errors, const std::string& directory) {
  std::string out;
  for (const config::Problem& error : errors) out += error.text() + "\n";
  for (std::size_t at; (at = out.find(directory + "/")) != std::string::npos;)
    out.erase(at, directory.size() + 1);
  return out;
}

}  // namespace edgehose
