// The vectors of AWS and its clients, where they were put (EDGEHOSE_VECTORS_DIR).
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/sinks/need_vectors.h"

namespace edgehose::aws::test {

inline std::string vectors(const std::string& path) { return EDGEHOSE_VECTORS_DIR "/" + path; }

inline std::string read_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline nlohmann::json read_json(const std::string& path) {
  return nlohmann::json::parse(read_text(path));
}

// The folders in one, sorted; none where it is not there.
inline std::vector<std::string> folders_of(const std::string& path) {
  std::vector<std::string> all;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(path, none))
    if (entry.is_directory()) all.push_back(entry.path().filename());
  std::sort(all.begin(), all.end());
  return all;
}

// A name that GoogleTest takes.
inline std::string identifier(std::string text) {
  for (char& c : text)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  return text;
}

}  // namespace edgehose::aws::test
