// Which values of rssBytes are so near a threshold that the error of the kernel's approximate counters
// decides on which side they are.
#pragma once

#include <vector>

namespace procmuster {

// How far the sum of the three counters of resident pages can be off: a CPU keeps less than its batch of
// each.
double ApproximateRssErrorBytes(long cpus, long page_bytes);

class ExactNear {
 public:
  explicit ExactNear(double error_bytes) : error_bytes_(error_bytes) {}

  void Set(std::vector<double> thresholds);
  bool Contains(double rss_bytes) const;

 private:
  double error_bytes_;
  std::vector<double> thresholds_;  // ascending
};

}  // namespace procmuster
