#include "source/procfs/pid_list.h"

#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "common/unique_fd.h"

namespace procmuster {
namespace {

// One struct linux_dirent64; `length` overrides d_reclen.
std::string Record(const std::string& name, int length = -1) {
  size_t size = (19 + name.size() + 1 + 7) / 8 * 8;
  std::string record(size, '\0');
  uint16_t reclen = static_cast<uint16_t>(length < 0 ? size : static_cast<size_t>(length));
  memcpy(&record[16], &reclen, sizeof reclen);
  memcpy(&record[19], name.data(), name.size());
  return record;
}

bool Parse(const std::string& bytes, std::vector<int32_t>* pids) {
  std::vector<char> exact(bytes.begin(), bytes.end());
  return ParseDirectory(exact.data(), exact.size(), pids);
}

TEST(ParseDirectory, TakesPidsOnly) {
  std::vector<int32_t> pids;
  ASSERT_TRUE(Parse(Record(".") + Record("..") + Record("1") + Record("self") + Record("42x") +
                        Record("2147483647") + Record("2147483648") + Record("99999999999999999999") +
                        Record("0") + Record("x7") + Record("70000"),
                    &pids));
  EXPECT_EQ(pids, (std::vector<int32_t>{1, 2147483647, 70000}));
}

TEST(ParseDirectory, RefusesMalformedRecords) {
  std::vector<int32_t> pids;
  EXPECT_TRUE(Parse("", &pids));
  EXPECT_FALSE(Parse("short", &pids));
  EXPECT_FALSE(Parse(Record("1", 0), &pids)) << "a record of no length would never end";
  EXPECT_FALSE(Parse(Record("1", 19), &pids));
  EXPECT_FALSE(Parse(Record("1", 4096), &pids)) << "longer than what was read";
  std::string unterminated = Record("123");
  unterminated.resize(19 + 3);
  uint16_t length = 19 + 3;
  memcpy(&unterminated[16], &length, sizeof length);
  EXPECT_FALSE(Parse(unterminated, &pids));
}

TEST(ListPids, FindsItselfInAscendingOrder) {
  UniqueFd proc(open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  ASSERT_TRUE(proc.valid());
  std::vector<int32_t> pids;
  for (int round = 0; round < 2; round++) {  // the descriptor is rewound
    ASSERT_EQ(ListPids(proc.get(), &pids), 0);
    EXPECT_TRUE(std::is_sorted(pids.begin(), pids.end()));
    EXPECT_TRUE(std::binary_search(pids.begin(), pids.end(), getpid()));
    EXPECT_EQ(std::adjacent_find(pids.begin(), pids.end()), pids.end());
  }
}

TEST(ListPids, SortsAnotherRootAndReportsErrors) {
  char root[] = "/tmp/procmuster-pid-list-XXXXXX";
  ASSERT_NE(mkdtemp(root), nullptr);
  const std::vector<int32_t> wanted = {3, 20, 100, 4000};
  for (int32_t pid : {4000, 3, 100, 20})
    ASSERT_EQ(mkdir((std::string(root) + "/" + std::to_string(pid)).c_str(), 0700), 0);
  UniqueFd directory(open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  std::vector<int32_t> pids = {7};
  EXPECT_EQ(ListPids(directory.get(), &pids), 0);
  EXPECT_EQ(pids, wanted);
  for (int32_t pid : wanted) rmdir((std::string(root) + "/" + std::to_string(pid)).c_str());
  rmdir(root);
  EXPECT_EQ(ListPids(-1, &pids), EBADF);
}

}  // namespace
}  // namespace procmuster
