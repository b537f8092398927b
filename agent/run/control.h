// What is spoken on the control socket: one line of request, words separated by a blank, and one
// JSON object as the answer, after which the agent closes. README.md has it for people.
//
// Pure; no shared state.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>

#include "agent/base/result.h"
#include "agent/run/change.h"

namespace edgehose {

constexpr std::size_t kMaxRequest = 32 * 1024;  // bytes of a line, its end included

struct StatusRequest {};
struct ReloadRequest {};  // take on the config as its files are now
using ControlRequest = std::variant<StatusRequest, ReloadRequest, ControlChange>;

// Without the line's end. kInvalid, in words for a person, for what is no request.
Result<ControlRequest> parse_request(std::string_view line);
// The line that asks for it, its end included. kInvalid: a name that is no word.
Result<std::string> request_line(const ControlChange& change);

// What is asked, in the words of that line, as the log tells it: cut after kMaxDescribed bytes.
std::string described(const ControlChange& change);
constexpr std::size_t kMaxDescribed = 200;

// {"ok":true,"text":...,"records":...,"more":...}, with "problem" where something was left out; or
// {"ok":false,"code":...,"error":...}
std::string answer_json(const Result<ChangeReport>& outcome);
// The report, or the error that the agent told; kInvalid where it is no answer.
Result<ChangeReport> parse_answer(std::string_view json);

}  // namespace edgehose
