import { builtinRules } from '../../public/builtin.js'
import { ProcmusterError } from '../../public/errors.js'
import { checkRules, type Rule, ruleSchema } from '../../public/schema.js'
import { EXIT } from '../exit_codes.js'
import { fail, messageOf } from '../fault.js'
import { ChunkedWriter } from '../output.js'
import { safeJson, widthOf } from '../terminal.js'
import { quoted } from '../values.js'
import { checkedFile, configSchemaOf } from '../watch/config.js'
import { hanging, setIn } from '../wrap.js'
import type { Matching } from './matching.js'
import { matchLine, ruleLine, ruleRecord, trapOf } from './rule_line.js'

/** As commander hands them over. */
export interface CheckOptions {
  json?: true
  static?: true
}

/** Prints the rules of a file in normal form, and what they match now. */
export async function check(file: string, options: CheckOptions): Promise<void> {
  const { written } = await checkedFile(file, quoted(file), configSchemaOf(ruleSchema), {
    isAlone: true,
  })
  const builtin = builtinRules(Object.fromEntries((written.builtin ?? []).map((name) => [name, true])))
  const rules = [...builtin, ...(written.rules ?? [])]
  const matching = options.static ? undefined : await matchingOf(file, rules)
  const width = widthOf(process.stdout)
  const writer = new ChunkedWriter(process.stdout)
  for (const [at, rule] of checkRules(rules).entries()) {
    const found = rule.enabled ? matching?.[at] : undefined
    if (options.json) {
      const matches = options.static ? {} : { matches: found ?? null }
      await writer.write(`${safeJson({ ...ruleRecord(rule), ...matches })}\n`)
    } else {
      const trap = trapOf(rule, rules[at]!.match === undefined)
      const lines = [
        ...setIn(ruleLine(rule), 4, width),
        ...(found ? hanging('  ', matchLine(found, rule), width) : []),
        ...(trap ? hanging('  ', trap, width) : []),
      ]
      await writer.write(`${lines.join('\n')}\n`)
    }
  }
  await writer.flush()
}

/** What only a host can tell: also that it knows no such user. */
async function matchingOf(file: string, rules: readonly Rule[]): Promise<Matching[] | undefined> {
  try {
    const { matchingNow } = await import('./matching.js')
    return await matchingNow(rules)
  } catch (error) {
    const isRule = error instanceof ProcmusterError && error.code === 'INVALID_ARGUMENT'
    if (isRule)
      fail(EXIT.config, `${quoted(file)}: ${messageOf(error)} (--static leaves out what needs a host)`)
    process.stderr.write(`muster: what the rules match now is not known: ${messageOf(error)}\n`)
    return undefined
  }
}
