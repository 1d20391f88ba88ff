import { defineConfig, mergeConfig } from 'vitest/config'
import plain from './vitest.config.js'

// The test workers load the sanitizer's runtime. The test runner does not (its own native code is not built for it),
// nor do the programs that a test starts, but for Node: test/sanitizer.setup.ts sees to that.
process.env.LD_PRELOAD = process.env.PROCMUSTER_SANITIZER_RUNTIME

export default mergeConfig(
  plain,
  defineConfig({
    test: {
      testTimeout: 120_000,
      hookTimeout: 120_000,
      setupFiles: ['test/sanitizer.setup.ts'],
      // The rules run no native code and hold to time limits that a sanitizer breaks, nor do the trends, which compute for
      // long; alerts and the command make no native call that the tests of the API do not make.
      exclude: ['test/rules/**', 'test/trend/**', 'test/alerts/**', 'test/cli/**'],
    },
  }),
)
