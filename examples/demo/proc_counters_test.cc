#include "examples/demo/proc_counters.h"

#include <filesystem>
#include <fstream>
#include <string>

#include "gtest/gtest.h"

namespace stepwell::demo {
namespace {

// What two CPUs of a virtual machine with Linux 6 gave, the interrupts cut short.
constexpr char kStat[] =
    "cpu  45309 0 7303 14378 371 0 90 359 0 0\n"
    "cpu0 22032 0 3370 8295 15 0 20 178 0 0\n"
    "cpu1 23276 0 3932 6082 356 0 70 181 0 0\n"
    "intr 271334 0 0 0 0 0 0 1 1 9\n"
    "ctxt 370307\n"
    "btime 1795559475\n"
    "processes 8280\n"
    "procs_running 13\n"
    "procs_blocked 0\n"
    "softirq 124679 0 15333 4 5220 42317 0 5 28770 0 33030\n";

constexpr char kMeminfo[] =
    "MemTotal:       24683656 kB\n"
    "MemFree:        21527548 kB\n"
    "MemAvailable:   22600452 kB\n"
    "Buffers:           15316 kB\n"
    "Cached:          1233908 kB\n";

constexpr char kDiskstats[] =
    "   7       0 loop0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
    " 254       0 vda 32056 6113 2190666 13689 14030 7855 3700840 18065 0 8880 34410 4205 59 1688720 1694 "
    "1252 960\n"
    " 253       0 zram0 5 0 40 0 7 0 56 0 0 0 0 0 0 0 0 0 0\n";

constexpr char kNetDev[] =
    "Inter-|   Receive                                                |  Transmit\n"
    " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls "
    "carrier "
    "compressed\n"
    "    lo:    3193      29    0    0    0     0          0         0     3193      29    0    0    0     0 "
    "      0 "
    "         0\n"
    "  eth0: 170429350    4544    0    0    0     0          0         0   190875    2479    0    0    0     "
    "0      "
    " 0          0\n";

TEST(ParseStat, AddsUpTheTimesOfAllCpus) {
  const auto cpu = ParseStat(kStat);
  ASSERT_TRUE(cpu.has_value());
  EXPECT_EQ(cpu->total, 45309 + 7303 + 14378 + 371 + 90 + 359);
  EXPECT_EQ(cpu->iowait, 371);
  EXPECT_EQ(cpu->busy, 45309 + 7303 + 90 + 359);
  EXPECT_EQ(cpu->context_switches, 370307);
}

TEST(ParseStat, LeavesOutGuestTimesWhichUserTimesHold) {
  const auto cpu = ParseStat("cpu  100 10 20 300 4 5 6 7 50 10\nctxt 1\n");
  ASSERT_TRUE(cpu.has_value());
  EXPECT_EQ(cpu->total, 452);
  EXPECT_EQ(cpu->busy, 148);
}

TEST(ParseStat, TakesTheFourTimesOfAnOldKernel) {
  const auto cpu = ParseStat("cpu  1 2 3 4\nctxt 9\n");
  ASSERT_TRUE(cpu.has_value());
  EXPECT_EQ(cpu->total, 10);
  EXPECT_EQ(cpu->busy, 6);
  EXPECT_EQ(cpu->iowait, 0);
}

TEST(ParseStat, WithoutTimesOrSwitchesIsAbsent) {
  EXPECT_FALSE(ParseStat("").has_value());
  EXPECT_FALSE(ParseStat("ctxt 370307\n").has_value());
  EXPECT_FALSE(ParseStat("cpu  1 2 3 4\n").has_value());
  EXPECT_FALSE(ParseStat("cpu  1 2 three 4\nctxt 9\n").has_value());
  EXPECT_FALSE(ParseStat("cpu  1 2 3 4\nctxt\n").has_value());
}

TEST(ParseMeminfo, IsTheFractionThatIsNotAvailable) {
  EXPECT_NEAR(ParseMeminfo(kMeminfo).value(), 0.084396, 1e-6);
}

TEST(ParseMeminfo, WithoutAFieldIsAbsent) {
  EXPECT_FALSE(ParseMeminfo("").has_value());
  EXPECT_FALSE(ParseMeminfo("MemTotal:       24683656 kB\n").has_value());
  EXPECT_FALSE(ParseMeminfo("MemAvailable:   22600452 kB\n").has_value());
  EXPECT_FALSE(ParseMeminfo("MemTotal: 0 kB\nMemAvailable: 0 kB\n").has_value());
  EXPECT_FALSE(ParseMeminfo("MemTotal:\nMemAvailable: 7 kB\n").has_value());
}

TEST(ParseLoadavg, IsTheNumberOfRunnableTasks) {
  EXPECT_EQ(ParseLoadavg("4.54 2.18 0.90 11/146 8282\n"), 11);
}

TEST(ParseLoadavg, WithoutTasksIsAbsent) {
  EXPECT_FALSE(ParseLoadavg("").has_value());
  EXPECT_FALSE(ParseLoadavg("4.54 2.18 0.90\n").has_value());
  EXPECT_FALSE(ParseLoadavg("4.54 2.18 0.90 11 8282\n").has_value());
  EXPECT_FALSE(ParseLoadavg("4.54 2.18 0.90 x/146 8282\n").has_value());
}

TEST(ParseDiskstats, CountsSectorsOfDisksAloneAndNotOfWhatStandsInMemory) {
  const auto disk = ParseDiskstats(kDiskstats);
  ASSERT_TRUE(disk.has_value());
  EXPECT_EQ(disk->read_bytes, int64_t{2190666} * 512);
  EXPECT_EQ(disk->written_bytes, int64_t{3700840} * 512);
}

TEST(ParseDiskstats, CountsAPartitionWithItsDisk) {
  const auto disk = ParseDiskstats(
      "   8       0 sda 1 0 10 0 1 0 20 0 0 0 0\n"
      "   8       1 sda1 1 0 9 0 1 0 19 0 0 0 0\n"
      "   8      16 sdb 1 0 100 0 1 0 200 0 0 0 0\n"
      " 259       0 nvme0n1 1 0 1000 0 1 0 2000 0 0 0 0\n"
      " 259       1 nvme0n1p1 1 0 900 0 1 0 1900 0 0 0 0\n"
      " 259       2 nvme0n1p12 1 0 100 0 1 0 100 0 0 0 0\n"
      " 259       3 nvme1n1 1 0 10000 0 1 0 20000 0 0 0 0\n"
      " 253       0 dm-0 1 0 10 0 1 0 20 0 0 0 0\n"
      "   9       0 md127 1 0 10 0 1 0 20 0 0 0 0\n");
  ASSERT_TRUE(disk.has_value());
  EXPECT_EQ(disk->read_bytes, 11110 * 512);
  EXPECT_EQ(disk->written_bytes, 22220 * 512);
}

TEST(ParseDiskstats, WithoutADiskIsAbsent) {
  EXPECT_FALSE(ParseDiskstats("").has_value());
  EXPECT_FALSE(ParseDiskstats("   7       0 loop0 0 0 0 0 0 0 0 0 0 0 0\n").has_value());
  EXPECT_FALSE(ParseDiskstats("   8       0 sda 1 0 10\n").has_value());
}

TEST(ParseNetDev, AddsWhatWasReceivedAndSentButForTheLoopback) {
  EXPECT_EQ(ParseNetDev(kNetDev), 170429350 + 190875);
}

TEST(ParseNetDev, TakesANumberThatTouchesTheName) {
  EXPECT_EQ(ParseNetDev("wlan0:1000 1 0 0 0 0 0 0 234 1 0 0 0 0 0 0\neth0:1 1 0 0 0 0 0 0 2 1 0 0 0 0 0 0\n"),
            1237);
}

TEST(ParseNetDev, WithoutAnInterfaceIsAbsent) {
  EXPECT_FALSE(ParseNetDev("").has_value());
  EXPECT_FALSE(ParseNetDev("    lo: 1 1 0 0 0 0 0 0 2 1 0 0 0 0 0 0\n").has_value());
  EXPECT_FALSE(ParseNetDev("  eth0: 1 1 0 0\n").has_value());
}

TEST(ReadCounters, LeavesOutWhatAContainerHides) {
  const std::filesystem::path proc = std::filesystem::path(::testing::TempDir()) / "proc_of_a_container";
  std::filesystem::create_directories(proc / "net");
  std::ofstream(proc / "stat") << kStat;
  std::ofstream(proc / "meminfo") << kMeminfo;
  std::ofstream(proc / "net/dev") << kNetDev;
  const Counters counters = ReadCounters(proc);
  std::filesystem::remove_all(proc);
  ASSERT_TRUE(counters.cpu.has_value());
  EXPECT_EQ(counters.cpu->context_switches, 370307);
  EXPECT_TRUE(counters.memory_used.has_value());
  EXPECT_EQ(counters.network_bytes, 170429350 + 190875);
  EXPECT_FALSE(counters.runnable.has_value());
  EXPECT_FALSE(counters.disk.has_value());
}

TEST(ReadCounters, ReadsThisMachine) {
  const Counters counters = ReadCounters();
  ASSERT_TRUE(counters.cpu.has_value());
  EXPECT_GT(counters.cpu->total, 0);
  EXPECT_LE(counters.cpu->busy, counters.cpu->total);
  ASSERT_TRUE(counters.memory_used.has_value());
  EXPECT_GT(*counters.memory_used, 0);
  EXPECT_LT(*counters.memory_used, 1);
}

}  // namespace
}  // namespace stepwell::demo
