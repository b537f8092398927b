// bench_limits: what the machine does at best with the same bytes, for the bench to compare with.
//
//   bench_limits LOG FILE      LOG: read into memory; FILE: written, synced and removed again
//   bench_limits --bodies FILE   of requests, each behind its length, 8 bytes, big-endian
//
// Prints one line of JSON: CPU and wall seconds and bytes of zstd -1 in independent frames of 256
// KiB, of zstd -1 as one stream, of the lines as JSON strings, and of writing the compressed bytes,
// an fdatasync each 4 MiB; or of gzip -1 of each body, by libdeflate and by zlib.
#include <fcntl.h>
#include <libdeflate.h>
#include <unistd.h>
#include <zlib.h>
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

// Each line as a string of JSON, the way that costs least: whole runs of what needs no escape.
std::size_t json_strings(const std::string& log) {
  std::string out;
  std::size_t bytes = 0;
  for (std::size_t at = 0; at < log.size();) {
    std::size_t end = at;
    while (end < log.size() && static_cast<unsigned char>(log[end]) >= 0x20 && log[end] != '"' &&
           log[end] != '\\')
      ++end;
    out.append(log, at, end - at);
    if (end < log.size()) {
      if (log[end] == '\n') {
        bytes += out.size() + 3;
        out.clear();
      } else {
        out += {'\\', log[end]};
      }
    }
    at = end + 1;
  }
  return bytes + out.size();
}

std::vector<std::string> bodies_of(const std::string& file) {
  std::vector<std::string> bodies;
  for (std::size_t at = 0; at + 8 <= file.size();) {
    std::size_t size = 0;
    for (int i = 0; i < 8; ++i) size = size << 8 | static_cast<unsigned char>(file[at++]);
    bodies.push_back(file.substr(at, size));
    at += size;
  }
  return bodies;
}

std::size_t gzip_libdeflate(const std::vector<std::string>& bodies) {
  libdeflate_compressor* const compressor = libdeflate_alloc_compressor(1);
  std::string out;
  std::size_t bytes = 0;
  for (const std::string& body : bodies) {
    out.resize(libdeflate_gzip_compress_bound(compressor, body.size()));
    bytes += libdeflate_gzip_compress(compressor, body.data(), body.size(), out.data(), out.size());
  }
  libdeflate_free_compressor(compressor);
  return bytes;
}

std::size_t gzip_zlib(const std::vector<std::string>& bodies) {
  std::string out;
  std::size_t bytes = 0;
  for (const std::string& body : bodies) {
    z_stream stream{};
    if (deflateInit2(&stream, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) std::exit(1);
    out.resize(deflateBound(&stream, body.size()));
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(body.data()));
    stream.avail_in = static_cast<uInt>(body.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    deflate(&stream, Z_FINISH);
    bytes += stream.total_out;
    deflateEnd(&stream);
  }
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

std::string read_file(const char* path) {
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  if (!in) {
    std::perror(path);
    std::exit(2);
  }
  std::string text(static_cast<std::size_t>(in.tellg()), '\0');
  in.seekg(0);
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  return text;
}

void of_log(const char* path, const char* file) {
  const std::string log = read_file(path);
  std::string compressed;
  frames(log, &compressed);
  print("zstd_frames", measure([&] { return frames(log, nullptr); }), ", ");
  print("zstd_stream", measure([&] { return stream(log); }), ", ");
  print("json_strings", measure([&] { return json_strings(log); }), ", ");
  print("write", measure([&] { return write_synced(compressed, file); }), "");
}

void of_bodies(const char* path) {
  const std::vector<std::string> bodies = bodies_of(read_file(path));
  std::size_t bytes = 0;
  for (const std::string& body : bodies) bytes += body.size();
  std::printf("\"bytes\": %zu, ", bytes);
  print("gzip_libdeflate", measure([&] { return gzip_libdeflate(bodies); }), ", ");
  print("gzip_zlib", measure([&] { return gzip_zlib(bodies); }), "");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3)
    return std::fputs("bench_limits LOG FILE, or bench_limits --bodies FILE\n", stderr), 2;
  std::printf("{");
  if (std::string(argv[1]) == "--bodies")
    of_bodies(argv[2]);
  else
    of_log(argv[1], argv[2]);
  std::printf("}\n");
}
