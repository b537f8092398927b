// The templates behind field.h; included by it alone.
#pragma once

namespace edgehose::config {

namespace detail {

// Makes functions over an Inner into functions over the Outer that holds it.
template <auto Member>
void rebase(Field& field) {
  using C = typename MemberOf<Member>::Owner;
  const auto inner = [](const void* o) -> const void* {
    return &(static_cast<const C*>(o)->*Member);
  };
  const auto over = [inner](auto wrong) {
    return [inner, wrong = std::move(wrong)](const void* o) { return wrong(inner(o)); };
  };
  if (field.read)
    field.read = [read = std::move(field.read)](const Value& v, void* o, Diagnostics& d) {
      return read(v, &(static_cast<C*>(o)->*Member), d);
    };
  if (field.print) field.print = over(std::move(field.print));
  if (field.entries)
    field.entries = [inner, entries = std::move(field.entries)](const void* o) {
      return entries(inner(o));
    };
  if (field.secrets) field.secrets = over(std::move(field.secrets));
  for (auto& check : field.checks) check = over(std::move(check));
  for (Rule& rule : field.rules) rule.wrong = over(std::move(rule.wrong));
  for (Field& child : field.fields) rebase<Member>(child);
}

template <auto Member, class Read, class Print>
auto value_field(std::string key, std::string type, std::string help, Read read, Print print) {
  using C = typename MemberOf<Member>::Owner;
  using V = typename MemberOf<Member>::Type;
  ValueField<C, V> f;
  f.member = Member;
  f.key = std::move(key);
  f.type = std::move(type);
  f.help = std::move(help);
  f.read = [read](const Value& v, void* o, Diagnostics& d) {
    return read(v, static_cast<C*>(o)->*Member, d);
  };
  f.print = [print](const void* o) -> std::string {
    return print(static_cast<const C*>(o)->*Member);
  };
  if constexpr (std::is_same_v<V, StringMap>)
    f.entries = [](const void* o) { return static_cast<const C*>(o)->*Member; };
  if constexpr (std::is_same_v<V, SecretRef>)
    f.secrets = [](const void* o) { return std::vector{static_cast<const C*>(o)->*Member}; };
  if constexpr (std::is_same_v<V, std::vector<SecretRef>>)
    f.secrets = [](const void* o) { return static_cast<const C*>(o)->*Member; };
  return f;
}

}  // namespace detail

template <class C, class V>
ValueField<C, V> ValueField<C, V>::range(V low, V high) && {
  C limits{};
  limits.*member = low;
  const std::string from = this->print(&limits);
  limits.*member = high;
  const std::string to = this->print(&limits);
  this->bounds = from + " to " + to;
  // An integer that does not even fit the member is told of the same bounds.
  if constexpr (ConfigInteger<V>)
    this->read = [low, high, from, to, read = this->read](const Value& v, void* o, Diagnostics& d) {
      const auto* i = v.as<std::int64_t>();
      if (i == nullptr || (!std::cmp_less(*i, low) && !std::cmp_greater(*i, high)))
        return read(v, o, d);
      d.error(v.origin, "must be between " + from + " and " + to + ", got " + std::to_string(*i));
      return false;
    };
  this->checks.push_back(
      [low, high, from, to, m = member, print = this->print](const void* object) -> std::string {
        const V& v = static_cast<const C*>(object)->*m;
        if (!(v < low) && !(high < v)) return {};
        return "must be between " + from + " and " + to + ", got " + print(object);
      });
  return std::move(*this);
}

template <class C>
Fields<C>::Fields(std::initializer_list<FieldFor<C>> list) {
  for (const FieldFor<C>& f : list) {
    if (f.kind != Field::Kind::kInclude) {
      fields.push_back(f);
      continue;
    }
    fields.insert(fields.end(), f.fields.begin(), f.fields.end());
    rules.insert(rules.end(), f.rules.begin(), f.rules.end());
  }
}

template <auto Member>
auto field(std::string key, std::string help) {
  using V = typename MemberOf<Member>::Type;
  return detail::value_field<Member>(
      std::move(key), type_name(static_cast<const V*>(nullptr)), std::move(help),
      [](const Value& v, V& out, Diagnostics& d) { return read_value(v, out, d); },
      [](const V& v) { return print_value(v); });
}

template <auto Member>
auto field(std::string key, Required, std::string help) {
  auto f = field<Member>(std::move(key), std::move(help));
  f.required = true;
  return f;
}

template <auto Member>
auto size_field(std::string key, std::string help) {
  using V = typename MemberOf<Member>::Type;
  return detail::value_field<Member>(
      std::move(key), "size", std::move(help),
      [](const Value& v, V& out, Diagnostics& d) { return read_size(v, out, d); },
      [](const V& v) { return print_size(v); });
}

template <auto Member>
auto text_or_file(std::string key, std::string help) {
  return detail::value_field<Member>(
      std::move(key), "string or { file = \"...\" }", std::move(help), read_text_or_file,
      [](const std::string& v) { return v.empty() ? std::string() : config::quote(v); });
}

template <auto Member>
auto plain_secret(std::string key, std::string help) {
  return detail::value_field<Member>(std::move(key), "secret", std::move(help), read_plain_secret,
                                     [](const SecretRef& v) { return print_value(v); });
}

template <auto Member>
auto choice(std::string key,
            std::vector<std::pair<std::string, typename MemberOf<Member>::Type>> names,
            std::string help) {
  using V = typename MemberOf<Member>::Type;
  std::vector<std::string> words;
  for (const auto& [word, value] : names) words.push_back(word);
  return detail::value_field<Member>(
      std::move(key), choice_type(words), std::move(help),
      [names, words](const Value& v, V& out, Diagnostics& d) {
        std::size_t chosen = 0;
        if (!read_choice(v, words, chosen, d)) return false;
        out = names[chosen].second;
        return true;
      },
      [names](const V& v) -> std::string {
        for (const auto& [word, value] : names)
          if (value == v) return quote(word);
        return {};
      });
}

template <class C>
TableField<C> group(std::string key, Fields<C> fields, std::string help) {
  TableField<C> f;
  f.kind = Field::Kind::kTable;
  f.key = std::move(key);
  f.type = "table";
  f.help = std::move(help);
  f.fields = std::move(fields.fields);
  f.rules = std::move(fields.rules);
  return f;
}

template <class C>
FieldFor<C> not_here(std::string key, std::string why) {
  FieldFor<C> f;
  f.kind = Field::Kind::kNotHere;
  f.key = std::move(key);
  f.help = std::move(why);
  return f;
}

template <auto Member>
TableField<typename MemberOf<Member>::Owner> table(std::string key,
                                                   Fields<typename MemberOf<Member>::Type> fields,
                                                   std::string help) {
  TableField<typename MemberOf<Member>::Owner> f;
  static_cast<Field&>(f) = group(std::move(key), std::move(fields), std::move(help));
  detail::rebase<Member>(f);
  return f;
}

template <auto Member>
FieldFor<typename MemberOf<Member>::Owner> include(Fields<typename MemberOf<Member>::Type> fields) {
  auto f = table<Member>({}, std::move(fields), {});
  f.kind = Field::Kind::kInclude;
  return f;
}

template <auto Member>
FieldFor<typename MemberOf<Member>::Owner> table_name() {
  using C = typename MemberOf<Member>::Owner;
  FieldFor<C> f;
  f.kind = Field::Kind::kTableName;
  f.read = [](const Value& v, void* o, Diagnostics&) {
    if (const auto* text = v.as<std::string>()) static_cast<C*>(o)->*Member = *text;
    return true;
  };
  return f;
}

}  // namespace edgehose::config
