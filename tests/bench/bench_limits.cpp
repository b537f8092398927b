// bench_limits: what the machine does at best with the same bytes, for the bench to compare with.
//
//   bench_limits LOG FILE    LOG: read into memory; FILE: written, synced and removed again
//
// Prints one line of JSON: CPU and wall seconds and bytes of zstd -1 in independent frames of 256
// KiB, of zstd -1 as one stream, and of writing the compressed bytes, an fdatasync each 4 MiB.
#include <fcntl.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <string>
#include <vector>

namespace {

struct Cost {
  double cpu = 0, wall = 0;
  std::size_t bytes = 0;
};

double cpu_seconds() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

template <class Work>
Cost measure(const Work& work) {
  Cost best{1e9, 1e9, 0};  // of three: the limit is what it can do, not what others left of the CPU
  for (int i = 0; i < 3; ++i) {
    const auto wall = std::chrono::steady_clock::now();
    const double cpu = cpu_seconds();
    const std::size_t bytes = work();
    const Cost cost{cpu_seconds() - cpu,
                    std::chrono::duration<double>(std::chrono::steady_clock::now() - wall).count(),
                    bytes};
    if (cost.cpu < best.cpu) best = cost;
  }
  return best;
}

std::size_t frames(const std::string& log, std::string* kept) {
  constexpr std::size_t kFrame = 256 * 1024;
  ZSTD_CCtx* const context = ZSTD_createCCtx();
  std::vector<char> out(ZSTD_compressBound(kFrame));
  std::size_t bytes = 0;
  for (std::size_t at = 0; at < log.size(); at += kFrame) {
    const std::size_t n = ZSTD_compressCCtx(context, out.data(), out.size(), log.data() + at,
                                            std::min(kFrame, log.size() - at), 1);
    bytes += n;
    if (kept) kept->append(out.data(), n);
  }
  ZSTD_freeCCtx(context);
  return bytes;
}

std::size_t stream(const std::string& log) {
  ZSTD_CCtx* const context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, 1);
  std::vector<char> out(ZSTD_CStreamOutSize());
  std::size_t bytes = 0;
  ZSTD_inBuffer in{log.data(), log.size(), 0};
  for (std::size_t left = 1; left != 0;) {
    ZSTD_outBuffer to{out.data(), out.size(), 0};
    left = ZSTD_compressStream2(context, &to, &in, ZSTD_e_end);
    bytes += to.pos;
  }
  ZSTD_freeCCtx(context);
  return bytes;
}

std::size_t write_synced(const std::string& bytes, const char* path) {
  constexpr std::size_t kSync = 4 << 20;
  const int fd = ::open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  for (std::size_t at = 0; at < bytes.size(); at += kSync) {
    const std::size_t n = std::min(kSync, bytes.size() - at);
    if (::write(fd, bytes.data() + at, n) != static_cast<ssize_t>(n) || ::fdatasync(fd) != 0) {
      std::perror(path);
      std::exit(1);
    }
  }
  ::close(fd);
  ::unlink(path);
  return bytes.size();
}

void print(const char* name, const Cost& cost, const char* after) {
  std::printf("\"%s\": {\"cpu\": %.6f, \"wall\": %.6f, \"bytes\": %zu}%s", name, cost.cpu,
              cost.wall, cost.bytes, after);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return std::fputs("bench_limits LOG FILE\n", stderr), 2;
  std::ifstream in(argv[1], std::ios::binary | std::ios::ate);
  if (!in) return std::perror(argv[1]), 2;
  std::string log(static_cast<std::size_t>(in.tellg()), '\0');
  in.seekg(0);
  in.read(log.data(), static_cast<std::streamsize>(log.size()));

  std::string compressed;
  frames(log, &compressed);
  std::printf("{");
  print("zstd_frames", measure([&] { return frames(log, nullptr); }), ", ");
  print("zstd_stream", measure([&] { return stream(log); }), ", ");
  print("write", measure([&] { return write_synced(compressed, argv[2]); }), "}\n");
}
