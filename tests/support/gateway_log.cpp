// gateway_log: writes a made-up gateway's log the way real programs do: at a rate, in lines, pages
// or bits of lines, rotated by rename or by copytruncate. See --help and README.md.
//
// copytruncate: this process itself copies and truncates, so it knows which lines were written
// between the two: none, and the copy holds every line, or as many as asked, which are in the
// manifest as lines that nobody needs to have seen. Rotations are compressed by the program itself,
// as logrotate has it done; the writer waits for it.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/line_options.h"

namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kHelp = R"(gateway_log --output FILE [options]
Writes a gateway's log. Line n is the same for the same --run, --seed and line options.
SIGTERM and SIGINT end it at the end of a line.

  --lines N            how many lines; 0: until a signal        (100000)
  --rate N             lines a second; 0: as fast as it goes    (0)
  --rotate MODE        none | rename | copytruncate             (none)
  --rotate-lines N     rotate after that many lines; 0: never   (0)
  --rotate-size BYTES  rotate at that size; 0: never            (0)
  --window-lines N     copytruncate: that many lines between the copy and the truncation  (0)
  --compress WITH      none | gzip | zstd: the program that rotations are given to  (none)
  --keep N             FILE.1 ... FILE.N are kept; 0: all       (0)
  --write HOW          line | page | partial: a write(2) for each line, for each 4096 bytes (lines
                       cut anywhere), or two for each line      (line)
  --first N            the first line's number                  (0)
  --append             go on with a file that is there; else it is emptied
  --manifest FILE      what was written, for check_lines
  line options:
  --run NAME --seed N --long-every N --long-bytes N --bytes ascii|utf8|any
  --stamps N           lines a second by the stamps in the lines (the rate, or 1000)
)";

volatile std::sig_atomic_t stop = 0;

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "gateway_log: %s: %s\n", what.c_str(), std::strerror(errno));
  std::exit(2);
}

struct Options {
  std::string output, manifest;
  std::uint64_t lines = 100000, first = 0, rotate_lines = 0, rotate_size = 0, keep = 0,
                window_lines = 0;
  double rate = 0;
  enum class Rotate { kNone, kRename, kCopyTruncate } rotate = Rotate::kNone;
  enum class Compress { kNone, kGzip, kZstd } compress = Compress::kNone;
  enum class Write { kLine, kPage, kPartial } write = Write::kLine;
  bool append = false;
  gateway::LineOptions line;
};

class Log {
 public:
  explicit Log(const Options& options) : options_(options) { open(!options.append); }

  void line(std::uint64_t n, const std::string& text) {
    if (copied_ && n - *copied_ >= options_.window_lines) truncate(n);
    if (due(text.size())) rotate(n);
    size_ += text.size();
    ++lines_;
    total_ += text.size();
    switch (options_.write) {
      case Options::Write::kLine: put(text.data(), text.size()); break;
      case Options::Write::kPartial: {
        const std::size_t cut = gateway::mix(options_.line.seed ^ (n * 31)) % text.size();
        put(text.data(), cut);
        put(text.data() + cut, text.size() - cut);
        break;
      }
      case Options::Write::kPage:
        pending_ += text;
        flush(false);
        break;
    }
  }

  // Page-sized writes, as stdio does; `all` at the end and before a rotation.
  void flush(bool all) {
    constexpr std::size_t kPage = 4096;
    std::size_t done = 0;
    while (pending_.size() - done >= kPage || (all && done < pending_.size())) {
      const std::size_t size = std::min(kPage, pending_.size() - done);
      put(pending_.data() + done, size);
      done += size;
    }
    pending_.erase(0, done);
  }

  std::uint64_t bytes() const { return total_; }
  std::uint64_t rotations() const { return rotations_; }
  // First and last lines of what was truncated without having been copied.
  const std::vector<std::pair<std::uint64_t, std::uint64_t>>& windows() const { return windows_; }

 private:
  bool due(std::size_t next) const {
    if (options_.rotate == Options::Rotate::kNone || lines_ == 0 || copied_) return false;
    return (options_.rotate_lines && lines_ >= options_.rotate_lines) ||
           (options_.rotate_size && size_ + next > options_.rotate_size);
  }

  void open(bool empty) {
    fd_ = ::open(options_.output.c_str(),
                 O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (empty ? O_TRUNC : 0), 0644);
    if (fd_ < 0) die("opening " + options_.output);
  }

