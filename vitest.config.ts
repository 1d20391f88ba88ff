import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Real processes need real time; each wait inside a test has its own bound.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // A shared machine can starve a live test for longer than its bounds; one that fails twice in a row is wrong.
    retry: process.env.CI === undefined ? 0 : 1,
    // Two cores, and live tests that fork: more would only make them wait for each other.
    maxWorkers: 2,
    pool: 'forks',
  },
})
