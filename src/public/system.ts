export { type Diagnosis, diagnose, type Grant } from '../system/diagnosis.js'
export { bpfObstacle, type Obstacle, type ObstacleCode } from '../system/kernel_support.js'
