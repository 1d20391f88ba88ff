#include "source/bpf/exact_near.h"

#include <algorithm>

namespace procmuster {

double ApproximateRssErrorBytes(long cpus, long page_bytes) {
  constexpr long kCounters = 3, kLeastBatch = 32;
  return static_cast<double>(kCounters * cpus * std::max(kLeastBatch, 2 * cpus) * page_bytes);
}

void ExactNear::Set(std::vector<double> thresholds) {
  thresholds_ = std::move(thresholds);
  std::erase_if(thresholds_, [](double bytes) { return !(bytes >= 0); });  // also NaN
  std::sort(thresholds_.begin(), thresholds_.end());
}

bool ExactNear::Contains(double rss_bytes) const {
  if (thresholds_.empty()) return false;
  auto next = std::lower_bound(thresholds_.begin(), thresholds_.end(), rss_bytes - error_bytes_);
  return next != thresholds_.end() && *next <= rss_bytes + error_bytes_;
}

}  // namespace procmuster
