#include "sinks/events/expressions.h"

#include "agent/base/text.h"

namespace edgehose {

Status each_expression(std::string_view text, const ExpressionVisitor& visit) {
  while (!text.empty()) {
    const std::size_t open = text.find("!{");
    if (open != 0) visit.text(text.substr(0, open));
    if (open == std::string_view::npos) break;
    const std::size_t close = text.find('}', open);
    if (close == std::string_view::npos)
      return fail(ErrorCode::kInvalid, "the expression {} is not closed: its }} is missing",
                  text.substr(open, 64));
    const std::string_view expression = text.substr(open + 2, close - open - 2);
    const std::size_t colon = std::min(expression.find(':'), expression.size());
    EH_TRY(visit.expression(expression.substr(0, colon),
                            expression.substr(std::min(colon + 1, expression.size()))));
    text.remove_prefix(close + 1);
  }
  return {};
}

Result<std::string> label_of(const std::map<std::string, std::string>& labels,
                             std::string_view name) {
  const auto label = labels.find(std::string(name));
  if (label == labels.end())
    return fail(ErrorCode::kInvalid,
                "!{{label:{}}}: the agent has no label \"{}\" ([agent] labels)", name, name);
  return label->second;
}

tl::unexpected<Error> no_expression(std::string_view space, std::string_view value,
                                    std::string_view known,
                                    std::span<const std::string_view> spaces) {
  const auto near = nearest(space, spaces);
  return fail(ErrorCode::kInvalid, "!{{{}{}{}}} is no expression: there are {}{}", space,
              value.empty() ? "" : ":", value, known,
              near ? fmt::format("; did you mean {}?", *near) : "");
}

}  // namespace edgehose
