import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { parse as parseYaml } from 'yaml'
import { printWhen } from '../../dist/rules/language/print.js'
import { checkRules, type Rule, ruleJsonSchema, ruleSchema } from '../../dist/rules/schema/rule.js'

const when = 'rss > 1GiB'
const checked = (rule: Partial<Rule>) => checkRules([{ name: 'r', when, ...rule }])[0]!

describe('a rule', () => {
  it('gets its defaults, and its condition parsed', () => {
    expect(checked({})).toEqual({
      name: 'r',
      match: { kind: 'all', parts: [] },
      kernelThreads: false,
      per: undefined,
      when: {
        condition: {
          kind: 'compare',
          op: '>',
          left: { kind: 'column', column: 'rssBytes' },
          right: { kind: 'constant', value: 2 ** 30, unit: 'bytes' },
        },
        forMs: 0,
      },
      clear: undefined,
      severity: 'warning',
      cooldown: undefined,
      actions: [],
      limits: {},
      target: 'largest',
      dryRun: false,
      enabled: true,
    })
  })

  it('takes a condition for its end', () => {
    expect(printWhen(checked({ clear: 'rss < 1GiB for 1m' }).clear!)).toBe('rssBytes < 1GiB for 1m')
  })

  it('takes actions by name and as objects, at once or later', () => {
    const actions = [
      'evidence',
      'restart',
      'nudgeParent',
      { type: 'restart', after: '5m', graceMs: 500 },
      { type: 'signal', signal: 'SIGUSR1', after: '1500ms' },
      { type: 'signal', signal: 10 },
      { type: 'priority', nice: 10 },
      { type: 'limit', resource: 'nofile', soft: 100, hard: 'unlimited' },
      { type: 'limit', resource: 'as', soft: '1.5GiB', hard: '2G' },
      { type: 'evidence', after: '1s' },
    ] as const
    expect(checked({ actions: [...actions] }).actions).toEqual([
      { type: 'evidence', afterMs: 0 },
      { type: 'restart', afterMs: 0 },
      { type: 'nudgeParent', afterMs: 0 },
      { type: 'restart', graceMs: 500, afterMs: 300_000 },
      { type: 'signal', signal: 'SIGUSR1', afterMs: 1500 },
      { type: 'signal', signal: 10, afterMs: 0 },
      { type: 'priority', nice: 10, afterMs: 0 },
      { type: 'limit', resource: 'nofile', soft: 100, hard: 'unlimited', afterMs: 0 },
      { type: 'limit', resource: 'as', soft: 1.5 * 2 ** 30, hard: 2 ** 31, afterMs: 0 },
      { type: 'evidence', afterMs: 1000 },
    ])
  })

  it.each([
    ['5m', 300_000],
    ['1500ms', 1500],
    ['0s', 0],
    [0, 0],
  ] as const)('takes the cooldown %j', (cooldown, ms) => {
    expect(checked({ cooldown }).cooldown).toBe(ms)
  })

  it('takes limits as texts and as objects alike', () => {
    const limits = {
      concurrent: 2,
      perGroup: { max: 1, by: 'unit' },
      perWindow: { max: 3, windowMs: 3_600_000 },
      jitterMs: 5000,
      backoffFirstMs: 10_000,
      backoffMaxMs: 600_000,
      successMs: 1_800_000,
      flapMax: 5,
      flapWindowMs: 3_600_000,
      rearmMs: 3_600_000,
      minHealthy: { percent: 50 },
    }
    const texts: Rule['limits'] = {
      concurrent: 2,
      perGroup: '1/unit',
      perWindow: '3/1h',
      jitter: '5s',
      backoff: '10s..10m',
      success: '30m',
      flap: '5 / 60m',
      rearm: '1h',
      minHealthy: '50%',
    }
    expect(checked({ limits: texts }).limits).toEqual(limits)
    const objects: Rule['limits'] = {
      concurrent: 2,
      perGroup: { max: 1, by: 'unit' },
      perWindow: { max: 3, window: '1h' },
      jitter: '5s',
      backoff: { first: '10s', max: '10m' },
      success: '30m',
      flap: { max: 5, window: '1h' },
      rearm: '60m',
      minHealthy: { percent: 50 },
    }
    expect(checked({ limits: objects }).limits).toEqual(limits)
    expect(checked({ limits: { minHealthy: 2 } }).limits).toEqual({ minHealthy: 2 })
  })
})

