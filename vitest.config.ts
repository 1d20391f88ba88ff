import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

// One that takes a minute must not begin when all others are done; what earlier runs took is not known in a fresh clone.
const LONGEST = [
  'every_command',
  'leak_or_not',
  'cli/watch',
  'cli/watch_input',
  'soak',
  'teardown',
  'crash',
  'readme',
  'hard_cases',
]

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const first = LONGEST.flatMap((name) =>
      sorted.filter(({ moduleId }) => moduleId.endsWith(`/${name}.test.ts`)),
    )
    return [...new Set([...first, ...sorted])]
  }
}

const isCi = process.env.CI !== undefined

// They have the kernel give the pids of ended processes again, to whoever forks next on this host: others could take one
// process for another. So they run when all others are done, one at a time.
const RECYCLING = ['test/sampler/recycled.test.ts', 'test/control/{signal,foreign_proc}.test.ts']

export default defineConfig({
  test: {
    projects: [
      { extends: true, test: { name: 'live', include: ['test/**/*.test.ts'], exclude: RECYCLING } },
      {
        extends: true,
        test: { name: 'recycling', include: RECYCLING, maxWorkers: 1, sequence: { groupOrder: 1 } },
      },
    ],
    // Real processes need real time; each wait inside a test has its own bound (PATIENCE of test/fixtures/processes.ts).
    testTimeout: isCi ? 180_000 : 60_000,
    hookTimeout: isCi ? 180_000 : 60_000,
    // A shared machine can starve a live test for longer than its bounds; one that fails twice in a row is wrong.
    retry: isCi ? 1 : 0,
    // On two cores: live tests that fork and wait take two fifths of a core each.
    maxWorkers: 3,
    pool: 'forks',
    sequence: { sequencer: LongestFirst },
  },
})
