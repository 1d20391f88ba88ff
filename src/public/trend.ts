export { type Cohort, type CohortMember, type CohortVerdict, compareCohort } from '../trend/cohort.js'
export { TrendTracker, type TrendTrackerOptions } from '../trend/tracker.js'
export {
  analyzeTrend,
  type Trend,
  type TrendInput,
  type TrendOptions,
  type TrendVerdict,
} from '../trend/trend.js'