  std::string plain_rotation(std::uint64_t n) const {
    return options_.output + "." + std::to_string(n);
  }
  std::string rotated(std::uint64_t n) const {
    const auto with = options_.compress;
    return plain_rotation(n) + (with == Options::Compress::kGzip   ? ".gz"
                                : with == Options::Compress::kZstd ? ".zst"
                                                                   : "");
  }

  void compress(const std::string& file) const {
    if (options_.compress == Options::Compress::kNone) return;
    const pid_t child = ::fork();
    if (child == 0) {
      if (options_.compress == Options::Compress::kGzip)
        ::execlp("gzip", "gzip", "-f", file.c_str(), nullptr);
      else
        ::execlp("zstd", "zstd", "-q", "-f", "--rm", file.c_str(), nullptr);
      ::_exit(127);
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    if (child < 0 || status != 0) die("compressing " + file);
  }

  // Before line `next`.
  void rotate(std::uint64_t next) {
    flush(true);
    for (; ::access(rotated(oldest_ + 1).c_str(), F_OK) == 0;) ++oldest_;
    for (std::uint64_t n = oldest_; n >= 1; --n) {
      const bool drop = options_.keep && n >= options_.keep;
      if (drop ? ::unlink(rotated(n).c_str())
               : ::rename(rotated(n).c_str(), rotated(n + 1).c_str()))
        die("rotating " + rotated(n));
    }
    oldest_ = options_.keep ? std::min(oldest_, options_.keep - 1) : oldest_;
    if (options_.rotate == Options::Rotate::kRename) {
      if (::rename(options_.output.c_str(), plain_rotation(1).c_str()) != 0) die("rotating");
      ::close(fd_);
      open(true);
      started_anew();
      compress(plain_rotation(1));
    } else {
      copy(options_.output, plain_rotation(1));
      copied_ = next;
      if (options_.window_lines == 0) truncate(next);
    }
  }

  void truncate(std::uint64_t next) {
    flush(true);
    if (::ftruncate(fd_, 0) != 0) die("truncating " + options_.output);
    if (next > *copied_) windows_.emplace_back(*copied_, next - 1);
    copied_.reset();
    started_anew();
    compress(plain_rotation(1));
  }

  void started_anew() {
    ++rotations_;
    lines_ = 0;
    size_ = 0;
  }

  static void copy(const std::string& from, const std::string& to) {
    const int in = ::open(from.c_str(), O_RDONLY | O_CLOEXEC);
    const int out = ::open(to.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (in < 0 || out < 0) die("copying " + from);
    std::string buffer(1 << 16, '\0');
    for (ssize_t n; (n = ::read(in, buffer.data(), buffer.size())) != 0;)
      if (n < 0 || ::write(out, buffer.data(), static_cast<std::size_t>(n)) != n)
        die("copying " + from);
    ::close(in);
    ::close(out);
  }

  void put(const char* data, std::size_t size) {
    while (size > 0) {
      const ssize_t n = ::write(fd_, data, size);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) die("writing " + options_.output);
      data += n;
      size -= static_cast<std::size_t>(n);
    }
  }

  const Options& options_;
  int fd_ = -1;
  std::string pending_;
  std::uint64_t size_ = 0, lines_ = 0, total_ = 0, rotations_ = 0, oldest_ = 0;
  std::optional<std::uint64_t> copied_;  // the line before which it was copied, not truncated yet
  std::vector<std::pair<std::uint64_t, std::uint64_t>> windows_;
};

Options parse(int argc, char** argv) {
  Options o;
  bool stamps = false;
  const auto integer = [](std::uint64_t& to) {
    return [&to](const char* v) {
      char* end = nullptr;
      to = std::strtoull(v, &end, 10);
      return *v != '\0' && *end == '\0';
    };
  };
  const auto real = [](double& to) {
    return [&to](const char* v) {
      char* end = nullptr;
      to = std::strtod(v, &end);
      return *v != '\0' && *end == '\0' && to >= 0;
    };
  };
  const auto text = [](std::string& to) { return [&to](const char* v) { return to = v, true; }; };
  const auto choice = [](auto& to,
                         std::map<std::string, std::remove_reference_t<decltype(to)>> names) {
    return [&to, names](const char* v) {
      const auto it = names.find(v);
      return it != names.end() && (to = it->second, true);
    };
  };
  using R = Options::Rotate;
  using W = Options::Write;
  using C = Options::Compress;
  const std::map<std::string, std::function<bool(const char*)>> options = {
      {"--output", text(o.output)},
      {"--manifest", text(o.manifest)},
      {"--lines", integer(o.lines)},
      {"--first", integer(o.first)},
      {"--rate", real(o.rate)},
      {"--rotate",
       choice(o.rotate,
              {{"none", R::kNone}, {"rename", R::kRename}, {"copytruncate", R::kCopyTruncate}})},
      {"--compress",
       choice(o.compress, {{"none", C::kNone}, {"gzip", C::kGzip}, {"zstd", C::kZstd}})},
      {"--rotate-lines", integer(o.rotate_lines)},
      {"--rotate-size", integer(o.rotate_size)},
      {"--window-lines", integer(o.window_lines)},
      {"--keep", integer(o.keep)},
      {"--write",
       choice(o.write, {{"line", W::kLine}, {"page", W::kPage}, {"partial", W::kPartial}})},
      {"--run", text(o.line.run)},
      {"--seed", integer(o.line.seed)},
      {"--long-every", integer(o.line.long_every)},
      {"--long-bytes", integer(o.line.long_bytes)},
      {"--bytes", choice(o.line.bytes, {{"ascii", gateway::Bytes::kAscii},
                                        {"utf8", gateway::Bytes::kUtf8},
                                        {"any", gateway::Bytes::kAny}})},
      {"--stamps", [&](const char* v) { return stamps = true, real(o.line.lines_per_second)(v); }},
  };
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--help") std::fputs(kHelp, stdout), std::exit(0);
    if (name == "--append") {
      o.append = true;
      continue;
    }
    const auto it = options.find(name);
    if (it == options.end() || i + 1 >= argc || !it->second(argv[++i])) {
      std::fprintf(stderr,
                   "gateway_log: %s: unknown, or its value is missing or wrong; see --help\n",
                   name.c_str());
      std::exit(2);
    }
  }
  if (o.output.empty()) std::fputs(kHelp, stderr), std::exit(2);
  if (!stamps && o.rate > 0) o.line.lines_per_second = o.rate;
  return o;
}