describe('a match', () => {
  const tree = (match: Rule['match']) => checked({ match }).match

  it('is all of its keys, and of a list any one', () => {
    expect(
      tree({
        name: ['node', '/^java/i'],
        user: 'www-data',
        uid: 33,
        not: { unit: 'system-*.slice' },
        any: [{ cgroup: '/web/*' }, { container: '3f2a*', state: 'DZ' }],
      }),
    ).toEqual({
      kind: 'all',
      parts: [
        {
          kind: 'any',
          parts: [
            { kind: 'name', pattern: 'node' },
            { kind: 'name', pattern: '/^java/i' },
          ],
        },
        { kind: 'user', user: 'www-data' },
        { kind: 'user', user: 33 },
        {
          kind: 'any',
          parts: [
            { kind: 'text', fact: 'cgroup', pattern: '/web/*' },
            {
              kind: 'all',
              parts: [
                { kind: 'text', fact: 'container', pattern: '3f2a*' },
                { kind: 'state', states: 'DZ' },
              ],
            },
          ],
        },
        { kind: 'not', part: { kind: 'text', fact: 'unit', pattern: 'system-*.slice' } },
      ],
    })
  })

  it.each<[NonNullable<Rule['match']>, object]>([
    [{ pid: 5 }, { kind: 'pid', pid: 5, startTicks: undefined }],
    [
      { pid: 5, startTicks: 7 },
      { kind: 'pid', pid: 5, startTicks: 7 },
    ],
    [{ subtree: 5 }, { kind: 'subtree', pid: 5, startTicks: undefined }],
    [{ name: ['a'] }, { kind: 'name', pattern: 'a' }],
    [{ commandLine: 'a.*b$' }, { kind: 'text', fact: 'commandLine', pattern: 'a.*b$' }],
    [{ exe: '/usr/bin/*' }, { kind: 'text', fact: 'exe', pattern: '/usr/bin/*' }],
    [{ program: '/^web/' }, { kind: 'text', fact: 'program', pattern: '/^web/' }],
    [{ user: 0 }, { kind: 'user', user: 0 }],
    [{ session: 5 }, { kind: 'session', sid: 5 }],
    [{ processGroup: 5 }, { kind: 'processGroup', pgid: 5 }],
    [{ all: [{ name: 'a' }] }, { kind: 'all', parts: [{ kind: 'name', pattern: 'a' }] }],
  ])('%j is %j', (match, leaf) => {
    expect(tree(match)).toEqual({ kind: 'all', parts: [leaf] })
  })

  it('leaves kernel threads out unless asked for them, or for nothing else', () => {
    const of = (kernelThreads?: boolean | 'only') => checked({ match: { kernelThreads } })
    expect(of()).toMatchObject({ kernelThreads: false, match: { parts: [] } })
    expect(of(false)).toMatchObject({ kernelThreads: false, match: { parts: [] } })
    expect(of(true)).toMatchObject({ kernelThreads: true, match: { parts: [] } })
    expect(of('only')).toMatchObject({ kernelThreads: true, match: { parts: [{ kind: 'kernelThread' }] } })
  })
})

