#include "tests/sim/files.h"

#include <cerrno>
#include <utility>

namespace edgehose::sim {
namespace {

void refuse(FileResponse& file, Fate fate) {
  switch (fate) {
    case Fate::kBusy: file.status = fail_errno(ENOSPC, "writing"); break;
    case Fate::kDenied:
      file.status = fail_errno(EACCES, "opening");
      file.refusing = "/out";
      break;
    case Fate::kStranger:
      file.other_filesystem = true;
      file.status = fail(ErrorCode::kInvalid, "another disk is there");
      break;
    case Fate::kLost:
      file.status = fail_errno(EIO, "syncing the directory");
      file.renamed = true;
      break;
    default: file.status = fail_errno(EIO, "writing"); break;
  }
}

void refuse_name(FileResponse& file) {
  file.name_refused = true;
  file.status = fail_errno(EINVAL, "opening");
}

}  // namespace

bool takes_name(const std::string& name) { return name.find(':') == std::string::npos; }

void SimFiles::start(RequestId id, Request request, std::shared_ptr<const ObjectSummary>) {
  auto& asked = std::get<FileRequest>(request);
  FileResponse response;
  response.filesystem = "simulated";
  auto bytes = read_all(*asked.body);
  if (!bytes) {
    response.status = tl::unexpected(bytes.error());
    answers_.push_back({id, std::move(response)});
    return;
  }
  response.bytes = bytes->size();
  jobs_.push_back({id, {asked.name, *std::move(bytes)}, std::move(response)});
}

Instant SimFiles::step(Instant, std::vector<Completion>& finished) {
  for (Completion& answer : answers_) finished.push_back(std::move(answer));
  answers_.clear();
  return kNever;
}

void SimFiles::abandon() {
  for (Job& job : jobs_) interrupted_.push_back(std::move(job.file));
  jobs_.clear();
  answers_.clear();
}

void SimFiles::answer(std::size_t which, Fate fate) {
  if (jobs_.empty()) return;
  const auto at = jobs_.begin() + static_cast<std::ptrdiff_t>(which % jobs_.size());
  Job job = std::move(*at);
  jobs_.erase(at);
  const bool takes = takes_name(job.file.name);
  if (takes && (fate == Fate::kAnswered || fate == Fate::kLost))
    directory_.put(job.file.name, job.file.bytes);
  if (!takes)
    refuse_name(job.response);
  else if (fate != Fate::kAnswered)
    refuse(job.response, fate);
  answers_.push_back({job.id, std::move(job.response)});
}

}  // namespace edgehose::sim
