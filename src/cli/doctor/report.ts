import type { Check, CheckState, Diagnosis, Grant } from '../../index.js'
import { type Colors, escapeForTerminal } from '../terminal.js'
import { hanging } from '../wrap.js'

const AREAS: readonly (readonly [Check['area'], heading: string])[] = [
  ['observe', 'Seeing processes'],
  ['act', 'Acting on them'],
]
const COLOR_OF = { ok: 'green', limited: 'yellow', missing: 'red' } as const
const PURPOSES = { observe: 'to see everything', act: 'to act on everything too' } as const

/** The diagnosis for a person, line by line. */
export function reportLines(diagnosis: Diagnosis, colors: Colors, columns?: number): string[] {
  const { host, process: own, checks, grants } = diagnosis
  const width = Math.max(...checks.map(({ title }) => title.length))
  const user = own.uid === undefined ? '' : `, uid ${own.uid}`
  const system = `Linux ${escapeForTerminal(host.kernelRelease)} ${host.architecture}`
  return [
    ...hanging('', `${system}, Node.js ${own.nodeVersion}${user}`, columns),
    ...AREAS.flatMap(([area, heading]) => [
      '',
      colors.bold(heading),
      ...checks
        .filter((check) => check.area === area)
        .flatMap((check) => checkLines(check, width, colors, columns)),
    ]),
    '',
    tally(checks),
    ...(grants.length === 0 ? [] : ['', colors.bold('Granting what is lacking')]),
    ...grants.flatMap(grantLines),
    ...(grants.some(({ setcap }) => setcap !== undefined) ? ['', ...hanging('  ', NOTE, columns)] : []),
  ]
}

/** Cells for what was found next to the title; where there are fewer it is told below. */
const ROOM_LEAST = 20

function checkLines(check: Check, width: number, colors: Colors, columns?: number): string[] {
  const { state, title, found, gain, instead, remedy } = check
  const color = colors[COLOR_OF[state]]
  const head = `  ${color(state.padEnd(7))}  `
  const beside = 13 + width
  const told = escapeForTerminal(found)
  const lines =
    columns === undefined || columns - beside >= ROOM_LEAST
      ? hanging(`${head}${title.padEnd(width)}  `, told, columns)
      : [...hanging(head, title, columns), ...hanging(' '.repeat(13), told, columns)]
  const more = (word: string, text = ''): void => {
    lines.push(...hanging(`${' '.repeat(11)}${word.padEnd(9)}`, escapeForTerminal(text), columns))
  }
  if (state !== 'ok') {
    more('gains', gain)
    more('without', instead)
    more('way out', remedy)
  }
  return lines
}

function tally(checks: readonly Check[]): string {
  const count = (state: CheckState): number => checks.filter((check) => check.state === state).length
  return `${count('ok')} ok, ${count('limited')} limited, ${count('missing')} missing`
}

function grantLines({ purpose, setcap, systemd, docker }: Grant): string[] {
  const words: [string, string][] = [
    ...(setcap === undefined ? [] : [['file', setcap] as [string, string]]),
    ...systemd.map((line): [string, string] => ['unit', line]),
    ['docker', `docker run ${docker.join(' ')}`],
  ]
  return [
    `  ${PURPOSES[purpose]}`,
    ...words.map(([word, text]) => `    ${word.padEnd(6)}  ${escapeForTerminal(text)}`),
  ]
}

const NOTE =
  'Each line replaces what was granted before. setcap gives them to every script that this node runs: a copy of the program for this purpose, or a unit, keeps that apart.'