describe('a wrong rule', () => {
  it.each<[unknown, RegExp]>([
    [{ when }, /^rule 1, name: missing; give a string$/],
    [{ name: 'r' }, /^rule "r", when: missing/],
    [null, /^rule 1: this is no mapping/],
    ['rss > 5', /^rule 1: "rss > 5" is no mapping/],
  ])('%j is refused', (rule, reason) => {
    expect(() => checkRules([rule])).toThrow(reason)
    expect(() => checkRules([rule])).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  })

  it('whose match holds itself is refused', () => {
    const match: { not?: object } = {}
    match.not = match
    expect(() => checkRules([{ name: 'r', when, match }])).toThrow('rule "r": nested too deeply')
  })

  it.each<[object, RegExp]>([
    [{ wehn: 1 }, /^rule "r": unknown key "wehn" \(did you mean "when"\?\)$/],
    [{ for: '5m' }, /^rule "r": unknown key "for" \(there are name, match, per, when, clear, /],
    [{ actions: [{ type: 'restart', grace: 5 }] }, /actions\[0\]: unknown key "grace"$/],
    [{ name: '' }, /name: "": give at least 1 characters/],
    [{ name: 'a\u001b[2J' }, /no control characters/],
    [{ when: 5 }, /when: 5 is no string/],
    [{ when: 'rss > ' }, /^rule "r", when: condition "rss > ", at the end: expected a number/],
    [{ when: `rss > ${'1'.repeat(1000)}` }, /when: .*at most 1000 characters/],
    [{ clear: 'rsss > 5' }, /^rule "r", clear: .*did you mean 'rss'/],
    [{ cooldown: '5 minutes' }, /cooldown: "5 minutes" is no duration/],
    [{ cooldown: 10 }, /cooldown: 10: give a unit: 10s, 10ms or 10min/],
    [{ cooldown: -1 }, /cooldown: -1: give a unit/],
    [{ severity: 'bad' }, /severity: "bad": give one of info, warning, critical/],
    [{ per: 'units' }, /per: "units": give one of all, user, unit/],
    [{ enabled: 'no' }, /enabled: "no" is no boolean; give true or false/],
    [{ cooldown: Number.NaN }, /cooldown: /],
    [{ target: 'smallest' }, /target: .*largest, all/],

    [{ when: 'count() > 3' }, /when: count\(\) is of many processes; say by 'per' of which/],
    [{ when: 'avg(sum(rss), 1m) > 3' }, /when: sum\(rssBytes\) is of many processes/],
    [{ when: 'exitRate > 3' }, /when: exitRate\(1m\) is of many/],
    [{ clear: 'max(rss) < 3' }, /clear: max\(rssBytes\) is of many/],
    [{ per: 'unit' }, /when: rssBytes is of one process; with 'per: unit' write sum\(rssBytes\)/],
    [{ per: 'all', when: 'count() > 3 and avg(cpu, 1m) > 5' }, /cpuPercent is of one process/],
    [{ per: 'all', when: 'leak(rss)' }, /rssBytes is of one process/],
    [{ per: 'all', when: 'timeTo(sum(rss), limit.as) < 5m' }, /limit.addressSpace is of one process/],
    [{ per: 'all', when: 'state == D' }, /a group has no state; write 'match: \{ state: D \}'/],
    [{ per: 'user', when: 'count() > 1', match: { pid: 3 } }, /match.pid: a pid is one process/],

    [
      { actions: [{ type: 'limit', resource: 'nofile', soft: 5, hard: 2 }] },
      /actions\[0\].soft: the soft limit is above the hard one/,
    ],
    [
      { actions: [{ type: 'limit', resource: 'nofile', soft: 'unlimited', hard: 2 }] },
      /the soft limit is above the hard one/,
    ],

    [
      { actions: [{ type: 'limit', resource: 'as', soft: 'lots' }] },
      /soft: "lots" is no limit of as; give a whole number, a size such as 500M/,
    ],
    [
      { actions: [{ type: 'limit', resource: 'nofile', hard: '4K' }] },
      /hard: "4K" is no limit of nofile; give a whole number or unlimited$/,
    ],
    [{ match: 'nginx' }, /match: "nginx" is no mapping; give a mapping with some of pid, .*name, /],

    [{ match: { nmae: 'x' } }, /match: unknown key "nmae" \(did you mean "name"\?\)/],
    [{ match: { any: [{ nmae: 'x' }] } }, /match.any\[0\]: unknown key "nmae" \(did you mean "name"\?\)/],
    [{ match: { not: { kernelThreads: true } } }, /match.not: unknown key "kernelThreads"/],
    [{ match: { pid: 0 } }, /match.pid: 0: give more than 0/],
    [{ match: { startTicks: 5 } }, /match.startTicks: startTicks needs a pid/],
    [{ match: { not: { startTicks: 5 } } }, /match.not.startTicks: startTicks needs a pid/],
    [{ match: { name: '/(/' } }, /match.name: pattern "\(": missing closing \)/],
    [{ match: { name: ['a', '/(/'] } }, /match.name\[1\]: pattern "\("/],
    [{ match: { name: '/a/g' } }, /match.name: flags of a pattern are i, s and u, not 'g'/],
    [{ match: { name: [] } }, /match.name: give at least 1 of them/],
    [{ match: { name: 5 } }, /match.name: 5/],
    [{ match: { commandLine: '[' } }, /match.commandLine: pattern "\[": missing closing \]/],
    [{ match: { commandLine: 'a(?=b)' } }, /look-around and back references .* linear time/],
    [{ match: { commandLine: '(?<!a)b' } }, /look-around and back references/],
    [{ match: { commandLine: '(a)\\1' } }, /look-around and back references/],
    [{ match: { exe: '/(?=x)/' } }, /match.exe: .*look-around/],
    [{ match: { unit: 'a[b' } }, /match.unit: glob "a\[b": '\[' at character 2 is not closed/],
    [{ match: { cgroup: '' } }, /match.cgroup: "": give at least 1/],
    [{ match: { state: 'Q' } }, /match.state: "Q": give state letters/],
    [{ match: { user: -1 } }, /match.user: -1: give at least 0/],
    [{ match: { kernelThreads: 'no' } }, /kernelThreads: "no": give true, false or only/],
    [{ match: { any: [] } }, /match.any: give at least 1/],

    [{ actions: ['reboot'] }, /actions\[0\]: "reboot": an action is 'evidence'/],
    [{ actions: [{ type: 'reboot' }] }, /actions\[0\]: an action is/],
    [{ actions: [{ type: 'signal', signal: 'SIGFOO' }] }, /actions\[0\].signal: unknown signal "SIGFOO"/],
    [{ actions: [{ type: 'priority', nice: 20 }] }, /nice: 20: give at most 19/],
    [{ actions: [{ type: 'limit', resource: 'nofile' }] }, /give soft, hard or both/],
    [{ actions: [{ type: 'limit', resource: 'files', soft: 1 }] }, /resource: "files": give one of/],
    [{ actions: [{ type: 'restart', after: '5x' }] }, /actions\[0\].after: "5x" is no duration/],
    [{ actions: [{ type: 'restart', aftr: '5m' }] }, /actions\[0\]: unknown key "aftr" .*"after"/],
    [{ actions: Array(17).fill('evidence') }, /actions: give at most 16/],

    [{ limits: { concurent: 1 } }, /limits: unknown key "concurent" \(did you mean "concurrent"/],
    [{ limits: { concurrent: 0 } }, /limits.concurrent: 0: give at least 1/],
    [{ limits: { perWindow: '3' } }, /limits.perWindow: "3" is not so many in such a time; write '3\/1h'/],
    [{ limits: { perWindow: '0/1h' } }, /"0\/1h": give 1 to 10000, as in/],
    [{ limits: { perWindow: '3/0s' } }, /the time is longer than 0/],
    [{ limits: { perWindow: '3/x' } }, /"x" is no duration/],
    [{ limits: { perGroup: '1/units' } }, /is not so many per group; write '1\/unit', with one of all, user/],
    [
      { limits: { perGroup: '1/subtree' } },
      /names no root of a subtree; write '1\/unit', with one of all, user/,
    ],
    [{ limits: { perGroup: { max: 1, by: 'subtree' } } }, /limits.perGroup.by: "subtree": give one of all/],
    [{ limits: { perGroup: '1001/unit' } }, /give 1 to 1000, as in/],
    [{ limits: { flap: '5000/1h' } }, /limits.flap: "5000\/1h": give 1 to 1000, as in/],
    [{ limits: { flap: { max: 5000, window: '1h' } } }, /limits.flap.max: 5000: give at most 1000/],
    [{ limits: { concurrent: 1001 } }, /limits.concurrent: 1001: give at most 1000/],
    [{ limits: { perWindow: { max: 1, window: 0 } } }, /the time is longer than 0/],
    [{ limits: { backoff: '10s' } }, /is no range of times; write '10s..10m'/],
    [{ limits: { backoff: '5m..1m' } }, /the first time is longer than the last/],
    [{ limits: { backoff: { first: '5m', max: '1m' } } }, /first is longer than max/],
    [{ limits: { minHealthy: '150%' } }, /is no part of a group; write '50%'/],
  ])('%j is refused with key and reason', (part, reason) => {
    const rule = { name: 'r', when, ...part }
    expect(() => checkRules([rule])).toThrow(reason)
    expect(() => checkRules([rule])).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  })

  it('has a name that another one has', () => {
    expect(() =>
      checkRules([
        { name: 'r', when },
        { name: 'r', when },
      ]),
    ).toThrow(/another rule has this name/)
  })
})

