import { defineConfig, mergeConfig } from 'vitest/config'
import plain from './vitest.config.js'

// The test workers load the sanitizer's runtime, and so does every program that they start; the test runner does not:
// its own native code is not built for it.
process.env.LD_PRELOAD = process.env.PROCMUSTER_SANITIZER_RUNTIME

export default mergeConfig(plain, defineConfig({ test: { testTimeout: 240_000, hookTimeout: 240_000 } }))
