import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Real processes need real time; each wait inside a test has its own bound.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Two cores, and live tests that fork: more would only make them wait for each other.
    maxWorkers: 2,
    pool: 'forks',
  },
})
