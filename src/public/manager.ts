export type { MonitorAlertQuery, MonitorOptions } from '../manager/monitors.js'
export type {
  ProcessManagerOptions,
  ProcessTarget,
  SignalMembersOptions,
  SignalProcessOptions,
  TopOptions,
} from '../manager/options.js'
export { ProcessManager } from '../manager/process_manager.js'
export type { ListOptions, ProcessSummary, SortKey } from '../manager/process_summary.js'
