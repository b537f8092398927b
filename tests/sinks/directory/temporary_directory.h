#pragma once

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace edgehose {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    char name[] = "/tmp/edgehose-directory-XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// A tmpfs at `path` while it lives; mounted() is false where this process may not mount.
class TmpfsMount {
 public:
  TmpfsMount(std::string path, const std::string& options, unsigned long flags = 0)
      : path_(std::move(path)),
        mounted_(::mount("tmpfs", path_.c_str(), "tmpfs", flags, options.c_str()) == 0) {}
  ~TmpfsMount() { unmount(); }
  bool mounted() const { return mounted_; }
  void unmount() {
    if (mounted_) ::umount2(path_.c_str(), MNT_DETACH);
    mounted_ = false;
  }

 private:
  std::string path_;
  bool mounted_;
};

inline std::string content(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}

// Relative paths of all regular files below a directory, sorted.
inline std::vector<std::string> files_below(const std::string& path) {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path))
    if (entry.is_regular_file())
      files.push_back(std::filesystem::relative(entry.path(), path).string());
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace edgehose
