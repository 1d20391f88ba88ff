import { defineConfig, mergeConfig } from 'vitest/config'
import plain from './vitest.config.js'

// The test workers load the sanitizer's runtime. The test runner does not (its own native code is not built for it),
// nor do the programs that a test starts, but for Node: test/sanitizer.setup.ts sees to that.
process.env.LD_PRELOAD = process.env.PROCMUSTER_SANITIZER_RUNTIME

export default mergeConfig(
  plain,
  defineConfig({
    test: {
      testTimeout: 240_000,
      hookTimeout: 240_000,
      setupFiles: ['test/sanitizer.setup.ts'],
      env: { PROCMUSTER_SOAK_PROCESSES: '1000', PROCMUSTER_SOAK_TICKS: '60' },
      // What makes no native call that another test does not make: the rules, which hold to time limits that a sanitizer
      // breaks, trends, which compute for long, text and files; of the engine one test of each way in which its threads meet.
      exclude: [
        'test/*.test.ts',
        'test/{alerts,cli,journal,manager,rules,services,tree,trend}/**',
        'test/system/stats/**',
        'test/parity/tools.test.ts',
        'test/actions/governor.test.ts',
        'test/engine/!(engine|lifecycle|parts|restart).test.ts',
      ],
    },
  }),
)
