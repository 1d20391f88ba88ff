import pc from 'picocolors'

export { cellWidth, escapeForTerminal, safeJson, truncate } from '../public/text.js'

export type Colors = ReturnType<typeof pc.createColors>

/** Colours for a terminal only; `NO_COLOR` (any value) and `TERM=dumb` turn them off. */
export function colorsFor(stream: { isTTY?: boolean }, env: NodeJS.ProcessEnv = process.env): Colors {
  return pc.createColors(stream.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb')
}

/** Columns of the terminal; undefined where the output is not one, so that nothing is cut. */
export function widthOf(stream: { isTTY?: boolean; columns?: number }): number | undefined {
  return stream.isTTY === true && stream.columns ? stream.columns : undefined
}

/** Whether the locale, by the variable that counts of locale(7), has box drawing characters. */
export function drawsBoxes(env: NodeJS.ProcessEnv = process.env): boolean {
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG || ''
  return env.TERM !== 'dumb' && /utf-?8/i.test(locale)
}
