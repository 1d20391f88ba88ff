import { Argument, Command } from 'commander'
import { z } from 'zod'
import { builtinRules, checkRules, ProcmusterError, type Rule, ruleSchema } from '../../index.js'
import { EXIT } from '../exit_codes.js'
import { fail, messageOf } from '../fault.js'
import { ChunkedWriter } from '../output.js'
import { safeJson } from '../terminal.js'
import { quoted } from '../values.js'
import { checkedFile, configSchemaOf } from '../watch/config.js'
import { type Matching, matchingNow } from './matching.js'
import { matchLine, ruleLine, ruleRecord } from './rule_line.js'

export function rulesCommand(): Command {
  return new Command('rules')
    .description('check a file of rules; print the form of such a file as JSON Schema')
    .addCommand(checkCommand())
    .addCommand(schemaCommand())
    .addHelpText('after', HELP)
}

function checkCommand(): Command {
  return new Command('check')
    .description(
      'check a configuration file: its faults with line and column, or its rules in normal form and what they match now',
    )
    .addArgument(new Argument('<file>', 'the YAML file'))
    .option('--static', 'look at the file alone, not at the processes that its rules match now')
    .option('--json', 'JSON Lines on stdout, one record per rule')
    .addHelpText('after', CHECK_HELP)
    .action(check)
}

function schemaCommand(): Command {
  return new Command('schema')
    .description('print the JSON Schema of a configuration file, for editors')
    .action(() => {
      const schema = z.toJSONSchema(configSchemaOf(ruleSchema), { io: 'input' })
      process.stdout.write(`${JSON.stringify(schema, undefined, 2)}\n`)
    })
}

async function check(file: string, options: { json?: true; static?: true }): Promise<void> {
  const { written } = await checkedFile(file, quoted(file), configSchemaOf(ruleSchema))
  const builtin = builtinRules(Object.fromEntries((written.builtin ?? []).map((name) => [name, true])))
  const rules = [...builtin, ...(written.rules ?? [])]
  const matching = options.static ? undefined : await matchingOf(file, rules)
  const writer = new ChunkedWriter(process.stdout)
  for (const [at, rule] of checkRules(rules).entries()) {
    const found = rule.enabled ? matching?.[at] : undefined
    if (options.json) {
      const matches = options.static ? {} : { matches: found ?? null }
      await writer.write(`${safeJson({ ...ruleRecord(rule), ...matches })}\n`)
    } else {
      await writer.write(`${ruleLine(rule)}\n${found ? `  ${matchLine(found)}\n` : ''}`)
    }
  }
  await writer.flush()
}

const CHECK_HELP = `
Nothing is acted on. The language of rules: \`muster watch --help\`, and docs/rules.md.

Exit codes: 0 all is right; 2 no file given; 8 a fault in the file, or it cannot be read. \`muster --help\` lists all.`

/** What only a host can tell: also that it knows no such user. */
async function matchingOf(file: string, rules: readonly Rule[]): Promise<Matching[] | undefined> {
  try {
    return await matchingNow(rules)
  } catch (error) {
    const isRule = error instanceof ProcmusterError && error.code === 'INVALID_ARGUMENT'
    if (isRule)
      fail(EXIT.config, `${quoted(file)}: ${messageOf(error)} (--static leaves out what needs a host)`)
    process.stderr.write(`muster: what the rules match now is not known: ${messageOf(error)}\n`)
    return undefined
  }
}

const HELP = `
Examples:
  muster rules check /etc/muster.yaml
  muster rules check muster.yaml --json | jq -r '.name + ": " + .when'
  muster rules schema > muster.schema.json     then, on top of muster.yaml:
                                               # yaml-language-server: $schema=muster.schema.json`