// Waits until line `done` is due; lines of the same millisecond go together.
void pace(const Options& o, Clock::time_point start, std::uint64_t done) {
  if (o.rate <= 0) return;
  const auto due = start + std::chrono::duration_cast<Clock::duration>(
                               std::chrono::duration<double>(static_cast<double>(done) / o.rate));
  while (!stop && due - Clock::now() > std::chrono::milliseconds(1))
    std::this_thread::sleep_for(
        std::min<Clock::duration>(due - Clock::now(), std::chrono::milliseconds(100)));
}

}  // namespace

int main(int argc, char** argv) {
  const Options o = parse(argc, argv);
  for (const int signal : {SIGTERM, SIGINT}) std::signal(signal, [](int) { stop = 1; });
  Log log(o);
  const auto start = Clock::now();
  std::uint64_t done = 0;
  std::string text;
  for (; !stop && (o.lines == 0 || done < o.lines); ++done) {
    pace(o, start, done);
    if (stop) break;
    text.clear();
    gateway::append_line(o.line, o.first + done, text);
    text += '\n';
    log.line(o.first + done, text);
  }
  log.flush(true);
  if (!o.manifest.empty()) {
    std::FILE* const f = std::fopen(o.manifest.c_str(), "w");
    if (!f) die("writing " + o.manifest);
    std::fprintf(f, "%s\nfirst=%llu lines=%llu bytes=%llu rotations=%llu\n",
                 to_text(o.line).c_str(), static_cast<unsigned long long>(o.first),
                 static_cast<unsigned long long>(done),
                 static_cast<unsigned long long>(log.bytes()),
                 static_cast<unsigned long long>(log.rotations()));
    for (const auto& [from, to] : log.windows())
      std::fprintf(f, "window=%llu-%llu\n", static_cast<unsigned long long>(from),
                   static_cast<unsigned long long>(to));
    std::fclose(f);
  }
  std::printf("%llu lines, %llu bytes, %llu rotations\n", static_cast<unsigned long long>(done),
              static_cast<unsigned long long>(log.bytes()),
              static_cast<unsigned long long>(log.rotations()));
}
