// A destination that tells of each of a claim's three records: its answers by name.
#pragma once

#include <chrono>
#include <functional>

#include "tests/sinks/delivery/courier_fixture.h"

namespace edgehose {

inline SequenceRange range(std::uint64_t first, std::uint64_t last) {
  return {Sequence{first}, Sequence{last}};
}

class CourierPartlyTest : public CourierTest {
 protected:
  // Of the records 1, 2 and 3 of each claim.
  CourierPartlyTest() {
    const Rejected one{{Sequence{1}}, "bad date", "date"}, three{{Sequence{3}}, "bad number"};
    const Ranges second{range(2, 2)}, third{range(3, 3)}, last_two{range(2, 3)};
    sink->verdicts["1 bad, 2 again"] = Partly{{one}, second, "queue full"};
    sink->verdicts["1 bad, 2 and 3 again"] = Partly{{one}, last_two, "queue full"};
    sink->verdicts["2 and 3 again"] = Partly{{}, last_two, "queue full"};
    sink->verdicts["3 again"] = Partly{{}, third, "queue full"};
    sink->verdicts["3 again in 30 s"] = Partly{{}, third, "queue full", std::chrono::seconds(30)};
    const Ranges both[] = {second, last_two};
    for (const Ranges& rest : both)
      sink->verdicts[rest == second ? "1 bad, 2 at once" : "1 bad, 2 and 3 at once"] =
          Partly{.refused = {one}, .again = rest, .reason = "bad date", .at_once = true};
    sink->verdicts["2 bad, 3 at once"] = Partly{.refused = {{{Sequence{2}}, "bad date", "date"}},
                                                .again = third,
                                                .reason = "bad date",
                                                .at_once = true};
    sink->verdicts["3 bad"] = Partly{{three}, {}, ""};
    sink->verdicts["3 blocked"] = Partly{{}, third, "index blocked", {}, true};
    sink->verdicts["all blocked"] = Partly{{}, {range(1, 3)}, "index blocked", {}, true};
    sink->verdicts["all bad"] =
        Partly{{one, {{Sequence{2}}, "bad", "date"}, {{Sequence{3}}, "bad", "date"}}, {}, ""};
    sink->verdicts["all blocked too long"] = Partly{
        {{{Sequence{1}, Sequence{2}, Sequence{3}}, "blocked", "block", false, "", true}}, {}, ""};
    sink->verdicts["all bad, of which nothing is shown"] = Partly{
        {{{Sequence{1}, Sequence{2}, Sequence{3}}, "bad canary", "date", false, "bad"}}, {}, ""};
    sink->verdicts["2 and 3 bad"] = Partly{{{{Sequence{2}, Sequence{3}}, "bad", "date"}}, {}, ""};
  }
  // As a server that names the first bad record, and does not look at those behind it.
  void answer_bad(const Ranges& left, const std::function<bool(std::uint64_t)>& is_bad) {
    std::uint64_t at = 0;
    Ranges again;
    for (const SequenceRange& r : left)
      for (std::uint64_t n = r.first.value; n <= r.last.value; ++n) {
        if (at == 0 && is_bad(n))
          at = n;
        else if (at != 0)
          again.push_back(range(n, n));
      }
    const Rejected bad{{Sequence{at}}, "bad date", "date"};
    sink->verdicts["answer"] =
        at == 0 ? Verdict(Delivered{})
        : count_records(left) == 1
            ? Verdict(bad)
            : Verdict(
                  Partly{.refused = {bad}, .again = again, .reason = "bad date", .at_once = true});
    answer("answer");
  }
  void answer_even_is_bad(const Ranges& left) {
    answer_bad(left, [](std::uint64_t n) { return n % 2 == 0; });
  }
  void answer_bad_up_to(std::uint64_t last, const Ranges& left) {
    answer_bad(left, [last](std::uint64_t n) { return n <= last; });
  }
  // The first batch is answered so each time, and others between are delivered; until it is halved.
  void refuse_the_first_alone(const std::string& verdict, std::uint64_t times = 20,
                              std::uint64_t records = 3) {
    const auto answer_all = [&] {
      while (!transport->sent.empty())
        answer(transport->sent[0].key == "key-1" ? verdict : std::string("ok"));
    };
    store.add_block(1, 1, std::vector<std::string>(records, "one"));
    courier->claims().post(claim(1, 1, records));
    run();
    answer(verdict);
    for (std::uint64_t n = 2; n < times && take_halves() + letters == 0; ++n) {
      post(n);
      while (transport->sent.empty()) advance_to_next();
      answer_all();
      clock.advance(std::chrono::minutes(10));
      run();
      answer_all();
    }
  }
  std::size_t take_halves() {
    for (CourierEvent& event : outcomes.take()) {
      halves += std::holds_alternative<Halve>(event);
      if (const auto* settled = std::get_if<Settled>(&event)) letters += settled->ack.dead.size();
    }
    return halves;
  }
  std::size_t halves = 0;
  std::size_t letters = 0;  // dead ones
  void make_for(Recognises what) { make({.concurrency = 1, .recognises = what}); }
  Settled only_settled() {
    const auto settled = take<Settled>();
    EXPECT_EQ(settled.size(), 1u);
    return settled.empty() ? Settled{} : settled[0];
  }
};

}  // namespace edgehose
