#include "inspect/memory_map.h"

#include <gtest/gtest.h>

#include <string>

#include "inspect/process_scan.h"

namespace procmuster {
namespace {

constexpr char kMaps[] =
    "55d3f2d2d000-55d3f2d2f000 r--p 00000000 fe:00 260386                     /usr/bin/a b (c)\n"
    "55d3f2d2f000-55d3f2d35000 r-xp 00002000 fe:00 260386                     /usr/bin/a b (c)\n"
    "55d3f2d35000-55d3f2d36000 rw-p 00008000 fe:00 260386                     /usr/bin/a b (c)\n"
    "55d3f2d36000-55d3f2d38000 rw-p 00000000 00:00 0 \n"
    "55d3f3000000-55d3f3021000 rw-p 00000000 00:00 0                          [heap]\n"
    "7f0000000000-7f0000021000 rw-p 00000000 00:00 0 \n"
    "7f0000021000-7f0004000000 ---p 00000000 00:00 0 \n"
    "7f1000000000-7f1000001000 ---p 00000000 00:00 0 \n"
    "7f1000001000-7f1000801000 rw-p 00000000 00:00 0 \n"
    "7f1100000000-7f1100001000 ---p 00000000 00:00 0 \n"
    "7f1100001000-7f1100801000 rw-p 00000000 00:00 0 \n"
    "7f2000000000-7f2000010000 rw-s 00000000 00:01 42                         /memfd:\\012x (deleted)\n"
    "7f2000010000-7f2000020000 rw-s 00000000 00:01 0                          /SYSV00000000 (deleted)\n"
    "7f3000000000-7f3000028000 r--p 00000000 fe:00 7                          /lib/libc.so.6\n"
    "7f3000028000-7f3000029000 rw-p 00028000 fe:00 7                          /lib/libc.so.6\n"
    "7f3000029000-7f3000036000 rw-p 00000000 00:00 0 \n"
    "7f3100000000-7f3100001000 r--p 00000000 fe:00 8                          /var/cache/x.db\n"
    "7f3200000000-7f3200001000 r-xp 00000000 fe:00 9                          /opt/plugin (deleted)\n"
    "7f3300000000-7f3300001000 rw-s 00000000 00:0e 10                         anon_inode:[io_uring]\n"
    "7f3400000000-7f3400001000 rw-p 00000000 00:00 0                          [anon:[heap]\n"
    "7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0                          [stack]\n"
    "7ffc000f0000-7ffc000f4000 r--p 00000000 00:00 0                          [vvar]\n"
    "7ffc000f4000-7ffc000f6000 r-xp 00000000 00:00 0                          [vdso]\n"
    "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n";

MemoryMap Classified(std::string_view text, const MapContext& context, size_t piece) {
  MemoryMap map;
  for (size_t at = 0; at < text.size(); at += piece) map.Feed(text.substr(at, piece));
  map.Classify(context);
  return map;
}

TEST(MemoryMap, SortsMappingsIntoClassesInWhateverPieces) {
  using enum MemoryClass;
  const MemoryClass expected[] = {kText,        kText,         kData,         kBss,          kHeap,
                                  kAnonymous,   kAnonymous,    kAnonymous,    kThreadStack,  kAnonymous,
                                  kThreadStack, kSharedMemory, kSharedMemory, kSharedObject, kSharedObject,
                                  kBss,         kMappedFile,   kSharedObject, kOther,        kAnonymous,
                                  kStack,       kVvar,         kVdso,         kVsyscall};
  for (size_t piece : {size_t{1}, size_t{7}, size_t{4096}}) {
    MapContext context;
    context.executable = "/usr/bin/a b (c)";
    context.threads = {{11, 0x7f1000800f00}, {12, 0}};
    MemoryMap map = Classified(kMaps, context, piece);
    ASSERT_EQ(map.regions().size(), std::size(expected));
    for (size_t i = 0; i < std::size(expected); i++) {
      EXPECT_EQ(map.regions()[i].kind, expected[i]) << map.names()[map.regions()[i].name] << " " << i;
    }
    EXPECT_EQ(map.regions()[8].tid, 11);
    EXPECT_TRUE(map.regions()[8].certain);
    EXPECT_EQ(map.regions()[10].tid, 0);
    EXPECT_FALSE(map.regions()[10].certain);
    EXPECT_FALSE(map.has_usage());
    EXPECT_EQ(map.regions()[23].end, 0xffffffffff601000u);
  }
}

TEST(MemoryMap, DoesNotTakeAnArenaForAStack) {
  MapContext context;
  context.threads = {{11, 0xc000100000}};
  MemoryMap map = Classified("c000000000-c004000000 rw-p 00000000 00:00 0 \n", context, 100);
  EXPECT_EQ(map.regions()[0].kind, MemoryClass::kAnonymous);
  context.threads = {{11, 0xc003fff000}};
  map = Classified("c000000000-c004000000 rw-p 00000000 00:00 0 \n", context, 100);
  EXPECT_EQ(map.regions()[0].kind, MemoryClass::kThreadStack);
  EXPECT_FALSE(map.regions()[0].certain);
}

TEST(MemoryMap, AddsUpWhatSmapsTells) {
  MemoryMap map = Classified(
      "Rss: 4 kB\n"
      "1000-5000 rw-p 00000000 00:00 0 \n"
      "Size:                 16 kB\nRss:                  12 kB\nPss:                   6 kB\n"
      "Pss_Dirty:             2 kB\nShared_Hugetlb:     2048 kB\nPrivate_Hugetlb:    2048 kB\n"
      "Swap:                  4 kB\nVmFlags: rd wr\nRss:\nLocked: x kB\n"
      "9000-8000 rw-p 00000000 00:00 0 \n",
      {}, 5);
  ASSERT_EQ(map.regions().size(), 1u);
  const auto& fields = map.regions()[0].fields;
  EXPECT_EQ(fields[kSize], 16384u);
  EXPECT_EQ(fields[kRss], 12288u);
  EXPECT_EQ(fields[kPss], 6144u);
  EXPECT_EQ(fields[kHugetlb], 4194304u);
  EXPECT_EQ(fields[kSwap], 4096u);
  EXPECT_EQ(fields[kLocked], 0u);
  EXPECT_TRUE(map.has_usage());
}

TEST(MapsLine, RefusesWhatTheKernelWouldNotWrite) {
  MapsLine line;
  for (const char* text :
       {"", "1000", "1000-2000", "1000-2000 rw-p", "2000-1000 r--p 0 0:0 0", "1000-2000 rwxp 0 0 0",
        "1000-2000 rw-p 0 fe:00 12x", "11111111111111111-2 r--p 0 0:0 0"}) {
    EXPECT_FALSE(ParseMapsLine(text, &line)) << text;
  }
  ASSERT_TRUE(ParseMapsLine("1000-2000 rw-p 0 fe:1 12", &line));
  EXPECT_EQ(line.device_major, 0xfeu);
  EXPECT_TRUE(line.name.empty());
}

TEST(NamesLibrary, TakesWholeNamesUpToAVersion) {
  EXPECT_TRUE(NamesLibrary("libssl", "/usr/lib/libssl.so.3"));
  EXPECT_TRUE(NamesLibrary("libssl.so.3", "/usr/lib/libssl.so.3 (deleted)"));
  EXPECT_TRUE(NamesLibrary("libc", "/lib/libc-2.31.so"));
  EXPECT_TRUE(NamesLibrary("/usr/lib/libssl.so.3", "/usr/lib/libssl.so.3"));
  EXPECT_FALSE(NamesLibrary("libc", "/lib/libcrypt.so.1"));
  EXPECT_FALSE(NamesLibrary("lib", "/lib/x"));
  EXPECT_FALSE(NamesLibrary("", "/lib/libc.so.6"));
}

}  // namespace
}  // namespace procmuster
