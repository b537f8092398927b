#include "sinks/directory/file_transport.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "agent/base/crc32c.h"
#include "sinks/directory/portable_name.h"

namespace edgehose {
namespace {

constexpr std::size_t kBufferBytes = 64 * 1024;
constexpr std::size_t kCutNameBytes = 120;  // a file system that takes the name takes this and more
constexpr mode_t kFileMode = 0644;

bool exists(int directory, const std::string& name) {
  struct stat st {};
  return ::fstatat(directory, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0;
}

}  // namespace

std::string temporary_name(const std::string& name) {
  std::string temporary = "." + name + ".tmp";
  if (temporary.size() <= kMaxPortableBytes) return temporary;
  return fmt::format(".{}-{:08x}.tmp", name.substr(0, kCutNameBytes), crc32c(0, name));
}

// One file on its way. Destroyed unfinished, it removes its temporary file.
class FileTransport::Job {
 public:
  Job(RequestId id, FileRequest request, std::shared_ptr<const ObjectSummary> body)
      : id_(id), request_(std::move(request)), summary_(std::move(body)) {}
  ~Job() { remove_temporary(); }

  // True when it is finished.
  bool step(SubdirectoryOpener& subdirectories, std::vector<char>& buffer) {
    Status status = advance(subdirectories, buffer);
    if (!status) {
      // What was durable may be on a medium that is gone.
      subdirectories.forget();
      remove_temporary();
      if (status.error().sys == EACCES)
        response_.refusing = refusing_directory(request_.directory, request_.name);
      response_.status = std::move(status);
      phase_ = Phase::kDone;
    }
    return phase_ == Phase::kDone;
  }
  Completion completion() { return {id_, std::move(response_)}; }

  // What the next step asks of the kernel.
  std::string call() const {
    return fmt::format("{} {}/{}", call_name(), request_.directory, request_.name);
  }

 private:
  enum class Phase { kOpen, kWrite, kSync, kPublish, kDone };

  const char* call_name() const {
    switch (phase_) {
      case Phase::kOpen: return "open of";
      case Phase::kWrite: return "write to";
      case Phase::kSync: return "fdatasync of";
      case Phase::kPublish: return "rename and directory fsync of";
      case Phase::kDone: break;
    }
    return "";
  }

  Status advance(SubdirectoryOpener& subdirectories, std::vector<char>& buffer) {
    switch (phase_) {
      case Phase::kOpen: return open(subdirectories);
      case Phase::kWrite: return write(buffer);
      case Phase::kSync: return sync();
      case Phase::kPublish: return publish();
      case Phase::kDone: break;
    }
    return {};
  }

  Status open(SubdirectoryOpener& subdirectories) {
    // A claim of a time when this sink was another one's.
    if (summary_ && !summary_->metadata.empty())
      return fail(ErrorCode::kInvalid,
                  "{} was begun for a bucket, encrypted with \"s3ec\": its key would be lost in a "
                  "file. Give the sink its old type, and this one another name",
                  request_.name);
    auto split = split_name(request_.name);
    response_.name_refused = !split;
    EH_ASSIGN(std::vector<std::string> components, std::move(split));
    BaseProblem problem;
    auto base = open_base(request_.directory, request_.expected_filesystem, problem);
    response_.missing = problem == BaseProblem::kMissing;
    response_.other_filesystem = problem == BaseProblem::kOtherFilesystem;
    if (!base) return tl::unexpected<Error>(std::move(base).error());
    response_.filesystem = base->filesystem;
    EH_ASSIGN(directory_, subdirectories.open(base->fd.get(), request_.directory, components,
                                              response_.name_refused));
    name_ = std::move(components.back());
    EH_TRY(create_temporary());
    EH_ASSIGN(body_, request_.body->open());
    phase_ = Phase::kWrite;
    return {};
  }

  // Locked until it has its final name: a copy of our data_dir that repeats the same claim at the
  // same time would otherwise rename what we have half written.
  Status create_temporary() {
    const std::string name = temporary_name(name_);
    file_ = open_temporary(name, O_WRONLY | O_CREAT);
    if (!file_.valid() && errno == EACCES) {
      EH_TRY(remove_anothers(name));
      file_ = open_temporary(name, O_WRONLY | O_CREAT);
    }
    if (!file_.valid()) return naming_problem("creating", name);
    // A run by root that is killed leaves nothing that the service cannot replace.
    give_to_owner_of_parent(place_of(name));
    EH_TRY(lock(name));
    temporary_ = name;
    if (::ftruncate(file_.get(), 0) != 0) return problem_with("emptying the leftover", name);
    return {};
  }

  FileDescriptor open_temporary(const std::string& name, int flags) const {
    return FileDescriptor(::openat(directory_.get(), name.c_str(),
                                   flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, kFileMode));
  }

