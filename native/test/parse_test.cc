#include "source/procfs/parse.h"

#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <string>
#include <vector>

namespace procmuster {
namespace {

// Text without a byte of slack behind it, so that the address sanitizer sees a read past its end.
class Exact {
 public:
  explicit Exact(std::string_view text) : bytes_(new char[text.size()]), size_(text.size()) {
    text.copy(bytes_.get(), size_);
  }
  std::string_view view() const { return {bytes_.get(), size_}; }

 private:
  std::unique_ptr<char[]> bytes_;
  size_t size_;
};

// Fields 3 to 52 as a kernel writes them.
constexpr char kTail[] =
    " S 1 4242 4241 34816 4250 4194560 1234 5678 12 34 1500 700 20 30 -2 -20 9 0 987654 8790016 333 "
    "18446744073709551615 94000000000000 94000000010000 140720000000000 0 0 0 0 4096 81920 0 0 0 17 63 99 1 "
    "3 0 0 "
    "94000000020000 94000000030000 94000000040000 140720000000100 140720000000200 140720000000200 "
    "140720000000300 0\n";

std::string StatLine(std::string_view name) { return "4242 (" + std::string(name) + ")" + kTail; }

TEST(ParseStat, ReadsEveryField) {
  Exact text(StatLine("bash"));
  StatFields fields;
  ASSERT_TRUE(ParseStat(text.view(), &fields));
  EXPECT_EQ(fields.pid, 4242);
  EXPECT_EQ(fields.comm, "bash");
  EXPECT_EQ(fields.state, 'S');
  EXPECT_EQ(fields.ppid, 1);
  EXPECT_EQ(fields.pgid, 4242);
  EXPECT_EQ(fields.sid, 4241);
  EXPECT_EQ(fields.tty_nr, 34816);
  EXPECT_EQ(fields.tpgid, 4250);
  EXPECT_EQ(fields.flags, 4194560u);
  EXPECT_EQ(fields.minor_faults, 1234u);
  EXPECT_EQ(fields.major_faults, 12u);
  EXPECT_EQ(fields.user_ticks, 1500u);
  EXPECT_EQ(fields.system_ticks, 700u);
  EXPECT_EQ(fields.priority, -2);
  EXPECT_EQ(fields.nice, -20);
  EXPECT_EQ(fields.threads, 9);
  EXPECT_EQ(fields.start_ticks, 987654u);
  EXPECT_EQ(fields.vsz_bytes, 8790016u);
  EXPECT_EQ(fields.rss_pages, 333u);
  EXPECT_EQ(fields.start_stack, 140720000000000u);
  EXPECT_EQ(fields.processor, 63);
  EXPECT_EQ(fields.rt_priority, 99);
  EXPECT_EQ(fields.sched_policy, 1);
}

TEST(ParseStat, TakesAnyName) {
  const std::string names[] = {
      "",
      " ",
      "a b",
      ")",
      "(",
      "x) R 1 (",
      ")))) Z 0 0 0",
      "a\nb",
      "\n",
      "\x1b[31m",
      "\xff\xfe\x80",
      ") S 1 4242",
      "(sd-pam)",
      "0123456789abcde",
      std::string("a\0b", 3),
      // A kernel worker shows more than 15 bytes.
      "kworker/u257:113-events_unbound_and_more_of_the_work_queue",
  };
  for (const std::string& name : names) {
    Exact text(StatLine(name));
    StatFields fields;
    ASSERT_TRUE(ParseStat(text.view(), &fields)) << name;
    EXPECT_EQ(fields.comm, name);
    EXPECT_EQ(fields.ppid, 1) << name;
    EXPECT_EQ(fields.sched_policy, 1) << name;
  }
}

TEST(ParseStat, TakesExtremes) {
  std::string line =
      "2147483647 (x) Z -1 -1 -1 -2147483647 -1 4294967295 18446744073709551615 0 18446744073709551615 0 "
      "18446744073709551615 18446744073709551615 -9223372036854775808 0 -100 19 0 0 18446744073709551615 "
      "18446744073709551615 18446744073709551615 0 0 0 18446744073709551615 0 0 0 0 0 0 0 0 0 0 2147483647 0 "
      "0";
  Exact text(line);
  StatFields fields;
  ASSERT_TRUE(ParseStat(text.view(), &fields));
  EXPECT_EQ(fields.pid, std::numeric_limits<int32_t>::max());
  EXPECT_EQ(fields.tty_nr, -std::numeric_limits<int32_t>::max());
  EXPECT_EQ(fields.flags, std::numeric_limits<uint32_t>::max());
  EXPECT_EQ(fields.start_ticks, std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(fields.priority, -100);
  EXPECT_EQ(fields.tpgid, -1);
}

// A file cut anywhere before the last field that is wanted is refused, not half believed.
TEST(ParseStat, RefusesEveryTruncation) {
  const std::string line = StatLine("x) R 1 (");
  const std::string wanted = line.substr(0, line.find(" 63 99 1 3") + std::string(" 63 99 1").size());
  for (size_t length = 0; length < wanted.size(); length++) {
    Exact text(std::string_view(line).substr(0, length));
    StatFields fields;
    EXPECT_FALSE(ParseStat(text.view(), &fields)) << text.view();
  }
  StatFields fields;
  EXPECT_TRUE(ParseStat(Exact(line).view(), &fields));
}

TEST(ParseStat, RefusesWhatNoKernelWrites) {
  const std::string bad[] = {
      "",
      "\n",
      "4242",
      "4242 bash S 1",
      ") 4242 (bash" + std::string(kTail),
      "x (bash)" + std::string(kTail),
      "99999999999 (bash)" + std::string(kTail),
      "4242 (bash) S one 4242 4241 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 5 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0",
      "4242 (bash) S 1 4242 4241 0 -1 0 99999999999999999999 0 0 0 0 0 0 0 20 0 1 0 5 0 0 0 0 0 0 0 0 0 0 0 "
      "0 0 0 0 0",
      "4242 (bash)S 1 4242 4241 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 5 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 "
      "0",
  };
  for (const std::string& line : bad) {
    Exact text(line);
    StatFields fields;
    EXPECT_FALSE(ParseStat(text.view(), &fields)) << line;
  }
}

TEST(ParseStatm, ReadsAndRefuses) {
  StatmFields fields;
  Exact text("2146 333 222 19 0 87 0\n");
  ASSERT_TRUE(ParseStatm(text.view(), &fields));
  EXPECT_EQ(fields.size, 2146u);
  EXPECT_EQ(fields.resident, 333u);
  EXPECT_EQ(fields.shared, 222u);
  EXPECT_EQ(fields.text, 19u);
  EXPECT_EQ(fields.data, 87u);
  for (const char* kernel_thread : {"0 0 0 0 0 0 0\n", "0 0 0 0 0 0 0"}) {
    ASSERT_TRUE(ParseStatm(Exact(kernel_thread).view(), &fields));
    EXPECT_EQ(fields.resident, 0u);
  }
  for (const char* bad : {"", "\n", "1 2 3 4 0", "1 2 3 4 0 ", "1 2 x 4 0 5 0\n", "-1 2 3 4 0 5 0\n",
                          "1\n2\n3\n4\n0\n5\n", "99999999999999999999 2 3 4 0 5 0\n"}) {
    EXPECT_FALSE(ParseStatm(Exact(bad).view(), &fields)) << bad;
  }
}

constexpr char kStatus[] =
    "Name:\ta\\nUid:\\t0\\t0\\t0\\t0\n"
    "Umask:\t0022\n"
    "State:\tS (sleeping)\n"
    "Pid:\t4242\n"
    "Uid:\t1000\t1001\t1002\t1003\n"
    "Gid:\t100\t101\t102\t4294967294\n"
    "FDSize:\t64\n"
    "Groups:\t4 24 27 \n"
    "VmPeak:\t    8584 kB\n"
    "VmLck:\t      16 kB\n"
    "VmHWM:\t    3584 kB\n"
    "VmRSS:\t    3580 kB\n"
    "RssAnon:\t     380 kB\n"
    "RssFile:\t    3200 kB\n"
    "RssShmem:\t       4 kB\n"
    "VmSwap:\t       8 kB\n"
    "Threads:\t1\n"
    "voluntary_ctxt_switches:\t123\n"
    "nonvoluntary_ctxt_switches:\t45\n";

TEST(ParseStatus, ReadsEveryField) {
  StatusFields fields;
  Exact text(kStatus);
  ASSERT_TRUE(ParseStatus(text.view(), &fields));
  EXPECT_TRUE(fields.has_memory);
  EXPECT_EQ(fields.rss_anon_kb, 380u);
  EXPECT_EQ(fields.rss_file_kb, 3200u);
  EXPECT_EQ(fields.rss_shmem_kb, 4u);
  EXPECT_EQ(fields.swap_kb, 8u);
  EXPECT_EQ(fields.peak_rss_kb, 3584u);
  EXPECT_EQ(fields.locked_kb, 16u);
  EXPECT_TRUE(fields.has_switches);
  EXPECT_EQ(fields.voluntary_switches, 123u);
  EXPECT_EQ(fields.involuntary_switches, 45u);
  EXPECT_EQ(std::vector<uint32_t>(fields.uid, fields.uid + 4),
            (std::vector<uint32_t>{1000, 1001, 1002, 1003}));
  EXPECT_EQ(std::vector<uint32_t>(fields.gid, fields.gid + 4),
            (std::vector<uint32_t>{100, 101, 102, 4294967294}));
}

TEST(ParseStatus, KernelThreadHasNoMemory) {
  StatusFields fields;
  Exact text(
      "Name:\tkthreadd\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nvoluntary_ctxt_switches:\t1\n"
      "nonvoluntary_ctxt_switches:\t2\n");
  ASSERT_TRUE(ParseStatus(text.view(), &fields));
  EXPECT_FALSE(fields.has_memory);
  EXPECT_TRUE(fields.has_switches);
}

TEST(ParseStatus, PartOfTheMemoryIsNoMemory) {
  StatusFields fields;
  Exact text("Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nVmHWM:\t1 kB\n");
  ASSERT_TRUE(ParseStatus(text.view(), &fields));
  EXPECT_FALSE(fields.has_memory);
  EXPECT_FALSE(fields.has_switches);
}

TEST(ParseStatus, Refuses) {
  for (const char* bad : {
           "",
           "Name:\tx\n",
           "Uid:\t0\t0\t0\t0\n",
           "Uid:\t0\t0\t0\nGid:\t0\t0\t0\t0\n",
           "Uid:\t0\t0\t0\t-1\nGid:\t0\t0\t0\t0\n",
           "Uid:\t4294967296\t0\t0\t0\nGid:\t0\t0\t0\t0\n",
           "Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nVmHWM:\tmany kB\n",
           "Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nvoluntary_ctxt_switches:\t\n",
       }) {
    StatusFields fields;
    EXPECT_FALSE(ParseStatus(Exact(bad).view(), &fields)) << bad;
  }
}

TEST(ParseIo, ReadsAndRefuses) {
  IoFields fields;
  Exact text(
      "rchar: 1\nwchar: 18446744073709551615\nsyscr: 3\nsyscw: 4\nread_bytes: 5\nwrite_bytes: 6\n"
      "cancelled_write_bytes: 7\n");
  ASSERT_TRUE(ParseIo(text.view(), &fields));
  EXPECT_EQ(fields.rchar, 1u);
  EXPECT_EQ(fields.wchar, std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(fields.read_bytes, 5u);
  EXPECT_EQ(fields.write_bytes, 6u);
  for (const char* bad : {"", "rchar: 1\n", "rchar: 1\nwchar: 2\nread_bytes: 5\n",
                          "rchar: x\nwchar: 2\nread_bytes: 5\nwrite_bytes: 6\n",
                          "rchar: 18446744073709551616\nwchar: 2\nread_bytes: 5\nwrite_bytes: 6\n"}) {
    EXPECT_FALSE(ParseIo(Exact(bad).view(), &fields)) << bad;
  }
}

TEST(ParseMemTotal, Reads) {
  EXPECT_EQ(ParseMemTotal("MemTotal:       24576000 kB\nMemFree: 1 kB\n"), 24576000ull * 1024);
  EXPECT_EQ(ParseMemTotal("MemFree: 1 kB\n"), 0u);
  EXPECT_EQ(ParseMemTotal(""), 0u);
}

TEST(ParseOomScoreAdj, TakesANumberWithASign) {
  int32_t score;
  ASSERT_TRUE(ParseOomScoreAdj("-1000\n", &score));
  EXPECT_EQ(score, -1000);
  ASSERT_TRUE(ParseOomScoreAdj("0\n", &score));
  EXPECT_EQ(score, 0);
  for (const char* text : {"", "\n", "-", "x", "99999999999"})
    EXPECT_FALSE(ParseOomScoreAdj(text, &score)) << text;
}

}  // namespace
}  // namespace procmuster