it('ten thousand rules are checked in a few microseconds each', () => {
  const rules = Array.from({ length: 10_000 }, (_, n) => ({
    name: `r${n}`,
    match: { name: `/^worker${n}/`, unit: `web-${n}*` },
    when: `avg(rss, 5m) > ${n}MiB and cpu > 5% for 30s`,
    actions: ['evidence', 'restart'],
  }))
  const before = process.cpuUsage()
  expect(checkRules(rules)).toHaveLength(10_000)
  const { user, system } = process.cpuUsage(before)
  expect((user + system) / 1000).toBeLessThan(10_000) // about 1 s; a quadratic check takes minutes
})

describe('the JSON Schema', () => {
  interface Node {
    $ref?: string
    $schema?: string
    $defs?: Record<string, Node>
    type?: string
    properties?: Record<string, Node>
    required?: string[]
    additionalProperties?: boolean
    items?: Node
    anyOf?: Node[]
    oneOf?: Node[]
    enum?: unknown[]
    const?: unknown
    description?: string
  }
  const root = ruleJsonSchema() as Node

  /** The part of JSON Schema that is used here: forms, keys and choices. */
  function fits(value: unknown, node: Node): boolean {
    if (node.$ref !== undefined) {
      const found = node.$ref
        .split('/')
        .slice(1)
        .reduce<unknown>((each, key) => (each as Record<string, unknown>)[key], root)
      return fits(value, found as Node)
    }
    const choices = node.anyOf ?? node.oneOf
    if (choices !== undefined) return choices.some((each) => fits(value, each))
    if (node.enum !== undefined) return node.enum.includes(value)
    if (node.const !== undefined) return node.const === value
    switch (node.type) {
      case 'object': {
        if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
        const known = node.properties ?? {}
        return (
          (node.required ?? []).every((key) => key in value) &&
          Object.entries(value).every(([key, each]) => known[key] !== undefined && fits(each, known[key]))
        )
      }
      case 'array':
        return Array.isArray(value) && value.every((each) => fits(each, node.items ?? {}))
      case 'integer':
        return Number.isInteger(value)
      default:
        return typeof value === node.type
    }
  }

  it('names its draft, every key with its form, and needs only name and condition', () => {
    expect(root.$schema).toBe('https://json-schema.org/draft/2020-12/schema')
    expect(root.required).toEqual(['name', 'when'])
    expect(root.additionalProperties).toBe(false)
    expect(Object.keys(root.properties!)).toEqual(
      'name match per when clear severity cooldown actions limits target dryRun enabled'.split(' '),
    )
    expect(JSON.parse(JSON.stringify(root))).toEqual(root)
  })

  it('takes what the documentation shows, as the checker does', async () => {
    const pages = ['README.md', 'docs/rules.md', 'docs/watch.md', 'docs/leaks.md']
    const read = (page: string) => readFile(new URL(`../../${page}`, import.meta.url), 'utf8')
    const text = (await Promise.all(pages.map(read))).join('\n')
    const blocks = [...text.matchAll(/^```yaml\n(.*?)^```$/gms)].map(
      ([, yaml]) => parseYaml(yaml!) as unknown,
    )
    const rules = blocks.flatMap((block) => {
      const { rules: listed } = block as { rules?: unknown[] }
      return Array.isArray(block) ? block : (listed ?? ('name' in (block as object) ? [block] : []))
    })
    expect(rules.length).toBeGreaterThan(5)
    for (const rule of rules) {
      expect(() => checkRules([rule])).not.toThrow()
      expect(fits(rule, root), JSON.stringify(rule)).toBe(true)
    }
  })

  it('refuses what the checker refuses by form', () => {
    for (const rule of [
      { name: 'r' },
      { name: 'r', when, matc: {} },
      { name: 'r', when, match: { any: [{ nam: 'x' }] } },
    ]) {
      expect(ruleSchema.safeParse(rule).success).toBe(false)
      expect(fits(rule, root)).toBe(false)
    }
  })
})
