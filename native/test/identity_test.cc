#include "control/identity.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>

namespace procmuster {
namespace {

// Without a byte of slack behind it, so that the address sanitizer sees a read past its end.
bool Parse(const std::string& text, StatFacts* facts) {
  std::unique_ptr<char[]> exact(new char[text.size()]);
  memcpy(exact.get(), text.data(), text.size());
  return ParseStatFacts(exact.get(), text.size(), facts);
}

TEST(StatFacts, TakesTheFieldsAfterTheLastParenthesis) {
  StatFacts facts;
  ASSERT_TRUE(
      Parse("42 (a) Z 0 (b)\n) R 7 1 1 0 -1 2097152 1 2 3 4 5 6 7 8 20 -5 1 0 4294967296 1 2", &facts));
  EXPECT_EQ(facts.state, 'R');
  EXPECT_EQ(facts.ppid, 7);
  EXPECT_TRUE(facts.kernel_thread());
  EXPECT_EQ(facts.start_ticks, 4294967296u);
}

TEST(StatFacts, RefusesEveryLineThatIsCutBeforeTheStartTime) {
  const std::string line = "42 (x) S 1 1 1 0 -1 64 1 2 3 4 5 6 7 8 20 0 1 0 5000 1 2\n";
  const size_t needed = line.find("5000") + 1;
  StatFacts facts;
  for (size_t size = 0; size < needed; size++) EXPECT_FALSE(Parse(line.substr(0, size), &facts)) << size;
  EXPECT_TRUE(Parse(line, &facts));
}

TEST(StatFacts, RefusesWhatIsNoNumber) {
  StatFacts facts;
  EXPECT_FALSE(Parse("42 (x) S one 1 1 0 -1 64 1 2 3 4 5 6 7 8 20 0 1 0 5000", &facts));
  EXPECT_FALSE(Parse("42 (x) S 1 1 1 0 -1 64 1 2 3 4 5 6 7 8 20 0 1 0 123456789012345678901", &facts));
  EXPECT_FALSE(Parse("42 (x)S 1", &facts));
}

}  // namespace
}  // namespace procmuster
