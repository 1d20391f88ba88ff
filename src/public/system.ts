export { type Diagnosis, diagnose, type Grant } from '../system/diagnosis.js'
export { bpfObstacle, type Obstacle, type ObstacleCode } from '../system/kernel_support.js'
export type { CpuPercents, CpuReading, CpuTimes } from '../system/stats/cpu.js'
export type { CpuInfo, Processor } from '../system/stats/cpu_info.js'
export type { DiskRates, DiskReading } from '../system/stats/disks.js'
export type { InterruptReading } from '../system/stats/interrupts.js'
export type { DeviceDriver, DevicesReading, FileHandles, FilesystemType } from '../system/stats/kernel.js'
export type { LoadReading, PressureLine, PressureReading, UptimeReading } from '../system/stats/load.js'
export type { MemoryReading } from '../system/stats/memory.js'
export { SystemMonitor, type SystemRates, type SystemStats, systemRates } from '../system/stats/monitor.js'
export type { NetworkRates, NetworkReading, TrafficRates, TrafficReading } from '../system/stats/network.js'
export {
  type MissingFile,
  type ProcessCounts,
  readSystem,
  SYSTEM_SECTIONS,
  type SystemOptions,
  type SystemReading,
  type SystemSection,
  type SystemSections,
} from '../system/stats/reading.js'
