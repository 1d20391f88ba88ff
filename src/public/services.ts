export {
  disableService,
  type EnableOptions,
  enableService,
  restartService,
  type ServiceResult,
  startService,
  stopService,
  type Units,
} from '../services/change.js'
export { type ListServicesOptions, listServices, type ServiceEntry } from '../services/list.js'
export { type ServiceStatus, serviceStatus } from '../services/status.js'
export type { ServiceOptions } from '../services/systemctl.js'
export { generateUnit, UNIT_RESTARTS, type UnitRestart, type UnitSpec } from '../services/unit_file.js'
export { UNIT_TYPES, type UnitType, unitName } from '../services/unit_names.js'
export { type ProcessUnit, unitOfProcess } from '../services/unit_of_process.js'
export { generateWatchUnit, type WatchUnitSpec } from '../services/watch_unit.js'
