// Texts of a config that hold expressions: "gateway-!{label:site}". Pure.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "agent/base/result.h"

namespace edgehose {

struct ExpressionVisitor {
  std::function<void(std::string_view text)> text;  // between them; never empty
  // "label", "site"; `value` is empty where there is no ':'.
  std::function<Status(std::string_view space, std::string_view value)> expression;
};

// Visits the parts of a text in their order; kInvalid: an expression is not closed.
Status each_expression(std::string_view text, const ExpressionVisitor& visit);

// The value of !{label:NAME}. kInvalid: the agent has no such label.
Result<std::string> label_of(const std::map<std::string, std::string>& labels,
                             std::string_view name);

// kInvalid: "!{labl:x} is no expression: there are `known`; did you mean label?"
tl::unexpected<Error> no_expression(std::string_view space, std::string_view value,
                                    std::string_view known,
                                    std::span<const std::string_view> spaces);

}  // namespace edgehose
