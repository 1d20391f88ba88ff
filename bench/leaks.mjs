// How well leaks are told from memory that is used, over generated series and real programs. Run by `npm run bench --
// leaks`.
import { parseArgs } from 'node:util'
import { TrendTracker } from '../dist/index.js'
import { CASES, FIRST_SCORING_SEED, HARD_CASES } from './leaks/patterns.mjs'
import { recordPrograms } from './leaks/real.mjs'
import { scoreCase, timeAnalyses } from './leaks/score.mjs'
import { printTable } from './programs.mjs'

const USAGE = `leaks: scores of the leak analysis over generated series of 1 h at 5 s

  --seeds N    series per case (100)
  --tune       the seeds for tuning instead of those for scoring
  --span MIN   minSpanMs in minutes, instead of the default
  --real S     record real programs for S seconds and score those instead
  --json       one JSON object instead of tables`

export async function run(args) {
  const { values } = parseArgs({
    args,
    options: {
      seeds: { type: 'string', default: '100' },
      tune: { type: 'boolean', default: false },
      span: { type: 'string' },
      real: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return console.log(USAGE)
  if (values.real !== undefined) return runReal(Number(values.real), values.json)
  const options = values.span === undefined ? {} : { minSpanMs: Number(values.span) * 60_000 }
  const seeds = Number(values.seeds)
  const scoring = { firstSeed: values.tune ? 0 : FIRST_SCORING_SEED, seeds, options }
  const cases = CASES.map((scored) => scoreCase(scored, scoring))
  const hard = HARD_CASES.map((scored) => scoreCase(scored, scoring))
  const total = summarize(cases)
  const time = timeAnalyses(CASES, scoring.firstSeed)
  const bytesPerSeries = new TrendTracker({ capacity: 1 }).bytesPerSeries
  if (values.json) {
    const all = { ...scoring, total, time, bytesPerSeries, cases, hard }
    // A delay that never ended is null.
    return console.log(JSON.stringify({ bench: 'leaks', ...all }))
  }
  printScores(cases, hard, total, seeds, options)
  const us = (value) => `${value.toFixed(0)} us`
  console.log(
    `\none analysis of ${time.samples} samples: ${us(time.cpuUs)} of CPU time; wall: median ${us(time.medianUs)}`,
  )
  console.log(`streaming: ${bytesPerSeries} bytes per process, ${time.addNs.toFixed(0)} ns per sample`)
}

const meanOf = (rows, key) => rows.reduce((sum, row) => sum + row[key], 0) / rows.length

/** A leak's precision is stated against as many healthy series, evenly of all healthy patterns. */
function summarize(cases) {
  const leaking = cases.filter(({ leaks }) => leaks)
  const healthy = cases.filter(({ leaks }) => !leaks)
  const recall = meanOf(leaking, 'calledLeak')
  const falseAlarms = meanOf(healthy, 'calledLeak')
  for (const row of leaking) row.precision = row.calledLeak / (row.calledLeak + falseAlarms)
  const worst = (rows, most) =>
    rows.reduce((a, b) => (most === b.calledLeak > a.calledLeak ? b : a), rows[0]).calledLeak
  const patterns = [...new Set(leaking.map(({ pattern }) => pattern))].map((pattern) => ({
    calledLeak: meanOf(
      leaking.filter((row) => row.pattern === pattern),
      'calledLeak',
    ),
  }))
  return {
    recall,
    precision: recall / (recall + falseAlarms),
    falseAlarms,
    leastRecallOfPattern: worst(patterns, false),
    leastRecallOfCase: worst(leaking, false),
    mostFalseAlarmsOfPattern: worst(healthy, true),
    falseAlarmsAtAnyLook: meanOf(healthy, 'everCalledLeak'),
  }
}

function printScores(cases, hard, total, seeds, options) {
  const percent = (part) => (part === undefined ? undefined : part * 100)
  const minutes = (ms) => (Number.isFinite(ms) ? ms / 60_000 : undefined)
  const row = (scored) => ({
    name:
      scored.growth === undefined ? scored.pattern : `${scored.pattern}, +${scored.growth * 100} % in 1 h`,
    calledLeak: percent(scored.calledLeak),
    unsure: percent(scored.calledUnsure),
    precision: percent(scored.precision),
    ever: percent(scored.everCalledLeak),
    delay: minutes(scored.medianDelayMs),
    p90: minutes(scored.p90DelayMs),
    thinned: percent(scored.thinnedOther),
  })
  const columns = (title, isLeak) => [
    { key: 'name', title },
    { key: 'calledLeak', title: isLeak ? 'recall %' : 'false alarms %' },
    ...(isLeak ? [{ key: 'precision', title: 'precision %' }] : []),
    { key: 'unsure', title: 'unsure %' },
    { key: 'ever', title: isLeak ? 'found by then %' : 'at any look %' },
    ...(isLeak
      ? [
          { key: 'delay', title: 'delay, median min' },
          { key: 'p90', title: 'p90 min' },
        ]
      : []),
    { key: 'thinned', title: 'thinned differs %' },
  ]
  const healthy = cases.filter(({ leaks }) => !leaks).map(row)
  printTable(healthy, columns(`${seeds} hours of each: no leak`, false))
  console.log()
  printTable(cases.filter(({ leaks }) => leaks).map(row), columns('leak', true))
  console.log()
  printTable(hard.map(row), [
    { key: 'name', title: 'beyond an hour, or nearly (not counted)' },
    { key: 'calledLeak', title: 'called leak %' },
    { key: 'unsure', title: 'unsure %' },
  ])
  const text = (part) => `${(part * 100).toFixed(2)} %`
  const span = options.minSpanMs === undefined ? '' : ` with minSpanMs of ${options.minSpanMs / 60_000} min`
  const { recall, precision, falseAlarms, falseAlarmsAtAnyLook } = total
  console.log(
    `\nall together${span}: recall ${text(recall)}, precision ${text(precision)}, false alarms ${text(falseAlarms)}`,
  )
  console.log(`false alarms at any look of the hour: ${text(falseAlarmsAtAnyLook)}`)
  console.log(
    `least recall of a pattern ${text(total.leastRecallOfPattern)}, of one rate ${text(total.leastRecallOfCase)}; ` +
      `most false alarms of a pattern ${text(total.mostFalseAlarmsOfPattern)}`,
  )
}

async function runReal(seconds, isJson) {
  const programs = await recordPrograms(seconds)
  if (isJson) return console.log(JSON.stringify({ bench: 'leaks', real: true, seconds, programs }))
  printTable(
    programs.map((p) => ({ ...p, range: `${p.leastMiB.toFixed(0)} to ${p.mostMiB.toFixed(0)}` })),
    [
      { key: 'name', title: `real programs, ${seconds} s` },
      { key: 'range', title: 'RSS MiB' },
      { key: 'isLeak', title: 'is' },
      { key: 'verdict', title: 'called' },
      { key: 'cycles', digits: 0 },
      { key: 'reason' },
    ],
  )
}
