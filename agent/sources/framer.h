// Framer: bytes to records, at LF. Pure: no input, no clock.
//
// A record's body is its line without the LF; every other byte, NUL, CR and invalid UTF-8 included,
// stays as it is. A line longer than max_record_bytes gives its beginning, marked truncated; the
// rest of it is passed over and the next line is whole. Memory: the unfinished line, at most
// max_record_bytes of it.
//
// Between two visits of a file only a LinePosition is kept (24 bytes): the unfinished line is read
// again from the file when more of it is there.
//
// Invariants: crc is the CRC-32C of the content [0, begin), scanned_crc that of [0, scanned); the
// records' [begin, end) follow each other without gaps.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace edgehose {

struct LinePosition {
  std::uint64_t begin = 0;    // where the unfinished line begins: all before it was handed on
  std::uint64_t scanned = 0;  // how far LFs were looked for; begin <= scanned
  std::uint32_t crc = 0;
  std::uint32_t scanned_crc = 0;
  bool unfinished() const { return scanned > begin; }
};

struct Line {
  std::string_view body;
  std::uint64_t begin = 0, end = 0;  // LF included
  bool truncated = false;
  bool partial = false;  // without LF
};

class Framer {
 public:
  explicit Framer(std::uint64_t max_record_bytes) : max_(max_record_bytes) {}

  // Begins at a position. `held`: the first min(scanned - begin, max) bytes of the unfinished line.
  void start(const LinePosition& at, std::string_view held);

  // Takes the content that follows `scanned`. emit(const Line&) returns false to stop after that
  // line: the bytes behind it are then not taken. Returns how many were.
  template <class Emit>
  std::size_t feed(std::string_view bytes, Emit&& emit) {
    return feed(bytes, emit, [](std::string_view, std::uint64_t) { return TakenAtOnce{}; });
  }

  // The same, and at each line that lies whole in `bytes`, at_once(bytes from there, begin) may
  // take any number of whole lines that are not longer than max_record_bytes; emit() gets the
  // others.
  struct TakenAtOnce {
    std::size_t bytes = 0;
    bool stop = false;  // after them
  };
  template <class Emit, class AtOnce>
  std::size_t feed(std::string_view bytes, Emit&& emit, AtOnce&& at_once);

  // Hands on the unfinished line as it is; what follows later is the next record.
  template <class Emit>
  void flush(Emit&& emit);

  const LinePosition& position() const { return at_; }

 private:
  void hold(std::string_view bytes);
  void advance(std::string_view taken, std::size_t after_last_line);
  void forget_held();

  std::uint64_t max_;
  LinePosition at_;
  std::string held_;  // [begin, min(scanned, begin + max))
};

// Content that holds no LF, behind an unfinished line: the position moves, nothing else.
void pass_over(LinePosition& at, std::string_view bytes);

template <class Emit, class AtOnce>
std::size_t Framer::feed(std::string_view bytes, Emit&& emit, AtOnce&& at_once) {
  std::size_t start = 0;  // of the current line within `bytes`
  std::uint64_t begin = at_.begin;
  bool go_on = true;
  while (go_on && start < bytes.size()) {
    if (begin == at_.scanned + start) {
      const TakenAtOnce taken = at_once(bytes.substr(start), begin);
      start += taken.bytes;
      begin += taken.bytes;
      go_on = !taken.stop;
      if (taken.bytes > 0) continue;
    }
    const std::size_t lf = bytes.find('\n', start);
    if (lf == std::string_view::npos) break;
    std::string_view body = bytes.substr(start, lf - start);
    const std::uint64_t end = at_.scanned + lf + 1;
    if (begin < at_.scanned + start) {  // its beginning is held
      hold(body);
      body = held_;
    }
    const bool truncated = end - 1 - begin > max_;
    if (truncated) body = body.substr(0, static_cast<std::size_t>(max_));
    go_on = emit(Line{body, begin, end, truncated, false});
    forget_held();
    begin = end;
    start = lf + 1;
  }
  const std::string_view taken = go_on ? bytes : bytes.substr(0, start);
  const std::size_t lines_end = start;
  if (go_on) hold(bytes.substr(lines_end));
  at_.begin = begin;
  advance(taken, lines_end);
  return taken.size();
}

template <class Emit>
void Framer::flush(Emit&& emit) {
  if (!at_.unfinished()) return;
  const bool truncated = at_.scanned - at_.begin > max_;
  emit(Line{held_, at_.begin, at_.scanned, truncated, true});
  forget_held();
  at_.begin = at_.scanned;
  at_.crc = at_.scanned_crc;
}

}  // namespace edgehose