  // The leftover of another user, which we may not write to: not while its writer holds the lock.
  Status remove_anothers(const std::string& name) {
    file_ = open_temporary(name, O_RDONLY);
    if (file_.valid()) EH_TRY(lock(name));
    if (::unlinkat(directory_.get(), name.c_str(), 0) != 0 && errno != ENOENT)
      return problem_with("replacing another user's", name);
    return {};
  }

  Status lock(const std::string& name) {
    // Some network file systems have no locks; what lies there is then taken for a leftover.
    if (::flock(file_.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) return busy();
    EH_ASSIGN(const bool same, is_ours(name));
    if (!same) return busy();  // its writer finished between our open and our lock
    return {};
  }

  // Whether `name` still leads to the file that is open.
  Result<bool> is_ours(const std::string& name) const {
    struct stat opened {
    }, there{};
    if (::fstat(file_.get(), &opened) != 0) return problem_with("looking at", name);
    return ::fstatat(directory_.get(), name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0 &&
           there.st_ino == opened.st_ino && there.st_dev == opened.st_dev;
  }

  tl::unexpected<Error> busy() const {
    return fail(ErrorCode::kBusy, "{} is being written by another process", place_of(name_));
  }

  Status write(std::vector<char>& buffer) {
    for (std::size_t written = 0; written < kSliceBytes;) {
      EH_ASSIGN(const std::size_t n, body_->read(buffer.data(), buffer.size()));
      if (n == 0) {
        phase_ = Phase::kSync;
        return {};
      }
      EH_TRY(write_all(file_.get(), {buffer.data(), n}, request_.directory + "/" + request_.name));
      written += n;
      response_.bytes += n;
    }
    return {};
  }

  Status sync() {
    phase_ = Phase::kPublish;
    if (!worth_publishing()) return {};
    if (::fdatasync(file_.get()) != 0) return problem_with("syncing", temporary_);
    return {};
  }

  Status publish() {
    phase_ = Phase::kDone;
    if (!worth_publishing()) {
      remove_temporary();
      return {};
    }
    // Another user's agent that could not lock ours may have put its own in its place.
    EH_ASSIGN(const bool same, is_ours(temporary_));
    if (!same) {
      temporary_.clear();
      return busy();
    }
    if (::renameat(directory_.get(), temporary_.c_str(), directory_.get(), name_.c_str()) != 0)
      return naming_problem("renaming", name_);
    response_.renamed = true;
    temporary_.clear();
    file_.reset();
    return sync_directory_fd(directory_.get(),
                             parent_directory(request_.directory + "/" + request_.name));
  }

  // Nothing in it, or less than what may be there already: see the header.
  bool worth_publishing() const {
    if (!summary_ || summary_->missing_records == 0) return true;
    return summary_->encoded.records > 0 && !exists(directory_.get(), name_);
  }

  void remove_temporary() {
    if (!temporary_.empty() && directory_.valid())
      ::unlinkat(directory_.get(), temporary_.c_str(), 0);
    temporary_.clear();
  }

  // Of a call that gives `name` to something.
  tl::unexpected<Error> naming_problem(const char* what, const std::string& name) {
    const int sys = errno;
    response_.name_refused = refuses_name(directory_.get(), name, sys);
    errno = sys;
    return problem_with(what, name);
  }

  tl::unexpected<Error> problem_with(const char* what, const std::string& name) const {
    const int sys = errno;
    return fail_errno(sys, fmt::format("{} {}", what, place_of(name)));
  }

  // Of a file beside the object.
  std::string place_of(const std::string& name) const {
    return parent_directory(request_.directory + "/" + request_.name) + "/" + name;
  }

  const RequestId id_;
  const FileRequest request_;
  std::unique_ptr<ByteStream> body_;
  const std::shared_ptr<const ObjectSummary> summary_;
  Phase phase_ = Phase::kOpen;
  FileDescriptor directory_, file_;
  std::string name_, temporary_;  // temporary_ empty: there is none
  FileResponse response_;
};

FileTransport::FileTransport() = default;
FileTransport::~FileTransport() = default;

void FileTransport::start(RequestId id, Request request,
                          std::shared_ptr<const ObjectSummary> body) {
  jobs_.push_back(
      std::make_unique<Job>(id, std::get<FileRequest>(std::move(request)), std::move(body)));
}

Instant FileTransport::step(Instant now, std::vector<Completion>& finished) {
  if (jobs_.empty()) {
    buffer_ = {};
    return kNever;
  }
  buffer_.resize(kBufferBytes);
  std::unique_ptr<Job> job = std::move(jobs_.front());
  jobs_.pop_front();
  call_.publish({job->call(), now});
  const bool done = job->step(subdirectories_, buffer_);
  call_.publish({});
  if (done)
    finished.push_back(job->completion());
  else
    jobs_.push_back(std::move(job));
  return jobs_.empty() ? kNever : now;
}

void FileTransport::abandon() { jobs_.clear(); }

}  // namespace edgehose
